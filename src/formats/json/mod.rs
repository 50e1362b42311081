//! JSON (RFC 8259) as a stream: chunks in, the selected leaves to a [`Handler`], the same bytes with its edits out.

mod guide;
#[cfg(test)]
mod guide_tests;
mod intake;
mod lexer;
mod lookahead;
mod number;
mod scan;
mod slice;
#[cfg(test)]
mod tests;
mod text;
#[cfg(test)]
mod texts;
mod token;
mod turn;

pub use lexer::Splicer;
pub use slice::{SliceError, elements, members};
pub use text::quote;

use super::path::Node;
use crate::model::Leaf;

/// Bounds of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open objects and arrays.
    pub depth: usize,
    /// Bytes between the quotes of a protected string or a member name, or of a number.
    pub value_bytes: usize,
    /// Bytes of an object that has to be read to its end before it can be decided.
    pub record_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 128, value_bytes: 1024 * 1024, record_bytes: 4 * 1024 * 1024 }
    }
}

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

/// Decides about leaves.
pub trait Handler {
    /// Ends the document.
    type Error: From<JsonError>;

    /// Whether [`Handler::trace`] is called.
    const TRACES: bool = false;

    /// A selected leaf, about to be written at byte `at` of the whole output. Whoever answers [`Edit::Replaced`] has
    /// appended a JSON value to `out`.
    ///
    /// # Errors
    /// Whatever ends the document.
    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, at: u64, out: &mut Vec<u8>) -> Result<Edit, Self::Error>;

    /// A member name, where every one is asked for.
    ///
    /// # Errors
    /// Whatever ends the document.
    fn name(&mut self, _name: &str, _at: u64, _out: &mut Vec<u8>) -> Result<Edit, Self::Error> {
        Ok(Edit::Keep)
    }

    /// A record, an object or array of its own, starts or ends at byte `at` of the whole output.
    fn record(&mut self, _side: Side, _at: u64) {}

    /// The shape, when [`Handler::TRACES`].
    fn trace(&mut self, _event: Trace<'_>) {}
}

/// Where a document stopped being one that may pass.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[error("{fault} at byte {at}")]
pub struct JsonError {
    /// Byte of the input.
    pub at: u64,
    /// What is wrong.
    pub fault: JsonFault,
}

/// What is wrong with a document.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum JsonFault {
    /// Something else was expected here.
    #[error("unexpected byte")]
    Unexpected,
    /// RFC 8259 §8.1: no byte order mark.
    #[error("byte order mark")]
    ByteOrderMark,
    /// RFC 8259 §7: a control character, or an escape that JSON does not have.
    #[error("control character or unknown escape in a string")]
    String,
    /// Not UTF-8.
    #[error("invalid utf-8")]
    Utf8,
    /// A `\ud800`–`\udfff` without its other half in a protected string or a member name.
    #[error("lone surrogate in a protected string or a member name")]
    LoneSurrogate,
    /// Not a number.
    #[error("malformed number")]
    Number,
    /// More after the value.
    #[error("bytes after the end of the document")]
    Trailing,
    /// The end is missing.
    #[error("the document is cut short")]
    Truncated,
    /// Past [`Limits::depth`].
    #[error("nested too deeply")]
    TooDeep,
    /// Past [`Limits::value_bytes`].
    #[error("value or member name too long")]
    ValueTooLong,
    /// Past [`Limits::record_bytes`].
    #[error("filtered object too long")]
    ObjectTooLong,
    /// The document makes more of the selectors than can be followed.
    #[error("too many combinations of selectors")]
    TooComplex,
    /// A chunk after an error.
    #[error("the document failed before")]
    Failed,
}
