//! The stored forms as the engine sees them: what is stored now, what should be, and the clear text behind it.

use std::sync::Arc;

use super::RecordId;
use crate::model::{ClassId, Column, Sensitive};

/// One stored text.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Whose.
    pub record: &'a RecordId,
    /// The class of the field it stands in.
    pub class: ClassId,
    /// What fits into the field.
    pub column: Column,
    /// The text the CRM holds.
    pub text: &'a Sensitive<String>,
}

/// What is known of a stored text without changing anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it is.
    pub form: Form,
    /// The keys it is stored under, as operators name them: the one that seals and the one of its index.
    pub keys: Vec<Arc<str>>,
    /// What [`Change::change`] would do.
    pub wants: Wants,
}

/// What a stored text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The value itself.
    Clear,
    /// Protected as the configuration asks, under the active keys.
    Current,
    /// Protected under another key or in another form.
    Stale,
    /// Looks protected and cannot be opened.
    Unreadable(Why),
}

/// What should happen to a stored text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// Nothing.
    Nothing,
    /// Another text.
    Another,
    /// Another text, which the column would not take.
    DoesNotFit,
}

/// Why a protected text cannot be opened (field-protection.md §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// No such key, token or subject, or one that is disabled.
    Unknown,
    /// The subject was erased, or the key destroyed.
    Erased,
    /// Moved from another tenant or class, or changed.
    Damaged,
    /// Cut off: the column is shorter than the text that was written to it.
    Truncated,
}

impl Why {
    /// The name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_key",
            Self::Erased => "erased",
            Self::Damaged => "damaged",
            Self::Truncated => "truncated",
        }
    }
}

/// What a stored text becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It stays.
    Unchanged,
    /// This is stored instead.
    New(Sensitive<String>),
    /// What would be stored is longer than the column.
    DoesNotFit,
    /// It is protected and cannot be opened, so it stays.
    Unreadable(Why),
}

/// The clear text behind a stored one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// It.
    Text(Sensitive<String>),
    /// There is none to be had.
    Unreadable(Why),
}

/// What texts are made with is not there: the vault does not answer, a key is missing. Nothing is written then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unavailable {
    /// What is missing; never a value.
    pub what: String,
}

/// One direction of change. Answers are in the order of the questions. What was changed already is left `Unchanged`,
/// so that asking twice changes nothing twice.
pub trait Change {
    /// Looks only: makes no key, no token, no link.
    fn look(&self, asks: &[Ask<'_>]) -> impl Future<Output = Result<Vec<Seen>, Unavailable>>;

    /// What each text becomes. Whatever the new text needs to be opened again is durable when this returns.
    fn change(&self, asks: &[Ask<'_>]) -> impl Future<Output = Result<Vec<Outcome>, Unavailable>>;

    /// The clear text of each; of a clear text, itself.
    fn clear(&self, asks: &[Ask<'_>]) -> impl Future<Output = Result<Vec<Reading>, Unavailable>>;
}
