//! Formats of bodies: chunks in, leaves to whoever decides about them, the same bytes with the edits spliced in out.
//! Knows what a map selects, never what a class or a view is.

pub mod csv;
mod fault;
mod feed;
pub mod form;
mod handler;
mod intake;
pub mod json;
pub mod multipart;
mod out;
pub mod path;
mod reader;
pub mod sse;
#[cfg(test)]
mod testing;
pub mod xml;

pub use fault::{Fault, FormatError};
pub use handler::{Edit, Handler, Prose, Side, Trace};
pub use out::{Out, Spelling};
pub use reader::{Reader, Stream};

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
