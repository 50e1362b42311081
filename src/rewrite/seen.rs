//! What was seen of whom, and up to which byte that is known.

use std::{hash::BuildHasher, ops::Range};

use hashbrown::{DefaultHashBuilder, HashTable};
use zeroize::Zeroizing;

use super::gate::{Admission, Moves};
use crate::model::{ClassId, ClassSet, Sensitive, Sighting, SubjectId, View};

/// Different ids that one record may have: one, when the CRM behaves.
pub(super) const MAX_SUBJECTS: usize = 16;

/// An open record.
#[derive(Debug, Default)]
struct Record {
    /// Its id, and more when a member comes twice, as ranges of [`Seen::ids`].
    subject: Option<Range<usize>>,
    others: Vec<Range<usize>>,
    /// Everything seen so far.
    seen: Sets,
    /// What of it was not attributed yet.
    fresh: Sets,
    /// The output byte of the first of it, while no subject is known.
    waiting: Option<u64>,
    /// How far a gate lets it be shown, once that was asked.
    admission: Option<Admission>,
}

/// Whether a record of which nothing protected is shown is a sighting all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finds {
    /// No: it is not about anybody.
    No,
    /// Yes: that it is there is what the caller asked.
    Subjects,
}

/// Whose a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner<'s> {
    /// Not known yet.
    Waits,
    /// Named by itself; more than one when it has several ids.
    Own(Vec<SubjectId>),
    /// Named by the path, if at all.
    Path(Option<&'s SubjectId>),
}

impl Record {
    fn subjects(&self) -> impl Iterator<Item = &Range<usize>> {
        self.subject.iter().chain(&self.others)
    }
}

/// The classes seen at each view.
#[derive(Debug, Clone, Copy, Default)]
struct Sets {
    reveal: ClassSet,
    mask: ClassSet,
    pseudonym: ClassSet,
    redact: ClassSet,
    /// Of those masked: what a gate did not let be revealed.
    capped: ClassSet,
}

/// What was seen of one subject: of the one the path names, or of none, when there is no range of [`Seen::ids`].
#[derive(Debug)]
struct Done {
    subject: Option<Range<usize>>,
    hash: u64,
    seen: Sets,
}

