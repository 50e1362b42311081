//! The caller's request on its way to the CRM: stand-ins kept out, headers made ours, the body bounded.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header, request::Parts as RequestHead};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming as Inbound;

use super::{
    call,
    exchange::{Exchange, Stage},
    paced::{Cut, Paced, Reach},
    plan::Plan,
    respond::Refusal,
    search,
    snapshot::{RoutePlan, Site},
    whole::gathered,
};
use crate::{
    crm::Matched,
    listener::{BodyError, BodyFault, body_fault},
    model::{BodyFormat, ClassSet, Sensitive, SubjectRef},
    rewrite::RewriteError,
    upstream,
};

/// What goes to the CRM, and what is remembered of it.
pub(super) struct Outbound {
    pub(super) request: Request<OutboundBody>,
    /// Classes the caller writes.
    pub(super) written: ClassSet,
    /// Protected values of the request: an error body must not echo them.
    pub(super) known: Vec<Sensitive<String>>,
    /// Set when a streamed body fails on its way.
    pub(super) trouble: Trouble,
    /// Subjects whose records the CRM is about to name.
    pub(super) unnamed: Vec<SubjectRef>,
}

/// Makes the CRM's request out of the caller's.
pub(super) async fn protect(
    exchange: &mut Exchange<'_>,
    site: &Site,
    route: &RoutePlan,
    matched: &Matched,
    plan: &Plan,
    head: RequestHead,
    body: Inbound,
) -> Stage<Outbound> {
    call::refuse_stand_ins(matched)?;
    let target = search::target(&exchange.snapshot, matched).await?;
    let mut looked_for = target.classes;
    let mut known = site.secrets.clone();
    known.extend(target.known);
    known.extend(matched.protected.iter().map(|(_, value)| value.clone()));
    let mut written = ClassSet::EMPTY;
    let trouble = Trouble::default();
    let (mut unnamed, mut media) = (Vec::new(), None);
    let body = if body.is_end_stream() {
        OutboundBody::Full(Bytes::new())
    } else if route.request_format == BodyFormat::Empty {
        no_body(exchange, body).await?;
        OutboundBody::Full(Bytes::new())
    } else if search::body_rule(matched).is_none() && route.request.is_pass_through() {
        let left = exchange.snapshot.limits.request_body_bytes;
        if body.size_hint().lower() > left {
            return Err(Box::new(Fault::TooLarge("limits.request_body_bytes").refusal()));
        }
        let patience = exchange.snapshot.timeouts.body.duration();
        let reach = Reach { patience, until: None, bytes: left };
        OutboundBody::Stream(Streamed { body: Paced::new(body, reach), trouble: trouble.clone() })
    } else {
        call::readable(&head.headers, route.request_format)?;
        let limit = (exchange.snapshot.limits.guarded_body_bytes, "limits.guarded_body_bytes");
        let bytes = read(exchange, body, limit).await?;
        let call = (route, plan, matched);
        let content = call::content(&exchange.snapshot, call, &head.method, &head.headers, &bytes);
        // Most requests carry no body: their future has no room for what only bodies need.
        let content = Box::pin(content).await?;
        (written, unnamed, media) = (content.written, content.unnamed, content.media);
        looked_for = looked_for.union(content.looked_for);
        known.extend(content.known);
        OutboundBody::Full(Bytes::from(content.body))
    };
    let mut headers = headers(exchange, site, plan, &head, &body)?;
    if let Some(media) = media.and_then(|media| HeaderValue::try_from(media).ok()) {
        headers.insert(header::CONTENT_TYPE, media);
    }
    let request = addressed(site, (head.method, &target.text), headers, body)?;
    if !route.action.is_write() {
        written = written.union(looked_for);
    }
    Ok(Outbound { request, written, known, trouble, unnamed })
}

