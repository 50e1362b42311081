//! What the lexer knows between two bytes, and what it makes of a complete token.

use super::{
    guide::StepId,
    scan::{Blocks, Stop},
    text,
};
use crate::formats::{Fault, path::NodeId};

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Value,
    FirstElement,
    FirstName,
    Name,
    Colon,
    /// After a value: a comma, a closing bracket, or the end.
    Next,
    /// In a string that nobody asked for and that is longer than its chunk.
    Inside,
    /// After an error.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Document,
    Object,
    Array,
}

/// An open container.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) node: NodeId,
    pub(super) index: u64,
    pub(super) record: bool,
    /// The member read last; none yet, the one that the container is in.
    pub(super) step: StepId,
    /// The one that the container is in.
    pub(super) within: StepId,
}

/// Where the lexer is between two bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// The node of the value that comes next.
    pub(super) node: NodeId,
    pub(super) top: Frame,
}

/// A string token that somebody has to see whole.
pub(super) enum Token<'a> {
    /// What stands between its quotes.
    Whole { raw: &'a str, escaped: bool },
    /// It goes on in the next chunk; this many bytes hold no closing quote.
    Open(usize),
}

/// The string whose quote is just before `start`, `searched` bytes of which are known to hold no closing quote.
///
/// # Errors
/// What is wrong with it, and where.
#[inline]
pub(super) fn string<'a>(
    blocks: &mut Blocks,
    input: &'a str,
    start: usize,
    searched: usize,
    limit: usize,
) -> Result<Token<'a>, (usize, Fault)> {
    let scan = blocks.string(input.as_bytes(), start + searched);
    let end = match scan.stop {
        Stop::Close(end) | Stop::More(end) if end - start > limit => return Err((start, Fault::ValueTooLong)),
        Stop::Close(end) => end,
        Stop::More(end) => return Ok(Token::Open(end - start)),
        Stop::Bad(bad) => return Err((bad, Fault::String)),
    };
    let raw = input.get(start..end).unwrap_or_default();
    // A search that was resumed did not see what came before.
    Ok(Token::Whole { raw, escaped: scan.escaped || searched > 0 })
}

/// Byte of the whole output at which input byte `at` goes out.
pub(super) fn place(origin: u64, out: &[u8], at: usize, kept: usize) -> u64 {
    origin.wrapping_add((out.len() + at - kept) as u64)
}

/// The text between two quotes; borrowed unless there are escapes.
#[inline]
pub(super) fn decode<'a>(raw: &'a str, escaped: bool, text: &'a mut String) -> Result<&'a str, Fault> {
    if !escaped {
        return Ok(raw);
    }
    text.clear();
    text::unescape(raw, text).map_err(|_| Fault::LoneSurrogate)?;
    Ok(text)
}
