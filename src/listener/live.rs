//! What one connection has in flight: requests from their arrival to the last byte of their response.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::Refusal;

/// State that the reading side, the service and the timer of one connection share.
#[derive(Debug)]
pub(crate) struct Live {
    opened: Instant,
    in_flight: AtomicUsize,
    requests: AtomicU64,
    /// When the last exchange ended, milliseconds after `opened`.
    quiet_since: AtomicU64,
    /// The request that was replaced, by its number on the connection, and why.
    refused: OnceLock<(u64, Refusal)>,
}

/// An exchange in flight.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Live>);

impl Live {
    pub(crate) fn new() -> Self {
        Self {
            opened: Instant::now(),
            in_flight: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            quiet_since: AtomicU64::new(0),
            refused: OnceLock::new(),
        }
    }

    /// Marks request `number` (from 0) as replaced.
    pub(crate) fn refuse(&self, number: u64, refusal: Refusal) {
        let _ = self.refused.set((number, refusal));
    }

    /// A request reached the service: its token, and its refusal if it is the one that was replaced.
    pub(crate) fn begin(self: &Arc<Self>) -> (InFlight, Option<Refusal>) {
        self.in_flight.fetch_add(1, Relaxed);
        let number = self.requests.fetch_add(1, Relaxed);
        let refusal = self.refused.get().filter(|(refused, _)| *refused == number).map(|(_, refusal)| *refusal);
        (InFlight(Arc::clone(self)), refusal)
    }

    /// Until when the connection may stay: `first` for its first request, `idle` between requests.
    pub(crate) fn deadline(&self, now: Instant, first: Duration, idle: Duration) -> Instant {
        if self.in_flight.load(Relaxed) > 0 {
            now + idle
        } else if self.requests.load(Relaxed) == 0 {
            self.opened + first
        } else {
            self.opened + Duration::from_millis(self.quiet_since.load(Relaxed)) + idle
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let millis = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.quiet_since.store(millis, Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// A response body that counts as in flight until it is dropped.
#[derive(Debug)]
pub struct Counted<B> {
    body: Pin<Box<B>>,
    _in_flight: InFlight,
}

impl<B> Counted<B> {
    pub(crate) fn new(body: B, in_flight: InFlight) -> Self {
        Self { body: Box::pin(body), _in_flight: in_flight }
    }
}

impl<B: Body> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.body.as_mut().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
