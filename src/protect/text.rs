//! Values taken apart: digits, addresses, dates, and the form in which two spellings of one value are the same.

use crate::model::MaskStyle;

/// The decimal digits of `value` in ASCII; full-width and other scripts' digits count.
pub(super) fn digits(value: &str) -> impl Iterator<Item = char> {
    value.chars().filter_map(digit)
}

fn digit(c: char) -> Option<char> {
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c);
    }
    let code = u32::from(c);
    let zero = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code))?;
    char::from_digit(code - zero, 10)
}

/// Whether the digits of `value` have the length and the check digit (Luhn) of one card number.
pub(super) fn is_card(value: &str) -> bool {
    if let Some(number) = AsciiNumber::of(value) {
        return number.is_card();
    }
    (12..=19).contains(&digits(value).count()) && luhn(digits(value).collect::<Vec<_>>().iter().rev().copied(), 0) == 0
}

/// The digits of an ASCII text, counted and summed in one pass: most numbers are ASCII.
#[derive(Debug, Clone, Copy)]
pub(super) struct AsciiNumber {
    pub(super) count: usize,
    /// The last four, NUL where there are fewer.
    pub(super) last: [u8; 4],
    /// There are letters.
    pub(super) worded: bool,
    luhn: u64,
}

impl AsciiNumber {
    /// `None` when `value` is not ASCII.
    #[inline]
    pub(super) fn of(value: &str) -> Option<Self> {
        let bytes = value.as_bytes();
        match bytes.last_chunk::<4>() {
            Some(last) if bytes.iter().fold(true, |all, byte| all & byte.is_ascii_digit()) => {
                // Past 19 digits the sum means nothing, so it may wrap; without checks it is a few vectors.
                let value = |byte: u8| u32::from(byte.wrapping_sub(b'0'));
                let (first, pairs) = bytes.as_rchunks::<2>();
                let first = first.first().map_or(0, |digit| value(*digit));
                let luhn = pairs.iter().fold(first, |sum, [tens, ones]| {
                    sum.wrapping_add(u32::from(doubled(tens.wrapping_sub(b'0')))).wrapping_add(value(*ones))
                });
                Some(Self { count: bytes.len(), last: *last, worded: false, luhn: u64::from(luhn) })
            }
            _ => Self::spaced(bytes),
        }
    }

    fn spaced(bytes: &[u8]) -> Option<Self> {
        let mut all = 0;
        let (mut count, mut last, mut worded) = (0, 0_u32, false);
        // The Luhn sums when the digit read last is taken once and when it is doubled.
        let (mut once, mut twice) = (0_u64, 0_u64);
        for byte in bytes {
            all |= byte;
            let digit = byte.wrapping_sub(b'0');
            if digit < 10 {
                (once, twice) = (twice + u64::from(digit), once + u64::from(doubled(digit)));
                (count, last) = (count + 1, last << 8 | u32::from(*byte));
            } else {
                worded |= byte.is_ascii_alphabetic();
            }
        }
        all.is_ascii().then_some(Self { count, last: last.to_be_bytes(), worded, luhn: once })
    }

    pub(super) fn is_card(self) -> bool {
        (12..=19).contains(&self.count) && self.luhn.is_multiple_of(10)
    }
}

/// The digits of an ASCII text that ends in four of them, and those four.
#[inline]
pub(super) fn ending_digits(value: &str) -> Option<(usize, [u8; 4])> {
    let last = *value.as_bytes().last_chunk::<4>()?;
    let plain = value.is_ascii() && last.iter().all(u8::is_ascii_digit);
    plain.then(|| (value.bytes().filter(u8::is_ascii_digit).count(), last))
}

/// Twice `digit`, and the digits of that added up.
#[inline]
fn doubled(digit: u8) -> u8 {
    let twice = digit.wrapping_mul(2);
    if digit > 4 { twice.wrapping_sub(9) } else { twice }
}

/// The Luhn sum modulo ten of digits from the last to the first; `place` 1 when the check digit is left out.
pub(super) fn luhn(reversed: impl Iterator<Item = char>, place: usize) -> u32 {
    reversed
        .enumerate()
        .map(|(at, digit)| {
            let value = digit.to_digit(10).unwrap_or(0) << ((at + place) & 1);
            if value > 9 { value - 9 } else { value }
        })
        .sum::<u32>()
        % 10
}

