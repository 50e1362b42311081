//! A request body on its way to the CRM: masked values that a client writes back do not replace the real ones.

use super::{Plan, RewriteError, base64, layout::Rule, place::Place, view};
use crate::{
    formats::{Edit, Handler, Out, Side, Stream, Trace, path::Node},
    model::{BodyFormat, ClassSet, Leaf, Sensitive},
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
    /// JSONPath of each, once however many records have it.
    pub dropped_fields: Vec<String>,
    /// Classes of what is written.
    pub written: ClassSet,
    /// Protected values that are written: an error body must not echo them.
    pub known: Vec<Sensitive<String>>,
}

/// Checks the complete `body` of a request.
///
/// # Errors
/// When it is not a body that may pass, or carries masked values that cannot be dropped.
pub fn guard_request(plan: &Plan, body: &[u8], write_back: WriteBack) -> Result<Guarded, RewriteError> {
    let mut reader = plan.layout.reader(plan.limits);
    let mut guard = Guard {
        plan,
        write_back,
        guarded: Guarded::default(),
        refused: Vec::new(),
        unmapped: Vec::new(),
        place: Place::default(),
        open: Vec::new(),
        masked: false,
        cuts: Vec::new(),
    };
    let mut unchanged = Vec::with_capacity(body.len());
    reader.push(body, &mut unchanged, &mut guard)?;
    reader.finish(&mut unchanged, &mut guard)?;
    let Guard { mut guarded, refused, unmapped, mut cuts, .. } = guard;
    if !refused.is_empty() {
        return Err(RewriteError::MaskedValue { fields: refused });
    }
    if !unmapped.is_empty() {
        return Err(RewriteError::Unmapped { fields: unmapped });
    }
    if cuts.is_empty() {
        guarded.body = unchanged;
        return Ok(guarded);
    }
    // Places are those of the body as it came, which may have comments that do not go out.
    cuts.sort_unstable();
    let mut kept = 0;
    for (start, end) in cuts {
        // An element that goes takes those in it along.
        guarded.body.extend_from_slice(body.get(kept..start).unwrap_or_default());
        kept = kept.max(end);
    }
    guarded.body.extend_from_slice(body.get(kept..).unwrap_or_default());
    if unchanged != body {
        guarded.body = guard_request(plan, &guarded.body, WriteBack::Refuse)?.body;
    }
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
    /// Members that a closed object does not know.
    unmapped: Vec<String>,
    /// The leaf just read is a masked value that goes.
    masked: bool,
    cuts: Vec<(usize, usize)>,
}

impl Handler for Guard<'_> {
    type Error = RewriteError;
    const TRACES: bool = true;

    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, _at: u64, _out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        let layout = &self.plan.layout;
        let mut masked = false;
        for rule in view::rules(layout, node) {
            self.guarded.written.insert(rule.class);
            masked |= is_masked(rule, leaf);
        }
        if node.is_unknown() {
            // What such a leaf looks like when it is read may come back; another value may be anybody's, and would be
            // stored as it is.
            masked = protect::is_stand_in_leaf(leaf);
            if !masked && !matches!(leaf, Leaf::Null | Leaf::Text("")) {
                self.unmapped.push(self.place.path());
            }
        } else if node.fields().is_empty() {
            return Ok(Edit::Keep);
        }
        if masked {
            if self.write_back == WriteBack::Refuse || self.place.in_array() || self.place.is_root() {
                let path = self.place.path();
                if !self.refused.contains(&path) {
                    self.refused.push(path);
                }
            } else {
                self.masked = true;
                self.guarded.dropped += 1;
                let path = self.place.path();
                if !self.guarded.dropped_fields.contains(&path) {
                    self.guarded.dropped_fields.push(path);
                }
            }
        } else if let Leaf::Text(value) | Leaf::Number(value) = leaf
            && !value.is_empty()
            && !node.is_unknown()
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
        let layout = &self.plan.layout;
        self.place.trace(event);
        match event {
            Trace::Object | Trace::Array => {
                let object = matches!(event, Trace::Object);
                self.open.push(Open { object, start: 0, members: Vec::new() });
            }
            Trace::Name { start, .. } => {
                if std::mem::take(&mut self.masked) {
                    // Text of XML with elements behind it: what would go is more than the value.
                    self.refused.push(self.place.path());
                }
                if let Some(open) = self.open.last_mut() {
                    open.start = offset(start);
                }
            }
            Trace::Element(_) => {}
            Trace::Close => {
                if let Some(open) = self.open.pop() {
                    if matches!(layout.format, BodyFormat::Csv(_) | BodyFormat::Xml) {
                        // A cell is emptied, an element or an attribute goes: nothing stands between two that would stay.
                        let gone = open.members.iter().filter(|(.., goes)| *goes);
                        self.cuts.extend(gone.map(|(start, end, _)| (*start, *end)));
                    } else {
                        cut(&open.members, &mut self.cuts);
                    }
                }
            }
            Trace::End(end) => {
                let goes = std::mem::take(&mut self.masked);
                if goes && layout.format == BodyFormat::Xml && self.open.len() == 1 {
                    // Nothing would be left.
                    self.refused.push(self.place.path());
                }
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
