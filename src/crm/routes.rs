//! The precompiled table: a checked path in, the index of the one route that maps it out.

use std::{borrow::Cow, collections::BTreeMap};

use http::Method;

use super::{
    target::{RawPath, Segment, TargetError},
    template::{Part, Template},
};

/// A trie over path segments; a literal beats a variable, and no two templates cross (checked at load), so the first
/// match in depth-first order is the only most specific one.
#[derive(Debug, Default)]
pub(super) struct RouteTable {
    root: Node,
    /// Per route: which segments are variables.
    shapes: Vec<Vec<bool>>,
}

#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<String, Node>,
    variable: Option<Box<Node>>,
    /// Routes that end here, by method.
    routes: Vec<(Method, usize)>,
}

impl RouteTable {
    /// Adds route number `index`; indices come in order, from 0.
    pub(super) fn insert(&mut self, index: usize, method: Method, template: &Template) {
        self.shapes.push(template.parts.iter().map(|part| matches!(part, Part::Variable(_))).collect());
        self.node(template).routes.push((method, index));
    }

    /// Lets route `index` take further methods.
    pub(super) fn also(&mut self, index: usize, methods: &[Method], template: &Template) {
        let more = methods.iter().map(|method| (method.clone(), index));
        self.node(template).routes.extend(more);
    }

    fn node(&mut self, template: &Template) -> &mut Node {
        let mut node = &mut self.root;
        for part in &template.parts {
            node = match part {
                Part::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Part::Variable(_) => node.variable.get_or_insert_default(),
            };
        }
        node
    }

    /// Which segments of route `index` are variables.
    pub(super) fn shape(&self, index: usize) -> impl Iterator<Item = bool> {
        self.shapes.get(index).into_iter().flatten().copied()
    }

    /// The route of `method` at the most specific template that matches `path`.
    ///
    /// A path that a lenient server could take for a more specific template (other case, a trailing dot or blank, an
    /// escaped literal) is refused: its rule would not be the one that protects the answer.
    pub(super) fn find(&self, method: &Method, path: &RawPath<'_>) -> Result<usize, TargetError> {
        let exact = self.root.descend(&|depth| path.segments().get(depth).map(Segment::raw), 0, &|a, b| a == b);
        let folded: Vec<Cow<'_, str>> = path.segments().iter().map(|segment| fold(segment.decoded())).collect();
        let lenient = self.root.descend(&|depth| folded.get(depth).map(AsRef::as_ref), 0, &|literal, text| {
            literal.eq_ignore_ascii_case(text)
        });
        let node = match (exact, lenient) {
            (Some(exact), Some(lenient)) if std::ptr::eq(exact, lenient) => exact,
            (None, None) => return Err(TargetError::Unmapped),
            _ => return Err(TargetError::Bad("it differs from a mapped path only in its spelling")),
        };
        let by = |wanted: &Method| node.routes.iter().find(|(method, _)| method == wanted).map(|(_, index)| *index);
        by(method).or_else(|| (method == Method::HEAD).then(|| by(&Method::GET)).flatten()).ok_or(TargetError::Unmapped)
    }
}

impl Node {
    fn descend<'n, 's>(
        &'n self,
        segment: &impl Fn(usize) -> Option<&'s str>,
        depth: usize,
        same: &impl Fn(&str, &str) -> bool,
    ) -> Option<&'n Self> {
        let Some(text) = segment(depth) else { return (!self.routes.is_empty()).then_some(self) };
        let literals = self.literals.iter().filter(|(literal, _)| same(literal, text)).map(|(_, node)| node);
        literals.chain(self.variable.as_deref()).find_map(|node| node.descend(segment, depth + 1, same))
    }
}

/// How the most lenient server would read a segment: without path parameters, surrounding blanks and trailing dots, in
/// lower case (also for the two letters outside ASCII whose other case is inside: U+212A and U+017F).
fn fold(segment: &str) -> Cow<'_, str> {
    let plain = segment.split(';').next().unwrap_or_default();
    let trimmed = plain.trim().trim_end_matches(['.', ' ']);
    if trimmed.is_ascii() {
        return Cow::Borrowed(trimmed);
    }
    let lower = trimmed.chars().flat_map(char::to_lowercase);
    lower.map(|c| if c == '\u{17f}' { 's' } else { c }).collect()
}
