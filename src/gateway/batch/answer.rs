//! The CRM's answer to a batch: held whole, split, each answer shown as far as its own call may see it, recorded, and wrapped again.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, response::Parts as ResponseHead};

use super::{Envelope, Inner, known};
use crate::{
    gateway::{
        body::{Clearance, Held, nothing_shown},
        budget::Found,
        call::{Call, Shown},
        exchange::{Exchange, Stage},
        inner, media,
        parts::PartError,
        request::is_json,
        respond::Refusal,
        response::{self, Answer, AnswerBody, Sent, blocked, stopped},
        snapshot::Site,
        whole::whole,
    },
    model::{AccessKind, BodyFormat, ClassSet, Event, Sensitive, Subject},
    rewrite, upstream,
};

/// One answer of the CRM.
pub(super) struct Reply {
    pub(super) of: Of,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Whether a JSON envelope holds it, and it is JSON; else its header says what it is.
    pub(super) json: Option<bool>,
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Of {
    /// The call with this index.
    Call(usize),
    /// The change set of these calls, which failed.
    Set(Vec<usize>),
}

/// An answer that may be released.
pub(super) struct Viewed {
    pub(super) of: Of,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// One that waits for the records.
struct Waiting {
    of: Of,
    status: StatusCode,
    headers: HeaderMap,
    body: Held,
}

/// Turns the CRM's answer into what the caller may see.
pub(super) async fn view(
    exchange: &mut Exchange<'_>,
    site: &Arc<Site>,
    vessel: Call,
    envelope: &Envelope,
    calls: &mut [Inner],
    response: Response<upstream::Body>,
) -> Stage<Answer> {
    let known = known(site, calls);
    if !response.status().is_success() && !is_batch(envelope, response.headers()) {
        // No call was answered: it is an error of the batch as a whole.
        let sent = Sent { known, unnamed: Vec::new() };
        let Call { matched, route, plan } = &vessel;
        return response::view(exchange, site, route, matched, plan, sent, response).await;
    }
    let (mut head, body) = response.into_parts();
    inner::prepare(exchange, site, &vessel.plan, &mut head, &known, None)?;
    let limit = exchange.snapshot.limits.batch_body_bytes;
    let bytes = whole(exchange, &head.headers, body, limit).await.map_err(|error| match error {
        PartError::TooLarge => {
            blocked("response_too_large", "the CRM's answer to the batch is larger than `limits.batch_body_bytes`")
        }
        error => stopped(&error),
    })?;
    inner::of_no_body(&mut head.headers);
    let replies = unwrap(envelope, calls, &head, &bytes).ok_or_else(|| {
        blocked("invalid_response", "the CRM's answer does not hold one answer for each request of the batch")
    })?;
    let (mut waiting, mut events, mut hidden) = (Vec::with_capacity(replies.len()), Vec::new(), 0);
    for reply in replies {
        let at = match &reply.of {
            Of::Call(at) => *at,
            Of::Set(of) => of.first().copied().unwrap_or_default(),
        };
        let Some(inner) = calls.get_mut(at) else { continue };
        let (one, shown) = reply.view(exchange, site, inner, &known).await?;
        hidden += shown.hidden;
        events.extend(event(exchange, inner, &shown));
        waiting.push(Waiting { body: shown.body, ..one });
    }
    let clearance = record(exchange, &events, calls).await?;
    response::annotate(&mut head.headers, clearance.reference(), hidden);
    let viewed: Vec<Viewed> = waiting.into_iter().map(|one| one.release(&clearance)).collect();
    let (media, body) = match envelope {
        Envelope::Multipart(wrap) => wrap.response(calls, &viewed),
        Envelope::Json(wrap) => ("application/json".to_owned(), wrap.response(calls, &viewed)),
    };
    let invalid = |_| blocked("invalid_response", "the answer cannot be written");
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::try_from(media).map_err(invalid)?);
    Ok(Answer { head, body: AnswerBody::Full(Bytes::from(body)), why: None })
}

/// Whether the media type is that of the envelope.
fn is_batch(envelope: &Envelope, headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match envelope {
        Envelope::Multipart(_) => rewrite::multipart::boundary(media).is_ok(),
        // An error in JSON is an error, whoever wraps it.
        Envelope::Json(_) => false,
    }
}

fn unwrap(envelope: &Envelope, calls: &[Inner], head: &ResponseHead, bytes: &[u8]) -> Option<Vec<Reply>> {
    let media = head.headers.get(header::CONTENT_TYPE)?;
    match envelope {
        Envelope::Multipart(wrap) => wrap.replies(calls, media.to_str().ok()?, bytes),
        Envelope::Json(wrap) => is_json(media.as_bytes()).then(|| wrap.replies(calls, bytes))?,
    }
}

impl Waiting {
    fn release(self, clearance: &Clearance) -> Viewed {
        let Self { of, status, headers, body } = self;
        Viewed { of, status, headers, body: body.release(clearance) }
    }
}

impl Reply {
    /// What the caller may see of it. The body is in what is shown.
    async fn view(
        mut self,
        exchange: &Exchange<'_>,
        site: &Site,
        inner: &mut Inner,
        known: &[Sensitive<String>],
    ) -> Stage<(Waiting, Shown)> {
        let Inner { call, asked, .. } = inner;
        let success = self.status.is_success() && matches!(self.of, Of::Call(_));
        let media = self.headers.get(header::CONTENT_TYPE).cloned();
        response::inner_headers(exchange, site, &call.plan, &mut self.headers, known)?;
        let empty = self.body.is_empty();
        if let (Some(meter), true) = (&asked.meter, matches!(self.of, Of::Call(_))) {
            let nobody = matches!(self.status, StatusCode::NOT_FOUND | StatusCode::GONE);
            if nobody || (success && empty) {
                meter.guessed(Found::Nobody);
            }
        }
        if self.status == StatusCode::PARTIAL_CONTENT {
            return Err(blocked(
                "partial_response",
                "an answer of the batch is a part of a body, which cannot be protected",
            ));
        }
        let format = call.route.response_format;
        let json = self.json.unwrap_or_else(|| media.as_ref().is_some_and(|media| is_json(media.as_bytes())));
        let shown = if empty {
            Shown::default()
        } else if success && format == BodyFormat::Opaque {
            Shown { body: Held::new(std::mem::take(&mut self.body)), ..Shown::default() }
        } else if success && format == BodyFormat::Empty {
            return Err(blocked(
                "unexpected_body",
                "an answer of the batch has a body where the API map says that there is none",
            ));
        } else if (json && (!success || format == BodyFormat::Json)) || (!success && self.json.is_some()) {
            call.view(exchange, site, asked, known, success, &self.body).await?
        } else if success {
            let detail = "an answer of the batch has another media type than the API map says, so nothing is shown";
            return Err(blocked("unexpected_media_type", detail));
        } else {
            self.text(exchange, site, call, known, media.as_ref())
        };
        let Self { of, status, headers, .. } = self;
        Ok((Waiting { of, status, headers, body: Held::new(Vec::new()) }, shown))
    }

