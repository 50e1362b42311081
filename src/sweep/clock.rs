//! Time as the engine asks for it, so that tests need none.

use std::time::{Duration, Instant};

/// A clock that only goes forward.
pub trait Clock {
    /// Time since some fixed moment.
    fn now(&self) -> Duration;

    /// Returns when `pause` is over.
    fn sleep(&self, pause: Duration) -> impl Future<Output = ()>;
}

/// The system's monotonic clock, under a tokio runtime.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// Counts from `start`.
    #[must_use]
    pub fn new(start: Instant) -> Self {
        Self(start)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}
