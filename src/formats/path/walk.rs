//! Walking a document: the shared automaton plus the nodes that only this document needed.

use std::{collections::HashMap, sync::Arc};

use super::{DEAD, Key, Node, NodeId, Paths, UNBUILT, build::Edge};

/// Names below protected nodes that one document is remembered by; more are followed each time.
const MET_NAMES: usize = 1024;

/// Nodes that one document may add.
const EXTRA_NODES: usize = 16_384;

/// Follows one document.
#[derive(Debug, Clone)]
pub struct Walker {
    paths: Arc<Paths>,
    extra: Vec<Node>,
    extra_known: HashMap<Key, NodeId>,
    /// Members of shared nodes that were met.
    met: HashMap<NodeId, HashMap<Box<str>, NodeId>>,
    met_elements: HashMap<NodeId, NodeId>,
}

impl Walker {
    /// A walker at the root of `paths`.
    #[must_use]
    pub fn new(paths: Arc<Paths>) -> Self {
        Self {
            paths,
            extra: Vec::new(),
            extra_known: HashMap::new(),
            met: HashMap::new(),
            met_elements: HashMap::new(),
        }
    }

    /// The document's node.
    pub(crate) fn root(&self) -> NodeId {
        self.paths.root
    }

    /// The node `id`.
    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        let index = id as usize;
        self.paths.nodes.get(index).or_else(|| self.extra.get(index.wrapping_sub(self.paths.nodes.len())))
    }

    /// The flags of `id`.
    #[inline]
    pub(crate) fn flags(&self, id: NodeId) -> u8 {
        self.node(id).map_or(0, |node| node.flags)
    }

    /// The member `name` of `parent`.
    #[inline]
    pub(crate) fn member(&mut self, parent: NodeId, name: &[u8]) -> NodeId {
        let Some(node) = self.node(parent) else { return DEAD };
        match node.names.get(name) {
            Some(UNBUILT) => self.missing(parent, Edge::Name(str::from_utf8(name).unwrap_or_default())),
            Some(child) => child,
            None if node.lazy => self.missing(parent, Edge::Name(str::from_utf8(name).unwrap_or_default())),
            None if node.other == UNBUILT => self.missing(parent, Edge::OtherName),
            None => node.other,
        }
    }

    /// Element `index` of `parent`.
    #[inline]
    pub(crate) fn element(&mut self, parent: NodeId, index: u64) -> NodeId {
        let Some(node) = self.node(parent) else { return DEAD };
        match node.indices.iter().find(|(known, _)| *known == index) {
            Some((_, UNBUILT)) => self.missing(parent, Edge::Index(index)),
            Some((_, child)) => *child,
            None if node.element == UNBUILT => self.missing(parent, Edge::OtherIndex),
            None => node.element,
        }
    }

    /// The filters an object at `id` has to be asked about: position, member, value.
    pub(crate) fn filters(&self, id: NodeId) -> impl Iterator<Item = (u16, &str, &str)> {
        let pending = self.node(id).map_or(&[][..], |node| &node.pending);
        pending.iter().filter_map(|at| self.paths.filter(*at).map(|(member, value)| (*at, member, value)))
    }

    /// The node of an object at `id` whose filters at `satisfied` passed.
    pub(crate) fn resolve(&mut self, id: NodeId, satisfied: &[u16]) -> NodeId {
        let Some(node) = self.node(id) else { return DEAD };
        match node.resolved.iter().find(|(known, _)| **known == *satisfied) {
            Some((_, target)) if *target != UNBUILT => *target,
            _ => {
                let key = self.paths.decided(node, satisfied);
                self.intern(key)
            }
        }
    }

    /// Whether the document made more nodes than [`EXTRA_NODES`]: it may not go on.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.extra.len() > EXTRA_NODES
    }

    #[cold]
    fn missing(&mut self, parent: NodeId, edge: Edge<'_>) -> NodeId {
        let met = match edge {
            Edge::Name(name) => self.met.get(&parent).and_then(|met| met.get(name)),
            Edge::OtherIndex => self.met_elements.get(&parent),
            Edge::OtherName | Edge::Index(_) => None,
        };
        if let Some(known) = met {
            return *known;
        }
        let Some(node) = self.node(parent) else { return DEAD };
        let lazy = node.lazy;
        let key = self.paths.follow(node, edge);
        let target = self.intern(key);
        // Remembered where the node is ours; the shared ones stay as they are.
        let own = (parent as usize).checked_sub(self.paths.nodes.len());
        let room = self.met.values().map(HashMap::len).sum::<usize>() < MET_NAMES;
        match edge {
            Edge::Name(name) if room && (own.is_none() || lazy) => {
                self.met.entry(parent).or_default().insert(name.into(), target);
            }
            Edge::OtherIndex if own.is_none() => drop(self.met_elements.insert(parent, target)),
            _ => {}
        }
        if let Some(node) = own.and_then(|index| self.extra.get_mut(index)) {
            match edge {
                Edge::Name(name) => {
                    node.names
                        .sorted
                        .iter_mut()
                        .filter(|(known, _)| **known == *name)
                        .for_each(|entry| entry.1 = target);
                }
                Edge::OtherName => node.other = target,
                Edge::Index(index) => {
                    node.indices.iter_mut().filter(|(known, _)| *known == index).for_each(|entry| entry.1 = target);
                }
                Edge::OtherIndex => node.element = target,
            }
        }
        target
    }

    fn intern(&mut self, key: Key) -> NodeId {
        if let Some(id) = self.paths.known.get(&key).or_else(|| self.extra_known.get(&key)) {
            return *id;
        }
        let id = NodeId::try_from(self.paths.nodes.len() + self.extra.len()).unwrap_or(DEAD);
        self.extra.push(self.paths.fresh(key.clone()));
        self.extra_known.insert(key, id);
        id
    }
}
