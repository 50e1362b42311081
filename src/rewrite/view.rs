//! A response body on its way to the caller.

use std::sync::Arc;

use super::{
    Plan, RewriteError,
    layout::Layout,
    leaf::{Noted, Viewer},
    seen::Seen,
    stored::Notes,
};
use crate::{
    formats::{
        json::{Edit, Handler, Side, Splicer},
        path::Node,
    },
    model::{Leaf, Sighting, SubjectId},
    protect::Answers,
};

/// A body in chunks in, what the caller may see of it out.
#[derive(Debug)]
pub struct ResponseView {
    lexer: Splicer,
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
}

impl ResponseView {
    /// A view of one body.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        let lexer = Splicer::new(Arc::clone(&plan.layout.paths), plan.limits);
        let body = Body {
            viewer: Viewer::new(&plan),
            seen: Seen::new(plan.subject.clone(), plan.layout.has_subject),
            record_bytes: plan.limits.record_bytes as u64,
            most_records: 0,
            named: Vec::new(),
            plan,
        };
        Self { lexer, body }
    }

    /// Reads `chunk` and appends to `out` what may be shown.
    ///
    /// # Errors
    /// When the body is not what may pass. `out` is then as it was, and the exchange must end: every later call fails.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), RewriteError> {
        self.lexer.push(chunk, out, &mut self.body)?;
        let waiting = self.lexer.written().saturating_sub(self.releasable());
        if waiting > self.body.record_bytes { Err(RewriteError::SubjectTooLate) } else { Ok(()) }
    }

    /// Ends the body; what is left of it goes to `out`. Answers the sightings that were not taken.
    ///
    /// # Errors
    /// When the body is not complete.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<Vec<Sighting>, RewriteError> {
        self.lexer.finish(out, &mut self.body)?;
        self.body.seen.close();
        Ok(self.body.seen.take())
    }

    /// Output bytes, counted from the body's start, that may be released once what [`Self::take_sightings`] answers is
    /// recorded. A record whose id comes after its fields is held back until then.
    #[must_use]
    pub fn releasable(&self) -> u64 {
        self.body.seen.complete(self.lexer.written())
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

    /// Protected leaves so far.
    #[must_use]
    pub fn protected_leaves(&self) -> u64 {
        self.body.viewer.protected
    }
}

impl Handler for Body {
    type Error = RewriteError;

    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, at: u64, out: &mut Vec<u8>) -> Result<Edit, RewriteError> {
        let Self { plan, viewer, seen, most_records, named, .. } = self;
        if node.is_subject()
            && let Leaf::Text(id) | Leaf::Number(id) = leaf
        {
            if !seen.subject(id) {
                return Err(RewriteError::TooManySubjects);
            }
            if named.len() < *most_records {
                named.push(SubjectId::new(id.to_owned()));
            }
        }
        let mut noted = Noted { seen, at };
        if plan.layout.everything {
            return Ok(viewer.unmapped(plan, leaf, &mut noted, out));
        }
        let rules = rules(&plan.layout, node);
        Ok(viewer.field(plan, rules, node.is_link(), leaf, &mut noted, out))
    }

    fn name(&mut self, name: &str, at: u64, out: &mut Vec<u8>) -> Result<Edit, RewriteError> {
        let Self { plan, viewer, seen, .. } = self;
        Ok(viewer.unmapped_name(plan, name, &mut Noted { seen, at }, out))
    }

    fn record(&mut self, side: Side, _at: u64) {
        match side {
            Side::Start => self.seen.open(),
            Side::End => self.seen.close(),
        }
    }
}

/// The rules that select `node`.
pub(super) fn rules(layout: &Layout, node: &Node) -> impl Iterator<Item = super::layout::Rule> + Clone {
    node.fields().iter().filter_map(|at| layout.rules.get(usize::from(*at)).copied())
}
