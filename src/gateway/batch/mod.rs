//! Several calls in one exchange: a batch in, each call of it mapped, decided, guarded and recorded like a request of its own, one
//! batch out. One call that is refused refuses all of them before anything is sent, and what one of them may not show blocks all.

mod answer;
mod json;
mod multipart;
mod place;
mod prepare;
mod reference;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header, request::Parts as RequestHead};
use hyper::body::Incoming as Inbound;

use super::{
    call::{self, Asked, Call},
    exchange::{Exchange, Stage},
    request::{self, OutboundBody, Trouble},
    respond::Refusal,
    response::Answer,
    search,
    snapshot::Site,
};
use crate::{
    model::{AccessKind, Batch, ClassSet, Operation, Principal, Sensitive, Sighting, Subject},
    rewrite::multipart::MultipartError,
};

/// Calls of one batch (Dataverse: 1,000; Salesforce: 25).
pub(super) const MAX_CALLS: usize = 1_000;

/// A call as it came in a batch.
#[derive(Debug, Clone)]
struct Item {
    /// Counted from 1, in the order of the batch.
    number: u32,
    /// What other calls, and its answer, name it by.
    id: Option<String>,
    /// The change set it is in: all of it happens or nothing.
    set: Option<usize>,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Vec<u8>,
    /// The envelope is JSON, and so is the body where no header says otherwise.
    json: bool,
    /// Members of a JSON envelope that are passed on with it.
    extra: Vec<(String, String)>,
}

/// A call that may be sent.
struct Inner {
    item: Item,
    call: Call,
    /// As the CRM gets it.
    url: String,
    headers: HeaderMap,
    body: Vec<u8>,
    /// Classes that it writes.
    written: ClassSet,
    asked: Asked,
}

impl Inner {
    fn operation(&self) -> &Arc<Operation> {
        &self.call.route.operation
    }
}

/// How the calls are wrapped.
enum Envelope {
    Multipart(multipart::Wrap),
    Json(json::Wrap),
}

impl Envelope {
    /// Unwraps a batch.
    fn open(kind: Batch, media: &HeaderMap, body: &[u8]) -> Result<(Self, Vec<Item>), Fault> {
        let media = media.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        if request::is_json(media) {
            return json::Wrap::open(kind, body).map(|(wrap, items)| (Self::Json(wrap), items));
        }
        let text = std::str::from_utf8(media).unwrap_or_default();
        if kind != Batch::OData || !text.trim_start().to_ascii_lowercase().starts_with("multipart/mixed") {
            return Err(Fault::Media(kind));
        }
        multipart::Wrap::open(text, body).map(|(wrap, items)| (Self::Multipart(wrap), items))
    }
}

/// Why a body is not a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Another media type than this kind of batch has.
    Media(Batch),
    /// Not multipart that every reader splits alike.
    Multipart(MultipartError),
    /// Not JSON, or JSON in which a member is missing, comes twice or is not known; the call, counted from 1.
    Json(Option<u32>),
    /// A part that is not a call; counted from 1.
    Part(u32),
    /// Past the limit of calls.
    TooMany(usize),
    /// No call at all.
    Empty,
}

