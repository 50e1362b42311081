//! The server's answer: one message, a stream of them, or none.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode, header, response::Parts as ResponseHead};
use http_body::Body as HttpBody;

use super::{
    SESSION,
    events::Events,
    show::{Show, What},
};
use crate::{
    gateway::{
        exchange::{Exchange, Stage},
        flow::Source,
        inner,
        parts::PartError,
        plan::Plan,
        request::is_json,
        response::{self, Answer, AnswerBody},
        snapshot::{RoutePlan, Site},
        whole::{decoder, whole},
    },
    upstream,
};

/// What an answer is shown with.
pub(super) struct Answering<'a, 'w> {
    pub(super) exchange: &'a mut Exchange<'w>,
    pub(super) site: &'a Arc<Site>,
    pub(super) route: &'a Arc<RoutePlan>,
    pub(super) plan: &'a Plan,
    pub(super) show: Show,
}

impl Answering<'_, '_> {
    /// What the caller may see of `response`.
    pub(super) async fn view(self, response: Response<upstream::Body>) -> Stage<Answer> {
        let (mut head, body) = response.into_parts();
        // A session is opaque, and often digits that look like somebody's.
        let known = &self.show.other.known;
        inner::prepare(self.exchange, self.site, self.plan, &mut head, known, Some(&SESSION))?;
        let bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::ACCEPTED | StatusCode::RESET_CONTENT);
        let media = head.headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes().to_vec()).unwrap_or_default();
        if bodiless || body.is_end_stream() || matches!(self.show.what, What::End) {
            // There is nothing that a message accepted, or a session ended, could say.
            head.headers.remove(header::CONTENT_TYPE);
            inner::of_no_body(&mut head.headers);
            return Ok(Answer { head, body: AnswerBody::Full(Bytes::new()), why: None });
        }
        if is_json(&media) {
            return self.json(head, body).await;
        }
        if head.status.is_success() && is_events(&media) {
            return self.events(head, body);
        }
        if head.status.is_success() {
            let detail = "the server sent another media type than MCP has, so nothing of it is shown";
            return Err(response::blocked("unexpected_media_type", detail));
        }
        let other = Arc::clone(&self.show.other);
        response::error_text(self.exchange, self.route, head, body, other).await
    }

    async fn json(mut self, mut head: ResponseHead, body: upstream::Body) -> Stage<Answer> {
        let stopped = |error: &PartError, show: &Show| {
            let refusal = show.meter().and_then(|meter| meter.stopped()).map(|stop| Box::new(stop.refusal()));
            refusal.unwrap_or_else(|| response::stopped(error))
        };
        let limit = self.exchange.snapshot.limits.guarded_body_bytes;
        let bytes = whole(self.exchange, &head.headers, body, limit).await;
        let bytes = bytes.map_err(|error| response::stopped(&error))?;
        let shown = self.show.message(&bytes, &self.exchange.ending).await;
        let (bytes, reference) = shown.map_err(|error| stopped(&error, &self.show))?;
        self.show.end();
        inner::of_no_body(&mut head.headers);
        response::annotate(&mut head.headers, reference, self.show.hidden);
        Ok(Answer { head, body: AnswerBody::Full(bytes), why: None })
    }

    fn events(self, mut head: ResponseHead, body: upstream::Body) -> Stage<Answer> {
        let decoder = decoder(self.exchange, &head.headers).map_err(|error| response::stopped(&error))?;
        inner::of_no_body(&mut head.headers);
        let limits = &self.exchange.snapshot.limits;
        let events = Events::new(body, decoder, self.show, (limits.guarded_body_bytes, limits.response_body_bytes));
        Ok(Answer { head, body: AnswerBody::Flow(Source::Events(Box::new(events))), why: None })
    }
}

/// `text/event-stream`, which is always UTF-8.
fn is_events(media: &[u8]) -> bool {
    let kind = media.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
}
