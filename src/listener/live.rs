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

use super::{Limits, Refusal};

/// State that the reading side, the service and the timer of one connection share.
#[derive(Debug)]
pub(crate) struct Live {
    opened: Instant,
    in_flight: AtomicUsize,
    requests: AtomicU64,
    /// When the last exchange ended, milliseconds after `opened`.
    quiet_since: AtomicU64,
    /// Response bodies whose last frame nobody has come back for.
    delivering: AtomicUsize,
    /// When a body was last asked for a frame, milliseconds after `opened`.
    progress: AtomicU64,
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
            delivering: AtomicUsize::new(0),
            progress: AtomicU64::new(0),
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

    /// What to do with the connection at `now`.
    pub(crate) fn verdict(&self, now: Instant, limits: &Limits) -> Verdict {
        let at = |millis: &AtomicU64| self.opened + Duration::from_millis(millis.load(Relaxed));
        let in_flight = self.in_flight.load(Relaxed);
        let (deadline, then) = if in_flight > 0 {
            // Everything in flight waits for the client to read, and it does not: an HTTP/2 client may answer pings
            // and still never open a window.
            if self.delivering.load(Relaxed) < in_flight {
                return Verdict::Stay(now + limits.stall.min(limits.idle));
            }
            (at(&self.progress) + limits.stall, Verdict::Abandon)
        } else if self.requests.load(Relaxed) == 0 {
            (self.opened + limits.header, Verdict::WindDown)
        } else {
            (at(&self.quiet_since) + limits.idle, Verdict::WindDown)
        };
        if deadline <= now { then } else { Verdict::Stay(deadline) }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Whether a connection may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Look again then.
    Stay(Instant),
    /// It has been idle for too long.
    WindDown,
    /// The client does not read what it asked for.
    Abandon,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.quiet_since.store(self.0.millis(), Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// A response body that counts as in flight until it is dropped.
#[derive(Debug)]
pub struct Counted<B> {
    body: Pin<Box<B>>,
    delivering: bool,
    in_flight: InFlight,
}

impl<B> Counted<B> {
    pub(crate) fn new(body: B, in_flight: InFlight) -> Self {
        Self { body: Box::pin(body), delivering: false, in_flight }
    }

    fn set_delivering(&mut self, delivering: bool) {
        let counter = &self.in_flight.0.delivering;
        match (std::mem::replace(&mut self.delivering, delivering), delivering) {
            (false, true) => drop(counter.fetch_add(1, Relaxed)),
            (true, false) => drop(counter.fetch_sub(1, Relaxed)),
            _ => {}
        }
    }
}

impl<B: Body> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = self.body.as_mut().poll_frame(cx);
        self.in_flight.0.progress.store(self.in_flight.0.millis(), Relaxed);
        self.set_delivering(matches!(polled, Poll::Ready(Some(Ok(_)))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Counted<B> {
    fn drop(&mut self) {
        self.set_delivering(false);
    }
}
