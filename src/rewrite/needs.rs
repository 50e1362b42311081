//! A response in chunks in; what opening its stored values needs from the vault out. Runs ahead of the view, chunk by chunk.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use super::{Plan, RewriteError, base64, view};
use crate::{
    formats::{Edit, Handler, Out, Reader, Side, Stream, path::Node},
    model::{Leaf, SubjectRef},
    protect::Stored,
};

/// What the vault is asked for at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Keys of these subjects.
    pub subjects: BTreeSet<SubjectRef>,
    /// What these tokens stand for.
    pub tokens: BTreeSet<String>,
    /// Whose these records are.
    pub records: HashSet<String>,
}

impl Needs {
    /// Whether nothing is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty() && self.tokens.is_empty()
    }
}

/// Reads a body for its needs.
#[derive(Debug)]
pub struct Collector {
    reader: Reader,
    sink: Vec<u8>,
    reading: Reading,
}

#[derive(Debug)]
struct Reading {
    plan: Arc<Plan>,
    /// The id of each open record, once it was met.
    records: Vec<Option<String>>,
    needs: Needs,
}

impl Collector {
    /// A reader of one body; `None` when nothing is stored in another form than clear, or no map describes the body.
    #[must_use]
    pub fn new(plan: &Arc<Plan>) -> Option<Self> {
        if plan.tools.store.is_none() || plan.layout.everything || plan.layout.rules.is_empty() {
            return None;
        }
        let reader = plan.layout.reader(plan.limits);
        let reading = Reading { plan: Arc::clone(plan), records: vec![None], needs: Needs::default() };
        Some(Self { reader, sink: Vec::new(), reading })
    }

    /// What the leaves that `chunk` completes need.
    ///
    /// # Errors
    /// When the body is not what may pass: as the view would say.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Needs, RewriteError> {
        self.reader.push(chunk, &mut self.sink, &mut self.reading)?;
        self.sink.clear();
        Ok(std::mem::take(&mut self.reading.needs))
    }

    /// What the leaves need that only the end of the body completes: the last cell of a table without a last line end.
    ///
    /// # Errors
    /// When the body is not complete: as the view would say.
    pub fn finish(&mut self) -> Result<Needs, RewriteError> {
        self.reader.finish(&mut self.sink, &mut self.reading)?;
        self.sink.clear();
        Ok(std::mem::take(&mut self.reading.needs))
    }
}

impl Handler for Reading {
    type Error = RewriteError;

    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, _at: u64, _out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        if node.is_subject()
            && let Leaf::Text(id) | Leaf::Number(id) = leaf
            && let Some(record) = self.records.last_mut()
        {
            record.get_or_insert_with(|| id.to_owned());
        }
        if node.fields().is_empty() {
            return Ok(Edit::Keep);
        }
        let (Some(store), Leaf::Text(text)) = (&self.plan.tools.store, leaf) else { return Ok(Edit::Keep) };
        let encoded = view::rules(&self.plan.layout, node).any(|rule| rule.base64);
        let decoded = if encoded { base64::decode(text) } else { None };
        let text = decoded.as_ref().map_or(text, |decoded| decoded.expose().as_str());
        match store.recognise(text) {
            None | Some(Stored::Broken(_)) => return Ok(Edit::Keep),
            Some(Stored::Sealed(envelope)) => self.needs.subjects.extend(envelope.subject()),
            Some(Stored::Token) => {
                self.needs.tokens.insert(text.to_owned());
            }
        }
        let own = self.records.last().and_then(Option::as_deref);
        let named = self.plan.subject.as_ref().map(|id| id.expose().as_str());
        if let Some(id) = own.or(named)
            && !self.needs.records.contains(id)
        {
            self.needs.records.insert(id.to_owned());
        }
        Ok(Edit::Keep)
    }

    fn record(&mut self, side: Side, _at: u64) {
        match side {
            Side::Start => self.records.push(None),
            Side::End => {
                self.records.pop();
            }
        }
    }
}
