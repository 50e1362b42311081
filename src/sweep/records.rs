//! The CRM as the engine sees it: pages of records with their mapped values, one record, and a write of some values.

use std::{fmt, sync::Arc, time::Duration};

use crate::model::{ClassId, Column, Sensitive};

/// A record's id as the CRM spells it; often personal by itself (a login name, an e-mail address).
pub type RecordId = Sensitive<String>;

/// Where a page starts; only [`Records`] knows what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub Sensitive<String>);

/// What the CRM calls the state of a record (an entity tag, a version number).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Its records, in the CRM's order.
    pub records: Vec<Record>,
    /// Where the next page starts; absent on the last one.
    pub next: Option<Cursor>,
    /// How many records the CRM says there are in all, when it says so.
    pub total: Option<u64>,
}

/// A record with the current values of its mapped fields.
#[derive(Clone)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// Its state, where the CRM guards writes with one.
    pub version: Option<Version>,
    /// Its mapped leaves, in order of their places.
    pub fields: Vec<Field>,
    /// The document the leaves were read from, for CRMs that take members as a whole.
    pub document: Option<Arc<serde_json::Value>>,
    /// What of it is here.
    pub shown: Shown,
}

/// What a page shows of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Everything.
    Whole,
    /// Its id: it is read alone before it is used.
    IdOnly,
}

impl Record {
    /// The leaf at `place`.
    #[must_use]
    pub fn field(&self, place: &str) -> Option<&Field> {
        self.fields.iter().find(|field| &*field.place == place)
    }

    /// The text at `place`, when there is one.
    #[must_use]
    pub fn text(&self, place: &str) -> Option<&Sensitive<String>> {
        self.field(place).and_then(Field::text)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("id", &self.id).field("fields", &self.fields).finish_non_exhaustive()
    }
}

/// One mapped leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its place in the record: `$.card.number`.
    pub place: Arc<str>,
    /// Its class.
    pub class: ClassId,
    /// What fits.
    pub column: Column,
    /// What is there.
    pub value: Value,
}

impl Field {
    /// The text, when it is one.
    #[must_use]
    pub fn text(&self) -> Option<&Sensitive<String>> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Empty | Value::NotText => None,
        }
    }
}

/// The value of a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text of one byte or more.
    Text(Sensitive<String>),
    /// `null` or an empty string: what CRMs show of a field nobody filled in. It stays as it is.
    Empty,
    /// A number, a truth value: no sealed form fits into such a column (field-protection.md §2.2, `rehome`).
    NotText,
}

/// A leaf and the text it shall hold.
#[derive(Debug, Clone, Copy)]
pub struct Edit<'a> {
    /// Its place, as in [`Field::place`].
    pub place: &'a str,
    /// The new text.
    pub text: &'a str,
}

/// Why the CRM did not do what it was asked. Never carries a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// 429, or 503 with or without `Retry-After`.
    #[error("the CRM asks for a pause")]
    Busy {
        /// How long, when it says so.
        retry_after: Option<Duration>,
    },
    /// The record has another state than the write was made for.
    #[error("the record changed in the meantime")]
    Conflict,
    /// The record is not there (any more).
    #[error("the record is gone")]
    Gone,
    /// No answer, or one of 5xx: what was asked may have happened.
    #[error("the CRM did not answer, or failed")]
    Unsure,
    /// Any other status: asking again will not help.
    #[error("the CRM answered {status}")]
    Refused {
        /// The status.
        status: u16,
    },
    /// The answer is not what the map says.
    #[error("the CRM's answer is not what the map says: {0}")]
    Broken(&'static str),
}

/// A resource of a CRM. Calls are single tries: waiting and repeating belong to the engine.
pub trait Records {
    /// The page at `cursor`, the first one without.
    fn list(&self, cursor: Option<&Cursor>) -> impl Future<Output = Result<Page, Fault>>;

    /// One record.
    fn read(&self, id: &RecordId) -> impl Future<Output = Result<Record, Fault>>;

    /// Changes `edits` of `record` and nothing else; under [`Record::version`] when there is one. Returns the record as
    /// it is stored afterwards, when the CRM's answer shows it.
    fn patch(&self, record: &Record, edits: &[Edit<'_>]) -> impl Future<Output = Result<Option<Record>, Fault>>;
}
