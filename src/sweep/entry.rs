//! The lines of a journal: what a run is, what it is about to write, what became of it. Values stand in them only as
//! keyed hashes, ids and cursors only sealed.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Unavailable;
use crate::{crypto::hex, model::Sensitive};

/// What the journal's hashes and sealed ids are made with.
pub trait Secrets {
    /// A keyed hash of `parts`, framed.
    fn hash(&self, parts: &[&[u8]]) -> [u8; 32];

    /// Seals `bytes` with associated data of its own.
    ///
    /// # Errors
    /// When there is no key or no randomness.
    fn seal(&self, bytes: &[u8]) -> Result<Vec<u8>, Unavailable>;

    /// Opens what [`Secrets::seal`] made.
    fn open(&self, sealed: &[u8]) -> Option<Sensitive<Vec<u8>>>;
}

/// The first 16 bytes of a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag([u8; 16]);

impl Tag {
    /// The record `id` of `object`.
    pub fn of_id(secrets: &dyn Secrets, object: &str, id: &Sensitive<String>) -> Self {
        Self::new(secrets.hash(&[b"id", object.as_bytes(), id.expose().as_bytes()]))
    }

    /// The text stored at `place` of record `id`; two records with one text have two tags.
    pub fn of_stored(secrets: &dyn Secrets, id: Self, place: &str, text: &Sensitive<String>) -> Self {
        Self::new(secrets.hash(&[b"stored", &id.0, place.as_bytes(), text.expose().as_bytes()]))
    }

    /// The clear text behind what is stored at `place` of record `id`.
    pub fn of_clear(secrets: &dyn Secrets, id: Self, place: &str, text: &Sensitive<String>) -> Self {
        Self::new(secrets.hash(&[b"clear", &id.0, place.as_bytes(), text.expose().as_bytes()]))
    }

    fn new(hash: [u8; 32]) -> Self {
        let mut tag = [0; 16];
        tag.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Self(tag)
    }

    /// Half of it, for tables in memory.
    pub(super) fn short(self) -> u64 {
        self.0.iter().take(8).fold(0, |out, byte| out << 8 | u64::from(*byte))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = u128::from_str_radix(&text, 16).ok().filter(|_| text.len() == 32);
        number.map(|number| Self(number.to_be_bytes())).ok_or_else(|| de::Error::custom("32 hex digits are expected"))
    }
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Clear values become protected ones.
    Protect,
    /// Protected values become clear ones.
    Unprotect,
    /// Values under old keys or in an old form are protected anew.
    Rewrap,
}

impl Verb {
    /// The subcommand's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Protect => "protect",
            Self::Unprotect => "unprotect",
            Self::Rewrap => "rewrap",
        }
    }
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The format of the file: 1.
    pub format: u32,
    /// What the run does.
    pub verb: Verb,
    /// What it works on: `upstream/resource`.
    pub object: String,
    /// The classes it changes, sorted.
    pub classes: Vec<String>,
    /// Records it changes at most; a pilot.
    pub pilot: Option<u64>,
    /// When it began, RFC 3339.
    pub at: String,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The CRM holds the new text.
    Written,
    /// The CRM holds the clear text in its own notation (case, blanks, separators); only `unprotect` takes that.
    Reformatted,
    /// Somebody else changed or emptied it, and what is there now needs nothing.
    Superseded,
    /// The record was deleted.
    Gone,
    /// The CRM refused the write.
    Refused,
    /// What would be stored is longer than the column.
    DoesNotFit,
    /// It is protected and cannot be opened.
    Unreadable,
    /// It was changed by others, or not taken, at every try.
    Contended,
    /// The CRM failed at every try.
    Failed,
    /// A crash came before the write took effect; the page is done again.
    Void,
}

/// Per class: how many values ended how.
pub(super) type Counts = BTreeMap<String, BTreeMap<State, u64>>;

/// A write that is about to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Intended {
    pub(super) id: Tag,
    /// The id itself, sealed, base64.
    pub(super) sealed: String,
    pub(super) fields: Vec<IntendedField>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IntendedField {
    pub(super) field: String,
    pub(super) class: String,
    /// The text that was read.
    pub(super) old: Tag,
    /// The text that will be written.
    pub(super) new: Tag,
    /// The clear text behind both.
    pub(super) clear: Tag,
}

/// What became of a record's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcomes {
    pub(super) id: Tag,
    pub(super) fields: Vec<OutcomeField>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OutcomeField {
    pub(super) field: String,
    pub(super) class: String,
    pub(super) state: State,
    /// The text that is stored, where this run wrote it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) new: Option<Tag>,
    /// The clear text behind it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) clear: Option<Tag>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(super) enum Line {
    /// Always the first.
    Begin(Begin),
    /// Durable before the first of these writes leaves.
    Intent { round: u32, page: u64, records: Vec<Intended> },
    /// A page is done; `next` is the sealed cursor of the next one, base64, absent at the end of the round.
    Page { round: u32, page: u64, seen: u64, next: Option<String>, records: Vec<Outcomes> },
    /// After a crash: which intended writes had taken effect.
    Settled { records: Vec<Outcomes> },
    /// Always the last.
    End { at: String },
}

impl Line {
    /// Adds what the line says to `counts`.
    pub(super) fn count(&self, counts: &mut Counts) {
        if let Self::Page { records, .. } | Self::Settled { records } = self {
            for field in records.iter().flat_map(|record| &record.fields) {
                *counts.entry(field.class.clone()).or_default().entry(field.state).or_default() += 1;
            }
        }
    }
}
