//! Follows a chunked body (RFC 9112 §7.1) without changing it; anything unusual is a fault, not a guess.

use super::BodyFault;

/// Bytes of the extensions of one chunk.
pub(crate) const EXTENSION_BYTES: usize = 256;
/// Bytes of the extensions of one body: many small chunks with long extensions cost more than they carry.
pub(crate) const EXTENSIONS_BYTES: usize = 16 * 1024;
/// Hex digits of a chunk size; 15 keep it below 2^60.
const SIZE_DIGITS: u8 = 15;

/// Where in the body the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size { value: u64, digits: u8 },
    Extension { value: u64, length: usize },
    SizeEnd { value: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
}

/// A chunked body up to its last chunk; the trailer section is not part of it.
#[derive(Debug)]
pub(crate) struct Chunks {
    state: State,
    extensions: usize,
}

impl Chunks {
    pub(crate) fn new() -> Self {
        Self { state: SIZE, extensions: 0 }
    }

    /// Takes bytes of the body; returns how many are in order, and whether the last chunk (`0 CR LF`) ended there.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> (usize, Result<bool, BodyFault>) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if let State::Data { left } = self.state {
                let available = (bytes.len() - at) as u64;
                let taken = left.min(available);
                at += usize::try_from(taken).unwrap_or(0);
                self.state = if taken == left { State::DataCr } else { State::Data { left: left - taken } };
                continue;
            }
            let was_last = matches!((self.state, byte), (State::SizeEnd { value: 0 }, b'\n'));
            match self.next(byte) {
                Ok(state) => self.state = state,
                Err(fault) => return (at, Err(fault)),
            }
            at += 1;
            if was_last {
                return (at, Ok(true));
            }
        }
        (at, Ok(false))
    }

    /// The state after `byte`, which is not chunk data.
    fn next(&mut self, byte: u8) -> Result<State, BodyFault> {
        Ok(match (self.state, byte) {
            (State::Size { value, digits }, byte) if byte.is_ascii_hexdigit() && digits < SIZE_DIGITS => {
                State::Size { value: value << 4 | u64::from(hex(byte)), digits: digits + 1 }
            }
            (State::Size { value, digits: 1.. }, b'\r') => State::SizeEnd { value },
            (State::Size { value, digits: 1.. }, b';') => State::Extension { value, length: 1 },
            (State::Extension { value, .. }, b'\r') => State::SizeEnd { value },
            (State::Extension { value, length }, byte) => {
                self.extensions += 1;
                let is_control = (byte < b' ' && byte != b'\t') || byte == 0x7f;
                if is_control || length == EXTENSION_BYTES || self.extensions > EXTENSIONS_BYTES {
                    return Err(BodyFault::ChunkExtension);
                }
                State::Extension { value, length: length + 1 }
            }
            (State::SizeEnd { value: 0 }, b'\n') => SIZE,
            (State::SizeEnd { value }, b'\n') => State::Data { left: value },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => SIZE,
            (State::DataCr | State::DataLf | State::Data { .. }, _) => return Err(BodyFault::ChunkEnd),
            (State::Size { .. } | State::SizeEnd { .. }, _) => return Err(BodyFault::ChunkSize),
        })
    }
}

const SIZE: State = State::Size { value: 0, digits: 0 };

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(body: &[u8]) -> Result<(usize, bool), BodyFault> {
        let (taken, last) = Chunks::new().advance(body);
        last.map(|last| (taken, last))
    }

    /// The same body one byte at a time.
    fn byte_wise(body: &[u8]) -> Result<(usize, bool), BodyFault> {
        let mut chunks = Chunks::new();
        for (index, byte) in body.iter().enumerate() {
            if chunks.advance(std::slice::from_ref(byte)).1? {
                return Ok((index + 1, true));
            }
        }
        Ok((body.len(), false))
    }

    #[test]
    fn bodies_end_where_they_end_at_every_split() {
        for (body, end) in [
            (&b"0\r\n\r\n"[..], Some(3)),
            (b"5\r\nhello\r\n0\r\n\r\n", Some(13)),
            (b"00A\r\n0123456789\r\n000\r\nX: y\r\n\r\n", Some(22)),
            (b"2;a=\"b;c\"\r\nhi\r\n0;last\r\n\r\n", Some(23)),
            (b"5\r\nhel", None),
            (b"5\r", None),
        ] {
            let expected = Ok((end.unwrap_or(body.len()), end.is_some()));
            assert_eq!(whole(body), expected, "{}", body.escape_ascii());
            assert_eq!(byte_wise(body), expected, "{}", body.escape_ascii());
        }
    }

    #[test]
    fn garbage_is_a_fault_at_every_split() {
        for (body, fault) in [
            (&b"\r\n"[..], BodyFault::ChunkSize),
            (b"x\r\n", BodyFault::ChunkSize),
            (b"-1\r\n", BodyFault::ChunkSize),
            (b"0x5\r\n", BodyFault::ChunkSize),
            (b" 5\r\n", BodyFault::ChunkSize),
            (b"5 \r\n", BodyFault::ChunkSize),
            (b"5 ;a\r\n", BodyFault::ChunkSize),
            (b"5\nhello", BodyFault::ChunkSize),
            (b"5\rhello", BodyFault::ChunkSize),
            (b";a\r\n", BodyFault::ChunkSize),
            (b"5;a\nhello", BodyFault::ChunkExtension),
            (b"5;a\0b\r\n", BodyFault::ChunkExtension),
            (b"5\r\nhelloX", BodyFault::ChunkEnd),
            (b"5\r\nhello\n0", BodyFault::ChunkEnd),
            (b"5\r\nhello\rX", BodyFault::ChunkEnd),
        ] {
            assert_eq!(whole(body), Err(fault), "{}", body.escape_ascii());
            assert_eq!(byte_wise(body), Err(fault), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn fifteen_digits_pass_and_one_more_does_not() {
        assert!(whole(b"fffffffffffffff\r\n").is_ok());
        assert_eq!(whole(b"ffffffffffffffff\r\n"), Err(BodyFault::ChunkSize));
        assert!(whole(b"000000000000001\r\n").is_ok());
        assert_eq!(whole(b"0000000000000001\r\n"), Err(BodyFault::ChunkSize));
    }

    #[test]
    fn an_extension_passes_at_its_limit_and_not_one_past_it() {
        let with = |length: usize| format!("1;{}\r\n", "e".repeat(length - 1));
        assert!(whole(with(EXTENSION_BYTES).as_bytes()).is_ok());
        assert_eq!(whole(with(EXTENSION_BYTES + 1).as_bytes()), Err(BodyFault::ChunkExtension));
    }

    #[test]
    fn the_extensions_of_a_body_have_a_limit_together() {
        let chunk = format!("1;{}\r\nx\r\n", "e".repeat(128));
        let at = EXTENSIONS_BYTES / 128;
        assert!(whole(chunk.repeat(at).as_bytes()).is_ok());
        assert_eq!(whole(chunk.repeat(at + 1).as_bytes()), Err(BodyFault::ChunkExtension));
    }
}
