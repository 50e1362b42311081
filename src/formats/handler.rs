//! Who decides about the leaves of a document, and what a reader tells it.

use super::{FormatError, out::Out, path::Node};
use crate::model::Leaf;

/// What became of a leaf or a member name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Its bytes go out as they came in.
    Keep,
    /// The handler wrote another token.
    Replaced,
}

/// A side of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before its first byte.
    Start,
    /// After its last byte.
    End,
}

/// The shape of a document, for who asks for it; positions are bytes of the input.
#[derive(Debug, Clone, Copy)]
pub enum Trace<'a> {
    /// An object opens.
    Object,
    /// An array opens.
    Array,
    /// The next value is the member `name`, whose quote is at `start`.
    Name {
        /// Unescaped.
        name: &'a str,
        /// Byte of its quote.
        start: u64,
    },
    /// The innermost object or array closes.
    Close,
    /// The next value is this element.
    Element(u64),
    /// A value ends before this byte.
    End(u64),
}

/// Where text stands that no selector can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prose {
    /// It is what somebody wrote.
    Text,
    /// It is for machines: the name or the id of an event.
    Label,
}

/// Decides about leaves.
pub trait Handler {
    /// Ends the document.
    type Error: From<FormatError>;

    /// Whether [`Handler::trace`] is called.
    const TRACES: bool = false;

    /// A selected leaf, about to be written at byte `at` of the whole output. Whoever answers [`Edit::Replaced`] has
    /// written what stands there instead to `out`, which spells it as the format wants it.
    ///
    /// # Errors
    /// Whatever ends the document.
    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, at: u64, out: &mut Out<'_>) -> Result<Edit, Self::Error>;

    /// Text that no selector can reach: free text that is not in a document, or what names an event. Appended to `out` as
    /// it is, when it is replaced.
    ///
    /// # Errors
    /// Whatever ends the document.
    fn prose(&mut self, _kind: Prose, _text: &str, _at: u64, _out: &mut Out<'_>) -> Result<Edit, Self::Error> {
        Ok(Edit::Keep)
    }

    /// A member name, where every one is asked for or a closed object does not know it.
    ///
    /// # Errors
    /// Whatever ends the document.
    fn name(&mut self, _name: &str, _at: u64, _out: &mut Out<'_>) -> Result<Edit, Self::Error> {
        Ok(Edit::Keep)
    }

    /// A record (an object or array of its own, a line, a row, an event) starts or ends at byte `at` of the whole output.
    fn record(&mut self, _side: Side, _at: u64) {}

    /// The shape, when [`Handler::TRACES`].
    fn trace(&mut self, _event: Trace<'_>) {}
}
