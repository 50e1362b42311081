//! How fast the CRM is called: a token bucket, and pauses that the CRM asks for or that failures suggest.

use std::{cell::RefCell, time::Duration};

use super::{Clock, Fault};

/// A rate of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time between two calls in the long run.
    interval: Duration,
    /// Calls that may come at once after a quiet time.
    burst: u32,
}

impl Pace {
    /// `share_percent` of a limit of `calls_per_second`; at least one call in 100 seconds, at most 10,000 per second.
    #[must_use]
    pub fn share_of(calls_per_second: u32, share_percent: u32) -> Self {
        let per_hundred_seconds = u64::from(calls_per_second).saturating_mul(u64::from(share_percent.min(100)));
        let per_hundred_seconds = per_hundred_seconds.clamp(1, 1_000_000);
        let interval = Duration::from_nanos(100_000_000_000 / per_hundred_seconds);
        let burst = u32::try_from(per_hundred_seconds / 100).unwrap_or(u32::MAX).clamp(1, MAX_BURST_CALLS);
        Self { interval, burst }
    }

    /// Calls per second, rounded down to thousandths, times 1,000.
    #[must_use]
    pub fn calls_per_thousand_seconds(self) -> u64 {
        u64::try_from(Duration::from_secs(1_000).as_nanos() / self.interval.as_nanos().max(1)).unwrap_or(u64::MAX)
    }
}

/// Randomness that need not be secret: spreads retries (SplitMix64; Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Jitter(u64);

impl Jitter {
    /// The same seed gives the same pauses.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The budget of one run.
#[derive(Debug)]
pub struct Budget<K> {
    clock: K,
    pace: Pace,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    /// When the next call is due if all come at the long-run rate, later by [`LEAD`].
    next: Duration,
    /// Nobody calls before.
    paused_until: Duration,
    jitter: Jitter,
    calls: u64,
    pauses: u64,
}

/// The CRM asks for a pause that is longer than a run waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong(pub(super) Duration);

impl<K: Clock> Budget<K> {
    /// A full bucket.
    pub fn new(clock: K, pace: Pace, jitter: Jitter) -> Self {
        let state = State { next: Duration::ZERO, paused_until: Duration::ZERO, jitter, calls: 0, pauses: 0 };
        Self { clock, pace, state: RefCell::new(state) }
    }

    /// The clock.
    pub fn clock(&self) -> &K {
        &self.clock
    }

    /// Calls that were made, and pauses that were taken.
    pub fn spent(&self) -> (u64, u64) {
        let state = self.state.borrow();
        (state.calls, state.pauses)
    }

    /// Waits until one call may be made.
    pub async fn call(&self) {
        let mut due = self.reserve();
        loop {
            let now = self.clock.now();
            // A pause that began while this call was waiting holds for it too.
            due = due.max(self.state.borrow().paused_until);
            if due <= now {
                return;
            }
            self.clock.sleep(due.saturating_sub(now)).await;
        }
    }

    fn reserve(&self) -> Duration {
        let now = self.clock.now() + LEAD;
        let mut state = self.state.borrow_mut();
        state.calls += 1;
        let earliest = now.saturating_sub(self.pace.interval.saturating_mul(self.pace.burst - 1));
        let due = state.next.max(earliest);
        state.next = due + self.pace.interval;
        due.saturating_sub(LEAD)
    }

    /// A call that was waited for is not made.
    pub fn give_back(&self) {
        let mut state = self.state.borrow_mut();
        state.calls = state.calls.saturating_sub(1);
        state.next = state.next.saturating_sub(self.pace.interval);
    }

    /// Notes a failure after `tries` earlier ones: everybody pauses for as long as the CRM asks, else for a time that
    /// doubles with each try, and up to a quarter longer so that retries spread.
    ///
    /// # Errors
    /// When the CRM asks for more than `MAX_RETRY_AFTER`.
    pub(super) fn pause(&self, fault: Fault, tries: u32) -> Result<(), TooLong> {
        let asked = match fault {
            Fault::Busy { retry_after } => retry_after,
            _ => None,
        };
        let grown = FIRST_PAUSE.saturating_mul(1 << tries.min(10)).min(LONGEST_PAUSE);
        let pause = asked.unwrap_or(grown);
        if pause > MAX_RETRY_AFTER {
            return Err(TooLong(pause));
        }
        let mut state = self.state.borrow_mut();
        let quarter = u64::try_from(pause.as_millis() / 4).unwrap_or(u64::MAX);
        let spread = Duration::from_millis(state.jitter.next().checked_rem(quarter + 1).unwrap_or(0));
        let until = self.clock.now() + pause + spread;
        state.paused_until = state.paused_until.max(until);
        state.pauses += 1;
        Ok(())
    }
}

/// Longer than any bucket takes to fill, so that one is full when the clock starts at zero.
const LEAD: Duration = Duration::from_secs(3_600);
/// Calls at once after a quiet time.
const MAX_BURST_CALLS: u32 = 10;
/// The pause after a first failure without `Retry-After`.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The pause after many.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A longer `Retry-After` (a daily limit) ends the run, which can be resumed.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(15 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::tests::FakeClock;

    fn run<T>(job: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(job)
    }

    fn budget(pace: Pace) -> Budget<FakeClock> {
        Budget::new(FakeClock::default(), pace, Jitter::new(1))
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let budget = budget(Pace::share_of(10, 30));
        run(async {
            for _ in 0..33 {
                budget.call().await;
            }
        });
        // 3 per second: 3 at once, 30 more in 10 seconds.
        let passed = budget.clock().now();
        assert!((Duration::from_millis(9_990)..=Duration::from_millis(10_010)).contains(&passed), "{passed:?}");
        assert_eq!(budget.spent(), (33, 0));
    }

    #[test]
    fn rates_stay_within_their_bounds() {
        for (limit, share, expected) in
            [(10, 30, 3_000), (1, 1, 10), (0, 30, 10), (10, 0, 10), (10, 1_000, 10_000), (u32::MAX, 100, 10_000_000)]
        {
            let rate = Pace::share_of(limit, share).calls_per_thousand_seconds();
            assert!(rate.abs_diff(expected) <= 1, "{limit} {share}: {rate}");
        }
    }

    #[test]
    fn everybody_waits_for_as_long_as_the_crm_asks_and_a_little_longer() {
        let budget = budget(Pace::share_of(1_000, 100));
        let asked = Duration::from_secs(8);
        budget.pause(Fault::Busy { retry_after: Some(asked) }, 0).unwrap();
        budget.pause(Fault::Unsure, 0).unwrap();
        run(budget.call());
        assert!((asked..=asked * 5 / 4).contains(&budget.clock().now()), "{:?}", budget.clock().now());
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        for (tries, least) in [(0, 500), (1, 1_000), (6, 32_000), (7, 60_000), (31, 60_000)] {
            let budget = budget(Pace::share_of(1_000, 100));
            budget.pause(Fault::Unsure, tries).unwrap();
            run(budget.call());
            let passed = budget.clock().now().as_millis();
            assert!((least..=least * 5 / 4).contains(&passed), "{tries}: {passed}");
        }
    }

    #[test]
    fn a_pause_of_fifteen_minutes_is_taken_and_a_longer_one_ends_the_run() {
        let budget = budget(Pace::share_of(1, 100));
        assert!(budget.pause(Fault::Busy { retry_after: Some(MAX_RETRY_AFTER) }, 0).is_ok());
        let longer = MAX_RETRY_AFTER + Duration::from_secs(1);
        assert_eq!(budget.pause(Fault::Busy { retry_after: Some(longer) }, 0), Err(TooLong(longer)));
    }
}
