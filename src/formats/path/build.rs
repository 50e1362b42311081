//! Selectors to positions, sets of positions to nodes.

use std::collections::{BTreeSet, HashMap};

use super::{DEAD, EAGER_NODES, Key, Names, Node, NodeId, Paths, UNBUILT};
use crate::model::{BodyMap, Selector, Step};

/// What a selector's end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Field(u16),
    Link,
    Record,
    Subject,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    Name(Box<str>),
    Index(u64),
    Any,
    Where { member: Box<str>, value: Box<str> },
}

/// A place in a selector: the next step to take, or its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Position {
    Step { anywhere: bool, test: Test },
    End(Mark),
}

/// The selectors of one body cannot be followed.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum PathError {
    /// Past what 16 bits number.
    #[error("the selectors of one body have more than 65,000 segments")]
    TooManySegments,
}

/// How a child is reached.
#[derive(Debug, Clone, Copy)]
pub(super) enum Edge<'a> {
    Name(&'a str),
    OtherName,
    Index(u64),
    OtherIndex,
}

impl Paths {
    /// The automaton of `map`'s fields, links, record and subject.
    ///
    /// # Errors
    /// When there are more segments than can be numbered.
    pub fn compile(map: &BodyMap) -> Result<Self, PathError> {
        let mut paths = Self {
            positions: Vec::new(),
            subject: None,
            nodes: vec![Node::default()],
            known: HashMap::from([(Key::default(), DEAD)]),
            root: DEAD,
        };
        let mut starts = Vec::new();
        for (index, rule) in map.fields.iter().enumerate() {
            let index = u16::try_from(index).map_err(|_| PathError::TooManySegments)?;
            starts.push(paths.add(&rule.selector, Mark::Field(index))?);
        }
        for link in &map.links {
            starts.push(paths.add(link, Mark::Link)?);
        }
        if let Some(record) = &map.record {
            starts.push(paths.add(record, Mark::Record)?);
        }
        if let Some(subject) = &map.subject {
            let start = paths.add(subject, Mark::Subject)?;
            match map.record {
                Some(_) => paths.subject = Some(start),
                None => starts.push(start),
            }
        }
        let positions = paths.close(starts.into_iter().collect());
        paths.root = paths.node((positions, Box::default()));
        paths.build_ahead();
        Ok(paths)
    }

    fn add(&mut self, selector: &Selector, mark: Mark) -> Result<u16, PathError> {
        let start = self.positions.len();
        self.positions.extend(selector.steps().iter().map(Position::of));
        self.positions.push(Position::End(mark));
        if self.positions.len() > 65_000 {
            return Err(PathError::TooManySegments);
        }
        u16::try_from(start).map_err(|_| PathError::TooManySegments)
    }

    /// A record starts its subject's selector.
    fn close(&self, mut set: BTreeSet<u16>) -> Box<[u16]> {
        let record = |at: &u16| matches!(self.positions.get(usize::from(*at)), Some(Position::End(Mark::Record)));
        if let Some(subject) = self.subject.filter(|_| set.iter().any(record)) {
            set.insert(subject);
        }
        set.into_iter().collect()
    }

    /// The positions of a child, and the filters that it still has to pass.
    pub(super) fn follow(&self, from: &Node, edge: Edge<'_>) -> Key {
        let (mut set, mut pending) = (BTreeSet::new(), BTreeSet::new());
        for at in from.positions.iter().copied() {
            match self.positions.get(usize::from(at)) {
                Some(Position::Step { anywhere, test }) => {
                    if *anywhere {
                        set.insert(at);
                    }
                    let passes = match (test, edge) {
                        (Test::Any, _) => true,
                        (Test::Name(wanted), Edge::Name(name)) => &**wanted == name,
                        (Test::Index(wanted), Edge::Index(index)) => *wanted == index,
                        (Test::Where { .. }, _) => {
                            pending.insert(at);
                            false
                        }
                        _ => false,
                    };
                    if passes {
                        set.insert(at + 1);
                    }
                }
                // What is below a protected node is protected.
                Some(Position::End(Mark::Field(_))) => {
                    set.insert(at);
                }
                Some(Position::End(_)) | None => {}
            }
        }
        (self.close(set), pending.into_iter().collect())
    }

    /// The positions of a node whose filters were decided.
    pub(super) fn decided(&self, from: &Node, satisfied: &[u16]) -> Key {
        let set = from.positions.iter().copied().chain(satisfied.iter().map(|at| at + 1)).collect();
        (self.close(set), Box::default())
    }

