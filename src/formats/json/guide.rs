//! The way that earlier records took: after this member came a comma, white space, that name and a colon. One comparison
//! with those bytes is worth reading and looking them up; whatever differs is read as if there were no guide.

use super::{
    number,
    scan::{Blocks, Stop},
    token::{Kind, Phase, State},
};
use crate::formats::path::{Node, NodeId, Walker};

/// Index of a [`Step`].
pub(super) type StepId = u16;

/// No step: what comes next is not foreseen.
pub(super) const LOST: StepId = 0;

/// Steps that one document may teach.
const STEPS: usize = 512;

/// Bytes of a document that have to be read for one lesson more than [`STEPS`]. A lesson costs as much as reading some 60
/// bytes, so where no record is like the one before, learning costs no more than a quarter of reading.
const LESSON_BYTES: u64 = 256;

/// Bytes between two values that are compared at once; what is longer is read.
const GLUE: usize = 64;
const WORDS: usize = GLUE / 8;
/// Words that are compared first: most glue has no more.
const HEAD: usize = 4;

/// Which step is taken from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// To the first member of an object that is its value or in its value.
    Into,
    /// To the next member of the same object.
    On,
}

/// A member of an object of earlier records, with all bytes from the end of what comes before it to its value.
#[derive(Debug, Clone, Copy)]
struct Step {
    glue: [u64; WORDS],
    mask: [u64; WORDS],
    length: usize,
    /// The step that the object is in, and its node: the same bytes in another object are another step.
    within: StepId,
    parent: NodeId,
    node: NodeId,
    flags: u8,
    into: StepId,
    on: StepId,
}

/// What one document taught.
#[derive(Debug, Default)]
pub(super) struct Guide {
    steps: Vec<Step>,
    known: Vec<StepId>,
    /// Members learned so far, the same one again among them.
    lessons: u64,
}

impl Guide {
    /// Whether there is something to follow. The first record of a list is not worth learning when it is the last.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        !self.steps.is_empty()
    }

    /// A step that stands for a list whose own name nobody learned.
    pub(super) fn anchor(&mut self) -> StepId {
        if self.steps.is_empty() {
            self.steps.push(Step::new(&[], (LOST, 0), (0, 0)));
            self.known = vec![LOST; STEPS];
        }
        self.add(Step::new(&[], (LOST, 0), (0, 0)))
    }

    /// The step that `turn` leads to from `from`, when `bytes` go on with its bytes below `parent`.
    #[inline]
    fn follow(&self, from: StepId, turn: Turn, parent: NodeId, bytes: &[u8]) -> Option<(StepId, &Step)> {
        if from == LOST {
            return None;
        }
        let step = self.steps.get(usize::from(from))?;
        let id = if turn == Turn::On { step.on } else { step.into };
        let step = self.steps.get(usize::from(id))?;
        let (words, _) = bytes.first_chunk::<GLUE>()?.as_chunks::<8>();
        let differs = |from: usize| {
            let pairs = words.iter().zip(&step.glue).zip(&step.mask).skip(from).take(HEAD);
            pairs.fold(0, |sum, ((word, glue), mask)| sum | (u64::from_le_bytes(*word) & mask) ^ glue) != 0
        };
        let differs = differs(0) || step.length > 8 * HEAD && differs(HEAD);
        (!differs && step.parent == parent && id != LOST).then_some((id, step))
    }

    /// Learns that `glue` led by `turn` from `from` to the member at `node` of the object that is in the step `within` and
    /// is at `parent`.
    fn learn(
        &mut self,
        from: StepId,
        turn: Turn,
        glue: &[u8],
        (within, parent): (StepId, NodeId),
        (node, flags): (NodeId, u8),
    ) -> StepId {
        if glue.len() > GLUE || !self.is_open() {
            return LOST;
        }
        self.lessons += 1;
        let step = Step::new(glue, (within, parent), (node, flags));
        let slot = step.slot();
        let known = self.known.get(slot).copied().unwrap_or(LOST);
        let same = self.steps.get(usize::from(known)).is_some_and(|other| {
            let alike = other.glue == step.glue && other.length == step.length;
            known != LOST && alike && (other.within, other.parent) == (step.within, step.parent)
        });
        let id = if same { known } else { self.add(step) };
        if let Some(slot) = self.known.get_mut(slot).filter(|_| id != LOST) {
            *slot = id;
        }
        if let Some(before) = self.steps.get_mut(usize::from(from)).filter(|_| from != LOST) {
            *(if turn == Turn::On { &mut before.on } else { &mut before.into }) = id;
        }
        id
    }

    /// Whether another lesson pays when `read` bytes of the document were read.
    fn may_learn(&self, read: u64) -> bool {
        self.lessons < STEPS as u64 + read / LESSON_BYTES
    }

    fn add(&mut self, step: Step) -> StepId {
        if self.steps.len() >= STEPS {
            return LOST;
        }
        let id = StepId::try_from(self.steps.len()).unwrap_or(LOST);
        self.steps.push(step);
        id
    }
}

