//! The end of an exchange: exactly one `access.outcome`, also when the client goes away or a task is dropped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use super::{shared::Shared, status::RouteStatus};
use crate::{
    audit,
    model::{
        AccessEvent, AccessKind, Actor, ClassSet, ClassTable, Event, EventDecision, Operation, Outcome, Purpose,
        Subject,
    },
};

/// What every record of one exchange shares. Dropping it writes the outcome.
pub(super) struct Ending {
    shared: Arc<Shared>,
    started: Instant,
    /// UUIDv7.
    pub(super) request: u128,
    pub(super) trace: Option<[u8; 16]>,
    pub(super) actor: Arc<Actor>,
    pub(super) purpose: Arc<Purpose>,
    pub(super) operation: Arc<Operation>,
    pub(super) decision: Arc<EventDecision>,
    pub(super) classes: Arc<ClassTable>,
    pub(super) route: Option<Arc<RouteStatus>>,
    /// Classes the caller searches by.
    pub(super) searched: ClassSet,
    pub(super) status: Option<u16>,
    pub(super) upstream_status: Option<u16>,
    pub(super) why: Option<&'static str>,
    /// Members that the CRM sent and the API map does not know.
    drift: AtomicU64,
    /// Body bytes handed to the connection.
    pub(super) bytes: u64,
    /// Whether the last byte was handed over.
    pub(super) released: bool,
}

impl Ending {
    pub(super) fn new(shared: Arc<Shared>, request: u128, actor: Arc<Actor>, classes: Arc<ClassTable>) -> Self {
        shared.status.active.fetch_add(1, Ordering::Relaxed);
        Self {
            started: Instant::now(),
            request,
            trace: None,
            actor,
            purpose: Arc::clone(&shared.blank.purpose),
            operation: Arc::clone(&shared.blank.operation),
            decision: Arc::clone(&shared.blank.decision),
            classes,
            route: None,
            searched: ClassSet::EMPTY,
            status: None,
            upstream_status: None,
            why: None,
            drift: AtomicU64::new(0),
            bytes: 0,
            released: false,
            shared,
        }
    }

    /// A record of this exchange.
    pub(super) fn event(&self, kind: AccessKind, subjects: Vec<Subject>, written: ClassSet) -> Event {
        Event::Access(self.access(kind, subjects, written))
    }

    /// A record of call `number` of this exchange, counted from 1.
    pub(super) fn call_event(
        &self,
        (number, operation): (u32, &Arc<Operation>),
        decision: &Arc<EventDecision>,
        kind: AccessKind,
        subjects: Vec<Subject>,
        (written, searched): (ClassSet, ClassSet),
    ) -> Event {
        Event::Access(AccessEvent {
            call: Some(number),
            operation: Arc::clone(operation),
            decision: Arc::clone(decision),
            searched,
            ..self.access(kind, subjects, written)
        })
    }

    fn access(&self, kind: AccessKind, subjects: Vec<Subject>, written: ClassSet) -> AccessEvent {
        AccessEvent {
            kind,
            at: self.shared.now(),
            request: self.request,
            call: None,
            trace: self.trace,
            actor: Arc::clone(&self.actor),
            purpose: Arc::clone(&self.purpose),
            operation: Arc::clone(&self.operation),
            subjects,
            written,
            searched: self.searched,
            decision: Arc::clone(&self.decision),
            classes: Arc::clone(&self.classes),
        }
    }

    /// Appends a record and waits until it is durable.
    pub(super) async fn record(
        &self,
        kind: AccessKind,
        subjects: Vec<Subject>,
        written: ClassSet,
    ) -> Result<audit::Receipt, audit::AuditError> {
        self.shared.record(&self.event(kind, subjects, written)).await
    }

    /// Counts members that closed objects did not know.
    pub(super) fn drifted(&self, count: u64) {
        self.drift.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// When the request was there.
    pub(super) fn started(&self) -> tokio::time::Instant {
        self.started.into()
    }

    pub(super) fn elapsed(&self) -> std::time::Duration {
        self.started.elapsed()
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        if !self.released && self.why.is_none() && *self.shared.cut.borrow() {
            // It was the gateway that left, not the caller.
            self.why = Some("shutdown");
        }
        let outcome = Outcome {
            status: self.status,
            upstream_status: self.upstream_status,
            released: self.released,
            bytes: self.bytes,
            millis: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            client_abort: !self.released && self.why.is_none(),
            drift: self.drift.load(Ordering::Relaxed),
            why: self.why,
        };
        let drift = outcome.drift;
        let event = self.event(AccessKind::Outcome(outcome), Vec::new(), ClassSet::EMPTY);
        // Appended, not waited for (audit-log.md §4.2): what was shown is already recorded.
        if self.shared.log.append(&event).is_err() {
            self.shared.status.audit_refused.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(route) = &self.route {
            route.ended(self.status, elapsed, self.bytes);
            if let Some(members) = route.drifted(drift, self.shared.now()) {
                let route = self.operation.route.as_deref().unwrap_or_default();
                tracing::warn!(
                    route.name = route,
                    drift.members = members,
                    "the CRM sends members that the API map does not know; they are withheld"
                );
            }
        }
        self.shared.status.active.fetch_sub(1, Ordering::Relaxed);
    }
}
