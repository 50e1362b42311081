//! What exchanges share whose bodies carry calls: the request goes on as what a call's own rule permits, and the answer's head is
//! made ours before its body is read.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, StatusCode, header};
use http::{request::Parts as RequestHead, response::Parts as ResponseHead};

use super::{
    exchange::{Exchange, Stage},
    plan::Plan,
    request::{self, OutboundBody, Trouble},
    response,
    snapshot::{RoutePlan, Site},
};
use crate::{crm::Matched, model::Sensitive, upstream};

/// Sends `body` to the target of `matched`, as what `route`, that of the request line or of a call in it, permits.
pub(super) async fn forward(
    exchange: &mut Exchange<'_>,
    site: &Site,
    matched: &Matched,
    (route, plan): (&RoutePlan, &Plan),
    head: RequestHead,
    body: Bytes,
) -> Stage<Response<upstream::Body>> {
    let body = OutboundBody::Full(body);
    let headers = request::headers(exchange, site, plan, &head, &body)?;
    let request = request::addressed(site, (head.method, &matched.target), headers, body)?;
    exchange.forward(site, plan, route, request, &Trouble::default()).await
}

/// Makes the head of an answer ours; fields called `opaque` are left as they are.
pub(super) fn prepare(
    exchange: &Exchange<'_>,
    site: &Site,
    plan: &Plan,
    head: &mut ResponseHead,
    known: &[Sensitive<String>],
    opaque: Option<&HeaderName>,
) -> Stage<()> {
    response::ours(site, head)?;
    if head.status == StatusCode::PARTIAL_CONTENT {
        return Err(response::blocked(
            "partial_response",
            "the CRM answered with a part of a body, which cannot be protected",
        ));
    }
    let kept = opaque.and_then(|name| Some((name, head.headers.remove(name)?)));
    response::conceal(&mut head.headers, &exchange.snapshot.tools, known);
    if let Some((name, value)) = kept {
        head.headers.insert(name.clone(), value);
    }
    response::per_caller(exchange, plan, &mut head.headers);
    Ok(())
}

/// Takes away what a head says of bytes that are not sent.
pub(super) fn of_no_body(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
}
