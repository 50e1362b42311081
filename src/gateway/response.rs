//! The CRM's response: what may be shown of its head and its body to this caller.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, response::Parts as ResponseHead};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::{
    body::{Body, Clearance, Held, nothing_shown},
    budget::{self, Shape},
    coding::Decoder,
    ending::Ending,
    exchange::{AUDIT_REF, Exchange, Stage},
    mcp, media,
    paced::Reach,
    parts::{Bounds, Opening, PartError, Parts},
    plan::Plan,
    respond::Refusal,
    snapshot::{RoutePlan, Site},
};
use crate::{
    crm::{self, LinkOutcome, Matched},
    model::{AccessKind, BodyFormat, ClassSet, Sensitive, Sighting, Subject, SubjectRef},
    rewrite::{self, ResponseView},
    upstream,
};

/// A response that may be released.
pub(super) struct Answer {
    pub(super) head: ResponseHead,
    pub(super) body: AnswerBody,
    /// A problem code, when something of the CRM's answer was withheld.
    pub(super) why: Option<&'static str>,
}

/// Its body.
pub(super) enum AnswerBody {
    /// Complete and recorded.
    Full(Bytes),
    /// The first part is recorded, the others will be.
    Parts(Box<Parts>),
    /// One by one, each recorded first.
    Events(Box<mcp::Events>),
    /// Nothing protected in it.
    Relay(upstream::Body),
}

impl AnswerBody {
    pub(super) fn into_body(self, ending: Ending, until: Instant, reach: Reach) -> Body {
        match self {
            Self::Full(bytes) => Body::full(bytes, ending),
            Self::Parts(parts) => Body::parts(*parts, ending, until),
            Self::Events(events) => Body::events(*events, ending, until),
            Self::Relay(body) => Body::relay(body, ending, reach),
        }
    }
}

/// What is remembered of the request.
pub(super) struct Sent {
    /// Protected values that an error body must not echo.
    pub(super) known: Vec<Sensitive<String>>,
    /// Subjects whose records the CRM names in its answer.
    pub(super) unnamed: Vec<SubjectRef>,
}

/// Turns the CRM's response into what this caller may see.
pub(super) async fn view(
    exchange: &mut Exchange<'_>,
    site: &Site,
    route: &RoutePlan,
    matched: &Matched,
    plan: &Plan,
    sent: Sent,
    response: Response<upstream::Body>,
) -> Stage<Answer> {
    let Sent { known, unnamed } = sent;
    let (mut head, body) = response.into_parts();
    upstream::headers::prepare_response(&mut head.headers, site.inbound.pass_cookies);
    head.version = http::Version::HTTP_11;
    head.extensions.clear();
    // No trailer is passed on, so none is announced.
    head.headers.remove(header::TRAILER);
    links(site, &mut head.headers)?;
    let success = head.status.is_success();
    if head.status == StatusCode::UNAUTHORIZED && !site.inbound.pass_authorization {
        let detail = "the CRM refused the gateway's own credential; its operator has to renew it";
        return Err(blocked("upstream_unauthorized", detail));
    }
    if success && route.response_format == BodyFormat::Opaque {
        // Nothing personal in it, but who may have it is still decided and recorded for each caller.
        private(&mut head.headers);
        return Ok(Answer { head, body: AnswerBody::Relay(body), why: None });
    }
    if head.status == StatusCode::PARTIAL_CONTENT {
        return Err(blocked("partial_response", "the CRM answered with a part of a body, which cannot be protected"));
    }
    let bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::RESET_CONTENT);
    let bodiless = bodiless || exchange.is_head() || body.is_end_stream();
    budget::answered(exchange, head.status, if bodiless { Shape::Head } else { Shape::Body });
    let tools = &exchange.snapshot.tools;
    conceal(&mut head.headers, tools, &known);
    per_caller(exchange, plan, &mut head.headers);
    if bodiless {
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.remove(header::CONTENT_ENCODING);
        return Ok(Answer { head, body: AnswerBody::Full(Bytes::new()), why: None });
    }
    if success && route.response_format == BodyFormat::Empty {
        return Err(blocked("unexpected_body", "the CRM sent a body where the API map says that there is none"));
    }
    let subject = matched.subject.clone();
    let media = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if success {
        if !media::carries(media, route.response_format) {
            let detail = "the CRM sent another media type than the API map says, so nothing of it is shown";
            return Err(blocked("unexpected_media_type", detail));
        }
        let view = exchange.snapshot.response_view(site, route, plan, known, subject, None);
        return Job { exchange, route, head, body }.fields(view, unnamed, route.response_format).await;
    }
    let format = media::of_error(media);
    let view = exchange.snapshot.response_view(site, route, plan, known, subject, format.or(Some(BodyFormat::Json)));
    match format {
        Some(format) => Job { exchange, route, head, body }.fields(view, unnamed, format).await,
        None => Job { exchange, route, head, body }.text(view).await,
    }
}

