//! The CRM's response: what may be shown of its head and its body to this caller.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, response::Parts as ResponseHead};
use http_body::Body as HttpBody;
use tokio::time::Instant;

use super::{
    body::{Body, Clearance, Held, Nothing},
    budget::{self, Shape},
    ending::Ending,
    exchange::{AUDIT_REF, Exchange, Stage},
    flow::Source,
    inner, media,
    opening::Opening,
    paced::Reach,
    parts::{Bounds, PartError, Parts},
    plan::Plan,
    respond::Refusal,
    snapshot::{RoutePlan, Site},
    whole::{decoder, whole},
};
use crate::{
    crm::{self, LinkOutcome, Matched},
    model::{BodyFormat, Sensitive, Subject, SubjectRef},
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
    /// Piece by piece, each recorded first.
    Flow(Source),
    /// Nothing protected in it.
    Relay(upstream::Body),
}

impl AnswerBody {
    pub(super) fn into_body(self, ending: Ending, until: Instant, reach: Reach) -> Body {
        match self {
            Self::Full(bytes) => Body::full(bytes, ending),
            Self::Flow(source) => Body::flow(source, ending, until),
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
    ours(site, &mut head)?;
    let success = head.status.is_success();
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
        inner::of_no_body(&mut head.headers);
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

/// Makes the head of an answer one of ours: hop by hop fields are gone, and its links lead here.
pub(super) fn ours(site: &Site, head: &mut ResponseHead) -> Stage<()> {
    upstream::headers::prepare_response(&mut head.headers, site.inbound.pass_cookies);
    head.version = http::Version::HTTP_11;
    head.extensions.clear();
    // No trailer is passed on, so none is announced.
    head.headers.remove(header::TRAILER);
    links(site, &mut head.headers)?;
    if head.status == StatusCode::UNAUTHORIZED && !site.inbound.pass_authorization {
        let detail = "the CRM refused the gateway's own credential; its operator has to renew it";
        return Err(blocked("upstream_unauthorized", detail));
    }
    Ok(())
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
    of_caller(exchange, plan, headers);
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
    of_caller(exchange, plan, headers);
    private(headers);
}

/// Nothing is said of other bytes, and the tag is the caller's.
fn of_caller(exchange: &Exchange<'_>, plan: &Plan, headers: &mut HeaderMap) {
    for name in &OF_OTHER_BYTES {
        headers.remove(name);
    }
    exchange.view_tag(plan).mark(headers);
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
const WARNINGS: &str = "fieldgate-warnings";

/// Says which record names what is shown, and whether some of it could not be opened.
pub(super) fn annotate(headers: &mut HeaderMap, reference: Option<String>, hidden: u64) {
    if let Some(value) = reference.and_then(|reference| HeaderValue::try_from(reference).ok()) {
        headers.insert(AUDIT_REF.clone(), value);
    }
    if hidden > 0 {
        headers.insert(WARNINGS, HeaderValue::from_static("values-unavailable"));
    }
}

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
        let decoder = decoder(self.exchange, &self.head.headers).map_err(|error| stopped(&error))?;
        let is_live = format == BodyFormat::Sse;
        let bounds = Bounds {
            // Whatever is complete goes out: nobody knows when the next event comes.
            window_bytes: if is_live { 1 } else { limits.window_bytes },
            body_bytes: limits.response_body_bytes,
            patience: self.exchange.snapshot.timeouts.body.duration(),
        };
        inner::of_no_body(&mut self.head.headers);
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
            return Ok(Answer { head: self.head, body: AnswerBody::Flow(Source::Parts(Box::new(parts))), why: None });
        }
        let first = parts.first(&self.exchange.ending).await;
        let (first, reference) = first.map_err(|error| parts.refusal().unwrap_or_else(|| stopped(&error)))?;
        annotate(&mut self.head.headers, reference, parts.hidden());
        let body = if parts.is_complete() {
            AnswerBody::Full(first)
        } else {
            parts.start_with(first);
            AnswerBody::Flow(Source::Parts(Box::new(parts)))
        };
        Ok(Answer { head: self.head, body, why: None })
    }

    /// An error body of no format that has fields: plain text is scanned, anything else is withheld.
    async fn text(self, view: Arc<rewrite::Plan>) -> Stage<Answer> {
        let Self { exchange, route, mut head, body } = self;
        let media = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let text = if media::is_plain(media) { plain_text(exchange, &head.headers, body).await? } else { None };
        inner::of_no_body(&mut head.headers);
        let Some(text) = text else { return Ok(withheld(exchange, &head)) };
        let (shown, sighting) = rewrite::text_view(&view, &text);
        let subject = |seen| Subject { kind: Arc::clone(&route.resource), seen };
        let subjects = sighting.into_iter().map(subject).collect();
        let clearance = Clearance::of(&exchange.ending, subjects, &mut 0, Nothing::Untold).await;
        let clearance = clearance.map_err(|_| Box::new(Refusal::audit_unavailable()))?;
        annotate(&mut head.headers, clearance.reference(), 0);
        let bytes = Held::new(shown.into_bytes()).release(&clearance);
        Ok(Answer { head, body: AnswerBody::Full(bytes), why: None })
    }
}

/// Plain text up to the limit; `None` when it is longer, not UTF-8 or in a coding that is not known.
async fn plain_text(exchange: &Exchange<'_>, headers: &HeaderMap, body: upstream::Body) -> Stage<Option<String>> {
    let mut bytes = match whole(exchange, headers, body, exchange.snapshot.limits.error_text_bytes).await {
        Ok(bytes) => bytes,
        Err(PartError::TooLarge | PartError::Coding(_)) => return Ok(None),
        Err(error) => return Err(stopped(&error)),
    };
    // UTF-16 that does not say so is valid UTF-8 full of NUL, and no detector would see an address in it.
    let readable = !bytes.contains(&0);
    Ok(if readable { String::from_utf8(std::mem::take(&mut *bytes)).ok() } else { None })
}

/// The CRM's status with our words: HTML error pages and the like echo what they were sent.
fn withheld(exchange: &Exchange<'_>, theirs: &ResponseHead) -> Answer {
    let detail = "the CRM answered with an error in a format that cannot be protected, so its body is withheld";
    let refusal = Refusal::new("upstream_error_withheld", theirs.status, detail);
    let request = uuid::Uuid::from_u128(exchange.ending.request).to_string();
    let (mut head, bytes) = refusal.into_response(&request);
    for name in [header::LOCATION, header::RETRY_AFTER, header::VARY] {
        theirs.headers.get_all(&name).iter().for_each(|value| {
            head.headers.append(&name, value.clone());
        });
    }
    Answer { head, body: AnswerBody::Full(bytes), why: Some("upstream_error_withheld") }
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
