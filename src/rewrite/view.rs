//! A response body on its way to the caller.

use std::sync::Arc;

use super::{
    Plan, RewriteError,
    gate::{Admission, Gate, Gated},
    layout::{Layout, Rule},
    leaf::{Noted, Viewer},
    seen::{Finds, Owner, Seen},
    stored::Notes,
};
use crate::{
    formats::{Edit, Handler, Out, Prose, Reader, Side, Stream, path::Node},
    model::{ClassId, Leaf, Sighting, SubjectId, View},
    protect::Answers,
};

/// A body in chunks in, what the caller may see of it out.
#[derive(Debug)]
pub struct ResponseView {
    reader: Reader,
    body: Body,
}

#[derive(Debug)]
struct Body {
    plan: Arc<Plan>,
    viewer: Viewer,
    seen: Seen,
    record_bytes: u64,
    most_records: usize,
    named: Vec<SubjectId>,
    gated: Option<Gated>,
    /// What a gate refused where no error could be answered.
    refused: Option<RewriteError>,
}

impl ResponseView {
    /// A view of one body.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        let reader = plan.layout.reader(plan.limits);
        let body = Body {
            viewer: Viewer::new(&plan),
            seen: Seen::new(plan.subject.clone(), plan.layout.has_subject),
            record_bytes: plan.limits.record_bytes as u64,
            most_records: 0,
            named: Vec::new(),
            gated: None,
            refused: None,
            plan,
        };
        Self { reader, body }
    }

    /// Asks `gate` about each record that would be revealed.
    #[must_use]
    pub fn gated(mut self, gate: Arc<dyn Gate>) -> Self {
        self.body.gated = Some(Gated::new(gate, &self.body.plan));
        self
    }

    /// The caller searches: that a record is there is a sighting, also when nothing protected of it is shown.
    #[must_use]
    pub fn finding(mut self) -> Self {
        self.body.seen.find();
        self
    }

    /// Reads `chunk` and appends to `out` what may be shown.
    ///
    /// # Errors
    /// When the body is not what may pass. `out` is then as it was, and the exchange must end: every later call fails.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), RewriteError> {
        self.reader.push(chunk, out, &mut self.body)?;
        self.settle(out)?;
        let waiting = self.reader.written().saturating_sub(self.releasable());
        if waiting > self.body.record_bytes { Err(RewriteError::SubjectTooLate) } else { Ok(()) }
    }

    /// Ends the body; what is left of it goes to `out`. Answers the sightings that were not taken.
    ///
    /// # Errors
    /// When the body is not complete.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<Vec<Sighting>, RewriteError> {
        self.reader.finish(out, &mut self.body)?;
        self.body.close();
        self.settle(out)?;
        Ok(self.body.seen.take())
    }

    /// Obeys what a gate said about records whose id came after their fields.
    fn settle(&mut self, out: &mut Vec<u8>) -> Result<(), RewriteError> {
        let Some(gated) = &mut self.body.gated else { return Ok(()) };
        if let Some(refused) = self.body.refused.take() {
            return Err(refused);
        }
        let written = self.reader.written();
        let moves = gated.apply(out, written.saturating_sub(out.len() as u64));
        if !moves.is_empty() {
            self.reader.moved(moves.of(written));
            self.body.seen.moved(&moves);
        }
        Ok(())
    }

    /// Output bytes, counted from the body's start, that may be released once what [`Self::take_sightings`] answers is
    /// recorded. A record whose id comes after its fields is held back until then.
    #[must_use]
    pub fn releasable(&self) -> u64 {
        self.body.seen.complete(self.reader.written())
    }

    /// What was seen in the releasable bytes since the last call, merged by subject.
    #[must_use]
    pub fn take_sightings(&mut self) -> Vec<Sighting> {
        self.body.seen.take()
    }

    /// Remembers the ids of up to `most` records, in their order.
    pub fn name_records(&mut self, most: usize) {
        self.body.most_records = most;
    }

    /// The ids of the first records of the body.
    #[must_use]
    pub fn named_records(&self) -> &[SubjectId] {
        &self.body.named
    }

    /// Takes over what the vault said about the stored values that the next chunk completes.
    pub fn answer(&mut self, answers: Answers) {
        self.body.viewer.answers = answers;
    }

    /// What was met among stored values since the last call.
    #[must_use]
    pub fn take_notes(&mut self) -> Notes {
        std::mem::take(&mut self.body.viewer.notes)
    }

    /// Leaves and member names since the last call that closed objects do not know, and that were withheld.
    #[must_use]
    pub fn take_drift(&mut self) -> u64 {
        std::mem::take(&mut self.body.viewer.drift)
    }

    /// Protected leaves so far.
    #[must_use]
    pub fn protected_leaves(&self) -> u64 {
        self.body.viewer.protected
    }
}