pub(super) fn blocked(code: &'static str, detail: &str) -> Box<Refusal> {
    Box::new(Refusal::blocked(code, detail))
}

/// The head of an answer inside of a batch: as that of a lone one.
pub(super) fn inner_headers(
    exchange: &Exchange<'_>,
    site: &Site,
    plan: &Plan,
    headers: &mut HeaderMap,
    known: &[Sensitive<String>],
) -> Stage<()> {
    upstream::headers::prepare_response(headers, false);
    for name in [header::TRAILER, header::CONTENT_LENGTH, header::CONTENT_ENCODING] {
        headers.remove(name);
    }
    links(site, headers)?;
    conceal(headers, &exchange.snapshot.tools, known);
    for name in &OF_OTHER_BYTES {
        headers.remove(name);
    }
    exchange.view_tag(plan).mark(headers);
    Ok(())
}

/// The head of an answer that was read whole and is written anew.
pub(super) fn outer_headers(
    exchange: &Exchange<'_>,
    site: &Site,
    plan: &Plan,
    headers: &mut HeaderMap,
    known: &[Sensitive<String>],
) -> Stage<()> {
    let cookies = if site.inbound.pass_cookies { headers.clone() } else { HeaderMap::new() };
    inner_headers(exchange, site, plan, headers, known)?;
    for cookie in cookies.get_all(header::SET_COOKIE) {
        headers.append(header::SET_COOKIE, cookie.clone());
    }
    private(headers);
    Ok(())
}

/// `Location`, `Content-Location` and `Link` point at the gateway; a redirect to another host is not passed on.
pub(super) fn links(site: &Site, headers: &mut HeaderMap) -> Stage<()> {
    for name in [header::LOCATION, header::CONTENT_LOCATION, header::LINK, ENTITY_ID.clone()] {
        if !headers.contains_key(&name) {
            continue;
        }
        let values: Vec<HeaderValue> = headers.get_all(&name).iter().cloned().collect();
        headers.remove(&name);
        for value in values {
            let text = value.to_str().unwrap_or("//");
            let outcome = if name == header::LINK {
                crm::rewrite_link(text, &site.origins, &site.public_url)
            } else {
                crm::rewrite_location(text, &site.origins, &site.public_url)
            };
            match outcome {
                LinkOutcome::Rewritten(text) => {
                    let value = HeaderValue::try_from(text)
                        .map_err(|_| blocked("invalid_response", "a link of the CRM is not valid"))?;
                    headers.append(&name, value);
                }
                LinkOutcome::Unchanged => {
                    headers.append(&name, value);
                }
                LinkOutcome::Foreign if name == header::LOCATION => {
                    return Err(blocked("foreign_redirect", "the CRM redirects to another host, past the gateway"));
                }
                LinkOutcome::Foreign => {}
            }
        }
    }
    Ok(())
}

/// The URL of the record that was written (OData 4.01 Part 1 §8.3.4).
static ENTITY_ID: HeaderName = HeaderName::from_static("odata-entityid");

/// Drops response headers that carry a personal value: a detector's finding or something the request named.
pub(super) fn conceal(headers: &mut HeaderMap, tools: &rewrite::Tools, known: &[Sensitive<String>]) {
    let carries = |value: &HeaderValue| match value.to_str() {
        Ok(text) => rewrite::carries_personal(tools, known, text),
        Err(_) => true,
    };
    let standard = [
        header::DATE,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::LAST_MODIFIED,
        header::ETAG,
        header::EXPIRES,
    ];
    let dropped: Vec<_> = headers
        .iter()
        .filter(|(name, value)| !standard.contains(name) && carries(value))
        .map(|(name, _)| name.clone())
        .collect();
    for name in dropped {
        headers.remove(name);
    }
}

