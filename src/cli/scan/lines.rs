//! Bytes in, lines out, in bounded memory: a long line comes in pieces that overlap, so that no finding is cut.

use std::io::{self, Read};

/// Splits what `R` gives.
pub(super) struct Lines<R> {
    input: R,
    /// Read and not handed out yet, and the end of a long line's piece before.
    buffer: Vec<u8>,
    text: String,
    /// Where the next piece starts in `buffer`, and what of it was owned by the piece before.
    consumed: usize,
    context: usize,
    searched: usize,
    ended: bool,
    line: u64,
    line_offset: u64,
    start: u64,
    column: u64,
    piece_bytes: usize,
}

/// A line, or a piece of a long one.
#[derive(Debug)]
pub(super) struct Piece<'t> {
    text: &'t str,
    /// Findings that start in `from..to` are this piece's; those before and behind are its neighbours'.
    from: usize,
    to: usize,
    /// From 1.
    pub(super) line: u64,
    /// Where the line starts in the whole text, and the piece in the line; in bytes.
    pub(super) line_offset: u64,
    pub(super) start: u64,
    /// The column of the piece, from 1.
    pub(super) column: u64,
}

impl Piece<'_> {
    pub(super) fn text(&self) -> &str {
        self.text
    }

    /// Whether a finding that starts at `start` is this piece's.
    pub(super) fn owns(&self, start: usize) -> bool {
        (self.from..self.to).contains(&start)
    }

    /// The part whose findings are this piece's.
    pub(super) fn owned(&self) -> (usize, usize) {
        (self.from, self.to)
    }
}

