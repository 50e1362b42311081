//! A wait for durability ([`Ticket`]) and the proof of it ([`Receipt`]), which only this file can make.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{error::AuditError, shared::Shared};

/// Becomes a [`Receipt`] once the record is durable. Dropping it does not take the record back.
#[derive(Debug)]
#[must_use = "nothing may be shown before the record is durable"]
pub struct Ticket {
    shared: Arc<Shared>,
    index: u64,
    waker: Option<Waker>,
}

/// Proof that a record is on stable storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    index: u64,
    log: Arc<str>,
}

impl Ticket {
    pub(super) fn new(shared: Arc<Shared>, index: u64) -> Self {
        Self { shared, index, waker: None }
    }

    fn outcome(&self) -> Option<Result<Receipt, AuditError>> {
        // Durable first: what was made durable before the log failed is durable.
        if self.shared.durable() > self.index {
            return Some(Ok(Receipt { index: self.index, log: Arc::clone(self.shared.name()) }));
        }
        self.shared.failed().map(|why| Err(AuditError::Failed(why)))
    }

    /// Blocks the thread until the record is durable; for callers outside a runtime.
    ///
    /// # Errors
    /// When the log fails first.
    pub fn wait(self) -> Result<Receipt, AuditError> {
        self.shared.wait_durable(self.index);
        self.outcome().unwrap_or(Err(AuditError::Closed))
    }
}

impl Future for Ticket {
    type Output = Result<Receipt, AuditError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.outcome() {
            return Poll::Ready(outcome);
        }
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.shared.wake_when_durable(self.index, context.waker());
            self.waker = Some(context.waker().clone());
        }
        // Once more: the record may have become durable between the look and the registration.
        self.outcome().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Receipt {
    /// The record's number in the log, from 0.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How a client may quote the record: `gw-1.e1/1048577`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}/{}", self.log, self.index)
    }
}

/// The number in a [`Receipt::reference`], or the number itself.
#[must_use]
pub fn parse_reference(text: &str) -> Option<u64> {
    text.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_and_a_bare_number_name_the_same_record() {
        assert_eq!(parse_reference("gw-1.e1/1048577"), Some(1_048_577));
        assert_eq!(parse_reference("1048577"), Some(1_048_577));
        assert_eq!(parse_reference("gw-1.e1/"), None);
    }
}