/// What the CRM says of a body that is not the one the caller gets.
static OF_OTHER_BYTES: [HeaderName; 9] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    header::ACCEPT_RANGES,
    header::CONTENT_RANGE,
    header::AGE,
    header::EXPIRES,
    HeaderName::from_static("server-timing"),
];

/// What a body that differs per caller may say about itself (RFC 9110 §8.8, RFC 9111 §5.2, RFC 9530).
pub(super) fn per_caller(exchange: &Exchange<'_>, plan: &Plan, headers: &mut HeaderMap) {
    for name in &OF_OTHER_BYTES {
        headers.remove(name);
    }
    exchange.view_tag(plan).mark(headers);
    private(headers);
}

/// No cache between the gateway and the caller may answer for another caller (RFC 9111 §5.2.2.7).
fn private(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.append(
        header::VARY,
        HeaderValue::from_static("Authorization, Fieldgate-Key, Fieldgate-Purpose, Fieldgate-Case"),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Says that placeholders stand for values that could not be opened, as far as that is known when the head leaves.
pub(super) const WARNINGS: &str = "fieldgate-warnings";

/// An error body that is not JSON.
pub(super) async fn error_text(
    exchange: &mut Exchange<'_>,
    route: &RoutePlan,
    head: ResponseHead,
    body: upstream::Body,
    view: Arc<rewrite::Plan>,
) -> Stage<Answer> {
    Job { exchange, route, head, body }.text(view).await
}

struct Job<'e, 'w> {
    exchange: &'e mut Exchange<'w>,
    route: &'e RoutePlan,
    head: ResponseHead,
    body: upstream::Body,
}

impl Job<'_, '_> {
    /// A body whose leaves are read.
    async fn fields(mut self, view: Arc<rewrite::Plan>, unnamed: Vec<SubjectRef>, format: BodyFormat) -> Stage<Answer> {
        let limits = &self.exchange.snapshot.limits;
        let codings = self.head.headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
        let decoder = Decoder::new(codings, limits.expansion).map_err(|error| stopped(&PartError::Coding(error)))?;
        let is_live = format == BodyFormat::Sse;
        let bounds = Bounds {
            // Whatever is complete goes out: nobody knows when the next event comes.
            window_bytes: if is_live { 1 } else { limits.window_bytes },
            body_bytes: limits.response_body_bytes,
            patience: self.exchange.snapshot.timeouts.body.duration(),
        };
        self.head.headers.remove(header::CONTENT_ENCODING);
        self.head.headers.remove(header::CONTENT_LENGTH);
        let opening = match self.exchange.snapshot.resolver(self.route) {
            Some(resolver) => Opening::new(resolver, &view, unnamed),
            None => None,
        };
        let (view, meter) = budget::watch_answer(self.exchange, ResponseView::new(view), self.head.status);
        let mut parts = Parts::new(self.body, decoder, view, bounds, Arc::clone(&self.route.resource)).metered(meter);
        if let Some(opening) = opening {
            parts = parts.with_stored(opening);
        }
        if is_live {
            // The head does not wait for the first event either; each event's record comes before the event.
            return Ok(Answer { head: self.head, body: AnswerBody::Parts(Box::new(parts)), why: None });
        }
        let first = parts.first(&self.exchange.ending).await;
        let (first, reference) = first.map_err(|error| parts.refusal().unwrap_or_else(|| stopped(&error)))?;
        if let Some(value) = reference.and_then(|reference| HeaderValue::try_from(reference).ok()) {
            self.head.headers.insert(AUDIT_REF.clone(), value);
        }
        if parts.hidden() > 0 {
            self.head.headers.insert(WARNINGS, HeaderValue::from_static("values-unavailable"));
        }
        let body = if parts.is_complete() {
            AnswerBody::Full(first)
        } else {
            parts.start_with(first);
            AnswerBody::Parts(Box::new(parts))
        };
        Ok(Answer { head: self.head, body, why: None })
    }

    /// An error body of no format that has fields: plain text is scanned, anything else is withheld.
    async fn text(mut self, view: Arc<rewrite::Plan>) -> Stage<Answer> {
        let media =
            self.head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let plain = is_plain(media);
        let text = if plain { self.read_text().await? } else { None };
        self.head.headers.remove(header::CONTENT_ENCODING);
        self.head.headers.remove(header::CONTENT_LENGTH);
        let Some(text) = text else { return Ok(self.withheld()) };
        let (shown, sighting) = rewrite::text_view(&view, &text);
        let sightings: Vec<Sighting> = sighting.into_iter().collect();
        let clearance = match nothing_shown(&sightings) {
            Some(nothing) => Clearance::NothingShown(nothing),
            None => {
                let subject = |seen| Subject { kind: Arc::clone(&self.route.resource), seen };
                let subjects = sightings.into_iter().map(subject).collect();
                let recorded =
                    self.exchange.ending.record(AccessKind::Reveal { part: 1 }, subjects, ClassSet::EMPTY).await;
                let receipt = recorded.map_err(|_| Box::new(Refusal::audit_unavailable()))?;
                if let Ok(value) = HeaderValue::try_from(receipt.reference()) {
                    self.head.headers.insert(AUDIT_REF.clone(), value);
                }
                Clearance::Recorded(receipt)
            }
        };
        let bytes = Held::new(shown.into_bytes()).release(&clearance);
        Ok(Answer { head: self.head, body: AnswerBody::Full(bytes), why: None })
    }

    /// Plain text up to the limit; `None` when it is longer, not UTF-8 or in a coding that is not known.
    async fn read_text(&mut self) -> Stage<Option<String>> {
        let limit = self.exchange.snapshot.limits.error_text_bytes;
        let patience = self.exchange.snapshot.timeouts.body.duration();
        let codings = self.head.headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
        let Ok(mut decoder) = Decoder::new(codings, self.exchange.snapshot.limits.expansion) else { return Ok(None) };
        let mut text = Vec::new();
        loop {
            let frame = tokio::time::timeout(patience, self.body.frame()).await;
            match frame.map_err(|_| stopped(&PartError::Stalled))? {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    let push = decoder.push(&data, |decoded| {
                        text.extend_from_slice(decoded);
                        if text.len() > limit { Err(PartError::TooLarge) } else { Ok(()) }
                    });
                    if push.is_err() {
                        return Ok(None);
                    }
                }
                Some(Err(error)) => return Err(stopped(&PartError::of_body(&error))),
                None => break,
            }
        }
        let finished = decoder.finish(|decoded| {
            text.extend_from_slice(decoded);
            Ok::<(), PartError>(())
        });
        // UTF-16 that does not say so is valid UTF-8 full of NUL, and no detector would see an address in it.
        let readable = finished.is_ok() && !text.contains(&0);
        Ok(if readable { String::from_utf8(text).ok() } else { None })
    }

    /// The CRM's status with our words: HTML error pages and the like echo what they were sent.
    fn withheld(self) -> Answer {
        let detail = "the CRM answered with an error in a format that cannot be protected, so its body is withheld";
        let refusal = Refusal::new("upstream_error_withheld", self.head.status, detail);
        let request = uuid::Uuid::from_u128(self.exchange.ending.request).to_string();
        let (mut head, bytes) = refusal.into_response(&request);
        for name in [header::LOCATION, header::RETRY_AFTER, header::VARY] {
            self.head.headers.get_all(&name).iter().for_each(|value| {
                head.headers.append(&name, value.clone());
            });
        }
        Answer { head, body: AnswerBody::Full(bytes), why: Some("upstream_error_withheld") }
    }
}

/// `text/plain` in a charset that the detectors read: UTF-8 or its part ASCII (the default, RFC 6657 §4).
pub(super) fn is_plain(media: &str) -> bool {
    let mut parts = media.split(';');
    let kind = parts.next().unwrap_or_default().trim();
    let readable = parts.all(|parameter| match parameter.trim().split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            let charset = value.trim().trim_matches('"');
            ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
        }
        _ => true,
    });
    readable && kind.eq_ignore_ascii_case("text/plain")
}

pub(super) fn stopped(error: &PartError) -> Box<Refusal> {
    tracing::warn!(error = %error, code = error.code(), "response not shown");
    Box::new(match error {
        PartError::Audit(_) => Refusal::audit_unavailable(),
        PartError::Vault(error) => *super::stored::unavailable(error),
        PartError::Stalled | PartError::Late => {
            Refusal::new(error.code(), StatusCode::GATEWAY_TIMEOUT, error.to_string())
        }
        _ => Refusal::blocked(error.code(), format!("the CRM's answer cannot be shown: {error}")),
    })
}
