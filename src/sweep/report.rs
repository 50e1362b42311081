//! The outcome of a run, for people and as JSON.

use serde::Serialize;

use super::{Checked, Ended, State, Verb, entry::Counts};

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What it worked on: `upstream/resource`.
    pub object: String,
    /// What it did.
    pub verb: Verb,
    /// The classes it was about.
    pub classes: Vec<String>,
    /// Its journal.
    pub journal: String,
    /// Whether it came to its end.
    pub ended: Ended,
    /// Passes over the listing.
    pub rounds: u32,
    /// Records of the last pass.
    pub records: u64,
    /// Values by class and what became of them, over all processes of the run.
    pub(super) values: Counts,
    /// What reading again found; nothing when the run was stopped.
    pub checked: Option<Checked>,
    /// Calls of this process.
    pub calls: u64,
    /// Pauses of this process.
    pub pauses: u64,
    /// Seconds of this process.
    pub seconds: u64,
}

impl Report {
    /// Values of all classes that ended as `state`.
    #[must_use]
    pub fn count(&self, state: State) -> u64 {
        self.values.values().filter_map(|states| states.get(&state)).sum()
    }

    /// Pretty JSON with a line feed at its end.
    ///
    /// # Errors
    /// Never for what a run reports.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}
