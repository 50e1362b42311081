//! JSON (RFC 8259) as a stream: chunks in, the selected leaves to a [`Handler`](super::Handler), the same bytes with its edits out.

mod guide;
#[cfg(test)]
mod guide_tests;
mod lexer;
mod lines;
#[cfg(test)]
mod lines_tests;
mod lookahead;
mod number;
mod scan;
mod slice;
pub mod spans;
mod splicer;
#[cfg(test)]
mod tests;
mod text;
#[cfg(test)]
mod texts;
mod token;
mod turn;

pub use lexer::Splicer;
pub use lines::Lines;
pub use slice::{SliceError, elements, members, string};
pub use text::quote;
