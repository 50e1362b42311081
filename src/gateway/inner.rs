//! What exchanges share whose bodies carry calls: the request goes on as what a call's own rule permits, and the answer's head is
//! made ours before its body is read.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http::{request::Parts as RequestHead, response::Parts as ResponseHead};
use http_body_util::BodyExt;
use zeroize::Zeroizing;

use super::{
    coding::Decoder,
    exchange::{Exchange, Stage},
    parts::PartError,
    plan::Plan,
    request::{self, OutboundBody, Trouble},
    respond::Refusal,
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
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.uri_mut() = site.upstream.uri(&matched.target).ok_or_else(|| {
        Box::new(Refusal::new("unmapped_route", StatusCode::NOT_FOUND, "the request target is not valid"))
    })?;
    *request.headers_mut() = headers;
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
    upstream::headers::prepare_response(&mut head.headers, site.inbound.pass_cookies);
    head.version = http::Version::HTTP_11;
    head.extensions.clear();
    head.headers.remove(header::TRAILER);
    response::links(site, &mut head.headers)?;
    if head.status == StatusCode::UNAUTHORIZED && !site.inbound.pass_authorization {
        let detail = "the CRM refused the gateway's own credential; its operator has to renew it";
        return Err(response::blocked("upstream_unauthorized", detail));
    }
    if head.status == StatusCode::PARTIAL_CONTENT {
        return Err(response::blocked("partial_response", "a part of an answer cannot be protected"));
    }
    let kept = opaque.and_then(|name| Some((name, head.headers.remove(name)?)));
    response::conceal(&mut head.headers, &exchange.snapshot.tools, known);
    if let Some((name, value)) = kept {
        head.headers.insert(name.clone(), value);
    }
    response::per_caller(exchange, plan, &mut head.headers);
    Ok(())
}

/// What undoes the coding of an answer.
pub(super) fn decoder(exchange: &Exchange<'_>, headers: &HeaderMap) -> Result<Decoder, PartError> {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
    Ok(Decoder::new(codings, exchange.snapshot.limits.expansion)?)
}

/// The decoded body, up to `limits.guarded_body_bytes`.
pub(super) async fn whole(
    exchange: &Exchange<'_>,
    headers: &HeaderMap,
    mut body: upstream::Body,
) -> Result<Zeroizing<Vec<u8>>, PartError> {
    let (limits, patience) = (&exchange.snapshot.limits, exchange.snapshot.timeouts.body.duration());
    let mut decoder = decoder(exchange, headers)?;
    let mut whole = Zeroizing::new(Vec::new());
    let mut take = |decoded: &[u8]| {
        whole.extend_from_slice(decoded);
        if whole.len() > limits.guarded_body_bytes { Err(PartError::TooLarge) } else { Ok(()) }
    };
    while let Some(frame) = tokio::time::timeout(patience, body.frame()).await.map_err(|_| PartError::Stalled)? {
        let Ok(data) = frame.map_err(|error| PartError::of_body(&error))?.into_data() else { continue };
        decoder.push(&data, &mut take)?;
    }
    decoder.finish(&mut take)?;
    Ok(whole)
}

/// Takes away what a head says of bytes that are not sent.
pub(super) fn of_no_body(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
}
