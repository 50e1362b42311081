//! The way that earlier records took: after this element came that one. One comparison with the bytes between their texts is
//! worth reading two tags and looking up a name; whatever differs is read as if there were no guide.

use super::{elements::Elements, tag};
use crate::formats::path::NodeId;

/// Index of a [`Step`].
pub(super) type StepId = u16;

/// No step: what comes next is not foreseen.
pub(super) const LOST: StepId = 0;

/// Elements that one document may teach.
const STEPS: usize = 512;

/// Bytes between two texts that are compared; what is longer is read.
const GLUE_BYTES: usize = 256;

/// Bytes of a document before the first lesson: in most answers no record follows.
const FIRST_BYTES: u64 = 2 * 1024;

/// An element without attributes, which is no record and whose name nobody asks for.
#[derive(Debug)]
struct Step {
    parent: NodeId,
    node: NodeId,
    told: bool,
    name: Box<str>,
    /// The element that came after it, below the same parent.
    on: StepId,
    /// From the end tag of this element to that one's text.
    glue: Vec<u8>,
}

/// What one document taught.
#[derive(Debug, Default)]
pub(super) struct Guide {
    steps: Vec<Step>,
    known: Vec<StepId>,
    left: Left,
}

/// The element that ended last.
#[derive(Debug, Default, Clone, Copy)]
struct Left {
    step: StepId,
    /// Byte of the document at which its end tag starts.
    at: u64,
    /// Elements that are open around it.
    depth: usize,
}

impl Guide {
    /// The element whose text starts after its `glue`, which `bytes` start with, when it is what came after `from` before.
    #[inline]
    fn follow(&self, from: StepId, bytes: &[u8]) -> Option<(StepId, usize, &Step)> {
        if from == LOST {
            return None;
        }
        let step = self.steps.get(usize::from(from))?;
        let next = self.steps.get(usize::from(step.on)).filter(|_| step.on != LOST)?;
        bytes.starts_with(&step.glue).then_some((step.on, step.glue.len(), next))
    }

    /// The step of the element `name` at `node`, below `parent`.
    fn step(&mut self, (parent, name): (NodeId, &str), (node, told): (NodeId, bool)) -> StepId {
        if self.known.is_empty() {
            self.known = vec![LOST; STEPS];
            self.steps.push(Step::new((DEAD_END, ""), (DEAD_END, false)));
        }
        let Some(slot) = self.known.get_mut(slot(parent, name)) else { return LOST };
        let same = |step: &&Step| step.parent == parent && *step.name == *name && step.node == node;
        if *slot != LOST && self.steps.get(usize::from(*slot)).filter(same).is_some() {
            return *slot;
        }
        if self.steps.len() >= STEPS {
            return LOST;
        }
        *slot = StepId::try_from(self.steps.len()).unwrap_or(LOST);
        self.steps.push(Step::new((parent, name), (node, told)));
        *slot
    }

    /// Learns that `glue` led from `from` to `on`.
    fn learn(&mut self, from: StepId, glue: &str, on: StepId) {
        if let Some(step) = self.steps.get_mut(usize::from(from)).filter(|_| glue.len() <= GLUE_BYTES) {
            step.glue.clear();
            step.glue.extend_from_slice(glue.as_bytes());
            step.on = on;
        }
    }
}

impl Step {
    fn new((parent, name): (NodeId, &str), (node, told): (NodeId, bool)) -> Self {
        Self { parent, node, told, name: name.into(), on: LOST, glue: Vec::new() }
    }
}

/// Stands where no element does.
const DEAD_END: NodeId = NodeId::MAX;

