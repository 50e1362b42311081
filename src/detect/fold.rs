//! Text in, the bytes the recognisers read out: look-alike letters, digits, spaces and dashes made plain, accents and
//! invisible characters taken out, HTML's references undone. Positions map back to the text; the text itself is never
//! changed.

use std::borrow::Cow;

use super::first;

/// Stands for a letter or digit outside ASCII that looks like none in it.
pub(super) const LETTER: u8 = 0x80;
/// Stands for any other character outside ASCII.
pub(super) const OTHER: u8 = 0x81;

/// Text as the recognisers read it: ASCII, [`LETTER`] and [`OTHER`].
pub(super) struct Folded<'t> {
    text: &'t str,
    bytes: Cow<'t, [u8]>,
    /// After each character outside ASCII and each reference.
    steps: Vec<Step>,
    /// How many of them were before the last place that was asked for.
    passed: usize,
}

impl<'t> Folded<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let special = |text: &str| {
            first(text.as_bytes(), |byte| byte >> 7 | u8::from(byte == b'&'), |byte| !byte.is_ascii() || byte == b'&')
        };
        if special(text).is_none() {
            return Self { text, bytes: Cow::Borrowed(text.as_bytes()), steps: Vec::new(), passed: 0 };
        }
        let (mut bytes, mut steps) = (Vec::with_capacity(text.len()), Vec::new());
        let mut rest = text;
        while let Some((plain, tail)) = special(rest).and_then(|at| rest.split_at_checked(at)) {
            bytes.extend_from_slice(plain.as_bytes());
            let (read, width) = match tail.strip_prefix('&') {
                Some(after) => match reference(after.as_bytes()) {
                    Some((byte, width)) => (Some(byte), 1 + width),
                    None => (Some(b'&'), 1),
                },
                None => tail.chars().next().map_or((None, 1), |c| (fold(c), c.len_utf8())),
            };
            bytes.extend(read);
            rest = tail.get(width..).unwrap_or_default();
            steps.push(Step {
                folded: bytes.len(),
                from: text.len() - rest.len() - width,
                to: text.len() - rest.len(),
            });
        }
        bytes.extend_from_slice(rest.as_bytes());
        Self { text, bytes: Cow::Owned(bytes), steps, passed: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The span of the text that the folded bytes `start..end` came from; on character boundaries. Quick for spans in order.
    pub(super) fn span(&mut self, start: usize, end: usize) -> (usize, usize) {
        (self.origin(start).0, self.origin(end.saturating_sub(1)).1)
    }

    /// Where what reads as the byte at `folded` starts and ends in the text.
    fn origin(&mut self, folded: usize) -> (usize, usize) {
        let steps = self.steps.get(self.passed..).unwrap_or_default();
        self.passed += steps.iter().take_while(|step| step.folded <= folded).count();
        let before = self.steps.get(..self.passed).unwrap_or_default();
        if before.last().is_some_and(|step| step.folded > folded) {
            self.passed = before.partition_point(|step| step.folded <= folded);
        }
        let after = self.passed;
        let (base, to) = after.checked_sub(1).and_then(|at| self.steps.get(at)).map_or((0, 0), |s| (s.folded, s.to));
        let plain = to + (folded - base);
        // The byte that the next character, or one after invisible ones, reads as.
        match self.steps.get(after) {
            Some(step) if step.folded == folded + 1 && step.from <= plain => (step.from, step.to),
            _ => (plain, (plain + 1).min(self.text.len())),
        }
    }
}

/// What stands after a character outside ASCII, or a reference: its place in the folded bytes and in the text.
struct Step {
    folded: usize,
    from: usize,
    to: usize,
}

/// The byte that the HTML reference behind `&` stands for, and how many bytes it is long (its `;` included).
fn reference(after: &[u8]) -> Option<(u8, usize)> {
    let length = after.iter().take(MOST_REFERENCE_BYTES).position(|byte| *byte == b';')?;
    let name = after.get(..length).and_then(|name| str::from_utf8(name).ok())?;
    let code = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        },
        None => u32::from(REFERENCES.iter().find(|(known, _)| *known == name)?.1),
    };
    Some((fold(char::from_u32(code)?)?, length + 1))
}

