//! Finding the end of a string, sixteen bytes at a time.

/// Where a search inside a string stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// At the closing quote.
    Close(usize),
    /// The bytes end here; an escape that is not complete is left for the next search.
    More(usize),
    /// A control character or an escape that JSON does not have.
    Bad(usize),
}

/// What a search inside a string saw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan {
    pub(super) stop: Stop,
    /// There are escapes.
    pub(super) escaped: bool,
    /// There are bytes past ASCII, so the text has to be checked.
    pub(super) high: bool,
}

/// Bytes looked at together: two machine words, portable and without `unsafe`. Most names and values end in the first.
const BLOCK: usize = 2 * WORD;
const WORD: usize = 8;

/// Searches `bytes` from `at`, which is inside a string and not inside an escape.
#[inline]
pub(super) fn string(bytes: &[u8], mut at: usize) -> Scan {
    let (mut escaped, mut high) = (false, 0);
    loop {
        let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) else {
            return tail(bytes, at, escaped, high != 0);
        };
        let (words, _) = block.as_chunks::<WORD>();
        let [first, second] = words else { return tail(bytes, at, escaped, high != 0) };
        let ((special, past_ascii), (special_too, past_ascii_too)) = (masks(first), masks(second));
        if special | special_too == 0 {
            high |= past_ascii | past_ascii_too;
            at += BLOCK;
            continue;
        }
        // Lengths differ from string to string: no branch on which word it is.
        let in_first = special != 0;
        let bit = if in_first { special } else { special_too }.trailing_zeros();
        let before = (1 << bit) - 1;
        high |= if in_first { past_ascii & before } else { past_ascii | (past_ascii_too & before) };
        at += bit as usize / 8 + if in_first { 0 } else { WORD };
        match bytes.get(at) {
            Some(b'"') => return Scan { stop: Stop::Close(at), escaped, high: high != 0 },
            Some(b'\\') => match escape(bytes, at) {
                Ok(next) => (escaped, at) = (true, next),
                Err(stop) => return Scan { stop, escaped: true, high: high != 0 },
            },
            _ => return Scan { stop: Stop::Bad(at), escaped, high: high != 0 },
        }
    }
}

/// The last bytes of a buffer, one by one.
fn tail(bytes: &[u8], mut at: usize, mut escaped: bool, mut high: bool) -> Scan {
    let stop = loop {
        match bytes.get(at) {
            None => break Stop::More(bytes.len()),
            Some(b'"') => break Stop::Close(at),
            Some(b'\\') => match escape(bytes, at) {
                Ok(next) => (escaped, at) = (true, next),
                Err(stop) => {
                    escaped = true;
                    break stop;
                }
            },
            Some(0..=0x1f) => break Stop::Bad(at),
            Some(byte) => {
                high |= *byte >= 0x80;
                at += 1;
            }
        }
    };
    Scan { stop, escaped, high }
}

/// One past the escape at `at`.
fn escape(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    match bytes.get(at + 1) {
        None => Err(Stop::More(at)),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let digits = bytes.get(at + 2..).unwrap_or_default();
            let digits = digits.get(..4).unwrap_or(digits);
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return Err(Stop::Bad(at));
            }
            if digits.len() == 4 { Ok(at + 6) } else { Err(Stop::More(at)) }
        }
        Some(_) => Err(Stop::Bad(at)),
    }
}

/// The high bit of each byte in the first word: it is a quote, a backslash or a control character (exact up to the lowest
/// such byte; a borrow may mark others above it); in the second: it is past ASCII.
#[inline]
fn masks(block: &[u8; WORD]) -> (u64, u64) {
    const ONES: u64 = u64::from_le_bytes([1; WORD]);
    const HIGH: u64 = ONES << 7;
    let word = u64::from_le_bytes(*block);
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let special = zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | (word.wrapping_sub(ONES * 0x20) & !word);
    (special & HIGH, word & HIGH)
}

/// The first byte from `at` on that a string may not hold as it is.
pub(super) fn special(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<WORD>) {
        let (special, _) = masks(word);
        if special != 0 {
            return Some(at + special.trailing_zeros() as usize / 8);
        }
        at += WORD;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).map(|found| at + found)
}

/// The first byte from `at` on that is not white space.
#[inline]
pub(super) fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_judged_alike_at_every_place_of_a_block() {
        for byte in 0..=255_u8 {
            for place in 0..40 {
                let mut text = vec![b'a'; 60];
                text[place] = byte;
                text[59] = b'"';
                let scan = string(&text, 0);
                let expected = match byte {
                    b'"' => Stop::Close(place),
                    b'\\' | 0..=0x1f => Stop::Bad(place),
                    _ => Stop::Close(59),
                };
                assert_eq!(scan.stop, expected, "byte {byte:#x} at {place}");
                assert_eq!(scan.high, byte >= 0x80);
            }
        }
    }

    #[test]
    fn an_escape_cut_short_is_left_whole() {
        for text in ["\\", "\\u", "\\u0", "\\u00e"] {
            assert_eq!(string(format!("ab{text}").as_bytes(), 0).stop, Stop::More(2), "{text}");
            assert_eq!(string(format!("{}{text}", "a".repeat(31)).as_bytes(), 0).stop, Stop::More(31), "{text}");
        }
        assert_eq!(string(b"\\u00g", 0).stop, Stop::Bad(0));
        assert_eq!(string(b"\\ud800\\\"\"", 0).stop, Stop::Close(8));
    }
}