/// A body up to `limit`, in bytes and with its name.
pub(super) async fn read(
    exchange: &Exchange<'_>,
    body: Inbound,
    (limit, name): (usize, &'static str),
) -> Stage<BytesMut> {
    let patience = exchange.snapshot.timeouts.body.duration();
    gathered(body, limit, patience).await.map_err(|cut| Box::new(Fault::of_cut(&cut, name).refusal()))
}

/// A route without a body takes none: nobody would have looked into it.
async fn no_body(exchange: &Exchange<'_>, mut body: Inbound) -> Stage<()> {
    let patience = exchange.snapshot.timeouts.body.duration();
    let refuse = |fault: Fault| Box::new(fault.refusal());
    loop {
        let frame = tokio::time::timeout(patience, body.frame()).await.map_err(|_| refuse(Fault::Stalled))?;
        match frame {
            None => return Ok(()),
            Some(Err(error)) => return Err(refuse(Fault::of(&error))),
            Some(Ok(frame)) if frame.data_ref().is_some_and(|data| !data.is_empty()) => {
                return Err(refuse(Fault::Unexpected));
            }
            Some(Ok(_)) => {}
        }
    }
}

/// Why the caller's body could not be taken to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its framing is broken, or it paused for longer than the connection may.
    Framing(BodyFault),
    /// The caller went away.
    Stopped,
    /// It paused for longer than `timeouts.body`.
    Stalled,
    /// Larger than the limit of this name.
    TooLarge(&'static str),
    /// The route takes no body.
    Unexpected,
}

impl Fault {
    fn of(error: &hyper::Error) -> Self {
        body_fault(error).map_or(Self::Stopped, Self::Framing)
    }

    /// What `cut` is to a body that may be as large as the limit `name` says.
    fn of_cut(cut: &Cut<hyper::Error>, name: &'static str) -> Self {
        match cut {
            Cut::TooLarge => Self::TooLarge(name),
            // The exchange as a whole is bounded where it is run.
            Cut::Stalled | Cut::Late => Self::Stalled,
            Cut::Sender(error) => Self::of(error),
        }
    }

    /// What the caller is told. The rest of the body is not read, so the connection ends.
    pub(super) fn refusal(self) -> Refusal {
        let (code, status, detail) = match self {
            Self::Framing(fault @ BodyFault::Timeout) => {
                (fault.code(), StatusCode::REQUEST_TIMEOUT, format!("{fault}; send it again, without a pause"))
            }
            Self::Framing(fault) => {
                (fault.code(), StatusCode::BAD_REQUEST, format!("the request body is refused: {fault}"))
            }
            Self::Stopped => ("bad_body", StatusCode::BAD_REQUEST, "the request body stopped half-way".to_owned()),
            Self::Stalled => {
                let detail = "the request body stalled for longer than `timeouts.body`; send it again, without a pause";
                (BodyFault::Timeout.code(), StatusCode::REQUEST_TIMEOUT, detail.to_owned())
            }
            Self::TooLarge(limit) => {
                let detail = format!("the request body is larger than `{limit}`");
                ("request_too_large", StatusCode::PAYLOAD_TOO_LARGE, detail)
            }
            Self::Unexpected => {
                let detail = "this route takes no body; send the request without one";
                ("unexpected_request_body", StatusCode::BAD_REQUEST, detail.to_owned())
            }
        };
        let mut refusal = Refusal::new(code, status, detail);
        refusal.closes = true;
        refusal
    }
}

/// Where a streamed body leaves word of why it failed: the CRM's side only sees that it did.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble(Arc<OnceLock<Fault>>);

impl Trouble {
    /// The first fault.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.0.get().copied()
    }
}

pub(super) fn refused(error: &RewriteError) -> Refusal {
    refused_as(BodyFormat::Json, error)
}

