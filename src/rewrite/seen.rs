//! What was seen of whom, and up to which byte that is known.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::model::{ClassId, ClassSet, Sensitive, Sighting, SubjectId, View};

/// Different ids that one record may have: one, when the CRM behaves.
pub(super) const MAX_SUBJECTS: usize = 16;

/// An open record.
#[derive(Debug, Default)]
struct Record {
    /// Its ids: usually one, more when a member comes twice.
    subjects: Vec<SubjectId>,
    /// Everything seen so far.
    seen: Sighting,
    /// What of it was not attributed yet.
    fresh: Sighting,
    /// The output byte of the first of it, while no subject is known.
    waiting: Option<u64>,
}

/// The sightings of a body.
#[derive(Debug)]
pub(super) struct Seen {
    /// The record the path names.
    fallback: Option<SubjectId>,
    /// Records wait for their own subject.
    waits: bool,
    records: Vec<Record>,
    done: Vec<Sighting>,
    index: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl Seen {
    /// For a body whose records name their subject when `waits`.
    pub(super) fn new(fallback: Option<SubjectId>, waits: bool) -> Self {
        Self {
            fallback,
            waits,
            // The document is a record when nothing narrower is.
            records: vec![Record::default()],
            done: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// A record starts.
    pub(super) fn open(&mut self) {
        self.records.push(Record::default());
    }

    /// A record ends: what has no subject by now has none of its own.
    pub(super) fn close(&mut self) {
        if let Some(mut record) = self.records.pop() {
            self.settle(&mut record);
        }
    }

    /// The record's id; whether there is room for it.
    #[must_use]
    pub(super) fn subject(&mut self, id: &str) -> bool {
        let Some(record) = self.records.last_mut() else { return false };
        if record.subjects.iter().any(|known| known.expose() == id) {
            return true;
        }
        if record.subjects.len() == MAX_SUBJECTS {
            return false;
        }
        record.waiting = None;
        let subject: SubjectId = Sensitive::new(id.to_owned());
        record.subjects.push(subject.clone());
        if record.subjects.len() > 1 {
            // A second id: what was attributed to the first may as well be the second's.
            let seen = record.seen.clone();
            self.attribute(Some(subject), &seen);
        }
        true
    }

    /// The id of the record being read, as far as it is known.
    pub(super) fn record_id(&self) -> Option<&SubjectId> {
        let record = self.records.last()?;
        let fallback = if self.waits && self.records.len() > 1 { None } else { self.fallback.as_ref() };
        record.subjects.first().or(fallback)
    }

    /// `class` was shown at `view` from output byte `at` on.
    pub(super) fn note(&mut self, class: ClassId, view: View, at: u64) {
        let Some(record) = self.records.last_mut() else { return };
        set_of(&mut record.seen, view).insert(class);
        set_of(&mut record.fresh, view).insert(class);
        if self.waits && record.subjects.is_empty() {
            record.waiting.get_or_insert(at);
        }
    }

    /// Output bytes before which every sighting is among those to take, of `written`.
    pub(super) fn complete(&self, written: u64) -> u64 {
        self.records.iter().filter_map(|record| record.waiting).min().unwrap_or(written)
    }

    /// The complete sightings since the last call.
    pub(super) fn take(&mut self) -> Vec<Sighting> {
        let mut records = std::mem::take(&mut self.records);
        for record in &mut records {
            if record.waiting.is_none() {
                self.settle(record);
                record.fresh = Sighting::default();
            }
        }
        self.records = records;
        self.index.clear();
        std::mem::take(&mut self.done)
    }

    /// Attributes what is fresh in `record`.
    fn settle(&mut self, record: &mut Record) {
        if record.subjects.is_empty() {
            self.attribute(self.fallback.clone(), &record.fresh);
        }
        for subject in &record.subjects {
            self.attribute(Some(subject.clone()), &record.fresh);
        }
    }

    fn attribute(&mut self, subject: Option<SubjectId>, seen: &Sighting) {
        if is_empty(seen) {
            return;
        }
        let Self { done, index, hasher, .. } = self;
        let key = |subject: &Option<SubjectId>| hasher.hash_one(subject.as_ref().map(|id| id.expose().as_str()));
        let found =
            index.find(key(&subject), |at| done.get(*at).is_some_and(|known| known.subject == subject)).copied();
        let at = found.unwrap_or(done.len());
        if found.is_none() {
            index.insert_unique(key(&subject), at, |at| done.get(*at).map_or(0, |known| key(&known.subject)));
            done.push(Sighting { subject, ..Sighting::default() });
        }
        if let Some(known) = done.get_mut(at) {
            known.reveal = known.reveal.union(seen.reveal);
            known.mask = known.mask.union(seen.mask);
            known.pseudonym = known.pseudonym.union(seen.pseudonym);
            known.redact = known.redact.union(seen.redact);
        }
    }
}

/// Whether nothing was seen.
pub(super) fn is_empty(seen: &Sighting) -> bool {
    seen.reveal.union(seen.mask).union(seen.pseudonym).union(seen.redact).is_empty()
}

/// The set of `seen` for `view`.
pub(super) fn set_of(seen: &mut Sighting, view: View) -> &mut ClassSet {
    match view {
        View::Reveal => &mut seen.reveal,
        View::Mask => &mut seen.mask,
        View::Pseudonym => &mut seen.pseudonym,
        View::Redact => &mut seen.redact,
    }
}