/// Where the step of an element is looked for.
fn slot(parent: NodeId, name: &str) -> usize {
    let seed = u64::from(parent) ^ (name.len() as u64) << 32;
    let sum = name.bytes().fold(seed, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (sum >> 11) as usize % STEPS
}

impl Elements {
    /// Goes where the guide leads, past texts that nobody asked for; answers where that ends.
    #[inline]
    pub(super) fn follow(&mut self, bytes: &[u8], mut at: usize) -> usize {
        let Some(top) = self.open.last_mut().filter(|top| top.step != LOST) else { return at };
        let before = top.step;
        loop {
            if !top.told {
                match memchr::memchr2(b'<', b'&', bytes.get(at..).unwrap_or_default()) {
                    Some(found) if bytes.get(at + found) == Some(&b'<') => at += found,
                    _ => break,
                }
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let Some((id, length, step)) = self.guide.follow(top.step, rest) else { break };
            at += length;
            (top.step, top.node, top.told) = (id, step.node, step.told);
        }
        if top.step != before
            && let Some(step) = self.guide.steps.get(usize::from(top.step))
        {
            self.names.truncate(top.name);
            self.names.push_str(&step.name);
        }
        at
    }

    /// The innermost element ends with the tag at `at`.
    #[inline]
    pub(super) fn leaves(&mut self, at: usize) {
        let (step, depth) = (self.open.last().map_or(LOST, |top| top.step), self.open.len().saturating_sub(1));
        self.guide.left = Left { step, at: self.read + at as u64, depth };
    }

    /// The step of an element whose tag is between `at` and `end`, that has neither attributes nor a name that is asked for, is no
    /// record, and is about to be opened; learns what led to it.
    pub(super) fn learn(
        &mut self,
        input: &str,
        (at, end): (usize, usize),
        element: (NodeId, &str),
        known: (NodeId, bool),
    ) -> StepId {
        // The root has no element after it.
        if self.open.is_empty() || self.read + (at as u64) < FIRST_BYTES {
            return LOST;
        }
        let id = self.guide.step(element, known);
        let left = self.guide.left;
        let is_next = left.step != LOST && left.depth == self.open.len() && id != LOST;
        let start = left.at.checked_sub(self.read).and_then(|start| usize::try_from(start).ok());
        let name = self.guide.steps.get(usize::from(left.step)).map_or(0, |step| step.name.len());
        // Nothing but white space between the two tags.
        if let Some(start) = start.filter(|start| is_next && tag::blanks(input, start + name + "</>".len()) == at) {
            self.guide.learn(left.step, input.get(start..end).unwrap_or_default(), id);
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_followed_and_nothing_else() {
        let mut guide = Guide::default();
        let (id, email) = (guide.step((7, "a:Id"), (1, false)), guide.step((7, "a:Email"), (2, true)));
        assert_ne!(id, email);
        assert_eq!(guide.step((7, "a:Id"), (1, false)), id, "the same one again");
        assert_ne!(guide.step((8, "a:Id"), (1, false)), id, "below another element");
        let follow =
            |guide: &Guide, bytes: &str| guide.follow(id, bytes.as_bytes()).map(|(on, length, _)| (on, length));
        assert_eq!(follow(&guide, "</a:Id><a:Email>x"), None, "nothing was learned");
        guide.learn(id, "</a:Id><a:Email>", email);
        assert_eq!(follow(&guide, "</a:Id><a:Email>x"), Some((email, 16)));
        for other in ["</a:Id><a:Emai", "</a:Id> <a:Email>", "</a:Id><a:Email/>", "</a:Id><a:Email >", "</a:Id>"] {
            assert_eq!(follow(&guide, other), None, "{other}");
        }
        guide.learn(id, "</a:Id>\n<a:Id>", id);
        assert_eq!(follow(&guide, "</a:Id>\n<a:Id>"), Some((id, 14)), "the last way is the one foreseen");
        assert!(guide.follow(LOST, b"").is_none());
    }

    #[test]
    fn elements_and_glue_are_learned_at_the_limit_and_not_past_it() {
        let mut guide = Guide::default();
        let first = guide.step((1, "a"), (0, false));
        guide.learn(first, &" ".repeat(GLUE_BYTES), first);
        assert!(guide.follow(first, &[b' '; GLUE_BYTES]).is_some());
        guide.learn(first, &"\n".repeat(GLUE_BYTES + 1), first);
        assert!(guide.follow(first, &[b'\n'; GLUE_BYTES + 1]).is_none());
        for number in 0..STEPS - 2 {
            assert_ne!(guide.step((1, &format!("b{number}")), (0, false)), LOST, "{number}");
        }
        assert_eq!(guide.step((1, "c"), (0, false)), LOST);
        assert_eq!(guide.steps.len(), STEPS);
    }
}
