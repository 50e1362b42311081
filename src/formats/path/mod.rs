//! Every selector of a body as one automaton: a node of the document is a state, a member name or an element index leads
//! to the next state. Built once per layout; what it cannot foresee is added per body.

mod build;
mod walk;

use std::{collections::HashMap, sync::Arc};

pub use build::PathError;
use build::Position;
pub use walk::Walker;

/// Index of a [`Node`].
pub(crate) type NodeId = u32;

/// Nothing below can match.
pub(crate) const DEAD: NodeId = 0;

/// A target that has not been computed.
const UNBUILT: NodeId = NodeId::MAX;

/// States built ahead of the first body; selectors that need more (many `..` in one map) get the rest while walking.
const EAGER_NODES: usize = 1024;

/// What is known about one place of a document.
#[derive(Debug, Clone, Default)]
pub struct Node {
    flags: u8,
    /// Which names lead elsewhere is not listed, so that each has to be followed.
    lazy: bool,
    fields: Box<[u16]>,
    positions: Box<[u16]>,
    pending: Box<[u16]>,
    names: Names,
    other: NodeId,
    indices: Box<[(u64, NodeId)]>,
    element: NodeId,
    resolved: Vec<(Box<[u16]>, NodeId)>,
}

impl Node {
    pub(crate) const FIELD: u8 = 1;
    pub(crate) const LINK: u8 = 2;
    pub(crate) const SUBJECT: u8 = 4;
    pub(crate) const RECORD: u8 = 8;
    pub(crate) const FILTER: u8 = 16;
    pub(crate) const EVERYTHING: u8 = 32;
    /// In a closed object, and nothing selects it.
    pub(crate) const UNKNOWN: u8 = 64;
    /// In a closed object, and neither it nor anything below it is spelled in a selector: its very name may be personal.
    pub(crate) const STRANGE: u8 = 128;
    /// Somebody wants the name of a member that is here.
    pub(crate) const NAME: u8 = Self::EVERYTHING | Self::STRANGE;
    /// Somebody wants the value of a leaf here.
    pub(crate) const LEAF: u8 = Self::FIELD | Self::LINK | Self::SUBJECT | Self::EVERYTHING | Self::UNKNOWN;

    pub(crate) fn has(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// Indices into [`crate::model::BodyMap::fields`] of the rules that select this node or one above it.
    #[must_use]
    pub fn fields(&self) -> &[u16] {
        &self.fields
    }

    /// Whether the node is a link of the map.
    #[must_use]
    pub fn is_link(&self) -> bool {
        self.has(Self::LINK)
    }

    /// Whether the node is in a closed object and nothing selects it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.has(Self::UNKNOWN)
    }

    /// Whether the node holds a record's id.
    #[must_use]
    pub fn is_subject(&self) -> bool {
        self.has(Self::SUBJECT)
    }
}

/// Names that lead somewhere else than other names do, in 64 buckets.
#[derive(Debug, Clone)]
struct Names {
    buckets: [u16; 64],
    sorted: Box<[(Arc<str>, NodeId)]>,
}

impl Default for Names {
    fn default() -> Self {
        Self { buckets: [u16::MAX; 64], sorted: Box::default() }
    }
}

impl Names {
    fn new(mut names: Vec<(Arc<str>, NodeId)>) -> Self {
        names.sort_unstable_by_key(|(name, _)| Self::bucket(name.as_bytes()));
        let mut buckets = [u16::MAX; 64];
        for (index, (name, _)) in names.iter().enumerate().rev() {
            if let Some(slot) = buckets.get_mut(Self::bucket(name.as_bytes())) {
                *slot = u16::try_from(index).unwrap_or(u16::MAX - 1);
            }
        }
        Self { buckets, sorted: names.into() }
    }

    fn get(&self, name: &[u8]) -> Option<NodeId> {
        let bucket = Self::bucket(name);
        let first = *self.buckets.get(bucket)?;
        if first == u16::MAX {
            return None;
        }
        self.find(name, bucket, first)
    }

    fn find(&self, name: &[u8], bucket: usize, first: u16) -> Option<NodeId> {
        let rest = self.sorted.get(usize::from(first)..)?;
        rest.iter()
            .take_while(|(known, _)| Self::bucket(known.as_bytes()) == bucket)
            .find(|(known, _)| known.as_bytes() == name)
            .map(|(_, node)| *node)
    }

    fn bucket(name: &[u8]) -> usize {
        let (first, last) = (name.first().copied().unwrap_or(0), name.last().copied().unwrap_or(0));
        (name.len() ^ (usize::from(first) << 1) ^ (usize::from(last) << 3) ^ usize::from(last >> 3)) & 63
    }
}

type Key = (Box<[u16]>, Box<[u16]>);

/// The automaton of a body map.
#[derive(Debug, Clone)]
pub struct Paths {
    positions: Vec<Position>,
    /// The ends that stand for those of all plain leaves, with a name and with any, and the one for all closed objects.
    plain: Option<u16>,
    any_plain: Option<u16>,
    closed: Option<u16>,
    /// Where the record's selector ends.
    record: Option<u16>,
    /// Where the subject's selector starts when it is relative to a record.
    subject: Option<u16>,
    nodes: Vec<Node>,
    known: HashMap<Key, NodeId>,
    root: NodeId,
}

impl Paths {
    /// The automaton under which nothing is reported.
    #[must_use]
    pub fn nothing() -> Self {
        Self::of(vec![Node::default()], DEAD)
    }

    /// The automaton under which every leaf and every member name is reported.
    #[must_use]
    pub fn everything() -> Self {
        let all = Node { flags: Node::EVERYTHING, other: 1, element: 1, ..Node::default() };
        Self::of(vec![Node::default(), all], 1)
    }

    fn of(nodes: Vec<Node>, root: NodeId) -> Self {
        Self {
            positions: Vec::new(),
            plain: None,
            any_plain: None,
            closed: None,
            record: None,
            subject: None,
            nodes,
            known: HashMap::new(),
            root,
        }
    }
}
