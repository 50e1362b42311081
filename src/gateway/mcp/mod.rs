//! The life of an exchange with an MCP server (streamable HTTP, 2025-06-18): each message is matched with what the map says of its
//! tool, authorised as that, guarded, recorded and shown. Everything that the map does not name is refused.

mod answer;
mod call;
mod events;
mod show;
mod split;

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, Method, Response, StatusCode, header, request::Parts as RequestHead};
use hyper::body::Incoming as Inbound;

pub(super) use events::Events;

use super::{
    call::readable,
    exchange::{Exchange, Stage},
    inner,
    plan::Plan,
    request,
    respond::Refusal,
    response::Answer,
    rpc::Rpc,
    snapshot::{RoutePlan, Site},
};
use crate::{
    crm::Matched,
    model::{BodyFormat, Principal},
    rewrite::{
        RewriteError,
        mcp::{Kind, Message, MessageError},
    },
    upstream,
};
use answer::Answering;
use show::{Show, What};

/// What the request line is mapped to, and what policy says about it.
pub(super) struct Mapped {
    pub(super) matched: Matched,
    pub(super) route: Arc<RoutePlan>,
    pub(super) plan: Arc<Plan>,
}

/// Requests that need no tool: what they say and what they get is scanned.
const PASSED: [&str; 4] = ["initialize", "ping", LIST, "logging/setLevel"];

const LIST: &str = "tools/list";

/// Answers one request of an MCP route.
pub(super) async fn answer(
    exchange: &mut Exchange<'_>,
    site: &Arc<Site>,
    principal: &Arc<Principal>,
    mapped: Mapped,
    head: RequestHead,
    body: Inbound,
) -> Stage<Answer> {
    match head.method {
        Method::POST => post(exchange, site, principal, &mapped, head, body).await,
        Method::GET | Method::DELETE => {
            let what = if head.method == Method::GET { What::Nothing } else { What::End };
            let response = forward(exchange, site, &mapped, &mapped.route, &mapped.plan, head, Bytes::new()).await?;
            let show = Show::new(exchange, site, &mapped.route, &mapped.plan, what, site.secrets.clone());
            Answering { exchange, site, route: &mapped.route, plan: &mapped.plan, show }.view(response).await
        }
        _ => {
            let refusal =
                Refusal::new("unmapped_route", StatusCode::METHOD_NOT_ALLOWED, "use POST, GET or DELETE here");
            Err(Box::new(refusal.header(header::ALLOW, http::HeaderValue::from_static("POST, GET, DELETE"))))
        }
    }
}

async fn post(
    exchange: &mut Exchange<'_>,
    site: &Arc<Site>,
    principal: &Arc<Principal>,
    mapped: &Mapped,
    head: RequestHead,
    body: Inbound,
) -> Stage<Answer> {
    readable(&head.headers, BodyFormat::Json)?;
    let limit = (exchange.snapshot.limits.guarded_body_bytes, "limits.guarded_body_bytes");
    let bytes = request::read(exchange, body, limit).await?.freeze();
    // What is refused from here on is refused in the caller's language.
    exchange.rpc = Some(Rpc { id: None });
    let message = Message::parse(&bytes, exchange.snapshot.rewrite_limits()).map_err(|error| malformed(&error))?;
    exchange.rpc = Some(Rpc { id: message.id.clone() });
    message.check_surroundings().map_err(|error| call::refused(&error))?;
    let id = message.id.clone();
    let what = match &message.kind {
        Kind::Call { tool, arguments } => {
            let called = call::Called { message: &message, tool, arguments: arguments.clone(), bytes };
            return call::answer(exchange, site, principal, mapped, head, called).await;
        }
        Kind::Request { method } if method == LIST => {
            What::List { id: id.unwrap_or_default(), tools: permitted(exchange, site, &mapped.route, principal) }
        }
        Kind::Request { method } if !PASSED.contains(&method.as_str()) => return Err(unmapped_method()),
        Kind::Notification { method } if !method.starts_with("notifications/") => return Err(unmapped_method()),
        Kind::Request { .. } | Kind::Notification { .. } | Kind::Response => What::Other { id },
    };
    let response = forward(exchange, site, mapped, &mapped.route, &mapped.plan, head, bytes).await?;
    let show = Show::new(exchange, site, &mapped.route, &mapped.plan, what, site.secrets.clone());
    Answering { exchange, site, route: &mapped.route, plan: &mapped.plan, show }.view(response).await
}

/// The tools of the map that `principal` may call.
fn permitted(exchange: &Exchange<'_>, site: &Site, route: &RoutePlan, principal: &Arc<Principal>) -> HashSet<Arc<str>> {
    let may = |plan: &Arc<RoutePlan>| exchange.worker.plan(exchange, site, plan, principal).is_ok();
    route.calls.iter().filter(|call| may(&call.plan)).map(|call| Arc::clone(&call.call.name)).collect()
}

/// Sends `body` on as what `route`, the one that the request is mapped to or a call of it, permits.
async fn forward(
    exchange: &mut Exchange<'_>,
    site: &Site,
    mapped: &Mapped,
    route: &RoutePlan,
    plan: &Plan,
    mut head: RequestHead,
    body: Bytes,
) -> Stage<Response<upstream::Body>> {
    // Later versions repeat the tool and its arguments in headers: nobody would have looked into them.
    let own: Vec<HeaderName> = head.headers.keys().filter(|name| name.as_str().starts_with("mcp-")).cloned().collect();
    for name in own.into_iter().filter(|name| *name != SESSION && *name != VERSION) {
        head.headers.remove(name);
    }
    inner::forward(exchange, site, &mapped.matched, (route, plan), head, body).await
}

fn unmapped_method() -> Box<Refusal> {
    let detail =
        "this method is not served here; use `initialize`, `ping`, `tools/list`, `tools/call` and notifications";
    Box::new(Refusal::new("unmapped_method", StatusCode::NOT_FOUND, detail))
}

fn malformed(error: &MessageError) -> Box<Refusal> {
    let code = match error {
        MessageError::Rewrite(RewriteError::Body(_)) => "invalid_json",
        _ => "invalid_message",
    };
    let detail = format!("the message is not acceptable: {error}");
    Box::new(Refusal::new(code, StatusCode::BAD_REQUEST, detail))
}

/// What an MCP server calls a session; opaque to everybody else.
static SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

static VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
