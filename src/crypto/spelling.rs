//! Bytes of an envelope ⇄ its letters. Both spellings are strict: one text per envelope, no padding, no spare bits.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::model::Column;

/// How an envelope is written down (field-protection.md §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Spelling {
    /// `fg1_` and base64url: `opaque`.
    #[default]
    Base64,
    /// `fg1_` and lower-case base32, for columns whose CRM changes case: `opaque32`. Read in either case, but in one.
    Base32,
}

/// A letter outside of the alphabet, or a last letter with spare bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotStrict;

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl Spelling {
    /// The spelling that survives in `column`.
    #[must_use]
    pub fn of(column: Column) -> Self {
        if column.folds_case { Self::Base32 } else { Self::Base64 }
    }

    /// Letters for `bytes` bytes.
    pub(super) fn letters(self, bytes: usize) -> usize {
        match self {
            Self::Base64 => (bytes * 4).div_ceil(3),
            Self::Base32 => (bytes * 8).div_ceil(5),
        }
    }

    /// Letters of the largest whole group within `letters`.
    pub(super) fn whole_groups(self, letters: usize) -> usize {
        match self {
            Self::Base64 => letters - letters % 4,
            Self::Base32 => letters - letters % 8,
        }
    }

    /// Letters that depend on the first 21 bytes of an envelope only: what a search by prefix may use.
    pub(super) fn prefix_letters(self) -> usize {
        match self {
            Self::Base64 => 28,
            Self::Base32 => 33,
        }
    }

    /// Whether `byte` can stand in a text of this spelling.
    pub(super) fn is_letter(self, byte: u8) -> bool {
        match self {
            Self::Base64 => byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_',
            Self::Base32 => byte.is_ascii_alphabetic() || (b'2'..=b'7').contains(&byte),
        }
    }

    /// Whether the last group can end here and has no spare bits: all that can be wrong with letters of the alphabet.
    pub(super) fn ends_well(self, letters: &[u8]) -> bool {
        letters.get(self.whole_groups(letters.len())..).is_some_and(|last| self.decode(last).is_ok())
    }

    pub(super) fn encode(self, bytes: &[u8], out: &mut String) {
        match self {
            Self::Base64 => BASE64_URL_SAFE_NO_PAD.encode_string(bytes, out),
            Self::Base32 => base32(bytes, out),
        }
    }

    pub(super) fn decode(self, letters: &[u8]) -> Result<Vec<u8>, NotStrict> {
        match self {
            Self::Base64 => BASE64_URL_SAFE_NO_PAD.decode(letters).map_err(|_| NotStrict),
            Self::Base32 => from_base32(letters),
        }
    }
}

/// Lower-case base32 (RFC 4648 §6) without padding.
pub(super) fn base32(bytes: &[u8], out: &mut String) {
    let (mut held, mut bits) = (0u32, 0u32);
    let letter = |five: u32| char::from(BASE32.get((five & 31) as usize).copied().unwrap_or(b'a'));
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(letter(held >> bits));
        }
        held &= 31;
    }
    if bits > 0 {
        out.push(letter(held << (5 - bits)));
    }
}

/// The bytes of base32 letters: all lower-case or all upper-case, spare bits zero, no group that cannot end.
fn from_base32(letters: &[u8]) -> Result<Vec<u8>, NotStrict> {
    let lower = letters.iter().any(u8::is_ascii_lowercase);
    let upper = letters.iter().any(u8::is_ascii_uppercase);
    if (lower && upper) || matches!(letters.len() % 8, 1 | 3 | 6) {
        return Err(NotStrict);
    }
    let mut out = Vec::with_capacity(letters.len() * 5 / 8);
    let (mut held, mut bits) = (0u32, 0u32);
    for letter in letters {
        let five = match letter.to_ascii_lowercase() {
            c @ b'a'..=b'z' => c - b'a',
            c @ b'2'..=b'7' => c - b'2' + 26,
            _ => return Err(NotStrict),
        };
        held = (held << 5) | u32::from(five);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    if held == 0 { Ok(out) } else { Err(NotStrict) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_rfc_4648_in_lower_case() {
        for (bytes, letters) in [("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foobar", "mzxw6ytboi")] {
            let mut out = String::new();
            Spelling::Base32.encode(bytes.as_bytes(), &mut out);
            assert_eq!(out, letters);
            assert_eq!(Spelling::Base32.decode(letters.as_bytes()), Ok(bytes.as_bytes().to_vec()));
            assert_eq!(Spelling::Base32.decode(letters.to_uppercase().as_bytes()), Ok(bytes.as_bytes().to_vec()));
            assert_eq!(Spelling::Base32.letters(bytes.len()), letters.len());
        }
    }

    #[test]
    fn a_second_spelling_of_the_same_bytes_is_refused() {
        for letters in ["mz", "m", "mzx", "mzxw6ytbo", "mY", "m1", "my======"] {
            assert_eq!(Spelling::Base32.decode(letters.as_bytes()), Err(NotStrict), "{letters}");
        }
        for letters in ["Zh", "Zg==", "Z", "Z+8g", "Z/8g", "Zm 9"] {
            assert_eq!(Spelling::Base64.decode(letters.as_bytes()), Err(NotStrict), "{letters}");
        }
        assert_eq!(Spelling::Base64.decode(b"Zg"), Ok(b"f".to_vec()));
    }
}
