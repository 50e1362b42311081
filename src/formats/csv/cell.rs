//! Cells: where one ends, what it says, how one is written.

use crate::formats::Fault;

/// Where a cell ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The byte after the cell: a delimiter, a line feed, a carriage return.
    At(usize),
    /// The bytes end here; the search may go on from this place.
    More(usize),
}

/// Bytes classified together.
const BLOCK: usize = 64;

/// Finds what ends a cell, 64 bytes at a time: several cells end in one block.
#[derive(Debug)]
pub(super) struct Blocks {
    delimiter: u8,
    start: usize,
    /// Bit `n`: byte `n` of the block is the delimiter, a quote or part of a line end.
    special: u64,
}

impl Blocks {
    /// Nothing is classified yet. One of these belongs to one buffer.
    pub(super) fn new(delimiter: u8) -> Self {
        // No index into a slice is near that, nor 64 below it.
        Self { delimiter, start: usize::MAX / 2 + BLOCK, special: 0 }
    }

    /// The first delimiter, quote, line feed or carriage return from `at` on.
    #[inline]
    pub(super) fn next(&mut self, bytes: &[u8], mut at: usize) -> Option<usize> {
        loop {
            let offset = at.wrapping_sub(self.start);
            if offset >= BLOCK {
                if at >= bytes.len() {
                    return None;
                }
                self.classify(bytes, at);
                continue;
            }
            let rest = self.special >> offset;
            if rest == 0 {
                at = self.start + BLOCK;
                continue;
            }
            return Some(at + rest.trailing_zeros() as usize);
        }
    }

    fn classify(&mut self, bytes: &[u8], at: usize) {
        let rest = bytes.get(at..).unwrap_or_default();
        // Nothing special, whatever the delimiter is.
        let mut padded = [b'a'; BLOCK];
        let block = rest.first_chunk::<BLOCK>().unwrap_or_else(|| {
            padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            &padded
        });
        (self.start, self.special) = (at, specials(block, self.delimiter));
    }
}

/// Written so that the compiler uses vectors.
#[inline]
fn specials(block: &[u8; BLOCK], delimiter: u8) -> u64 {
    let mut flags = [0_u8; BLOCK];
    for (flag, byte) in flags.iter_mut().zip(block) {
        let end = u8::from(*byte == b'\n') | u8::from(*byte == b'\r');
        *flag = u8::from(*byte == delimiter) | u8::from(*byte == b'"') | end;
    }
    let (words, _) = flags.as_chunks::<8>();
    // The product gathers the lowest bit of each byte in the top byte: bit `n` from byte `n`.
    let gather = |word: &[u8; 8]| u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    words.iter().enumerate().fold(0, |mask, (index, word)| mask | gather(word) << (8 * index))
}

/// The end of the quoted cell whose opening quote is before `from`, which is not between two quotes that belong together.
///
/// # Errors
/// Where something stands between its closing quote and the delimiter.
pub(super) fn quoted_end(bytes: &[u8], mut from: usize, delimiter: u8, last: bool) -> Result<Stop, (usize, Fault)> {
    loop {
        let Some(found) = memchr::memchr(b'"', bytes.get(from..).unwrap_or_default()) else {
            return Ok(Stop::More(bytes.len()));
        };
        let quote = from + found;
        match bytes.get(quote + 1) {
            Some(b'"') => from = quote + 2,
            Some(b'\n' | b'\r') => return Ok(Stop::At(quote + 1)),
            Some(byte) if *byte == delimiter => return Ok(Stop::At(quote + 1)),
            Some(_) => return Err((quote + 1, Fault::StrayQuote)),
            None if last => return Ok(Stop::At(quote + 1)),
            None => return Ok(Stop::More(quote)),
        }
    }
}

/// The text between two quotes; borrowed unless there are doubled ones.
pub(super) fn unquoted<'a>(inner: &'a str, text: &'a mut String) -> &'a str {
    if memchr::memchr(b'"', inner.as_bytes()).is_none() {
        return inner;
    }
    text.clear();
    for (index, piece) in inner.split("\"\"").enumerate() {
        if index > 0 {
            text.push('"');
        }
        text.push_str(piece);
    }
    text
}

/// Appends `text` as a cell that reads back as it is.
pub fn cell(text: &str, delimiter: u8, quoted: bool, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    if !quoted && !bytes.iter().any(|byte| is_special(*byte, delimiter)) {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    for (index, piece) in text.split('"').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(piece.as_bytes());
    }
    out.push(b'"');
}

/// Appends `text` as a cell that no spreadsheet takes for a formula: one that would be starts with an apostrophe.
pub fn stand_in(text: &str, delimiter: u8, quoted: bool, out: &mut Vec<u8>) {
    if is_formula(text) {
        cell(&format!("'{text}"), delimiter, quoted, out);
    } else {
        cell(text, delimiter, quoted, out);
    }
}

/// Whether a cell of these bytes needs no quotes and starts no formula.
pub fn is_bare(bytes: &[u8], delimiter: u8) -> bool {
    !bytes.iter().any(|byte| is_special(*byte, delimiter)) && str::from_utf8(bytes).is_ok_and(|text| !is_formula(text))
}

fn is_special(byte: u8, delimiter: u8) -> bool {
    byte == delimiter || matches!(byte, b'"' | b'\n' | b'\r')
}

/// What OWASP ("CSV Injection") lists as the start of a formula. A signed number is none, nor is a telephone number or its
/// mask: nothing in it can be called or referred to.
fn is_formula(text: &str) -> bool {
    match text.chars().next() {
        Some('=' | '@' | '\t' | '\r' | '\n' | '＝' | '＠') => true,
        Some('+' | '-' | '＋' | '－') => !text.chars().skip(1).all(|c| c.is_ascii_digit() || " .,()/-•".contains(c)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, quoted: bool) -> String {
        let mut out = Vec::new();
        stand_in(text, b',', quoted, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_written_never_starts_a_formula() {
        for text in ["=1+1", "@SUM(A1)", "+HYPERLINK(1)", "-cmd|' /C'!A0", "\t=1", "\r=1", "＝1", "+49 a"] {
            let cell = written(text, false);
            assert!(cell.trim_start_matches('"').starts_with('\''), "{text:?} became {cell}");
            assert!(!is_bare(text.as_bytes(), b','), "{text:?}");
        }
        for text in ["+49 (0)30 •••-12", "-12.5", "a=1", "'x", ""] {
            assert_eq!(written(text, false), text);
        }
    }

    #[test]
    fn cells_are_quoted_when_they_have_to_be_and_when_they_were() {
        assert_eq!(written("a,b", false), "\"a,b\"");
        assert_eq!(written("a\nb\"c", false), "\"a\nb\"\"c\"");
        assert_eq!(written("a", true), "\"a\"");
        assert_eq!(written("", true), "\"\"");
        assert_eq!(unquoted("a\"\"b\"\"\"\"", &mut String::new()), "a\"b\"\"");
    }

    #[test]
    fn every_byte_is_judged_alike_at_every_place_of_a_block() {
        for byte in 0..=255_u8 {
            for place in 0..70 {
                let mut text = vec![b'b'; 130];
                text[place] = byte;
                text[129] = b'^';
                let expected = if is_special(byte, b'^') { place } else { 129 };
                assert_eq!(Blocks::new(b'^').next(&text, 0), Some(expected), "byte {byte:#x} at {place}");
            }
        }
    }
}
