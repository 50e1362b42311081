//! How far a run is.

use std::time::Duration;

/// A moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// What it is at.
    pub stage: Stage,
    /// Records that were looked at in this stage, by this process or an earlier one of the run.
    pub records: u64,
    /// Those of this process.
    pub records_here: u64,
    /// All there are, when the CRM says so or an earlier stage counted them.
    pub total: Option<u64>,
    /// Values this process wrote.
    pub written: u64,
    /// Since the stage began here.
    pub elapsed: Duration,
}

/// The parts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Counting.
    #[default]
    Inventory,
    /// Writing.
    Writing,
    /// Reading everything again.
    Verifying,
}

impl Progress {
    /// Records per 1,000 seconds; 0 before the first second is over.
    #[must_use]
    pub fn per_thousand_seconds(&self) -> u64 {
        let millis = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX);
        if millis < 1_000 { 0 } else { self.records_here.saturating_mul(1_000_000) / millis }
    }

    /// How long the stage will take from here, when that can be said.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let left = self.total?.saturating_sub(self.records);
        let seconds = left.saturating_mul(1_000).checked_div(self.per_thousand_seconds())?;
        Some(Duration::from_secs(seconds))
    }
}

/// Is told after each page.
pub trait Watch {
    /// How far the run is.
    fn page(&self, progress: &Progress);
}

/// Nobody looks.
impl Watch for () {
    fn page(&self, _: &Progress) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_reckoned_from_what_this_process_did() {
        let progress = Progress {
            records: 900_000,
            records_here: 300,
            total: Some(1_000_000),
            elapsed: Duration::from_secs(10),
            ..Progress::default()
        };
        assert_eq!(progress.per_thousand_seconds(), 30_000);
        assert_eq!(progress.left(), Some(Duration::from_secs(3_333)));
        assert_eq!(Progress { total: None, ..progress }.left(), None);
        assert_eq!(Progress { elapsed: Duration::from_millis(999), ..progress }.left(), None);
        assert_eq!(Progress { records: 2_000_000, ..progress }.left(), Some(Duration::ZERO));
    }
}
