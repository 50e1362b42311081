//! Pseudonyms that callers were shown, and the values they stand for: kept for an hour, in memory only, so that a field that is
//! written back unchanged stays what it is.
//!
//! A pseudonym opens for the caller that saw it, into the field that it was shown for, of the record that it was shown of. A
//! gateway that was started again, or another one, knows none: the record has to be read again.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;

use crate::{
    crypto,
    model::{Sensitive, SubjectId, Timestamp},
};

/// Pseudonyms that are kept; past it the older half goes. Keys and values take about 200 bytes each.
pub(super) const MAX_STAND_INS: usize = 131_072;

/// How long one is kept, in seconds.
pub(super) const MAX_AGE_SECONDS: i64 = 3_600;

/// Longest value that is kept, in bytes: what is longer is no field that is written back.
pub(super) const MAX_VALUE_BYTES: usize = 4_096;

/// Who was shown what kind of record.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) upstream: Arc<str>,
    pub(super) principal: Arc<str>,
    pub(super) resource: Arc<str>,
}

/// A field that shows a pseudonym.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The class, by name: ids change with the configuration.
    pub(super) class: &'a str,
    /// The field, from its record on.
    pub(super) field: &'a str,
    /// The record.
    pub(super) record: &'a SubjectId,
    /// The pseudonym.
    pub(super) shown: &'a str,
}

/// What was shown.
#[derive(Debug, Default)]
pub(super) struct StandIns(Mutex<Shelves>);

/// Two generations: when the younger is full or as old as one is kept, it becomes the older, and that is forgotten.
#[derive(Debug, Default)]
struct Shelves {
    young: HashMap<[u8; 32], Entry>,
    old: HashMap<[u8; 32], Entry>,
    turned: Timestamp,
}

#[derive(Debug)]
struct Entry {
    value: Sensitive<String>,
    at: Timestamp,
}

impl StandIns {
    /// `place` was shown instead of `value`, a JSON value.
    pub(super) fn remember(&self, scope: &Scope, place: Place<'_>, value: &Sensitive<String>, now: Timestamp) {
        if value.expose().len() > MAX_VALUE_BYTES {
            return;
        }
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = shelves.young.len() >= MAX_STAND_INS / 2;
        shelves.turn(full, now);
        shelves.young.insert(key(scope, place), Entry { value: value.clone(), at: now });
    }

    /// The value that stands behind `place`.
    pub(super) fn find(&self, scope: &Scope, place: Place<'_>, now: Timestamp) -> Option<Sensitive<String>> {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.turn(false, now);
        let key = key(scope, place);
        let entry = shelves.young.get(&key).or_else(|| shelves.old.get(&key))?;
        (now.seconds() - entry.at.seconds() < MAX_AGE_SECONDS).then(|| entry.value.clone())
    }
}

impl Shelves {
    fn turn(&mut self, full: bool, now: Timestamp) {
        if full || now.seconds() - self.turned.seconds() >= MAX_AGE_SECONDS {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
    }
}

/// A digest, so that neither ids nor pseudonyms are kept.
fn key(scope: &Scope, place: Place<'_>) -> [u8; 32] {
    let parts = [
        &*scope.upstream,
        &*scope.principal,
        &*scope.resource,
        place.class,
        place.field,
        place.record.expose().as_str(),
        place.shown,
    ];
    let lengths = parts.map(|part| (part.len() as u64).to_be_bytes());
    let framed: Vec<&[u8]> =
        lengths.iter().zip(parts).flat_map(|(length, part)| [length.as_slice(), part.as_bytes()]).collect();
    crypto::sha256(&framed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(principal: &str) -> Scope {
        Scope { upstream: "crm".into(), principal: principal.into(), resource: "customer".into() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn id(text: &str) -> SubjectId {
        Sensitive::new(text.to_owned())
    }

    #[test]
    fn a_pseudonym_opens_for_its_caller_its_field_its_record_and_its_class_only() {
        let (kept, value, record, other) = (StandIns::default(), id("\"Jane\""), id("C-1"), id("C-2"));
        let place = Place { class: "name", field: "$.name", record: &record, shown: "Person a" };
        kept.remember(&scope("ai"), place, &value, at(0));
        assert_eq!(kept.find(&scope("ai"), place, at(1)), Some(value));
        assert_eq!(kept.find(&scope("other"), place, at(1)), None);
        let elsewhere = Scope { resource: "order".into(), ..scope("ai") };
        assert_eq!(kept.find(&elsewhere, place, at(1)), None);
        for wrong in [
            Place { class: "email", ..place },
            Place { field: "$.alias", ..place },
            Place { record: &other, ..place },
            Place { shown: "Person b", ..place },
            // The same bytes with another border between two parts.
            Place { class: "nam", field: "e$.name", ..place },
        ] {
            assert_eq!(kept.find(&scope("ai"), wrong, at(1)), None);
        }
    }

    #[test]
    fn a_pseudonym_is_known_for_an_hour_and_not_longer() {
        let (kept, value, record) = (StandIns::default(), id("\"Jane\""), id("C-1"));
        let place = Place { class: "name", field: "$.name", record: &record, shown: "Person a" };
        kept.remember(&scope("ai"), place, &value, at(0));
        assert!(kept.find(&scope("ai"), place, at(MAX_AGE_SECONDS - 1)).is_some());
        assert!(kept.find(&scope("ai"), place, at(MAX_AGE_SECONDS)).is_none());
    }

    #[test]
    fn the_table_is_bounded_and_the_oldest_go_first() {
        let (kept, value, record) = (StandIns::default(), id("\"Jane\""), id("C-1"));
        let shown: Vec<String> = (0..MAX_STAND_INS).map(|number| format!("Person {number}")).collect();
        let place = |shown| Place { class: "name", field: "$.name", record: &record, shown };
        for shown in &shown {
            kept.remember(&scope("ai"), place(shown), &value, at(1));
        }
        assert!(kept.find(&scope("ai"), place(&shown[0]), at(1)).is_some(), "as many as fit are known");
        kept.remember(&scope("ai"), place("Person more"), &value, at(1));
        assert!(kept.find(&scope("ai"), place(&shown[0]), at(1)).is_none(), "one more, and the older half is gone");
        assert!(kept.find(&scope("ai"), place(shown.last().unwrap()), at(1)).is_some());
        let long = Sensitive::new("x".repeat(MAX_VALUE_BYTES + 1));
        kept.remember(&scope("ai"), place("Person long"), &long, at(1));
        assert!(kept.find(&scope("ai"), place("Person long"), at(1)).is_none());
    }
}