/// The sightings of a body.
#[derive(Debug)]
pub(super) struct Seen {
    /// The record the path names.
    fallback: Option<SubjectId>,
    /// Records wait for their own subject.
    waits: bool,
    finds: Finds,
    records: Vec<Record>,
    /// The ids read since the last call of [`Seen::take`], and those of open records.
    ids: Zeroizing<String>,
    done: Vec<Done>,
    index: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl Seen {
    /// For a body whose records name their subject when `waits`.
    pub(super) fn new(fallback: Option<SubjectId>, waits: bool) -> Self {
        Self {
            fallback,
            waits,
            finds: Finds::No,
            // The document is a record when nothing narrower is.
            records: vec![Record::default()],
            ids: Zeroizing::default(),
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
        let Some(record) = self.records.pop() else { return };
        self.settle(&record);
        if self.finds == Finds::Subjects && record.seen.is_empty() {
            for subject in record.subjects() {
                self.attribute_found(Some(subject.clone()), Sets::default());
            }
        }
    }

    /// Makes records of which nothing protected is shown sightings, too.
    pub(super) fn find(&mut self) {
        self.finds = Finds::Subjects;
    }

    pub(super) fn finds(&self) -> Finds {
        self.finds
    }

    /// Open records, the document among them.
    pub(super) fn depth(&self) -> usize {
        self.records.len()
    }

    /// Whose the innermost record is.
    pub(super) fn owner(&self) -> Owner<'_> {
        let own = self.records.last().into_iter().flat_map(Record::subjects);
        let own: Vec<SubjectId> = own.filter_map(|id| self.id(id)).map(|id| Sensitive::new(id.to_owned())).collect();
        match own.is_empty() {
            false => Owner::Own(own),
            true if self.waits => Owner::Waits,
            true => Owner::Path(self.fallback.as_ref()),
        }
    }

    /// The record the path names.
    pub(super) fn fallback(&self) -> Option<&SubjectId> {
        self.fallback.as_ref()
    }

    fn id(&self, range: &Range<usize>) -> Option<&str> {
        self.ids.get(range.clone())
    }

    /// The id of the record being read, as far as it is known.
    pub(super) fn record_id(&self) -> Option<&str> {
        let record = self.records.last()?;
        let named = if self.waits && self.records.len() > 1 { None } else { self.fallback.as_ref() };
        record.subject.as_ref().and_then(|id| self.id(id)).or(named.map(|id| id.expose().as_str()))
    }

    /// What a gate said about the innermost record.
    pub(super) fn admission(&self) -> Option<Admission> {
        self.records.last().and_then(|record| record.admission)
    }

    /// A gate said about the innermost record how far it may be shown; what is noted of it follows.
    pub(super) fn admit(&mut self, admission: Admission) {
        let Some(record) = self.records.last_mut() else { return };
        record.admission = Some(admission);
        if admission == Admission::Mask {
            for seen in [&mut record.seen, &mut record.fresh] {
                seen.capped = seen.capped.union(seen.reveal);
                seen.mask = seen.mask.union(seen.reveal);
                seen.reveal = ClassSet::EMPTY;
            }
        }
    }

    /// Whether something of the innermost record is revealed.
    pub(super) fn reveals(&self) -> bool {
        self.records.last().is_some_and(|record| !record.seen.reveal.is_empty())
    }

    /// `class` of the innermost record would have been revealed.
    pub(super) fn cap(&mut self, class: ClassId) {
        if let Some(record) = self.records.last_mut() {
            record.seen.capped.insert(class);
            record.fresh.capped.insert(class);
        }
    }

    /// Output bytes moved.
    pub(super) fn moved(&mut self, moves: &Moves) {
        for waiting in self.records.iter_mut().filter_map(|record| record.waiting.as_mut()) {
            *waiting = moves.of(*waiting);
        }
    }

    /// The record's id; whether there is room for it.
    #[must_use]
    pub(super) fn subject(&mut self, id: &str) -> bool {
        let Some(record) = self.records.last_mut() else { return false };
        if record.subjects().any(|known| self.ids.get(known.clone()) == Some(id)) {
            return true;
        }
        if record.others.len() + 1 == MAX_SUBJECTS {
            return false;
        }
        record.waiting = None;
        let subject = self.ids.len()..self.ids.len() + id.len();
        self.ids.push_str(id);
        if record.subject.is_none() {
            record.subject = Some(subject);
        } else {
            record.others.push(subject.clone());
            // A second id: what was attributed to the first may as well be the second's.
            let seen = record.seen;
            self.attribute(Some(subject), seen);
        }
        true
    }

    /// `class` was shown at `view` from output byte `at` on.
    #[inline]
    pub(super) fn note(&mut self, class: ClassId, view: View, at: u64) {
        let Some(record) = self.records.last_mut() else { return };
        record.seen.of(view).insert(class);
        record.fresh.of(view).insert(class);
        if self.waits && record.subject.is_none() {
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
                record.fresh = Sets::default();
            }
        }
        self.index.clear();
        let done = std::mem::take(&mut self.done);
        let sightings = done.into_iter().map(|done| self.sighting(done)).collect();
        // Only the ids of open records are needed on.
        let ids = std::mem::take(&mut self.ids);
        for subject in records.iter_mut().flat_map(|record| record.subject.iter_mut().chain(&mut record.others)) {
            let start = self.ids.len();
            self.ids.push_str(ids.get(subject.clone()).unwrap_or_default());
            *subject = start..self.ids.len();
        }
        self.records = records;
        sightings
    }

    fn sighting(&self, done: Done) -> Sighting {
        let Done { subject, seen: Sets { reveal, mask, pseudonym, redact, capped }, .. } = done;
        let subject = match subject {
            Some(range) => self.ids.get(range).map(|id| Sensitive::new(id.to_owned())),
            None => self.fallback.clone(),
        };
        Sighting { subject, reveal, mask, pseudonym, redact, capped }
    }

    /// Attributes what is fresh in `record`.
    fn settle(&mut self, record: &Record) {
        if record.subject.is_none() {
            self.attribute(None, record.fresh);
        }
        for subject in record.subjects() {
            self.attribute(Some(subject.clone()), record.fresh);
        }
    }

    fn attribute(&mut self, subject: Option<Range<usize>>, seen: Sets) {
        if !seen.is_empty() {
            self.attribute_found(subject, seen);
        }
    }