impl Fault {
    fn refusal(self) -> Refusal {
        let bad = |detail: String| Refusal::new("invalid_batch", StatusCode::BAD_REQUEST, detail);
        match self {
            Self::Media(kind) => {
                let media = match kind {
                    Batch::OData => "`multipart/mixed` with a `boundary`, or `application/json`",
                    Batch::SalesforceComposite | Batch::SalesforceBatch => "`application/json`",
                };
                let detail = format!("this route takes a batch: send it as {media}");
                Refusal::new("unsupported_media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
            }
            Self::Multipart(error) => bad(format!("the batch is not acceptable: {error}")),
            Self::Json(None) => bad("the batch is not JSON with the members that such a batch has".to_owned()),
            Self::Json(Some(number)) => {
                bad(format!("request {number} of the batch has a member that is missing, comes twice or is not known"))
                    .member("position", number)
            }
            Self::Part(number) => bad(format!(
                "request {number} of the batch is not one `application/http` request with plain part headers"
            ))
            .member("position", number),
            Self::TooMany(most) => bad(format!("the batch has more than {most} requests; send several batches")),
            Self::Empty => bad("the batch has no request".to_owned()),
        }
    }
}

/// The refusal of one call, as that of the batch.
fn at(number: u32, operation: Arc<Operation>, refusal: Box<Refusal>) -> Box<Refusal> {
    let mut refusal = refusal.member("position", number);
    refusal.detail = format!("request {number} of the batch: {}", refusal.detail);
    refusal.call = Some((number, operation));
    // The batch was read to its end.
    refusal.closes = false;
    Box::new(refusal)
}

/// Serves a batch.
pub(super) async fn run(
    exchange: &mut Exchange<'_>,
    site: &Arc<Site>,
    principal: &Arc<Principal>,
    vessel: Call,
    kind: Batch,
    (head, body): (RequestHead, Inbound),
) -> Stage<Answer> {
    call::not_coded(&head.headers)?;
    call::refuse_stand_ins(&vessel.matched)?;
    let target = search::target(&exchange.snapshot, &vessel.matched).await?.text;
    let limit = (exchange.snapshot.limits.batch_body_bytes, "limits.batch_body_bytes");
    let bytes = request::read(exchange, body, limit).await?;
    let (envelope, items) = Envelope::open(kind, &head.headers, &bytes).map_err(|fault| Box::new(fault.refusal()))?;
    let mut calls = prepare::prepare(exchange, site, principal, (kind, &vessel), items).await?;
    intent(exchange, &calls).await?;
    let request = outbound(exchange, site, &vessel, (&head, &target), (&envelope, &calls))?;
    let response = exchange.forward(site, &vessel.plan, &vessel.route, request, &Trouble::default()).await?;
    answer::view(exchange, site, vessel, &envelope, &mut calls, response).await
}

/// Durable before the CRM is called: every write of the batch.
async fn intent(exchange: &mut Exchange<'_>, calls: &[Inner]) -> Stage<()> {
    let writes = calls.iter().filter(|inner| inner.call.route.action.is_write());
    let events: Vec<_> = writes
        .map(|inner| {
            let seen = Sighting { subject: inner.call.matched.subject.clone(), ..Sighting::default() };
            let named = seen.subject.is_some();
            let subject = Subject { kind: Arc::clone(&inner.call.route.resource), seen };
            let subjects = if named { vec![subject] } else { Vec::new() };
            let number = (inner.item.number, inner.operation());
            let classes = (inner.written, inner.asked.searched);
            exchange.ending.call_event(number, &inner.call.plan.decision, AccessKind::Intent, subjects, classes)
        })
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    let recorded = exchange.ending.shared().record_all(&events).await;
    let receipt = recorded.map_err(|_| Box::new(Refusal::audit_unavailable()))?;
    exchange.quote(&receipt);
    Ok(())
}

fn outbound(
    exchange: &Exchange<'_>,
    site: &Site,
    vessel: &Call,
    (head, target): (&RequestHead, &str),
    (envelope, calls): (&Envelope, &[Inner]),
) -> Stage<Request<OutboundBody>> {
    let (media, body) = match envelope {
        Envelope::Multipart(wrap) => wrap.request(calls),
        Envelope::Json(wrap) => ("application/json".to_owned(), wrap.request(calls)),
    };
    let body = OutboundBody::Full(Bytes::from(body));
    let mut headers = request::headers(exchange, site, &vessel.plan, head, &body)?;
    let media = HeaderValue::try_from(media)
        .map_err(|_| Box::new(Refusal::new("unmapped_route", StatusCode::NOT_FOUND, "the batch cannot be wrapped")))?;
    headers.insert(header::CONTENT_TYPE, media);
    request::addressed(site, (Method::POST, target), headers, body)
}

/// A name as people write it: some clients look for `Location` and nothing else.
fn spelled(name: &HeaderName) -> String {
    match name.as_str() {
        "etag" => "ETag".to_owned(),
        "odata-entityid" => "OData-EntityId".to_owned(),
        "odata-version" => "OData-Version".to_owned(),
        "odata-maxversion" => "OData-MaxVersion".to_owned(),
        name => {
            let words = name.split('-').map(|word| {
                let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
                format!("{}{rest}", first.to_ascii_uppercase())
            });
            words.collect::<Vec<_>>().join("-")
        }
    }
}

/// Every value that no error of the batch may echo.
fn known(site: &Site, calls: &[Inner]) -> Vec<Sensitive<String>> {
    site.secrets.iter().chain(calls.iter().flat_map(|inner| &inner.asked.known)).cloned().collect()
}