impl Handler for Body {
    type Error = RewriteError;

    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, at: u64, out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        if node.is_subject()
            && let Leaf::Text(id) | Leaf::Number(id) = leaf
        {
            if !self.seen.subject(id) {
                return Err(RewriteError::TooManySubjects);
            }
            self.named(id)?;
            if self.named.len() < self.most_records {
                self.named.push(SubjectId::new(id.to_owned()));
            }
        }
        if node.is_unknown() {
            return Ok(self.viewer.unknown(leaf, out));
        }
        if self.gated.is_some()
            && let Some(class) = revealed(&self.plan, node, leaf)
        {
            return self.gated_leaf(node, leaf, class, at, out);
        }
        let Self { plan, viewer, seen, .. } = self;
        let mut noted = Noted { seen, at };
        if plan.layout.everything {
            return Ok(viewer.unmapped(plan, leaf, &mut noted, out));
        }
        let rules = rules(&plan.layout, node);
        Ok(viewer.field(plan, rules, node.is_link(), leaf, &mut noted, out))
    }

    fn name(&mut self, name: &str, at: u64, out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        let Self { plan, viewer, seen, .. } = self;
        Ok(viewer.unmapped_name(plan, name, &mut Noted { seen, at }, out))
    }

    fn prose(&mut self, kind: Prose, text: &str, at: u64, out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        let Self { plan, viewer, seen, gated, .. } = self;
        let Some(rule) = plan.layout.prose.filter(|_| kind == Prose::Text && !is_end(text)) else {
            return Ok(viewer.unmapped(plan, Leaf::Text(text), &mut Noted { seen, at }, out));
        };
        // No id comes with it: it is shown as a record without one.
        let plan = match gated {
            Some(gated) if plan.views.get(rule.class) == View::Reveal => {
                let admission = gated.gate.reveals(seen.fallback());
                seen.admit(admission);
                match admission {
                    Admission::Refused => return Err(RewriteError::OverBudget),
                    Admission::Mask => &gated.masked,
                    Admission::Reveal => plan,
                }
            }
            _ => plan,
        };
        Ok(viewer.field(plan, std::iter::once(rule), false, Leaf::Text(text), &mut Noted { seen, at }, out))
    }

    fn record(&mut self, side: Side, _at: u64) {
        match side {
            Side::Start => self.seen.open(),
            Side::End => self.close(),
        }
    }
}

impl Body {
    /// The innermost record got an id: what was shown of it, and what will be, is that person's.
    fn named(&mut self, id: &str) -> Result<(), RewriteError> {
        let Some(gated) = &mut self.gated else { return Ok(()) };
        let id = id.to_owned().into();
        let seen = &mut self.seen;
        if seen.finds() == Finds::Subjects && gated.gate.finds(&id) == Admission::Refused {
            return Err(RewriteError::OverBudget);
        }
        if !seen.reveals() {
            return Ok(());
        }
        let admission = gated.gate.reveals(Some(&id));
        match (seen.admission(), admission) {
            (_, Admission::Refused) => Err(RewriteError::OverBudget),
            // A second id of a record that is on its way already: there is nothing left to mask.
            (Some(Admission::Reveal), Admission::Mask) => Err(RewriteError::OverBudget),
            (Some(_), _) => Ok(()),
            (None, admission) => {
                gated.decide(seen.depth(), admission);
                seen.admit(admission);
                Ok(())
            }
        }
    }