pub(super) fn refused_as(format: BodyFormat, error: &RewriteError) -> Refusal {
    let code = match format {
        BodyFormat::Ndjson => "invalid_ndjson",
        BodyFormat::Csv(_) => "invalid_csv",
        BodyFormat::Xml => "invalid_xml",
        _ => "invalid_json",
    };
    match error {
        RewriteError::MaskedValue { fields } => {
            let detail =
                "the body carries masked or withheld values; leave these fields out, so that they stay as they are";
            Refusal::new("masked_value", StatusCode::CONFLICT, detail).member("fields", fields.clone())
        }
        RewriteError::Unmapped { fields } => {
            let detail = "the body has members that the API map of this CRM does not know, so they would be stored as they are; \
                          leave them out, or have them added to the map";
            Refusal::new("unmapped_member", StatusCode::UNPROCESSABLE_ENTITY, detail).member("fields", fields.clone())
        }
        other => Refusal::new(code, StatusCode::BAD_REQUEST, format!("the request body is not acceptable: {other}")),
    }
}

/// A request to the CRM.
///
/// # Errors
/// When the target is none.
pub(super) fn addressed(
    site: &Site,
    (method, target): (Method, &str),
    headers: HeaderMap,
    body: OutboundBody,
) -> Stage<Request<OutboundBody>> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = site.upstream.uri(target).ok_or_else(|| {
        Box::new(Refusal::new("unmapped_route", StatusCode::NOT_FOUND, "the request target is not valid"))
    })?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// The header fields of a request to the CRM that carries `body`.
pub(super) fn headers(
    exchange: &Exchange<'_>,
    site: &Site,
    plan: &Plan,
    head: &RequestHead,
    body: &OutboundBody,
) -> Stage<HeaderMap> {
    let mut headers = upstream::headers::prepare_request(&head.headers, &site.upstream, &exchange.peer, &site.inbound);
    // A part of a body, or a body compared byte by byte with another, cannot be told apart per caller.
    headers.remove(header::RANGE);
    headers.remove(header::IF_RANGE);
    headers.remove(header::EXPECT);
    headers.remove(header::TRAILER);
    exchange.view_tag(plan).unmark(&mut headers);
    if let Some(value) = exchange.trace.as_ref().and_then(super::trace::TraceParent::header) {
        headers.insert(super::trace::TRACEPARENT.clone(), value);
    }
    headers.remove(header::CONTENT_LENGTH);
    if let OutboundBody::Full(bytes) = body {
        let bodiless = matches!(head.method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS);
        if !(bytes.is_empty() && bodiless) {
            headers.insert(header::CONTENT_LENGTH, bytes.len().into());
        }
    } else if let Some(exact) = body.size_hint().exact() {
        headers.insert(header::CONTENT_LENGTH, exact.into());
    }
    Ok(headers)
}

/// `application/json` or `…+json`, in UTF-8 when it says.
pub(super) fn is_json(media: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(media) else { return false };
    let mut parts = text.split(';');
    let kind = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let utf8 = parts.all(|parameter| match parameter.trim().split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
                || value.trim_matches('"').eq_ignore_ascii_case("utf8")
        }
        _ => true,
    });
    utf8 && (kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")))
}

/// A request body on its way to the CRM.
pub(super) enum OutboundBody {
    /// Read and guarded.
    Full(Bytes),
    /// As it comes.
    Stream(Streamed),
}

/// The caller's body.
pub(super) struct Streamed {
    body: Paced<Inbound>,
    trouble: Trouble,
}

impl Streamed {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let fault = match ready!(self.body.poll_data(context)) {
            None => return Poll::Ready(None),
            Some(Ok(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Err(cut)) => Fault::of_cut(&cut, "limits.request_body_bytes"),
        };
        let _ = self.trouble.0.set(fault);
        Poll::Ready(Some(Err("the caller's body ended early".into())))
    }
}

impl HttpBody for OutboundBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(streamed) => streamed.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_empty(),
            Self::Stream(streamed) => streamed.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(streamed) => streamed.body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_media_types_in_utf8_count_as_json() {
        for media in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/problem+json",
            "application/vnd.api+json;ext=1",
        ] {
            assert!(is_json(media.as_bytes()), "{media}");
        }
        for media in [
            "text/json",
            "text/plain",
            "application/jsonx",
            "application/json; charset=latin1",
            "",
            "application/x-ndjson",
        ] {
            assert!(!is_json(media.as_bytes()), "{media}");
        }
    }
}