impl Step {
    fn new(bytes: &[u8], (within, parent): (StepId, NodeId), (node, flags): (NodeId, u8)) -> Self {
        let (mut glue, mut mask) = ([0_u8; GLUE], [0_u8; GLUE]);
        for ((glue, mask), byte) in glue.iter_mut().zip(&mut mask).zip(bytes) {
            (*glue, *mask) = (*byte, 0xff);
        }
        let words = |bytes: [u8; GLUE]| {
            let mut words = [0; WORDS];
            words.iter_mut().zip(bytes.as_chunks::<8>().0).for_each(|(to, from)| *to = u64::from_le_bytes(*from));
            words
        };
        let (glue, mask) = (words(glue), words(mask));
        Self { glue, mask, length: bytes.len(), within, parent, node, flags, into: LOST, on: LOST }
    }

    /// Where it is looked for when it comes unforeseen.
    fn slot(&self) -> usize {
        let seed = u64::from(self.parent) ^ u64::from(self.within) << 48 ^ (self.length as u64) << 32;
        let sum =
            self.glue.iter().fold(seed, |sum, word| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
        (sum >> 7) as usize % STEPS
    }
}

/// Goes where the guide leads, past values that nobody asked for; answers where that ends.
#[inline]
pub(super) fn follow(guide: &Guide, state: &mut State, blocks: &mut Blocks, bytes: &[u8], mut at: usize) -> usize {
    let mut turn = if state.phase == Phase::FirstName { Turn::Into } else { Turn::On };
    while let Some((id, step)) = guide.follow(state.top.step, turn, state.top.node, bytes.get(at..).unwrap_or_default())
    {
        at += step.length;
        (state.top.step, state.node, state.phase) = (id, step.node, Phase::Value);
        if step.flags & Node::LEAF != 0 {
            break;
        }
        let end = match bytes.get(at) {
            Some(b'"') => match blocks.string(bytes, at + 1).stop {
                Stop::Close(end) => end + 1,
                _ => break,
            },
            Some(b'-' | b'0'..=b'9') => match number::whole(bytes, at) {
                Some(end) => end,
                None => break,
            },
            _ => break,
        };
        (at, state.phase, turn) = (end, Phase::Next, Turn::On);
    }
    at
}

/// The member whose value comes next was read; `glue` led to it.
#[cold]
pub(super) fn learn(guide: &mut Guide, state: &mut State, walker: &Walker, phase: Phase, glue: &[u8], read: u64) {
    if state.top.kind != Kind::Object {
        return;
    }
    let turn = if phase == Phase::FirstName { Turn::Into } else { Turn::On };
    let (parent, flags) = (state.top.node, walker.flags(state.node));
    // A name that is asked for may not be passed by.
    state.top.step = if guide.may_learn(read) && flags & Node::NAME == 0 {
        guide.learn(state.top.step, turn, glue, (state.top.within, parent), (state.node, flags))
    } else {
        LOST
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(glue: &str) -> Vec<u8> {
        format!("{glue}{}", "x".repeat(GLUE)).into_bytes()
    }

    #[test]
    fn what_was_learned_is_followed_and_nothing_else() {
        let mut guide = Guide::default();
        assert_eq!(
            guide.learn(LOST, Turn::On, b",\"a\":", (LOST, 1), (2, 0)),
            LOST,
            "nothing is learned before a list is seen"
        );
        let list = guide.anchor();
        let first = guide.learn(list, Turn::Into, b"\"id\":", (LOST, 5), (7, 1));
        let next = guide.learn(first, Turn::On, b",\"idx\":", (LOST, 5), (8, 0));
        let follow = |from, turn, parent, glue: &str| guide.follow(from, turn, parent, &text(glue)).map(|(id, _)| id);
        assert_eq!(follow(list, Turn::Into, 5, "\"id\":"), Some(first));
        assert_eq!(follow(first, Turn::On, 5, ",\"idx\":"), Some(next));
        assert_eq!(follow(first, Turn::On, 6, ",\"idx\":"), None, "another object");
        assert_eq!(follow(first, Turn::Into, 5, ",\"idx\":"), None);
        assert_eq!(follow(LOST, Turn::On, 5, ",\"idx\":"), None);
        for other in [",\"id\":", ",\"idy\":", ", \"idx\":", ",\"idx\" :", ",\"idxx\":"] {
            assert_eq!(follow(first, Turn::On, 5, other), None, "{other}");
        }
        assert!(guide.follow(first, Turn::On, 5, b",\"idx\":1").is_none(), "the end of the chunk is read");
    }

    #[test]
    fn a_step_met_again_is_the_same_and_the_last_way_is_the_one_foreseen() {
        let mut guide = Guide::default();
        let list = guide.anchor();
        let first = guide.learn(list, Turn::Into, b"\"id\":", (LOST, 1), (2, 0));
        let (a, b) = (
            guide.learn(first, Turn::On, b",\"a\":", (LOST, 1), (3, 0)),
            guide.learn(first, Turn::On, b",\"b\":", (LOST, 1), (4, 0)),
        );
        assert!(guide.follow(first, Turn::On, 1, &text(",\"a\":")).is_none());
        assert_eq!(guide.learn(first, Turn::On, b",\"a\":", (LOST, 1), (3, 0)), a);
        assert_ne!(a, b);
        assert_eq!(guide.follow(first, Turn::On, 1, &text(",\"a\":")).map(|(id, step)| (id, step.node)), Some((a, 3)));
    }

    #[test]
    fn equal_members_of_different_objects_do_not_share_what_follows() {
        let mut guide = Guide::default();
        let list = guide.anchor();
        let id = guide.learn(list, Turn::Into, b"\"id\":", (list, 1), (0, 0));
        let fields = guide.learn(id, Turn::On, b",\"fields\":", (list, 1), (0, 0));
        let inner = guide.learn(fields, Turn::Into, b"\"id\":", (fields, 1), (0, 0));
        guide.learn(inner, Turn::On, b",\"value\":", (fields, 1), (0, 0));
        assert_ne!(id, inner);
        assert!(guide.follow(id, Turn::On, 1, &text(",\"fields\":")).is_some());
    }

    #[test]
    fn lessons_are_as_many_as_the_limit_and_not_one_more() {
        let mut guide = Guide::default();
        let list = guide.anchor();
        for _ in 0..STEPS {
            assert!(guide.may_learn(LESSON_BYTES - 1));
            guide.learn(list, Turn::Into, b"\"id\":", (LOST, 1), (0, 0));
        }
        assert!(!guide.may_learn(LESSON_BYTES - 1) && guide.may_learn(LESSON_BYTES));
    }

    #[test]
    fn glue_and_steps_are_learned_at_the_limit_and_not_past_it() {
        let mut guide = Guide::default();
        let list = guide.anchor();
        let longest = guide.learn(list, Turn::Into, &[b' '; GLUE], (LOST, 1), (2, 0));
        assert!(longest != LOST && guide.follow(list, Turn::Into, 1, &[b' '; GLUE]).is_some());
        assert_eq!(guide.learn(list, Turn::Into, &[b' '; GLUE + 1], (LOST, 1), (2, 0)), LOST);
        let mut last = longest;
        for n in 0..STEPS - 3 {
            assert_ne!(last, LOST, "{n}");
            last = guide.learn(last, Turn::On, format!(",\"{n}\":").as_bytes(), (LOST, 1), (2, 0));
        }
        assert_ne!(last, LOST);
        assert_eq!(guide.learn(last, Turn::On, b",\"more\":", (LOST, 1), (2, 0)), LOST);
        assert_eq!(guide.steps.len(), STEPS);
    }
}
