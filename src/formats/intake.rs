//! Chunks of bytes in, text out: each chunk is checked to be UTF-8 once, a character cut by its end waits for the next.

use zeroize::Zeroizing;

/// The check, and the bytes of a character that is not complete.
#[derive(Debug, Default)]
pub(super) struct Intake {
    cut: Zeroizing<[u8; 4]>,
    length: usize,
}

impl Intake {
    /// The text of `chunk`. A character that it completes is appended to `carry`, which comes before the text.
    ///
    /// # Errors
    /// Which byte, counted from the end of what `carry` was, is not UTF-8.
    pub(super) fn take<'a>(&mut self, chunk: &'a [u8], carry: &mut String) -> Result<&'a str, usize> {
        let (mut chunk, mut done) = (chunk, 0);
        while self.length > 0 {
            let Some((byte, rest)) = chunk.split_first() else { return Ok("") };
            chunk = rest;
            self.hold(&[*byte]);
            let held = self.cut.get(..self.length).unwrap_or_default();
            match str::from_utf8(held) {
                Ok(character) => {
                    carry.push_str(character);
                    (done, self.length) = (character.len(), 0);
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(0),
            }
        }
        let (whole, cut) = chunk.split_at_checked(chunk.len() - cut_bytes(chunk)).unwrap_or((chunk, &[]));
        let text = simdutf8::basic::from_utf8(whole).map_err(|_| done + valid_up_to(whole))?;
        self.hold(cut);
        Ok(text)
    }

    /// Whether a character is not complete.
    pub(super) fn is_cut(&self) -> bool {
        self.length > 0
    }

    fn hold(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(slot) = self.cut.get_mut(self.length) {
                *slot = *byte;
                self.length += 1;
            }
        }
    }
}

#[cold]
fn valid_up_to(bytes: &[u8]) -> usize {
    str::from_utf8(bytes).err().map_or(0, |error| error.valid_up_to())
}

/// How many of the last bytes start a character that is longer than they are (RFC 3629 §4).
fn cut_bytes(bytes: &[u8]) -> usize {
    let needed = |lead: u8| match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let lead = bytes.iter().rev().take(3).position(|byte| *byte & 0xc0 != 0x80).map(|back| back + 1);
    match lead.zip(lead.and_then(|back| bytes.get(bytes.len() - back))) {
        Some((back, byte)) if needed(*byte) > back => back,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> Result<String, usize> {
        let (mut intake, mut text) = (Intake::default(), String::new());
        for chunk in chunks {
            let before = text.len();
            let rest = intake.take(chunk, &mut text).map_err(|at| before + at)?;
            text.push_str(rest);
        }
        if intake.is_cut() { Err(text.len()) } else { Ok(text) }
    }

    #[test]
    fn characters_survive_any_cut() {
        let text = "aé€😀\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}z";
        for one in 0..=text.len() {
            for two in one..=text.len() {
                let bytes = text.as_bytes();
                assert_eq!(read(&[&bytes[..one], &bytes[one..two], &bytes[two..]]).as_deref(), Ok(text), "{one} {two}");
            }
        }
        assert_eq!(read(&text.as_bytes().chunks(1).collect::<Vec<_>>()).as_deref(), Ok(text));
    }

    #[test]
    fn what_is_not_utf8_is_refused_at_any_cut() {
        for bad in [
            &b"ab\xff"[..],
            b"ab\xc0\xaf",
            b"ab\xc1\xbf",
            b"ab\xed\xa0\x80",
            b"ab\xf4\x90\x80\x80",
            b"ab\xf5\x80\x80\x80",
            b"ab\xe0\x80\x80",
            b"ab\x80",
            b"ab\xe6\x97",
            b"ab\xe6\x97\"",
            b"ab\xc3\xc3\xa9",
            b"ab\xf0\x9f\x98",
        ] {
            for split in 0..=bad.len() {
                let (left, right) = bad.split_at(split);
                assert_eq!(read(&[left, right]), Err(2), "{bad:x?} at {split}");
            }
        }
    }
}
