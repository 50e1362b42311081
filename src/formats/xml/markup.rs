//! Where markup ends: texts, comments, instructions.

use memchr::memmem;

use super::{
    elements::Step,
    tag,
    text::{CDATA, COMMENT},
};
use crate::formats::Fault;

/// Where a text ends.
pub(super) enum Found {
    /// At a tag.
    At(usize),
    /// The bytes end here; the search may go on from this place.
    More(usize),
}

/// Where the text that goes on at `at` meets a tag; comments, instructions and CDATA are part of it.
///
/// # Errors
/// Where a document type declaration, or something like it, stands.
pub(super) fn text_end(bytes: &[u8], mut at: usize) -> Result<Found, usize> {
    loop {
        let Some(found) = memchr::memchr(b'<', bytes.get(at..).unwrap_or_default()) else {
            return Ok(Found::More(bytes.len()));
        };
        at += found;
        let rest = bytes.get(at..).unwrap_or_default();
        let (opening, closing) = match rest.get(1) {
            None => return Ok(Found::More(at)),
            Some(b'?') => ("<?", "?>"),
            Some(b'!') if rest.starts_with(COMMENT.as_bytes()) => (COMMENT, "-->"),
            Some(b'!') if rest.starts_with(CDATA.as_bytes()) => (CDATA, "]]>"),
            Some(b'!') if COMMENT.as_bytes().starts_with(rest) || CDATA.as_bytes().starts_with(rest) => {
                return Ok(Found::More(at));
            }
            Some(b'!') => return Err(at),
            Some(_) => return Ok(Found::At(at)),
        };
        let inner = rest.get(opening.len()..).unwrap_or_default();
        match memmem::find(inner, closing.as_bytes()) {
            Some(end) => at += opening.len() + end + closing.len(),
            None => return Ok(Found::More(at)),
        }
    }
}

/// Goes past `until`; where it is missing, past all that cannot be the start of it.
pub(super) fn skip(input: &str, at: &mut usize, until: &str) -> Step {
    let bytes = input.as_bytes();
    match memmem::find(bytes.get(*at..).unwrap_or_default(), until.as_bytes()) {
        Some(found) => Step::To(*at + found + until.len()),
        None => {
            *at = input.floor_char_boundary(bytes.len().saturating_sub(until.len() - 1).max(*at));
            Step::Wait
        }
    }
}

/// A processing instruction; the XML declaration stands at the start only.
pub(super) fn instruction(text: &str) -> Result<(), Fault> {
    let (target, _) = tag::name(text.get(2..).unwrap_or_default().split("?>").next().unwrap_or_default())?;
    if target.eq_ignore_ascii_case("xml") { Err(Fault::Tag) } else { Ok(()) }
}
