//! `tools/call`: the tool's own rule decides, and its arguments go to the server with real values where the caller wrote back what
//! it was shown of the same field of the same record.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts as RequestHead};

use super::{
    Mapped,
    answer::Answering,
    forward,
    show::{Show, What},
};
use crate::{
    crm::{Matched, Media},
    gateway::{
        budget,
        call::store,
        exchange::{Exchange, Stage},
        plan::Plan,
        request,
        respond::Refusal,
        response::Answer,
        search,
        snapshot::{CallPlan, Site},
        stand_ins::{Place, Scope},
    },
    model::{ClassId, Principal, SubjectId},
    rewrite::{self, RewriteError, WrittenBack, mcp::Message},
};

/// A call as it came.
pub(super) struct Called<'m> {
    pub(super) message: &'m Message,
    pub(super) tool: &'m str,
    pub(super) arguments: Option<Range<usize>>,
    /// The whole message.
    pub(super) bytes: Bytes,
}

/// Answers a call.
pub(super) async fn answer(
    exchange: &mut Exchange<'_>,
    site: &Arc<Site>,
    principal: &Arc<Principal>,
    mapped: &Mapped,
    head: RequestHead,
    called: Called<'_>,
) -> Stage<Answer> {
    let found = mapped.route.calls.iter().find(|call| *call.call.name == *called.tool).ok_or_else(|| {
        let detail = "the API map has no such tool; use one that `tools/list` names";
        Box::new(Refusal::new("unmapped_tool", StatusCode::NOT_FOUND, detail))
    })?;
    exchange.ending.operation = Arc::clone(&found.plan.operation);
    exchange.ending.route = Some(Arc::clone(&found.plan.status));
    let plan = exchange.authorise(site, &found.plan, principal)?;
    let scope = Scope {
        upstream: Arc::clone(&site.upstream_name),
        principal: Arc::clone(&principal.id),
        resource: Arc::clone(&found.plan.resource),
    };
    let raw = called.arguments.clone().and_then(|at| called.bytes.get(at)).unwrap_or(b"{}");
    let view = exchange.snapshot.request_view(&found.plan, &plan);
    let subject = rewrite::subject(&view, raw).map_err(|error| refused(&error))?;
    let reopened = reopened(exchange, &view, raw, &called, (&scope, &found.call.record, subject.as_ref()))?;
    let write_back = found.plan.write_back(&Method::POST);
    let guarded = rewrite::guard_request(&view, &reopened.body, write_back).map_err(|error| refused(&error))?;
    if !found.plan.action.is_write() {
        search::plain(&exchange.snapshot, &guarded.known)?;
    }
    let matched = Matched::call(&found.call.route, subject);
    let mut known = site.secrets.clone();
    known.extend(guarded.known);
    known.extend(reopened.values.iter().map(|(value, _)| value.clone()));
    let sealed = store(&exchange.snapshot, &found.plan, &plan, &matched, guarded.body).await?;
    known.extend(sealed.known);
    exchange.meter = budget::open(exchange, site, &found.plan, &matched, &plan, guarded.written)?;
    exchange.intent(&found.plan, &matched, guarded.written).await?;
    let body = rebuilt(&called, sealed.body);
    let response = forward(exchange, site, mapped, &found.plan, &plan, head, body).await?;
    let what = what(exchange, site, (found, &plan), &called, &matched);
    let mut show = Show::new(exchange, site, &found.plan, &plan, what, known);
    show.opened = reopened.values;
    show.unnamed = sealed.unnamed;
    show.scope = Some(scope);
    Answering { exchange, site, route: &found.plan, plan: &plan, show }.view(response).await
}

fn what(
    exchange: &Exchange<'_>,
    site: &Site,
    (found, plan): (&CallPlan, &Plan),
    called: &Called<'_>,
    matched: &Matched,
) -> What {
    What::Tool {
        id: called.message.id.clone().unwrap_or_default(),
        media: found.call.media == Media::Pass,
        plan: exchange.snapshot.response_view(site, &found.plan, plan, Vec::new(), matched.subject.clone(), None),
    }
}

/// The arguments with the values that the caller knows by a pseudonym.
fn reopened(
    exchange: &Exchange<'_>,
    view: &rewrite::Plan,
    arguments: &[u8],
    called: &Called<'_>,
    (scope, record, subject): (&Scope, &str, Option<&SubjectId>),
) -> Stage<rewrite::Reopened> {
    let classes = &exchange.snapshot.classes;
    let name = |class: ClassId| classes.get(class).map(|class| Arc::clone(&class.name));
    let kept = &exchange.worker.shared.stand_ins;
    let mut value = |back: WrittenBack<'_>| {
        let class = name(back.class)?;
        let field = format!("${}", back.field.strip_prefix(record)?);
        let place = Place { class: &class, field: &field, record: subject?, shown: back.text };
        kept.find(scope, place, exchange.now)
    };
    rewrite::reopen(view, arguments, &called.message.stand_ins(), &mut value).map_err(|error| refused(&error))
}

/// The message with other arguments.
fn rebuilt(called: &Called<'_>, arguments: Vec<u8>) -> Bytes {
    let Some(at) = &called.arguments else { return called.bytes.clone() };
    let mut message = called.bytes.to_vec();
    message.splice(at.clone(), arguments);
    Bytes::from(message)
}

/// Why a message of the caller does not go on.
pub(super) fn refused(error: &RewriteError) -> Box<Refusal> {
    match error {
        RewriteError::MaskedValue { fields } => {
            let detail = "masks and pseudonyms stand where they are no value: one opens only in the field, and with the \
                          record's id, that it was shown for; read the record again, or leave the field out";
            Box::new(Refusal::new("masked_value", StatusCode::CONFLICT, detail).member("fields", fields.clone()))
        }
        RewriteError::TooManySubjects => {
            let detail = "the arguments name more than one record; call the tool once for each";
            Box::new(Refusal::new("invalid_message", StatusCode::BAD_REQUEST, detail))
        }
        other => Box::new(request::refused(other)),
    }
}