    fn attribute_found(&mut self, subject: Option<Range<usize>>, seen: Sets) {
        let Self { done, index, hasher, ids, fallback, .. } = self;
        let id = |subject: &Option<Range<usize>>| match subject {
            Some(range) => ids.get(range.clone()),
            None => fallback.as_ref().map(|id| id.expose().as_str()),
        };
        let who = id(&subject);
        let hash = hasher.hash_one(who);
        let found = index.entry(
            hash,
            |at| done.get(*at).is_some_and(|known| id(&known.subject) == who),
            |at| done.get(*at).map_or(0, |known| known.hash),
        );
        let at = *found.or_insert(done.len()).get();
        match done.get_mut(at) {
            Some(known) => known.seen.add(seen),
            None => done.push(Done { subject, hash, seen }),
        }
    }
}

impl Sets {
    #[inline]
    fn of(&mut self, view: View) -> &mut ClassSet {
        match view {
            View::Reveal => &mut self.reveal,
            View::Mask => &mut self.mask,
            View::Pseudonym => &mut self.pseudonym,
            View::Redact => &mut self.redact,
        }
    }

    fn add(&mut self, other: Self) {
        self.reveal = self.reveal.union(other.reveal);
        self.mask = self.mask.union(other.mask);
        self.pseudonym = self.pseudonym.union(other.pseudonym);
        self.redact = self.redact.union(other.redact);
        self.capped = self.capped.union(other.capped);
    }

    fn is_empty(self) -> bool {
        self.reveal.union(self.mask).union(self.pseudonym).union(self.redact).is_empty()
    }
}

/// Whether nothing was seen.
pub(super) fn is_empty(seen: &Sighting) -> bool {
    seen.reveal.union(seen.mask).union(seen.pseudonym).union(seen.redact).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(id: u8) -> ClassId {
        ClassId::new(id.into()).unwrap()
    }

    fn taken(seen: &mut Seen) -> Vec<(Option<String>, bool, bool)> {
        let text = |sighting: &Sighting| sighting.subject.as_ref().map(|id| id.expose().clone());
        let has = |set: ClassSet, id| set.contains(class(id));
        seen.take().iter().map(|sighting| (text(sighting), has(sighting.mask, 0), has(sighting.reveal, 1))).collect()
    }

    #[test]
    fn sightings_are_merged_by_subject_in_the_order_of_their_first() {
        let mut seen = Seen::new(Some(Sensitive::new("path".to_owned())), true);
        for id in ["b", "a", "b", "path"] {
            seen.open();
            assert!(seen.subject(id));
            seen.note(class(0), View::Mask, 1);
            if id == "b" {
                seen.note(class(1), View::Reveal, 2);
            }
            seen.close();
        }
        seen.open();
        seen.note(class(1), View::Reveal, 3);
        seen.close();
        let expected = [("b", true, true), ("a", true, false), ("path", true, true)];
        assert_eq!(taken(&mut seen), expected.map(|(id, mask, reveal)| (Some(id.to_owned()), mask, reveal)));
        assert!(taken(&mut seen).is_empty());
    }

    #[test]
    fn an_open_record_keeps_its_ids_from_one_window_to_the_next() {
        let mut seen = Seen::new(None, true);
        seen.open();
        assert!(seen.subject("gone"));
        seen.close();
        seen.open();
        assert!(seen.subject("one") && seen.subject("two") && seen.subject("one"));
        seen.note(class(0), View::Mask, 1);
        let both = [(Some("one".to_owned()), true, false), (Some("two".to_owned()), true, false)];
        assert_eq!(taken(&mut seen), both);
        seen.note(class(1), View::Reveal, 2);
        assert!(seen.subject("three") && seen.subject("two"));
        let third = (Some("three".to_owned()), true, true);
        let both = both.map(|(id, ..)| (id, false, true));
        assert_eq!(taken(&mut seen), [third, both[0].clone(), both[1].clone()]);
        seen.close();
        assert!(taken(&mut seen).is_empty());
    }

    #[test]
    fn a_record_has_as_many_ids_as_the_limit_and_not_one_more() {
        let mut seen = Seen::new(None, true);
        for id in 0..MAX_SUBJECTS {
            assert!(seen.subject(&id.to_string()));
        }
        assert!(!seen.subject("one more") && seen.subject("0"));
    }

    #[test]
    fn without_any_id_nobody_is_named() {
        let mut seen = Seen::new(None, false);
        seen.note(class(0), View::Mask, 1);
        assert_eq!(seen.complete(9), 9);
        assert_eq!(taken(&mut seen), [(None, true, false)]);
    }
}
