//! The life of an exchange with a GraphQL API: a document is resolved into the roots of the map, each is authorised, guarded and
//! recorded as its own call, and its answer is shown by the names of the schema.

mod answer;
mod ask;

use std::sync::Arc;

use http::{StatusCode, request::Parts as RequestHead};
use hyper::body::Incoming as Inbound;

use super::{
    budget,
    call::readable,
    exchange::{Exchange, Stage},
    inner,
    plan::Plan,
    request,
    respond::Refusal,
    response::Answer,
    snapshot::{RoutePlan, Site},
};
use crate::{
    crm::{Matched, graphql::GraphQlError},
    model::{BodyFormat, ClassSet, EventDecision, Principal, Sensitive},
    rewrite::{RewriteError, mcp::MessageError},
};
use ask::Asked;

/// A root of a document, decided.
struct Call {
    route: Arc<RoutePlan>,
    plan: Arc<Plan>,
    matched: Matched,
    written: ClassSet,
    searched: ClassSet,
    meter: Option<Arc<budget::Meter>>,
}

/// Answers one request of a GraphQL route.
pub(super) async fn answer(
    exchange: &mut Exchange<'_>,
    site: &Arc<Site>,
    principal: &Arc<Principal>,
    (matched, route, plan): (&Matched, &Arc<RoutePlan>, &Arc<Plan>),
    head: RequestHead,
    body: Inbound,
) -> Stage<Answer> {
    readable(&head.headers, BodyFormat::Json)?;
    let limit = (exchange.snapshot.limits.guarded_body_bytes, "limits.guarded_body_bytes");
    let bytes = request::read(exchange, body, limit).await?.freeze();
    let asked = Asked::parse(exchange, route, &bytes)?;
    let mut calls = Vec::with_capacity(asked.resolved.roots.len());
    let mut known: Vec<Sensitive<String>> = site.secrets.clone();
    for root in &asked.resolved.roots {
        let Some(found) = route.calls.get(root.call) else { continue };
        exchange.ending.operation = Arc::clone(&found.plan.operation);
        exchange.ending.route = Some(Arc::clone(&found.plan.status));
        let plan = exchange.authorise(site, &found.plan, principal)?;
        let guarded = ask::guarded(exchange, &found.plan, &plan, root)?;
        known.extend(guarded.known);
        calls.push(Call {
            route: Arc::clone(&found.plan),
            plan,
            matched: Matched::call(&found.call.route, guarded.subject),
            written: guarded.written,
            searched: ClassSet::EMPTY,
            meter: None,
        });
    }
    open(exchange, site, route, plan, &mut calls)?;
    for call in &calls {
        exchange.intent(&call.route, &call.matched, call.written).await?;
    }
    let response = inner::forward(exchange, site, matched, (route, plan), head, bytes).await?;
    answer::Answering { exchange, site, route, plan, asked: &asked, calls, known }.view(response).await
}

/// Opens the budgets of every call, and makes one decision of theirs.
fn open(exchange: &mut Exchange<'_>, site: &Site, route: &RoutePlan, plan: &Plan, calls: &mut [Call]) -> Stage<()> {
    let mut searched = ClassSet::EMPTY;
    let single = calls.len() == 1;
    let mut decision: Option<EventDecision> = None;
    for call in calls.iter_mut() {
        call.meter = budget::open(exchange, site, &call.route, &call.matched, &call.plan, call.written)?;
        call.searched = exchange.ending.searched;
        searched = searched.union(call.searched);
        let own = &call.plan.decision;
        match &mut decision {
            None => decision = Some((**own).clone()),
            Some(all) => {
                let mut rules: Vec<_> = all.rules.iter().chain(own.rules.iter()).cloned().collect();
                rules.sort_unstable();
                rules.dedup();
                all.rules = rules.into();
                if all.effect != own.effect {
                    all.effect = crate::model::Effect::PermitProtected;
                }
            }
        }
    }
    exchange.ending.searched = searched;
    exchange.ending.decision = decision.map_or_else(|| Arc::clone(&plan.decision), Arc::new);
    if !single {
        // Several calls are the route's.
        exchange.ending.operation = Arc::clone(&route.operation);
        exchange.ending.route = Some(Arc::clone(&route.status));
    }
    Ok(())
}

fn invalid(detail: &str) -> Box<Refusal> {
    Box::new(Refusal::new("invalid_document", StatusCode::BAD_REQUEST, detail))
}

fn unresolved(error: &GraphQlError) -> Box<Refusal> {
    let status = match error {
        GraphQlError::Unmapped { .. } | GraphQlError::Container { .. } => StatusCode::NOT_FOUND,
        GraphQlError::Limit { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    Box::new(Refusal::new(error.code(), status, error.to_string()))
}

fn malformed(error: &MessageError) -> Box<Refusal> {
    match error {
        MessageError::Rewrite(RewriteError::Body(_)) => {
            let detail = format!("the request body is not acceptable: {error}");
            Box::new(Refusal::new("invalid_json", StatusCode::BAD_REQUEST, detail))
        }
        other => invalid(&format!("the request body is not acceptable: {other}")),
    }
}
