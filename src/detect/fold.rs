//! Text in, the bytes the recognisers read out: look-alike digits, spaces and dashes made plain, invisible characters
//! taken out. Positions map back to the text; the text itself is never changed.

use std::borrow::Cow;

/// Stands for a letter or digit outside ASCII.
pub(super) const LETTER: u8 = 0x80;
/// Stands for any other character outside ASCII.
pub(super) const OTHER: u8 = 0x81;

/// Text as the recognisers read it: ASCII, [`LETTER`] and [`OTHER`].
pub(super) struct Folded<'t> {
    text: &'t str,
    bytes: Cow<'t, [u8]>,
    /// After each character outside ASCII: the folded position and the position in the text.
    steps: Vec<(usize, usize)>,
}

impl<'t> Folded<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        if text.is_ascii() {
            return Self { text, bytes: Cow::Borrowed(text.as_bytes()), steps: Vec::new() };
        }
        let (mut bytes, mut steps) = (Vec::with_capacity(text.len()), Vec::new());
        let mut rest = text;
        while let Some((plain, tail)) =
            rest.bytes().position(|byte| !byte.is_ascii()).and_then(|at| rest.split_at_checked(at))
        {
            bytes.extend_from_slice(plain.as_bytes());
            let mut chars = tail.chars();
            bytes.extend(chars.next().and_then(fold));
            rest = chars.as_str();
            steps.push((bytes.len(), text.len() - rest.len()));
        }
        bytes.extend_from_slice(rest.as_bytes());
        Self { text, bytes: Cow::Owned(bytes), steps }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The span of the text that the folded bytes `start..end` came from; on character boundaries.
    pub(super) fn span(&self, start: usize, end: usize) -> (usize, usize) {
        let last = self.origin(end.saturating_sub(1));
        let width = self.text.get(last..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        (self.origin(start), last + width)
    }

    fn origin(&self, folded: usize) -> usize {
        let after = self.steps.partition_point(|step| step.0 <= folded);
        let (from, to) = after.checked_sub(1).and_then(|at| self.steps.get(at)).copied().unwrap_or((0, 0));
        to + (folded - from)
    }
}

/// The byte `c` reads as; `None` for what a reader does not see.
fn fold(c: char) -> Option<u8> {
    let code = u32::from(c);
    Some(match code {
        // Most of what is written in Latin, Greek, Cyrillic, Hebrew, kana and Han: nothing to look up.
        0xC0..=0x2FF | 0x370..=0x5FF | 0x3041..=0x30FA | 0x3400..=0x9FFF => LETTER,
        0xAD | 0x34F | 0x61C | 0x180E | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x2069 | 0xFEFF => return None,
        // Combining marks: struck-through and keycap digits read as digits.
        0x300..=0x36F | 0x20D0..=0x20F0 | 0xFE00..=0xFE0F => return None,
        0xA0 | 0x1680 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => b' ',
        0x2028 | 0x2029 => b'\n',
        0x2010..=0x2015 | 0x2043 | 0x2212 | 0xFE58 | 0xFE63 => b'-',
        0xB7 | 0x2024 | 0x2027 | 0x3002 | 0x30FB => b'.',
        0x2044 | 0x2215 => b'/',
        0xFE6B => b'@',
        0xFF01..=0xFF5E => u8::try_from(code - 0xFF01 + 0x21).unwrap_or(OTHER),
        0x1D7CE..=0x1D7FF => digit((code - 0x1D7CE) % 10),
        _ => match ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code)) {
            Some(zero) => digit(code - zero),
            None if c.is_alphanumeric() => LETTER,
            None => OTHER,
        },
    })
}

fn digit(value: u32) -> u8 {
    u8::try_from(value).map_or(OTHER, |value| b'0' + value)
}

/// The zeros of the decimal digits (Unicode category Nd) of scripts in daily use.
const ZEROS: [u32; 17] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20, 0x1040,
    0x17E0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_read_as_what_they_look_like() {
        let text = "４1\u{200b}١\u{a0}–é€\u{1d7d9}x";
        assert_eq!(Folded::new(text).bytes(), [b'4', b'1', b'1', b' ', b'-', LETTER, OTHER, b'1', b'x']);
    }

    #[test]
    fn spans_map_back_to_the_text() {
        let text = "ü４1\u{200b}2\u{200b}é";
        let folded = Folded::new(text);
        assert_eq!(folded.bytes(), [LETTER, b'4', b'1', b'2', LETTER]);
        let (start, end) = folded.span(1, 4);
        assert_eq!(&text[start..end], "４1\u{200b}2");
        let (start, end) = folded.span(4, 5);
        assert_eq!(&text[start..end], "é");
    }
}