    /// The member and the value of the filter at `at`.
    pub(super) fn filter(&self, at: u16) -> Option<(&str, &str)> {
        match self.positions.get(usize::from(at))? {
            Position::Step { test: Test::Where { member, value }, .. } => Some((member, value)),
            _ => None,
        }
    }

    /// A node for `key` whose targets are not computed.
    pub(super) fn fresh(&self, (positions, pending): Key) -> Node {
        let (mut flags, mut fields) = (0, Vec::new());
        let (mut names, mut indices) = (BTreeSet::new(), BTreeSet::new());
        for at in &positions {
            match self.positions.get(usize::from(*at)) {
                Some(Position::End(Mark::Field(rule))) => {
                    flags |= Node::FIELD;
                    fields.push(*rule);
                }
                Some(Position::End(Mark::Link)) => flags |= Node::LINK,
                Some(Position::End(Mark::Record)) => flags |= Node::RECORD,
                Some(Position::End(Mark::Subject)) => flags |= Node::SUBJECT,
                Some(Position::Step { test: Test::Name(name), .. }) => {
                    names.insert(name.clone());
                }
                Some(Position::Step { test: Test::Index(index), .. }) => {
                    indices.insert(*index);
                }
                Some(Position::Step { .. }) | None => {}
            }
        }
        if !pending.is_empty() {
            flags |= Node::FILTER;
        }
        fields.sort_unstable();
        Node {
            flags,
            fields: fields.into(),
            positions,
            pending,
            names: Names::new(names.into_iter().map(|name| (name, UNBUILT)).collect()),
            other: UNBUILT,
            indices: indices.into_iter().map(|index| (index, UNBUILT)).collect(),
            element: UNBUILT,
            resolved: Vec::new(),
        }
    }

    fn node(&mut self, key: Key) -> NodeId {
        if let Some(id) = self.known.get(&key) {
            return *id;
        }
        if self.nodes.len() >= EAGER_NODES {
            return UNBUILT;
        }
        let id = NodeId::try_from(self.nodes.len()).unwrap_or(UNBUILT);
        let node = self.fresh(key.clone());
        self.nodes.push(node);
        self.known.insert(key, id);
        id
    }

    fn build_ahead(&mut self) {
        let mut next = 1;
        while let Some(mut node) = self.nodes.get(next).cloned() {
            for (name, target) in &mut node.names.sorted {
                *target = self.node(self.follow(&self.peek(next), Edge::Name(name)));
            }
            for (index, target) in &mut node.indices {
                *target = self.node(self.follow(&self.peek(next), Edge::Index(*index)));
            }
            node.other = self.node(self.follow(&node, Edge::OtherName));
            node.element = self.node(self.follow(&node, Edge::OtherIndex));
            if !node.pending.is_empty() {
                for satisfied in self.likely(&node.pending) {
                    let target = self.node(self.decided(&node, &satisfied));
                    node.resolved.push((satisfied, target));
                }
            }
            if let Some(slot) = self.nodes.get_mut(next) {
                *slot = node;
            }
            next += 1;
        }
    }

    fn peek(&self, at: usize) -> Node {
        self.nodes.get(at).cloned().unwrap_or_default()
    }

    /// No filter passes, or those that ask one member for one value do.
    fn likely(&self, pending: &[u16]) -> Vec<Box<[u16]>> {
        let mut likely: Vec<Box<[u16]>> = vec![Box::default()];
        for at in pending {
            let same = |other: &&u16| self.filter(**other) == self.filter(*at);
            let satisfied: Box<[u16]> = pending.iter().filter(same).copied().collect();
            if !likely.contains(&satisfied) {
                likely.push(satisfied);
            }
        }
        likely
    }
}

impl Position {
    fn of(step: &Step) -> Self {
        let (mut anywhere, mut step) = (false, step);
        while let Step::Descendant(inner) = step {
            (anywhere, step) = (true, &**inner);
        }
        let test = match step {
            Step::Name(name) => Test::Name(name.as_str().into()),
            Step::Index(index) => Test::Index(*index),
            Step::WhereEquals { member, value } => {
                Test::Where { member: member.as_str().into(), value: value.as_str().into() }
            }
            Step::Wildcard | Step::Descendant(_) => Test::Any,
        };
        Self::Step { anywhere, test }
    }
}