/// The byte `c` reads as; `None` for what a reader does not see.
fn fold(c: char) -> Option<u8> {
    let code = u32::from(c);
    Some(match code {
        0x20..=0x7E => u8::try_from(code).unwrap_or(OTHER),
        0xC0..=0x17F => PLAIN.get(code as usize - 0xC0).copied().unwrap_or(LETTER),
        0x391..=0x3C1 | 0x405..=0x458 | 0x4BB | 0x501 | 0x578 => {
            LOOK_ALIKES.iter().find(|(alike, _)| *alike == c).map_or(LETTER, |(_, plain)| *plain)
        }
        // Most of what is written in Greek, Cyrillic, Hebrew, kana and Han: nothing to look up.
        0x180..=0x2FF | 0x370..=0x5FF | 0x3041..=0x30FA | 0x3400..=0x9FFF => LETTER,
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

/// What the letters from U+00C0 to U+017F are without their accents.
const PLAIN: &[u8; 192] = b"AAAAAAACEEEEIIIIDNOOOOO?OUUUUYPsaaaaaaaceeeeiiiidnooooo?ouuuuypyAaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLlNnNnNnnNnOoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs";

/// Cyrillic, Armenian and Greek letters that look like Latin ones.
#[rustfmt::skip]
const LOOK_ALIKES: [(char, u8); 47] = [
    ('\u{410}', b'A'), ('\u{412}', b'B'), ('\u{415}', b'E'), ('\u{41a}', b'K'), ('\u{41c}', b'M'), ('\u{41d}',
    b'H'), ('\u{41e}', b'O'), ('\u{420}', b'P'), ('\u{421}', b'C'), ('\u{422}', b'T'), ('\u{423}', b'Y'),
    ('\u{425}', b'X'), ('\u{430}', b'a'), ('\u{435}', b'e'), ('\u{43e}', b'o'), ('\u{440}', b'p'), ('\u{441}',
    b'c'), ('\u{443}', b'y'), ('\u{445}', b'x'), ('\u{456}', b'i'), ('\u{406}', b'I'), ('\u{458}', b'j'),
    ('\u{408}', b'J'), ('\u{455}', b's'), ('\u{405}', b'S'), ('\u{501}', b'd'), ('\u{578}', b'n'), ('\u{4bb}',
    b'h'), ('\u{391}', b'A'), ('\u{392}', b'B'), ('\u{395}', b'E'), ('\u{396}', b'Z'), ('\u{397}', b'H'),
    ('\u{399}', b'I'), ('\u{39a}', b'K'), ('\u{39c}', b'M'), ('\u{39d}', b'N'), ('\u{39f}', b'O'), ('\u{3a1}',
    b'P'), ('\u{3a4}', b'T'), ('\u{3a5}', b'Y'), ('\u{3a7}', b'X'), ('\u{3bf}', b'o'), ('\u{3bd}', b'v'),
    ('\u{3b9}', b'i'), ('\u{3b1}', b'a'), ('\u{3c1}', b'p')
];

/// HTML's names for signs that stand in what is looked for.
const REFERENCES: [(&str, char); 12] = [
    ("commat", '@'),
    ("period", '.'),
    ("nbsp", ' '),
    ("lowbar", '_'),
    ("hyphen", '-'),
    ("dash", '-'),
    ("plus", '+'),
    ("lpar", '('),
    ("rpar", ')'),
    ("colon", ':'),
    ("sol", '/'),
    ("equals", '='),
];
/// `#x00000040`.
const MOST_REFERENCE_BYTES: usize = 12;

/// The zeros of the decimal digits (Unicode category Nd) of scripts in daily use.
const ZEROS: [u32; 17] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20, 0x1040,
    0x17E0,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn look_alikes_read_as_what_they_look_like() {
        let text = "４1\u{200b}١\u{a0}–éж€\u{1d7d9}x";
        assert_eq!(Folded::new(text).bytes(), [b'4', b'1', b'1', b' ', b'-', b'e', LETTER, OTHER, b'1', b'x']);
        assert_eq!(Folded::new("\u{430}\u{440}\u{440}le \u{391}Łódź×").bytes(), *b"apple ALodz?");
    }

    #[test]
    fn references_of_html_read_as_what_they_stand_for() {
        let text = "jane&#64;example&period;com &amp; &#x40; &#xZ; &nbsp;&";
        assert_eq!(Folded::new(text).bytes(), *b"jane@example.com &amp; @ &#xZ;  &");
    }

    #[test]
    fn spans_map_back_to_the_text() {
        let text = "ж４1\u{200b}2\u{200b}é";
        let mut folded = Folded::new(text);
        assert_eq!(folded.bytes(), [LETTER, b'4', b'1', b'2', b'e']);
        let (start, end) = folded.span(1, 4);
        assert_eq!(&text[start..end], "４1\u{200b}2");
        let (start, end) = folded.span(4, 5);
        assert_eq!(&text[start..end], "é");
        let text = "to jane&commat;x.org&#46;";
        let (start, end) = Folded::new(text).span(3, 14);
        assert_eq!(&text[start..end], "jane&commat;x.org&#46;");
    }

    proptest! {
        #[test]
        fn every_folded_byte_maps_back_to_the_character_it_came_from(text in "([a-z0-9@.&]|&#64;|&commat;|[é٣４\u{200b}\u{430}€–]){0,40}") {
            let mut folded = Folded::new(&text);
            let mut before = 0;
            for place in 0..folded.bytes().len() {
                let (start, end) = folded.span(place, place + 1);
                prop_assert!(start >= before && end > start, "{place}: {start}..{end}");
                let origin = text.get(start..end).unwrap();
                let again = Folded::new(origin);
                prop_assert_eq!(again.bytes(), &folded.bytes()[place..=place]);
                before = end;
            }
        }
    }
}