/// Local part and domain of an address as most are written: ASCII, nothing around it. `None` leaves it to
/// [`split_address`], which agrees wherever this finds one.
pub(super) fn plain_address(value: &str) -> Option<(&str, &str)> {
    let bytes = value.as_bytes();
    let local = bytes.iter().take_while(|byte| kind(**byte) & ATOM != 0).count();
    if local == 0 || bytes.get(local) != Some(&b'@') {
        return None;
    }
    let (mut digits, mut dots, mut before) = (0, 0, DOT);
    for byte in bytes.get(local + 1..)? {
        let kind = kind(*byte);
        if kind & (LABEL | DOT) == 0 || kind & before & DOT != 0 {
            return None;
        }
        digits += usize::from(kind & DIGIT != 0);
        dots += usize::from(kind & DOT != 0);
        before = kind;
    }
    if dots == 0 || before & DOT != 0 || digits >= 8 {
        return None;
    }
    value.get(..local).zip(value.get(local + 1..))
}

const ATOM: u8 = 1;
const LABEL: u8 = 2;
const DIGIT: u8 = 4;
const DOT: u8 = 8;

/// What a byte can be in an address.
#[inline]
fn kind(byte: u8) -> u8 {
    const KINDS: [u8; 256] = {
        let (mut kinds, mut byte) = ([0; 256], 0_u8);
        while byte < 128 {
            #[expect(clippy::indexing_slicing, reason = "a byte is below 256; this runs in the compiler")]
            let slot = &mut kinds[byte as usize];
            *slot = match byte {
                b'0'..=b'9' => ATOM | LABEL | DIGIT,
                b'a'..=b'z' | b'A'..=b'Z' | b'-' => ATOM | LABEL,
                b'.' => ATOM | DOT,
                b'_' | b'+' | b'\'' => ATOM,
                _ => 0,
            };
            byte += 1;
        }
        kinds
    };
    KINDS.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Local part and domain of one address; `Jane <jane@example.com>` is read as what is in the brackets.
pub(super) fn split_address(value: &str) -> Option<(&str, &str)> {
    let value = value.trim();
    let inside = value.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')).map_or(value, |(_, inside)| inside);
    let inside = inside.strip_prefix("mailto:").unwrap_or(inside);
    let (local, domain) = inside.rsplit_once('@')?;
    let single = !local.is_empty() && !local.contains(|c: char| c.is_whitespace() || matches!(c, '@' | ',' | ';'));
    let named = domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
        && domain.split('.').all(|label| !label.is_empty())
        && domain.contains('.')
        && digits(domain).count() < 8;
    (single && named).then_some((local, domain))
}

/// Year, month and day of a date: `1984-03-09` (also with a time behind it), `09.03.1984`, `3/9/1984`, `19840309`. Of
/// two numbers that can both be the month, the first is, unless a dot stands between them.
pub(super) fn date(value: &str) -> Option<(u32, u32, u32)> {
    let value = value.trim();
    let day = value.split_once(|c: char| c == 'T' || c == 't' || c.is_whitespace()).map_or(value, |(day, _)| day);
    let number = |text: &str| {
        let plain = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (year, first, second) = if day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()) {
        (day.get(..4)?, day.get(4..6)?, day.get(6..)?)
    } else {
        let mut parts = day.split(['-', '.', '/']);
        let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        match (a.len(), c.len(), day.contains('.')) {
            (4, 1..=2, _) => (a, b, c),
            (1..=2, 4, true) => (c, b, a),
            (1..=2, 4, false) if number(a)? > 12 => (c, b, a),
            (1..=2, 4, false) => (c, a, b),
            _ => return None,
        }
    };
    let (year, month, day) = (number(year)?, number(first)?, number(second)?);
    ((1000..3000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)).then_some((year, month, day))
}

/// The same text for every spelling of the same value that the style knows; what is not of the style is compared
/// without case and outer or doubled white space.
pub(super) fn canonical(style: MaskStyle, value: &str) -> String {
    let of_style = match style {
        MaskStyle::Email => split_address(value).map(|(local, domain)| format!("{local}@{domain}").to_lowercase()),
        MaskStyle::Phone => phone(value),
        MaskStyle::Card => Some(digits(value).collect::<String>()).filter(|number| number.len() >= 8),
        MaskStyle::Iban => {
            let number: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
            (number.len() >= 8).then(|| number.to_ascii_uppercase())
        }
        MaskStyle::Name => value.split_once(',').map(|(last, first)| words(&format!("{first} {last}"))),
        MaskStyle::Address => Some(words(&value.replace([',', ';', '\n'], " "))),
        MaskStyle::Date => date(value).map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}")),
        MaskStyle::KeepFirst(_) | MaskStyle::KeepLast(_) | MaskStyle::Full => {
            let number = value.chars().all(|c| digit(c).is_some() || matches!(c, ' ' | '-' | '.' | '/'));
            Some(digits(value).collect::<String>()).filter(|digits| number && !digits.is_empty())
        }
    };
    of_style.filter(|text| !text.is_empty()).unwrap_or_else(|| words(value))
}

