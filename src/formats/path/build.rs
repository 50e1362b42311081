//! Selectors to positions, sets of positions to nodes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{DEAD, EAGER_NODES, Key, Names, Node, NodeId, Paths, UNBUILT};
use crate::model::{BodyMap, Selector, Step};

/// What a selector's end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Field(u16),
    Link,
    Plain,
    /// As well, whatever its name is.
    AnyPlain,
    Closed,
    Record,
    Subject,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    Name(Arc<str>),
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
    /// The automaton of `map`'s fields, links, closed objects, plain leaves, record and subject.
    ///
    /// # Errors
    /// When there are more segments than can be numbered.
    pub fn compile(map: &BodyMap) -> Result<Self, PathError> {
        let mut paths = Self {
            positions: Vec::new(),
            plain: None,
            any_plain: None,
            closed: None,
            record: None,
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
        for plain in &map.plain {
            let mark = if plain.last_name().is_some() { Mark::Plain } else { Mark::AnyPlain };
            starts.push(paths.add(plain, mark)?);
        }
        for closed in &map.closed {
            starts.push(paths.add(closed, Mark::Closed)?);
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
        let positions = paths.close(Vec::new(), starts);
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
        let end = u16::try_from(self.positions.len() - 1).map_err(|_| PathError::TooManySegments)?;
        match mark {
            Mark::Plain => drop(self.plain.get_or_insert(end)),
            Mark::AnyPlain => drop(self.any_plain.get_or_insert(end)),
            Mark::Closed => drop(self.closed.get_or_insert(end)),
            Mark::Record => self.record = Some(end),
            _ => {}
        }
        u16::try_from(start).map_err(|_| PathError::TooManySegments)
    }

    /// `set`, in order, with `more`. A record starts its subject's selector, and ends that mean the same are one, so that a
    /// hundred plain members are one node.
    fn close(&self, mut set: Vec<u16>, more: impl IntoIterator<Item = u16>) -> Box<[u16]> {
        let mut insert = |at: u16| {
            if let Err(place) = set.binary_search(&at) {
                set.insert(place, at);
            }
        };
        for at in more {
            insert(match self.positions.get(usize::from(at)) {
                Some(Position::End(Mark::Plain)) => self.plain.unwrap_or(at),
                Some(Position::End(Mark::AnyPlain)) => self.any_plain.unwrap_or(at),
                Some(Position::End(Mark::Closed)) => self.closed.unwrap_or(at),
                _ => at,
            });
        }
        if let (Some(subject), Some(record)) = (self.subject, self.record)
            && set.binary_search(&record).is_ok()
            && let Err(place) = set.binary_search(&subject)
        {
            set.insert(place, subject);
        }
        set.into()
    }

    /// The positions of a child, and the filters that it still has to pass.
    pub(super) fn follow(&self, from: &Node, edge: Edge<'_>) -> Key {
        let (mut set, mut more) = (Vec::with_capacity(from.positions.len() + 1), Vec::new());
        let mut pending = Vec::new();
        for at in from.positions.iter().copied() {
            match self.positions.get(usize::from(at)) {
                Some(Position::Step { anywhere, test }) => {
                    if *anywhere {
                        set.push(at);
                    }
                    match (test, edge) {
                        (Test::Any, _) => more.push(at + 1),
                        (Test::Name(wanted), Edge::Name(name)) if &**wanted == name => more.push(at + 1),
                        (Test::Index(wanted), Edge::Index(index)) if *wanted == index => more.push(at + 1),
                        (Test::Where { .. }, _) => pending.push(at),
                        _ => {}
                    }
                }
                // What is below a protected node is protected, and what is below a closed one closed.
                Some(Position::End(Mark::Field(_) | Mark::Closed)) => {
                    set.push(at);
                }
                Some(Position::End(_)) | None => {}
            }
        }
        (self.close(set, more), pending.into())
    }

    /// What each name adds to where any other name leads.
    fn named(&self, from: &Node) -> BTreeMap<Arc<str>, Vec<u16>> {
        let mut named: BTreeMap<Arc<str>, Vec<u16>> = BTreeMap::new();
        for at in from.positions.iter().copied() {
            if let Some(Position::Step { test: Test::Name(name), .. }) = self.positions.get(usize::from(at)) {
                named.entry(Arc::clone(name)).or_default().push(at + 1);
            }
        }
        named
    }

    /// The positions of a node whose filters were decided.
    pub(super) fn decided(&self, from: &Node, satisfied: &[u16]) -> Key {
        (self.close(from.positions.to_vec(), satisfied.iter().map(|at| at + 1)), Box::default())
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
        let (mut closed, mut known, mut any, mut told) = (false, false, false, false);
        for at in &positions {
            match self.positions.get(usize::from(*at)) {
                Some(Position::End(Mark::Field(rule))) => {
                    flags |= Node::FIELD;
                    fields.push(*rule);
                    let by_any = matches!(self.step(at.wrapping_sub(1)), Some((_, Test::Any)));
                    (any, told) = (any | by_any, told | !by_any);
                }
                Some(Position::End(Mark::Link)) => flags |= Node::LINK,
                Some(Position::End(Mark::Record)) => flags |= Node::RECORD,
                Some(Position::End(Mark::Subject)) => flags |= Node::SUBJECT,
                Some(Position::End(Mark::Plain)) => (known, told) = (true, true),
                Some(Position::End(Mark::AnyPlain)) => (known, any) = (true, true),
                Some(Position::End(Mark::Closed)) => closed = true,
                Some(Position::Step { .. }) | None => {}
            }
        }
        // Selectors with `..` go on below a protected node too, where there is hardly ever anything, and that would be as many
        // states again for each field: walkers make those they meet.
        let led = self.is_led(&positions);
        let named = |at: &u16| matches!(self.step(*at), Some((_, Test::Name(_))));
        let lazy = flags & Node::FIELD != 0 && !led && positions.iter().any(named);
        for at in &positions {
            match self.step(*at) {
                Some((_, Test::Name(name))) if !lazy => drop(names.insert(Arc::clone(name))),
                Some((_, Test::Index(index))) => drop(indices.insert(*index)),
                _ => {}
            }
        }
        if !pending.is_empty() {
            flags |= Node::FILTER;
        }
        if closed && !known && flags & (Node::FIELD | Node::LINK | Node::SUBJECT) == 0 {
            flags |= if led { Node::UNKNOWN } else { Node::UNKNOWN | Node::STRANGE };
        }
        // A name that the map does not spell may be somebody's, whatever is known of its value.
        if closed && any && !told && !led && flags & (Node::LINK | Node::SUBJECT) == 0 {
            flags |= Node::STRANGE;
        }
        fields.sort_unstable();
        Node {
            flags,
            lazy,
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
        while let Some(lazy) = self.nodes.get(next).map(|node| node.lazy) {
            if lazy {
                next += 1;
                continue;
            }
            let Some(from) = self.nodes.get(next).cloned() else { break };
            let mut node = from.clone();
            if !node.names.sorted.is_empty() {
                let (others, pending) = self.follow(&from, Edge::OtherName);
                let named = self.named(&from);
                for (name, target) in &mut node.names.sorted {
                    let more = named.get(name).into_iter().flatten().copied();
                    *target = self.node((self.close(others.to_vec(), more), pending.clone()));
                }
            }
            for (index, target) in &mut node.indices {
                *target = self.node(self.follow(&from, Edge::Index(*index)));
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

    /// Whether a name or an index led to one of `positions`, rather than that it is tried everywhere.
    fn is_led(&self, positions: &[u16]) -> bool {
        positions.iter().any(|at| matches!(self.step(*at), Some((false, _))))
    }

    fn step(&self, at: u16) -> Option<(bool, &Test)> {
        match self.positions.get(usize::from(at))? {
            Position::Step { anywhere, test } => Some((*anywhere, test)),
            Position::End(_) => None,
        }
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