    /// The innermost record ends; what waited for an id of its own is decided without one.
    fn close(&mut self) {
        if let Some(gated) = &mut self.gated
            && self.seen.admission().is_none()
            && self.seen.reveals()
        {
            let admission = gated.gate.reveals(self.seen.fallback());
            if admission == Admission::Refused {
                self.refused = Some(RewriteError::OverBudget);
            }
            gated.decide(self.seen.depth(), admission);
            self.seen.admit(admission);
        }
        self.seen.close();
    }

    /// A leaf that policy would reveal.
    fn gated_leaf(
        &mut self,
        node: &Node,
        leaf: Leaf<'_>,
        class: ClassId,
        at: u64,
        out: &mut Out<'_>,
    ) -> Result<Edit, RewriteError> {
        let Self { plan, viewer, seen, gated, .. } = self;
        let Some(gated) = gated else { return Err(RewriteError::OverBudget) };
        let rules = rules(&plan.layout, node);
        let admission = match (seen.admission(), seen.owner()) {
            (Some(admission), _) => Some(admission),
            (None, Owner::Waits) => None,
            (None, Owner::Path(subject)) => Some(gated.gate.reveals(subject)),
            (None, Owner::Own(ids)) => ids.iter().map(|id| gated.gate.reveals(Some(id))).min(),
        };
        if let Some(admission) = admission {
            seen.admit(admission);
        }
        match admission {
            Some(Admission::Refused) => Err(RewriteError::OverBudget),
            Some(Admission::Reveal) => {
                Ok(viewer.field(plan, rules, node.is_link(), leaf, &mut Noted { seen, at }, out))
            }
            Some(Admission::Mask) => {
                seen.cap(class);
                Ok(viewer.field(&gated.masked, rules, node.is_link(), leaf, &mut Noted { seen, at }, out))
            }
            None => {
                let start = out.position();
                let edit = viewer.field(plan, rules.clone(), node.is_link(), leaf, &mut Noted { seen, at }, out);
                if edit == Edit::Keep {
                    out.same(leaf);
                }
                let (mut masked, mut unseen) = (Vec::new(), Seen::new(None, false));
                let mut noted = Noted { seen: &mut unseen, at };
                let protected = viewer.protected;
                let notes = std::mem::take(&mut viewer.notes);
                let mut beside = out.beside(&mut masked);
                let edit = viewer.field(&gated.masked, rules, node.is_link(), leaf, &mut noted, &mut beside);
                viewer.protected = protected;
                viewer.notes = notes;
                if edit == Edit::Keep {
                    beside.same(leaf);
                }
                gated.wait(seen.depth(), at, out.position() - start, masked);
                Ok(Edit::Replaced)
            }
        }
    }
}

/// The class that decides about `leaf`, when policy reveals it.
fn revealed(plan: &Plan, node: &Node, leaf: Leaf<'_>) -> Option<ClassId> {
    if plan.layout.everything || matches!(leaf, Leaf::Null | Leaf::Text("")) {
        return None;
    }
    let strictest =
        rules(&plan.layout, node).map(|rule: Rule| rule.class).min_by_key(|class| plan.views.get(*class))?;
    (plan.views.get(strictest) == View::Reveal).then_some(strictest)
}

/// The word by which streams of model answers end.
fn is_end(text: &str) -> bool {
    text == "[DONE]"
}

/// The rules that select `node`.
pub(super) fn rules(layout: &Layout, node: &Node) -> impl Iterator<Item = super::layout::Rule> + Clone {
    node.fields().iter().filter_map(|at| layout.rules.get(usize::from(*at)).copied())
}