/// `+49 (0)151 1234567` and `0049 151 1234567` are `49151…`; a number without a country code stays as it is dialled.
fn phone(value: &str) -> Option<String> {
    let number: String = digits(&value.replace("(0)", "")).collect();
    let number = number.strip_prefix("00").map(str::to_owned).unwrap_or(number);
    (number.len() >= 5).then_some(number)
}

fn words(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Zeros of the decimal digits of scripts in daily use, and of full-width digits.
const ZEROS: [u32; 18] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20, 0x1040,
    0x17E0, 0xFF10,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_value_are_the_same() {
        for (style, one, other) in [
            (MaskStyle::Email, "Jane@Example.com", " mailto:jane@example.COM"),
            (MaskStyle::Email, "Jane Doe <jane@example.com>", "jane@example.com"),
            (MaskStyle::Phone, "+49 (0)151 123-4567", "00491511234567"),
            (MaskStyle::Card, "4111-1111 1111 1111", "４１１１１１１１１１１１１１１１"),
            (MaskStyle::Iban, "de89 3704 0044", "DE8937040044"),
            (MaskStyle::Name, "Doe,  Jane", "jane doe"),
            (MaskStyle::Address, "12 Main St,\nSpringfield", "12 main st Springfield"),
            (MaskStyle::Date, "1984-03-09T00:00:00Z", "09.03.1984"),
            (MaskStyle::KeepLast(4), "536-22-8726", "536228726"),
            (MaskStyle::Full, " Ünal ", "ünal"),
        ] {
            assert_eq!(canonical(style, one), canonical(style, other), "{one}");
        }
    }

    #[test]
    fn the_short_ways_agree_with_the_long_ones() {
        for value in [
            "jane@example.com",
            "j.d+x@a-b.co.uk",
            "a@b",
            "a@b..c",
            "a@.b",
            "a@b.",
            "mailto:a@b.c",
            "a@b.c ",
            "x@1234567.89",
        ] {
            if let Some(found) = plain_address(value) {
                assert_eq!(Some(found), split_address(value), "{value}");
            }
        }
        assert!(plain_address("jane@example.com").is_some());
        for value in ["4111 1111 1111 1111", "4111111111111112", "378282246310005", "12", "0000000000000000000000"] {
            let wide: String = digits(value).filter_map(|c| char::from_u32(u32::from(c) - 48 + 0xFF10)).collect();
            assert_eq!(is_card(value), is_card(&wide), "{value}");
        }
    }

    #[test]
    fn different_values_stay_different() {
        for (style, one, other) in [
            (MaskStyle::Phone, "n/a", "none"),
            (MaskStyle::Card, "12", "13"),
            (MaskStyle::Date, "unknown", "none"),
            (MaskStyle::Full, "-", "--"),
            (MaskStyle::Full, "a-1", "a1"),
        ] {
            assert_ne!(canonical(style, one), canonical(style, other), "{one}");
        }
    }
}
