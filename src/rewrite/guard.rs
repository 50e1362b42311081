//! A request body on its way to the CRM: masked values that a client writes back do not replace the real ones.

use super::{Plan, RewriteError, base64, layout::Rule, place::Place, view};
use crate::{
    formats::{
        json::{Edit, Handler, Side, Splicer, Trace},
        path::Node,
    },
    model::{ClassSet, Leaf, Sensitive},
    protect,
};

/// What happens to a member that carries a masked value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteBack {
    /// It is taken out: the CRM keeps what it has (PATCH). In an array, where an element that goes moves the others or
    /// replaces the real one, the request is refused all the same; an array of records is none, each is updated by itself.
    Drop,
    /// The request is refused (PUT).
    Refuse,
}

/// A request body that may go to the CRM.
#[derive(Debug, Default)]
pub struct Guarded {
    /// The body without what was dropped.
    pub body: Vec<u8>,
    /// Members dropped.
    pub dropped: usize,
    /// JSONPath of each.
    pub dropped_fields: Vec<String>,
    /// Classes of what is written.
    pub written: ClassSet,
    /// Protected values that are written: an error body must not echo them.
    pub known: Vec<Sensitive<String>>,
}

/// Checks the complete `body` of a request.
///
/// # Errors
/// When it is not a JSON text that may pass, or carries masked values that cannot be dropped.
pub fn guard_request(plan: &Plan, body: &[u8], write_back: WriteBack) -> Result<Guarded, RewriteError> {
    let mut lexer = Splicer::new(std::sync::Arc::clone(&plan.layout.paths), plan.limits);
    let mut guard = Guard {
        plan,
        write_back,
        guarded: Guarded::default(),
        refused: Vec::new(),
        place: Place::default(),
        open: Vec::new(),
        masked: false,
        cuts: Vec::new(),
    };
    let mut unchanged = Vec::with_capacity(body.len());
    lexer.push(body, &mut unchanged, &mut guard)?;
    lexer.finish(&mut unchanged, &mut guard)?;
    let Guard { mut guarded, refused, mut cuts, .. } = guard;
    if !refused.is_empty() {
        return Err(RewriteError::MaskedValue { fields: refused });
    }
    cuts.sort_unstable();
    let mut kept = 0;
    for (start, end) in cuts {
        guarded.body.extend_from_slice(unchanged.get(kept..start).unwrap_or_default());
        kept = end;
    }
    guarded.body.extend_from_slice(unchanged.get(kept..).unwrap_or_default());
    Ok(guarded)
}

/// An open object or array.
struct Open {
    object: bool,
    start: usize,
    /// Members: first byte, one past the last, whether it goes.
    members: Vec<(usize, usize, bool)>,
}

struct Guard<'a> {
    plan: &'a Plan,
    write_back: WriteBack,
    guarded: Guarded,
    refused: Vec<String>,
    place: Place,
    open: Vec<Open>,
    /// The leaf just read is a masked value that goes.
    masked: bool,
    cuts: Vec<(usize, usize)>,
}

impl Handler for Guard<'_> {
    type Error = RewriteError;
    const TRACES: bool = true;

    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, _at: u64, _out: &mut Vec<u8>) -> Result<Edit, RewriteError> {
        let layout = &self.plan.layout;
        let mut masked = false;
        for rule in view::rules(layout, node) {
            self.guarded.written.insert(rule.class);
            masked |= is_masked(rule, leaf);
        }
        if node.fields().is_empty() {
            return Ok(Edit::Keep);
        }
        if masked {
            if self.write_back == WriteBack::Refuse || self.place.in_array() || self.place.is_root() {
                self.refused.push(self.place.path());
            } else {
                self.masked = true;
                self.guarded.dropped += 1;
                self.guarded.dropped_fields.push(self.place.path());
            }
        } else if let Leaf::Text(value) | Leaf::Number(value) = leaf
            && !value.is_empty()
        {
            self.guarded.known.push(Sensitive::new(value.to_owned()));
            if view::rules(layout, node).any(|rule| rule.base64) {
                self.guarded.known.extend(base64::decode(value));
            }
        }
        Ok(Edit::Keep)
    }

    fn record(&mut self, side: Side, _at: u64) {
        self.place.record(side);
    }

    fn trace(&mut self, event: Trace<'_>) {
        self.place.trace(event);
        match event {
            Trace::Object | Trace::Array => {
                let object = matches!(event, Trace::Object);
                self.open.push(Open { object, start: 0, members: Vec::new() });
            }
            Trace::Name { start, .. } => {
                if let Some(open) = self.open.last_mut() {
                    open.start = offset(start);
                }
            }
            Trace::Element(_) => {}
            Trace::Close => {
                if let Some(open) = self.open.pop() {
                    cut(&open.members, &mut self.cuts);
                }
            }
            Trace::End(end) => {
                let goes = std::mem::take(&mut self.masked);
                if let Some(open) = self.open.last_mut().filter(|open| open.object) {
                    open.members.push((open.start, offset(end), goes));
                }
            }
        }
    }
}

fn is_masked(rule: Rule, leaf: Leaf<'_>) -> bool {
    if protect::is_stand_in_leaf(leaf) {
        return true;
    }
    let Leaf::Text(text) = leaf else { return false };
    protect::is_stand_in(text)
        || rule.base64 && base64::decode(text).is_some_and(|text| protect::is_stand_in(text.expose()))
}

fn offset(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// The bytes that go with the members that go: each with the comma before it, the leading ones with the comma after.
fn cut(members: &[(usize, usize, bool)], cuts: &mut Vec<(usize, usize)>) {
    let first_kept = members.iter().position(|(.., goes)| !goes);
    let Some(first_kept) = first_kept else {
        if let (Some((start, ..)), Some((_, end, _))) = (members.first(), members.last()) {
            cuts.push((*start, *end));
        }
        return;
    };
    if first_kept > 0
        && let (Some((start, ..)), Some((end, ..))) = (members.first(), members.get(first_kept))
    {
        cuts.push((*start, *end));
    }
    let after = members.get(first_kept..).unwrap_or_default();
    for pair in after.windows(2) {
        if let [(_, before, _), (_, end, true)] = pair {
            cuts.push((*before, *end));
        }
    }
}
