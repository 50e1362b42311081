//! What workers share: the snapshot, the log, the counters. Loaded once per exchange; swapped whole on reload.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::{budget::Budgets, snapshot::Snapshot, stand_ins::StandIns, status::Status};
use crate::{
    audit::{self, AuditError, Receipt},
    listener,
    model::{Effect, Event, EventDecision, Operation, Purpose, Timestamp},
};

/// Shared by every worker and the control thread.
pub(super) struct Shared {
    /// What is in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// The access log.
    pub log: audit::Log,
    /// Counters.
    pub status: Arc<Status>,
    /// How many people whom has seen.
    pub(super) budgets: Arc<Budgets>,
    /// Pseudonyms that callers may write back.
    pub(super) stand_ins: Arc<StandIns>,
    /// Counters of the listeners.
    pub wires: Vec<Arc<listener::Wire>>,
    /// Whether the gateway is on its way down.
    pub draining: AtomicBool,
    /// Whether exchanges that are still under way have to end. A state and not a signal: who looks late sees it too.
    pub(super) cut: watch::Sender<bool>,
    pub(super) blank: Blank,
}

/// Parts of a record before anything is known.
pub(super) struct Blank {
    pub(super) purpose: Arc<Purpose>,
    pub(super) operation: Arc<Operation>,
    pub(super) decision: Arc<EventDecision>,
}

impl Shared {
    /// Shares `snapshot`, `log` and what was counted.
    #[must_use]
    pub(super) fn new(
        snapshot: Snapshot,
        log: audit::Log,
        status: Arc<Status>,
        budgets: Budgets,
        wires: Vec<Arc<listener::Wire>>,
    ) -> Self {
        let blank = Blank {
            purpose: Arc::default(),
            operation: Arc::default(),
            decision: Arc::new(EventDecision {
                effect: Effect::Deny,
                rules: Arc::new([]),
                policy: Arc::clone(snapshot.policy.fingerprint()),
                why: None,
                notes: Vec::new(),
            }),
        };
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            log,
            status,
            budgets: Arc::new(budgets),
            stand_ins: Arc::default(),
            wires,
            draining: AtomicBool::new(false),
            cut: watch::Sender::new(false),
            blank,
        }
    }

    /// Ready when exchanges that are still under way have to end.
    pub(super) async fn cut(&self) {
        let _ = self.cut.subscribe().wait_for(|cut| *cut).await;
    }

    /// The wall clock.
    #[must_use]
    pub(super) fn now(&self) -> Timestamp {
        now()
    }

    /// Appends `event` and waits until it is durable, at most `[timeouts] audit`.
    pub(super) async fn record(&self, event: &Event) -> Result<Receipt, AuditError> {
        self.record_all(std::slice::from_ref(event)).await
    }

    /// As [`Self::record`], for one or more events in their order; the receipt is that of the last one. The log is durable
    /// in order, so the others are durable before it.
    pub(super) async fn record_all(&self, events: &[Event]) -> Result<Receipt, AuditError> {
        let bound = self.snapshot.load().timeouts.audit.duration();
        let mut last = Err(AuditError::Closed);
        for event in events {
            last = self.log.append(event);
            if last.is_err() {
                break;
            }
        }
        let waited = match last {
            Ok(ticket) => tokio::time::timeout(bound, ticket).await.unwrap_or(Err(AuditError::Slow)),
            Err(error) => Err(error),
        };
        if let Err(error) = &waited {
            self.status.audit_refused.fetch_add(1, Ordering::Relaxed);
            tracing::error!(error = %error, "record not durable");
        }
        waited
    }
}

/// The wall clock; one before 1970 counts as 1970.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
