//! Who may still be seen in full: asked once for each record of a body, at its first value that would be revealed.
//!
//! A record whose id comes after its fields is written in full and held back; when its id is then refused, what was written
//! is replaced before it can be released.

use std::{fmt, sync::Arc};

use super::Plan;
use crate::model::{SubjectId, View};

/// What stands between a permitted view and the caller: a count of the people it has seen.
pub trait Gate: fmt::Debug + Send + Sync {
    /// A value of `subject` is about to be revealed; `None` is a record without an id.
    fn reveals(&self, subject: Option<&SubjectId>) -> Admission;

    /// `subject` is among what the caller searched for.
    fn finds(&self, subject: &SubjectId) -> Admission;
}

/// How far a record may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Admission {
    /// Not at all: the body ends here.
    Refused,
    /// Masked at most.
    Mask,
    /// As far as policy says.
    Reveal,
}

/// A gate, and what a body needs to obey it.
#[derive(Debug)]
pub(super) struct Gated {
    pub(super) gate: Arc<dyn Gate>,
    /// The plan of the body without its reveals.
    pub(super) masked: Arc<Plan>,
    /// Values written before it was known whose they are, in the order of the output.
    patches: Vec<Patch>,
}

/// A value that may have to be replaced.
#[derive(Debug)]
struct Patch {
    /// Its first byte in the whole output, and how many there are.
    at: u64,
    length: usize,
    /// What stands there instead.
    masked: Vec<u8>,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The record, at this depth of open ones, has no id yet.
    Waits(usize),
    /// To be replaced.
    Masked,
}

impl Gated {
    pub(super) fn new(gate: Arc<dyn Gate>, plan: &Plan) -> Self {
        let masked = Plan { views: plan.views.at_most(View::Mask), ..plan.clone() };
        Self { gate, masked: Arc::new(masked), patches: Vec::new() }
    }

    /// `length` bytes from `at` on may become `masked`, for the open record at `depth`.
    pub(super) fn wait(&mut self, depth: usize, at: u64, length: usize, masked: Vec<u8>) {
        self.patches.push(Patch { at, length, masked, fate: Fate::Waits(depth) });
    }

    /// What waits at `depth` is decided.
    pub(super) fn decide(&mut self, depth: usize, admission: Admission) {
        if admission == Admission::Reveal {
            self.patches.retain(|patch| patch.fate != Fate::Waits(depth));
            return;
        }
        let waiting = self.patches.iter_mut().filter(|patch| patch.fate == Fate::Waits(depth));
        waiting.for_each(|patch| patch.fate = Fate::Masked);
    }

    /// Replaces in `out`, whose first byte is `base` of the whole output, what has to be. Answers how far positions moved.
    pub(super) fn apply(&mut self, out: &mut Vec<u8>, base: u64) -> Moves {
        let mut moves = Moves::default();
        let place = |at: u64| usize::try_from(at.saturating_sub(base)).unwrap_or(usize::MAX);
        let Some(first) = self.patches.iter().find(|patch| patch.fate == Fate::Masked).map(|patch| place(patch.at))
        else {
            return moves;
        };
        let tail = out.split_off(first.min(out.len()));
        let mut kept = 0;
        for patch in self.patches.extract_if(.., |patch| patch.fate == Fate::Masked) {
            let start = place(patch.at).saturating_sub(first);
            out.extend_from_slice(tail.get(kept..start).unwrap_or_default());
            out.extend_from_slice(&patch.masked);
            kept = start + patch.length;
            moves.0.push((patch.at, patch.masked.len() as i64 - patch.length as i64));
        }
        out.extend_from_slice(tail.get(kept..).unwrap_or_default());
        for patch in &mut self.patches {
            patch.at = moves.of(patch.at);
        }
        moves
    }
}

/// How far output moved: the place of each replacement, and by how many bytes it is longer.
#[derive(Debug, Default)]
pub(super) struct Moves(Vec<(u64, i64)>);

impl Moves {
    /// Where what was at `at` is now.
    pub(super) fn of(&self, at: u64) -> u64 {
        let moved: i64 = self.0.iter().take_while(|(place, _)| *place < at).map(|(_, by)| by).sum();
        at.saturating_add_signed(moved)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
