//! The values of one class or field of a body, for who compares them with one: nothing is rewritten.

use super::{Limits, RewriteError, base64, layout::Layout, view};
use crate::{
    formats::{Edit, Handler, Out, Stream, path::Node},
    model::{ClassId, Leaf, Sensitive},
};

/// What is looked for in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collected {
    /// Every field of this class.
    Class(ClassId),
    /// The field with this place in the map.
    Field(usize),
}

/// The values of `wanted` in the complete `body`, read as `layout` says; empty ones are none.
///
/// # Errors
/// When `body` is not one that may pass.
pub fn collect(
    layout: &Layout,
    limits: Limits,
    body: &[u8],
    wanted: Collected,
) -> Result<Vec<Sensitive<String>>, RewriteError> {
    let mut reader = layout.reader(limits);
    let mut collector = Collector { layout, wanted, found: Vec::new() };
    let mut out = zeroize::Zeroizing::new(Vec::with_capacity(body.len()));
    reader.push(body, &mut out, &mut collector)?;
    reader.finish(&mut out, &mut collector)?;
    Ok(collector.found)
}

struct Collector<'a> {
    layout: &'a Layout,
    wanted: Collected,
    found: Vec<Sensitive<String>>,
}

impl Handler for Collector<'_> {
    type Error = RewriteError;

    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, _at: u64, _out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        let (Leaf::Text(text) | Leaf::Number(text)) = leaf else { return Ok(Edit::Keep) };
        let is_wanted = match self.wanted {
            Collected::Class(class) => view::rules(self.layout, node).any(|rule| rule.class == class),
            Collected::Field(field) => node.fields().iter().any(|at| usize::from(*at) == field),
        };
        if is_wanted && !text.is_empty() {
            let encoded = view::rules(self.layout, node).any(|rule| rule.base64);
            let plain = if encoded { base64::decode(text) } else { None };
            self.found.push(plain.unwrap_or_else(|| Sensitive::new(text.to_owned())));
        }
        Ok(Edit::Keep)
    }
}
