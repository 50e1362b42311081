//! The answer to a document: each root is shown as far as its own permit goes, and one record names all of it.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use http::{Response, StatusCode, header, response::Parts as ResponseHead};
use http_body::Body as HttpBody;

use super::{Asked, Call};
use crate::{
    gateway::{
        body::{Clearance, Held, Nothing},
        exchange::{Exchange, Stage},
        inner,
        parts::PartError,
        plan::Plan,
        request::is_json,
        respond::Refusal,
        response::{self, Answer, AnswerBody},
        snapshot::{RoutePlan, Site},
        whole::whole,
    },
    model::{BodyFormat, Sensitive, Sighting, Subject},
    rewrite::{
        self, Gate,
        graphql::{Answer as Reply, Seen, Shown},
        mcp::MessageError,
    },
    upstream,
};

/// What an answer is shown with.
pub(super) struct Answering<'a, 'w> {
    pub(super) exchange: &'a mut Exchange<'w>,
    pub(super) site: &'a Arc<Site>,
    pub(super) route: &'a Arc<RoutePlan>,
    pub(super) plan: &'a Arc<Plan>,
    pub(super) asked: &'a Asked,
    pub(super) calls: Vec<Call>,
    pub(super) known: Vec<Sensitive<String>>,
}

impl Answering<'_, '_> {
    /// What the caller may see of `response`.
    pub(super) async fn view(self, response: Response<upstream::Body>) -> Stage<Answer> {
        let (mut head, body) = response.into_parts();
        inner::prepare(self.exchange, self.site, self.plan, &mut head, &self.known, None)?;
        let bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        if bodiless || body.is_end_stream() {
            inner::of_no_body(&mut head.headers);
            return Ok(Answer { head, body: AnswerBody::Full(Bytes::new()), why: None });
        }
        let json = head.headers.get(header::CONTENT_TYPE).is_some_and(|value| is_json(value.as_bytes()));
        if json {
            return self.json(head, body).await;
        }
        if head.status.is_success() {
            let detail = "the CRM sent another media type than GraphQL has, so nothing of it is shown";
            return Err(response::blocked("unexpected_media_type", detail));
        }
        let other = self.other();
        response::error_text(self.exchange, self.route, head, body, other).await
    }

    /// For what no map describes; withholds what the caller sent, too.
    fn other(&self) -> Arc<rewrite::Plan> {
        let known = self.known.clone();
        self.exchange.snapshot.response_view(self.site, self.route, self.plan, known, None, Some(BodyFormat::Json))
    }

    async fn json(self, mut head: ResponseHead, body: upstream::Body) -> Stage<Answer> {
        let limit = self.exchange.snapshot.limits.guarded_body_bytes;
        let bytes = whole(self.exchange, &head.headers, body, limit).await;
        let bytes = bytes.map_err(|error| response::stopped(&error))?;
        let stopped = |error: &PartError| {
            let stop = self.calls.iter().find_map(|call| call.meter.as_ref()?.stopped());
            stop.map_or_else(|| response::stopped(error), |stop| Box::new(stop.refusal()))
        };
        let (seen, hidden) = self.seen(&bytes).await.map_err(|error| stopped(&error))?;
        inner::of_no_body(&mut head.headers);
        let (bytes, reference) = self.release(seen).await?;
        response::annotate(&mut head.headers, reference, hidden);
        Ok(Answer { head, body: AnswerBody::Full(bytes), why: None })
    }

    async fn seen(&self, bytes: &[u8]) -> Result<(Seen, u64), PartError> {
        let (snapshot, ending) = (&self.exchange.snapshot, &self.exchange.ending);
        ending.shared().status.rewritten_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let resolved = &self.asked.resolved;
        let keys: Vec<Vec<String>> = resolved.roots.iter().map(|root| root.keys.clone()).collect();
        let reply = Reply::parse(bytes, snapshot.rewrite_limits(), &keys, &resolved.selection)?;
        let mut shown = Vec::with_capacity(self.calls.len());
        for (root, call) in self.calls.iter().enumerate() {
            let subject = call.matched.subject.clone();
            let plan = snapshot.response_view(self.site, &call.route, &call.plan, Vec::new(), subject, None);
            let needs = reply.needs(root, &plan).map_err(MessageError::from)?;
            let answers = match snapshot.resolver(&call.route) {
                Some(resolver) => resolver.answers(&needs).await?,
                None => rewrite::Answers::default(),
            };
            let gate = call.meter.as_ref().map(|meter| Arc::clone(meter) as Arc<dyn Gate>);
            shown.push(Shown { plan, answers, gate, finds: !call.searched.is_empty() });
        }
        let mut seen = reply.show(&shown, &self.other()).map_err(MessageError::from)?;
        let mut hidden = 0;
        for (call, root) in self.calls.iter().zip(&mut seen.roots) {
            call.route.status.leaves.fetch_add(root.protected, Ordering::Relaxed);
            ending.drifted(root.drift);
            let Some(resolver) = snapshot.resolver(&call.route) else { continue };
            for notes in std::mem::take(&mut root.notes) {
                hidden += notes.hidden();
                resolver.noted(notes, &ending.shared().status, &ending.classes).await;
            }
        }
        Ok((seen, hidden))
    }

    /// Records what `seen` shows; only then it goes.
    async fn release(&self, seen: Seen) -> Stage<(Bytes, Option<String>)> {
        let ending = &self.exchange.ending;
        let mut subjects = Vec::new();
        let mut of = |kind: &Arc<str>, sightings: Vec<Sighting>| {
            subjects.extend(sightings.into_iter().map(|seen| Subject { kind: Arc::clone(kind), seen }));
        };
        let mut found = Vec::with_capacity(self.calls.len());
        for (call, root) in self.calls.iter().zip(seen.roots) {
            found.push(!root.sightings.is_empty());
            of(&call.route.resource, root.sightings);
        }
        of(&self.route.resource, seen.other);
        let nothing = Nothing::found(!ending.searched.is_empty());
        let clearance = Clearance::of(ending, subjects, &mut 0, nothing).await;
        let clearance = clearance.map_err(|_| Box::new(Refusal::audit_unavailable()))?;
        for (call, found) in self.calls.iter().zip(found) {
            let Some(meter) = &call.meter else { continue };
            meter.settle(ending.shared().now());
            if found {
                meter.found_somebody();
            }
            meter.end_find();
        }
        Ok((Held::new(seen.bytes).release(&clearance), clearance.reference()))
    }
}
