//! Where in a record the reader is: the path of a field from its record on, the same in every list and in every call.

use super::place::Place;
use crate::formats::{Side, Trace};

/// The place of a reader, and the records around it.
#[derive(Debug, Default)]
pub(super) struct Standing {
    place: Place,
    /// The path of each open record.
    records: Vec<String>,
}

impl Standing {
    /// Follows the document.
    pub(super) fn trace(&mut self, event: Trace<'_>) {
        self.place.trace(event);
    }

    /// A record starts or ends.
    pub(super) fn record(&mut self, side: Side) {
        match side {
            Side::Start => self.records.push(self.place.path()),
            Side::End => drop(self.records.pop()),
        }
    }

    /// The path of what is being read, from the document on.
    pub(super) fn path(&self) -> String {
        self.place.path()
    }

    /// The same from the innermost record on.
    pub(super) fn field(&self) -> String {
        let path = self.place.path();
        let record = self.records.last().map_or("$", String::as_str);
        path.strip_prefix(record).map_or_else(|| path.clone(), |rest| format!("${rest}"))
    }
}