/// Why there are no more lines.
#[derive(Debug)]
pub(super) enum Unreadable {
    Io(io::Error),
    /// A NUL byte: no text has one.
    Binary {
        line: u64,
    },
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self::with_pieces(input, PIECE_BYTES)
    }

    /// Pieces of up to `piece_bytes`, and the overlap on both sides.
    pub(super) fn with_pieces(input: R, piece_bytes: usize) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            text: String::new(),
            consumed: 0,
            context: 0,
            searched: 0,
            ended: false,
            line: 1,
            line_offset: 0,
            start: 0,
            column: 1,
            piece_bytes,
        }
    }

    /// The next piece.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'_>>, Unreadable> {
        let (to, newline) = loop {
            let pending = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(found) = memchr::memchr(b'\n', pending) {
                break (self.searched + found, true);
            }
            self.searched = self.buffer.len();
            if self.buffer.len() - self.consumed >= self.piece_bytes + 2 * OVERLAP_BYTES {
                break (self.consumed + self.context + self.piece_bytes, false);
            }
            if self.ended {
                if self.buffer.len() == self.consumed + self.context {
                    return Ok(None);
                }
                break (self.buffer.len(), true);
            }
            self.fill()?;
        };
        let long = newline && to - self.consumed >= self.piece_bytes + 2 * OVERLAP_BYTES;
        let (to, newline) = if long { (self.consumed + self.context + self.piece_bytes, false) } else { (to, newline) };
        let to = if newline { to } else { boundary(&self.buffer, to) };
        let behind = if newline { to } else { boundary(&self.buffer, to + OVERLAP_BYTES) };
        let bytes = self.buffer.get(self.consumed..behind).unwrap_or_default();
        if bytes.contains(&0) {
            return Err(Unreadable::Binary { line: self.line });
        }
        read_as_text(bytes, &mut self.text);
        let owned_to = to - self.consumed;
        let mut piece = Piece {
            text: "",
            from: self.context,
            to: if newline { usize::MAX } else { owned_to },
            line: self.line,
            line_offset: self.line_offset,
            start: self.start,
            column: self.column,
        };
        if newline {
            let terminated = usize::from(self.buffer.get(to) == Some(&b'\n'));
            self.line_offset += self.start + (to - self.consumed + terminated) as u64;
            (self.line, self.start, self.column, self.context) = (self.line + 1, 0, 1, 0);
            self.consumed = to + terminated;
            self.searched = self.consumed;
        } else {
            let next = boundary(&self.buffer, to - OVERLAP_BYTES.min(owned_to));
            let passed = self.text.get(..next - self.consumed).unwrap_or_default();
            self.column += passed.chars().count() as u64;
            self.start += (next - self.consumed) as u64;
            self.context = to - next;
            self.consumed = next;
            self.searched = to;
        }
        piece.text = self.text.strip_suffix('\r').filter(|_| newline).unwrap_or(&self.text);
        piece.to = piece.to.min(piece.text.len());
        Ok(Some(piece))
    }

    fn fill(&mut self) -> Result<(), Unreadable> {
        self.buffer.drain(..self.consumed);
        self.searched -= self.consumed;
        self.consumed = 0;
        let length = self.buffer.len();
        self.buffer.resize(length + READ_BYTES, 0);
        let read = loop {
            match self.input.read(self.buffer.get_mut(length..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let read = read.map_err(Unreadable::Io)?;
        self.buffer.truncate(length + read);
        self.ended = read == 0;
        Ok(())
    }
}

/// The first start of a character at or before `position`.
fn boundary(bytes: &[u8], position: usize) -> usize {
    let position = position.min(bytes.len());
    (position.saturating_sub(3)..=position)
        .rev()
        .find(|at| bytes.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80))
        .unwrap_or(position)
}

/// Bytes that are no UTF-8 read as `?`, one each: places stay what they are.
fn read_as_text(bytes: &[u8], text: &mut String) {
    text.clear();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
}

const READ_BYTES: usize = 64 * 1024;
/// A line that is longer than this and twice the overlap comes in pieces.
const PIECE_BYTES: usize = 1024 * 1024;
/// Longer than any finding but a private key, and than the words around it that count.
const OVERLAP_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::Trickle, *};

    /// What every piece owns, with its place.
    fn pieces(bytes: &[u8], piece_bytes: usize, step: usize) -> Vec<(u64, u64, u64, String)> {
        let mut lines = Lines::with_pieces(Trickle(bytes, step), piece_bytes);
        let mut pieces = Vec::new();
        while let Some(piece) = lines.next().unwrap() {
            let column = piece.column + piece.text()[..piece.from].chars().count() as u64;
            let owned = piece.text()[piece.from..piece.to].to_owned();
            pieces.push((piece.line, piece.line_offset + piece.start + piece.from as u64, column, owned));
        }
        pieces
    }

    #[test]
    fn short_lines_come_whole() {
        let expected = [
            (1, 0, 1, "one".to_owned()),
            (2, 4, 1, "zwei é".to_owned()),
            (3, 13, 1, String::new()),
            (4, 14, 1, "x".to_owned()),
        ];
        assert_eq!(pieces("one\nzwei é\r\n\nx".as_bytes(), 1024, 3)[..2], expected[..2]);
        assert_eq!(pieces(b"", 1024, 3), []);
        assert_eq!(pieces(b"x\n", 1024, 1), [(1, 0, 1, "x".to_owned())]);
    }

    #[test]
    fn a_nul_byte_is_no_text() {
        let mut lines = Lines::new(&b"one\ntwo\0\n"[..]);
        assert!(lines.next().unwrap().is_some());
        assert!(matches!(lines.next(), Err(Unreadable::Binary { line: 2 })));
    }

    #[test]
    fn bytes_that_are_no_text_keep_their_places() {
        assert_eq!(pieces(b"a\xFF\xC3b", 1024, 9), [(1, 0, 1, "a??b".to_owned())]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn pieces_of_a_long_line_are_that_line(
            size in 1..40_000_usize, piece in 1..9000_usize, step in 1..70_000_usize, seed in 0..7_usize,
        ) {
            let signs = ['a', 'é', '€', '9', ' ', '😀', 'x'];
            let line: String = (0..size / 2).map(|at| signs[(at * 31 + seed) % 7]).collect();
            let text = format!("first\n{line}\nlast");
            let mut joined = String::new();
            for (number, offset, column, owned) in pieces(text.as_bytes(), piece, step) {
                if number == 2 {
                    prop_assert_eq!(offset as usize, 6 + joined.len());
                    prop_assert_eq!(column as usize, 1 + joined.chars().count());
                    joined.push_str(&owned);
                }
            }
            prop_assert_eq!(joined, line);
        }
    }
}