    /// An error that is not JSON: plain text is searched, anything else is withheld.
    fn text(
        &mut self,
        exchange: &Exchange<'_>,
        site: &Site,
        call: &Call,
        known: &[Sensitive<String>],
        media: Option<&HeaderValue>,
    ) -> Shown {
        let plain = media.is_some_and(|media| media::is_plain(media.as_bytes()));
        let text = std::str::from_utf8(&self.body).ok().filter(|text| !text.contains('\0'));
        let short = self.body.len() <= exchange.snapshot.limits.error_text_bytes;
        if let (Some(text), true, true) = (text, short, plain) {
            let subject = call.matched.subject.clone();
            let (known, error) = (known.to_vec(), Some(BodyFormat::Json));
            let plan = exchange.snapshot.response_view(site, &call.route, &call.plan, known, subject, error);
            let (shown, sighting) = rewrite::text_view(&plan, text);
            let sightings = sighting.into_iter().collect();
            return Shown { body: Held::new(shown.into_bytes()), sightings, hidden: 0 };
        }
        let detail = "the CRM answered with an error in a format that cannot be protected, so its body is withheld";
        let refusal = Refusal::new("upstream_error_withheld", self.status, detail);
        let request = uuid::Uuid::from_u128(exchange.ending.request).to_string();
        let (head, bytes) = refusal.into_response(&request);
        self.headers.extend(head.headers.get(header::CONTENT_TYPE).map(|media| (header::CONTENT_TYPE, media.clone())));
        Shown { body: Held::new(bytes.to_vec()), ..Shown::default() }
    }
}

/// The record of what one call showed: also that a read or a search showed nothing. That a write was asked for is recorded.
fn event(exchange: &Exchange<'_>, inner: &Inner, shown: &Shown) -> Option<Event> {
    let Inner { item, call, asked, .. } = inner;
    if shown.sightings.is_empty() && call.route.action.is_write() && asked.searched.is_empty() {
        return None;
    }
    let subject =
        |seen: &crate::model::Sighting| Subject { kind: Arc::clone(&call.route.resource), seen: seen.clone() };
    let subjects = shown.sightings.iter().map(subject).collect();
    let number = (item.number, inner.operation());
    let classes = (ClassSet::EMPTY, asked.searched);
    Some(exchange.ending.call_event(number, &call.plan.decision, AccessKind::Reveal { part: 1 }, subjects, classes))
}

/// Makes the records durable, and settles with the budgets what they say.
async fn record(exchange: &Exchange<'_>, events: &[Event], calls: &[Inner]) -> Stage<Clearance> {
    let clearance = match nothing_shown(events) {
        Some(nothing) => Clearance::NothingShown(nothing),
        None => {
            let recorded = exchange.ending.shared().record_all(events).await;
            Clearance::Recorded(recorded.map_err(|_| Box::new(Refusal::audit_unavailable()))?)
        }
    };
    for meter in calls.iter().filter_map(|inner| inner.asked.meter.as_ref()) {
        meter.settle(exchange.worker.shared.now());
        meter.end_find();
    }
    Ok(clearance)
}
