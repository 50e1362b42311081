//! The sample CRM's second surface below `/world/`: a generic record store with column rules, searched in five dialects.
//!
//! It is the side that tests compare with, so nothing of it is shared with what it tests.

mod batch;
mod column;
mod dump;
mod fault;
mod object;
mod record;
mod route;
mod search;
mod seed;
mod table;
mod throttle;

#[cfg(test)]
mod tests;

use std::time::Duration;

use column::{Emails, Phones, Rules, Spaces, Validators};
use object::Object;
use search::Nulls;
use table::Table;
use throttle::Throttle;

pub(super) use dump::record as dump_record;
pub(super) use route::{BASE, answer};

/// The second surface: its records and its habits. Two worlds of the same seed hold the same records under the same ids.
#[derive(Clone, Debug, Default)]
pub struct World {
    contacts: Table,
    cases: Table,
    rules: Rules,
    nulls: Nulls,
    throttle: Option<Throttle>,
    dump: DumpRoute,
    /// The clock: one minute per change.
    minutes: u64,
}

/// Whether `GET /world/__dump` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum DumpRoute {
    #[default]
    Closed,
    Open,
}

impl World {
    /// No records.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// `contacts` contacts, and a case for every second one; the same `seed` gives the same records on every machine.
    ///
    /// One contact in twelve shares its e-mail address with an earlier one, some values are null, and some spellings differ
    /// in case only.
    #[must_use]
    pub fn generate(seed: u64, contacts: usize) -> Self {
        seed::generate(seed, contacts)
    }

    /// Replaces the notes of contacts by ones that mention no value of another column.
    #[must_use]
    pub fn with_plain_notes(mut self) -> Self {
        for note in self.contacts.rows.values_mut().filter_map(|row| row.values.get_mut("Note__c")) {
            "Asked to be called back.".clone_into(note);
        }
        self
    }

    /// What a client would have to send for the contacts, in order: written into an empty world they get the same ids.
    #[must_use]
    pub fn contacts(&self) -> Vec<serde_json::Value> {
        self.contacts.rows.values().map(|row| row.written(Object::Contact)).collect()
    }

    /// The same for the cases; they name contacts by id.
    #[must_use]
    pub fn cases(&self) -> Vec<serde_json::Value> {
        self.cases.rows.values().map(|row| row.written(Object::Case)).collect()
    }

    /// The record `id` as it is read, without its link.
    pub(super) fn stored(&self, id: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
        let shown = |object: Object| self.table(object).rows.get(id).map(|row| row.show(object));
        shown(Object::Contact).or_else(|| shown(Object::Case))
    }

    /// Stores e-mail addresses in lower case.
    #[must_use]
    pub fn folding_emails(mut self) -> Self {
        self.rules.emails = Emails::Fold;
        self
    }

    /// Stores telephone numbers of ten digits, or eleven with a leading 1, as `(234) 567-8901`.
    #[must_use]
    pub fn formatting_us_phones(mut self) -> Self {
        self.rules.phones = Phones::FormatUs;
        self
    }

    /// Stores texts without white space at their ends.
    #[must_use]
    pub fn trimming(mut self) -> Self {
        self.rules.spaces = Spaces::Trim;
        self
    }

    /// Takes any text as an e-mail address or telephone number.
    #[must_use]
    pub fn without_validators(mut self) -> Self {
        self.rules.validators = Validators::Off;
        self
    }

    /// Compares null as SQL does (a comparison with null is neither true nor false) in SOQL, OData and TicketSQL; without
    /// this call null is a value like any other there.
    #[must_use]
    pub fn with_sql_nulls(mut self) -> Self {
        self.nulls = Nulls::Unknown;
        self
    }

    /// Answers 429 with `Retry-After` beyond `calls` calls in one `window`.
    #[must_use]
    pub fn throttled(mut self, calls: u32, window: Duration) -> Self {
        self.throttle = Some(Throttle::new(calls, window));
        self
    }

    /// Opens `GET /world/__dump`: everything the CRM holds, as text.
    #[must_use]
    pub fn dumping(mut self) -> Self {
        self.dump = DumpRoute::Open;
        self
    }

    fn table(&self, object: Object) -> &Table {
        match object {
            Object::Contact => &self.contacts,
            Object::Case => &self.cases,
        }
    }

    fn table_mut(&mut self, object: Object) -> &mut Table {
        match object {
            Object::Contact => &mut self.contacts,
            Object::Case => &mut self.cases,
        }
    }

    /// When the next change happens.
    fn moment(&mut self) -> String {
        let minutes = self.minutes;
        self.minutes = minutes.saturating_add(1);
        super::shape::moment(minutes)
    }
}
