//! Stored values in a response: opened with what the vault answered, and shown as far as the stricter of two classes may be.

use super::{
    Plan,
    leaf::{Choice, Noted, Viewer},
};
use crate::{
    formats::{Edit, Out},
    model::{Class, ClassId, Leaf, Phase, SubjectId, SubjectRef, View},
    protect::{Opened, Store, Stored, Unopened},
};

/// A subject whose value was found on a record, and that no record was known to belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// The subject.
    pub subject: SubjectRef,
    /// The record's id.
    pub record: SubjectId,
}

/// What was met among stored values; counts only.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Notes {
    /// Values that could not be shown, in order of [`Unopened::ALL`].
    pub unopened: [u64; Unopened::ALL.len()],
    /// Values found on another record than their own, and shown.
    pub moved: u64,
    /// Clear values of protected classes while they are expected, by class.
    pub legacy: Vec<(ClassId, u64)>,
    /// Clear values of protected classes where none should be, by class.
    pub bypassed: Vec<(ClassId, u64)>,
    /// Values that are not under the active key.
    pub outdated: u64,
    /// Links to remember.
    pub learned: Vec<Learned>,
}

impl Notes {
    /// Whether there is nothing to count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How many values could not be shown.
    #[must_use]
    pub fn hidden(&self) -> u64 {
        self.unopened.iter().sum()
    }

    fn refused(&mut self, why: Unopened) {
        let at = Unopened::ALL.iter().position(|one| *one == why);
        if let Some(count) = at.and_then(|at| self.unopened.get_mut(at)) {
            *count += 1;
        }
    }
}

fn count(counts: &mut Vec<(ClassId, u64)>, class: ClassId) {
    match counts.iter_mut().find(|(known, _)| *known == class) {
        Some((_, count)) => *count += 1,
        None => counts.push((class, 1)),
    }
}

/// A stored value as it was found.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) store: &'a Store,
    pub(super) stored: &'a Stored,
    pub(super) text: &'a str,
}

impl Viewer {
    /// Shows a stored value; one that cannot be opened is a placeholder, and the rest of the page goes on.
    pub(super) fn stored(
        &mut self,
        plan: &Plan,
        choice: Choice,
        found: Found<'_>,
        seen: &mut Noted<'_>,
        out: &mut Out<'_>,
    ) -> Edit {
        let record = seen.seen.record_id();
        let opened = match found.store.open(&plan.tools.classes, found.stored, found.text, &self.answers, record) {
            Ok(opened) => opened,
            Err(why) => {
                self.notes.refused(why);
                seen.note(choice.rule.class, View::Redact);
                out.text(why.placeholder());
                return Edit::Replaced;
            }
        };
        let record = record.filter(|_| opened.unlinked).map(|id| SubjectId::new(id.to_owned()));
        self.noted(&opened, record);
        let Some((choice, class)) = stricter(plan, choice, opened.class) else {
            return super::leaf::redact_unknown(out);
        };
        if opened.class != choice.rule.class {
            seen.note(opened.class, choice.view);
        }
        let text = opened.text.expose().as_str();
        if text.is_empty() {
            out.text("");
            return Edit::Replaced;
        }
        if self.clear(plan, choice, class, Leaf::Text(text), seen, out) == Edit::Keep {
            out.text(text);
        }
        Edit::Replaced
    }

    fn noted(&mut self, opened: &Opened, record: Option<SubjectId>) {
        self.notes.moved += u64::from(opened.moved);
        self.notes.outdated += u64::from(!opened.current);
        if let (true, Some(subject), Some(record)) = (opened.unlinked, opened.subject, record) {
            let learned = Learned { subject, record };
            if !self.notes.learned.contains(&learned) {
                self.notes.learned.push(learned);
            }
        }
    }

    /// A clear value: expected while its class is being migrated, an incident and nobody's to see after it.
    pub(super) fn legacy(&mut self, plan: &Plan, choice: Choice) -> Choice {
        let Some(stored) = choice.stored else { return choice };
        match plan.tools.classes.get(stored).map_or(Phase::Enforced, |class| class.storage.phase) {
            Phase::Mixed => {
                count(&mut self.notes.legacy, stored);
                choice
            }
            Phase::Enforced => {
                count(&mut self.notes.bypassed, stored);
                Choice { view: choice.view.min(View::Mask), ..choice }
            }
        }
    }
}

/// The stricter of the field's rule and the rule of the class that the value was stored as (field-protection.md §3.1).
pub(super) fn stricter(plan: &Plan, field: Choice, stored: ClassId) -> Option<(Choice, &Class)> {
    let view = plan.views.get(stored);
    let prose = plan.tools.classes.free_text() == Some(stored);
    let mut choice = Choice { scan: field.scan || prose, ..field };
    if view < field.view {
        choice.rule.class = stored;
        choice.view = view;
    }
    Some((choice, plan.tools.classes.get(choice.rule.class)?))
}
