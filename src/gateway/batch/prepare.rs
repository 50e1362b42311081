//! The calls of a batch before anything is sent: each mapped, permitted, answered, guarded and stored, or all refused.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{
    Inner, Item, at,
    place::{self, Place},
    reference::{self, References, STANDIN_ID},
};
use crate::{
    gateway::{
        budget::{self, AtStop},
        call::{self, Asked, Call},
        exchange::{Exchange, Stage},
        respond::Refusal,
        snapshot::Site,
    },
    model::{Batch, BodyFormat, Operation, Principal},
    upstream,
};

/// Prepares `items`, which came in the batch `vessel`.
pub(super) async fn prepare(
    exchange: &Exchange<'_>,
    site: &Arc<Site>,
    principal: &Arc<Principal>,
    (kind, vessel): (Batch, &Call),
    items: Vec<Item>,
) -> Stage<Vec<Inner>> {
    let base = place::base(kind, &vessel.matched.target);
    let preparing = Preparing { exchange, site, principal, kind, base: base.as_deref() };
    let mut calls: Vec<Inner> = Vec::with_capacity(items.len());
    for item in items {
        let (number, method) = (item.number, item.method.clone());
        let mut operation = exchange.worker.bare_operation(&method);
        let prepared = preparing.one(item, &calls, &mut operation).await;
        calls.push(prepared.map_err(|refusal| at(number, operation, refusal))?);
    }
    let writes = calls.iter().any(|inner| inner.call.route.action.is_write());
    let at_stop = if writes { AtStop::Mask } else { AtStop::Refuse };
    for inner in &mut calls {
        let Call { route, matched, plan } = &inner.call;
        let number = inner.item.number;
        let claimed = budget::claim(exchange, site, (route, matched, plan), inner.asked.searched, (at_stop, number));
        inner.asked.meter = claimed.map_err(|refusal| at(number, Arc::clone(&route.operation), refusal))?;
    }
    Ok(calls)
}

struct Preparing<'p, 'w> {
    exchange: &'p Exchange<'w>,
    site: &'p Arc<Site>,
    principal: &'p Arc<Principal>,
    kind: Batch,
    base: Option<&'p str>,
}

impl Preparing<'_, '_> {
    async fn one(&self, item: Item, before: &[Inner], operation: &mut Arc<Operation>) -> Stage<Inner> {
        if !METHODS.contains(&item.method) {
            return Err(bad("the method is none of GET, POST, PUT, PATCH and DELETE"));
        }
        let mut headers = headers(&item.headers)?;
        let references = References::of(self.kind, &item, before)?;
        let place = self.place(&item, &references, before)?;
        let found = call::find(self.site, &item.method, &place.target)?;
        *operation = Arc::clone(&found.1.operation);
        let mut call = Call::permit(self.exchange, self.site, self.principal, found)?;
        if matches!(call.route.request_format, BodyFormat::Batch(_) | BodyFormat::Multipart) {
            return Err(bad("a batch or an upload inside of a batch is not served; send it by itself"));
        }
        if item.json && !matches!(call.route.request_format, BodyFormat::Json | BodyFormat::Empty) {
            return Err(bad("this route takes no JSON body, and the batch can carry no other"));
        }
        // It has no id before the CRM makes it.
        call.matched.subject = call.matched.subject.filter(|subject| !subject.expose().contains(STANDIN_ID));
        references.check_target(&mut call)?;
        references.check_body(&call.route.request, &item.body, before)?;
        let mut read = headers.clone();
        if item.json {
            read.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        }
        let protected = call.protect(&self.exchange.snapshot, &item.method, &read, &item.body).await?;
        let held = |standin: &str| protected.known.iter().any(|value| value.expose().contains(standin));
        if references.standins().chain([STANDIN_ID]).any(held) {
            return Err(reference::refused("a reference stands where a protected value is looked for"));
        }
        let target = place.written(self.site, &protected.target);
        let url = target.and_then(|target| references.restore(&target));
        let url = url.ok_or_else(|| reference::refused("the query around a reference cannot be answered"))?;
        call.plan.tag.unmark(&mut headers);
        let searched = budget::searched(&call.route, &call.matched, protected.written);
        let asked = Asked { known: protected.known, unnamed: protected.unnamed, searched, meter: None };
        let (body, written) = (protected.body, protected.written);
        Ok(Inner { item, call, url, headers, body, written, asked })
    }

    fn place(&self, item: &Item, references: &References, before: &[Inner]) -> Stage<Place> {
        let url = references.url();
        if let (Batch::OData, Some(rest)) = (self.kind, url.strip_prefix('$'))
            && let Some(place) = reference::odata(rest, item, before)?
        {
            return Ok(place);
        }
        Place::of(self.site, self.base, url).ok_or_else(|| {
            bad("the URL leads to another host, or cannot be read; write it from the root, `/…`, as a lone request's")
        })
    }
}

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// The header of a call as the CRM gets it.
fn headers(given: &HeaderMap) -> Stage<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        if upstream::headers::is_refused_inside(name) {
            let detail = format!("the header `{name}` is not served inside of a batch; leave it out");
            return Err(Box::new(Refusal::new("batch_header", StatusCode::BAD_REQUEST, detail)));
        }
        if ![header::HOST, header::CONTENT_LENGTH, header::ACCEPT_ENCODING].contains(name) {
            headers.append(name, value.clone());
        }
    }
    Ok(headers)
}

fn bad(detail: &str) -> Box<Refusal> {
    Box::new(Refusal::new("invalid_batch", StatusCode::BAD_REQUEST, detail))
}
