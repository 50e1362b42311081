//! Finding the end of a string, 64 bytes at a time.

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
}

/// Bytes classified together.
const BLOCK: usize = 64;

/// The classes of the 64 bytes around the place being read. Several strings end in one block, so most ends are found by a
/// shift and a count, without a loop whose length nobody can predict.
#[derive(Debug)]
pub(super) struct Blocks {
    start: usize,
    /// Bit `n`: byte `n` of the block is a quote, a backslash or a control character.
    special: u64,
}

impl Blocks {
    /// Nothing is classified yet. One of these belongs to one buffer.
    pub(super) fn new() -> Self {
        // No index into a slice is near that, nor 64 below it.
        Self { start: usize::MAX / 2 + BLOCK, special: 0 }
    }

    /// Searches `bytes` from `at`, which is inside a string and not inside an escape.
    #[inline]
    pub(super) fn string(&mut self, bytes: &[u8], mut at: usize) -> Scan {
        let mut escaped = false;
        let stop = loop {
            let offset = at.wrapping_sub(self.start);
            if offset >= BLOCK {
                if at >= bytes.len() {
                    break Stop::More(bytes.len());
                }
                self.classify(bytes, at);
                continue;
            }
            let rest = self.special >> offset;
            if rest == 0 {
                at = self.start + BLOCK;
                continue;
            }
            at += rest.trailing_zeros() as usize;
            match bytes.get(at) {
                Some(b'"') => break Stop::Close(at),
                Some(b'\\') => match escape(bytes, at) {
                    Ok(next) => (escaped, at) = (true, next),
                    Err(stop) => {
                        escaped = true;
                        break stop;
                    }
                },
                _ => break Stop::Bad(at),
            }
        };
        Scan { stop, escaped }
    }

    fn classify(&mut self, bytes: &[u8], at: usize) {
        let rest = bytes.get(at..).unwrap_or_default();
        let mut padded = [b' '; BLOCK];
        let block = rest.first_chunk::<BLOCK>().unwrap_or_else(|| {
            padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            &padded
        });
        (self.start, self.special) = (at, specials(block));
    }
}

/// Bit `n`: byte `n` is a quote, a backslash or a control character. Written so that the compiler uses vectors.
#[inline]
fn specials(block: &[u8; BLOCK]) -> u64 {
    let mut flags = [0_u8; BLOCK];
    for (flag, byte) in flags.iter_mut().zip(block) {
        *flag = u8::from(*byte == b'"') | u8::from(*byte == b'\\') | u8::from(*byte < 0x20);
    }
    let (words, _) = flags.as_chunks::<8>();
    // The product gathers the lowest bit of each byte in the top byte: bit `n` from byte `n`.
    let gather = |word: &[u8; 8]| u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    words.iter().enumerate().fold(0, |mask, (index, word)| mask | gather(word) << (8 * index))
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

/// The first byte from `at` on that a string may not hold as it is.
#[inline]
pub(super) fn special(bytes: &[u8], mut at: usize) -> Option<usize> {
    let rest = bytes.get(at..).unwrap_or_default();
    let (words, _) = rest.as_chunks::<8>();
    for word in words {
        if let Some(found) = special_of(*word) {
            return Some(at + found);
        }
        at += 8;
    }
    match rest.last_chunk::<8>() {
        // What of it was looked at before holds none.
        Some(word) => special_of(*word).map(|found| bytes.len() - 8 + found),
        None => rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).map(|found| at + found),
    }
}

#[inline]
fn special_of(word: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // The high bit of each byte that is zero; exact up to the lowest, a borrow may mark others above it.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let word = u64::from_le_bytes(word);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let found = (zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | control) & (ONES << 7);
    (found != 0).then_some(found.trailing_zeros() as usize / 8)
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
                let scan = Blocks::new().string(&text, 0);
                let expected = match byte {
                    b'"' => Stop::Close(place),
                    b'\\' | 0..=0x1f => Stop::Bad(place),
                    _ => Stop::Close(59),
                };
                assert_eq!(scan.stop, expected, "byte {byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn what_has_to_be_escaped_is_found_at_every_place() {
        for byte in 0..=255_u8 {
            for place in 0..20 {
                let mut text = vec![0xc3; 20];
                text[place] = byte;
                let expected = matches!(byte, b'"' | b'\\' | 0..=0x1f).then_some(place);
                assert_eq!(special(&text, 0), expected, "byte {byte:#x} at {place}");
                assert_eq!(special(&text, place + 1), None);
            }
        }
    }

    #[test]
    fn one_classification_serves_all_strings_of_a_buffer() {
        let text = "ab\"cd\"é\"".repeat(40);
        let (mut blocks, mut at) = (Blocks::new(), 0);
        for _ in 0..120 {
            let Stop::Close(end) = blocks.string(text.as_bytes(), at).stop else { panic!("no end from {at}") };
            assert_eq!(Some(end), text[at..].find('"').map(|found| at + found));
            at = end + 1;
        }
        assert_eq!(blocks.string(text.as_bytes(), at).stop, Stop::More(text.len()));
    }

    #[test]
    fn an_escape_cut_short_is_left_whole() {
        for text in ["\\", "\\u", "\\u0", "\\u00e"] {
            assert_eq!(Blocks::new().string(format!("ab{text}").as_bytes(), 0).stop, Stop::More(2), "{text}");
            assert_eq!(
                Blocks::new().string(format!("{}{text}", "a".repeat(31)).as_bytes(), 0).stop,
                Stop::More(31),
                "{text}"
            );
        }
        assert_eq!(Blocks::new().string(b"\\u00g", 0).stop, Stop::Bad(0));
        assert_eq!(Blocks::new().string(b"\\ud800\\\"\"", 0).stop, Stop::Close(8));
    }
}
