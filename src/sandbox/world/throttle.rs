//! Calls per window: 429 with `Retry-After` for those beyond.

use std::time::{Duration, Instant};

use super::fault::Fault;

/// A fixed window that starts with the first call after the last one ended.
#[derive(Clone, Debug)]
pub(super) struct Throttle {
    calls: u32,
    window: Duration,
    started: Option<Instant>,
    used: u32,
}

impl Throttle {
    pub(super) fn new(calls: u32, window: Duration) -> Self {
        Self { calls, window, started: None, used: 0 }
    }

    /// Counts a call at `now`.
    ///
    /// # Errors
    /// 429 when the window is used up; `Retry-After` is what is left of it in whole seconds, at least one.
    pub(super) fn call(&mut self, now: Instant) -> Result<(), Fault> {
        let gone = self.started.map(|started| now.saturating_duration_since(started));
        let gone = match gone.filter(|gone| *gone < self.window) {
            Some(gone) => gone,
            None => {
                self.started = Some(now);
                self.used = 0;
                Duration::ZERO
            }
        };
        if self.used >= self.calls {
            let left = self.window.saturating_sub(gone);
            return Err(Fault::too_many(left.as_millis().div_ceil(1_000).max(1) as u64));
        }
        self.used += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::header::RETRY_AFTER;

    use super::*;

    #[test]
    fn a_window_takes_its_calls_and_not_one_more() {
        let start = Instant::now();
        let mut throttle = Throttle::new(2, Duration::from_millis(2_500));
        assert!(throttle.call(start).is_ok());
        assert!(throttle.call(start + Duration::from_secs(1)).is_ok());
        let reply = throttle.call(start + Duration::from_millis(1_100)).unwrap_err().reply();
        assert_eq!((reply.status.as_u16(), reply.headers[RETRY_AFTER].to_str().unwrap()), (429, "2"));
        assert!(throttle.call(start + Duration::from_millis(2_500)).is_ok());
    }
}
