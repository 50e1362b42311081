//! The partial form of a value by its class. Every mask of a non-empty value carries U+2022 and holds back at least as
//! much as it shows; a value that is too short or not what the class expects shows nothing.

use super::text::{AsciiNumber, digits, ending_digits, is_card, plain_address, split_address};
use crate::model::MaskStyle;

/// Appends the mask of `value`, which is not empty.
pub(super) fn mask(style: MaskStyle, value: &str, out: &mut String) {
    let before = out.len();
    let shown = match style {
        MaskStyle::Email => email(value, out),
        MaskStyle::Phone => phone(value, out),
        MaskStyle::Card => {
            card(value, out);
            true
        }
        MaskStyle::Iban => iban(value, out),
        MaskStyle::Name => name(value, out),
        MaskStyle::Address => address(value, out),
        MaskStyle::Date => date(value, out),
        MaskStyle::KeepFirst(count) => keep_first(value, count.into(), out),
        MaskStyle::KeepLast(count) => keep_last(value, count.into(), out),
        MaskStyle::Full => false,
    };
    if !shown {
        out.truncate(before);
        out.push_str(HIDDEN);
    }
}

/// Appends what [`mask`] makes of a value as most are written, when it has no character that any format escapes: no quote,
/// backslash or control character. Else nothing, and `false`.
#[inline]
pub(super) fn plain(style: MaskStyle, value: &str, out: &mut Vec<u8>) -> bool {
    match style {
        MaskStyle::Email => {
            let Some((local, domain)) = plain_address(value) else { return false };
            if let [first, _, _, ..] = local.as_bytes()
                && first.is_ascii_alphanumeric()
            {
                out.push(*first);
            }
            out.extend_from_slice("•••@".as_bytes());
            out.extend_from_slice(domain.as_bytes());
            true
        }
        MaskStyle::Phone => {
            let Some((_, last)) = ending_digits(value).filter(|(count, _)| *count >= 8) else { return false };
            out.extend_from_slice("••• ••• ".as_bytes());
            out.extend_from_slice(&last);
            true
        }
        MaskStyle::Card => {
            let Some(number) = AsciiNumber::of(value).filter(|number| number.is_card()) else { return false };
            out.extend_from_slice("•••• •••• •••• ".as_bytes());
            out.extend_from_slice(&number.last);
            true
        }
        _ => false,
    }
}

/// The first character of a local part of three or more, and the domain.
fn email(value: &str, out: &mut String) -> bool {
    let Some((local, domain)) = plain_address(value).or_else(|| split_address(value)) else { return false };
    let mut chars = local.chars();
    if let (Some(first), Some(_)) = (chars.next().filter(|first| first.is_alphanumeric()), chars.nth(1)) {
        out.push(first);
    }
    out.push_str(HIDDEN);
    out.push('@');
    out.push_str(domain);
    true
}

/// The last four digits of eight or more.
fn phone(value: &str, out: &mut String) -> bool {
    out.push_str("••• ••• ");
    last_four(value, 8, usize::MAX, out)
}

/// The last four digits of what can be one card number: no more than PCI DSS 4.0.1 §3.4.1 allows. Digits that fail the
/// check may be a number and a security code in one field; past 16 they are not shown.
fn card(value: &str, out: &mut String) {
    out.push_str("•••• •••• •••• ");
    let most = |card: bool, worded: bool| match (card, worded) {
        (true, _) => 19,
        (false, false) => 16,
        (false, true) => 0,
    };
    let shown = if let Some(number) = AsciiNumber::of(value) {
        last_ascii_four(number, 12, most(number.is_card(), number.worded), out)
    } else {
        last_four(value, 12, most(is_card(value), value.chars().any(char::is_alphabetic)), out)
    };
    if !shown {
        out.push_str("••••");
    }
}

/// Country and last four of what has the form of an IBAN.
fn iban(value: &str, out: &mut String) -> bool {
    let number: Vec<char> = value.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let formed = number.iter().all(char::is_ascii_alphanumeric) && (15..=34).contains(&number.len());
    let ([a, b, c, d, rest @ ..], true) = (number.as_slice(), formed) else { return false };
    if !(a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && c.is_ascii_digit() && d.is_ascii_digit()) {
        return false;
    }
    out.extend([a, b].map(char::to_ascii_uppercase));
    out.push_str("•• •••• ");
    out.extend(rest.iter().skip(rest.len().saturating_sub(4)).map(char::to_ascii_uppercase));
    true
}

/// The first letter of each of the first four words of two or more letters.
fn name(value: &str, out: &mut String) -> bool {
    for (place, word) in value.split_whitespace().take(MAX_NAME_WORDS).enumerate() {
        if place > 0 {
            out.push(' ');
        }
        let mut letters = word.chars().filter(|c| c.is_alphanumeric());
        if let (Some(first), Some(_)) = (letters.next(), letters.next()) {
            out.extend(word.starts_with(first).then_some(first).filter(|first| first.is_alphabetic()));
        }
        out.push_str(HIDDEN);
    }
    !value.trim().is_empty()
}

/// The last word, when it is a word and three or more letters or digits stand before it.
fn address(value: &str, out: &mut String) -> bool {
    let Some((rest, last)) = value.trim_end().rsplit_once(|c: char| c.is_whitespace() || c == ',') else {
        return false;
    };
    let worded = last.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '.'));
    let held_back = rest.chars().filter(|c| c.is_alphanumeric()).count();
    if !worded || held_back < 3 || last.chars().count() > MAX_TOWN_CHARS || rest.contains(last) {
        return false;
    }
    out.push_str(HIDDEN);
    out.push(' ');
    out.push_str(last);
    true
}

/// The year of a date that has a month and a day.
fn date(value: &str, out: &mut String) -> bool {
    let Some((year, _, _)) = super::text::date(value) else { return false };
    out.push_str(&format!("{year:04}-••-••"));
    true
}

fn keep_first(value: &str, count: usize, out: &mut String) -> bool {
    let Some((at, _)) = value.char_indices().nth(count) else { return false };
    let Some((shown, hidden)) = value.split_at_checked(at) else { return false };
    out.push_str(shown);
    out.push_str(HIDDEN);
    holds_back(hidden, count)
}

fn keep_last(value: &str, count: usize, out: &mut String) -> bool {
    let Some(from) = value.chars().count().checked_sub(count) else { return false };
    let at = value.char_indices().nth(from).map_or(value.len(), |(at, _)| at);
    let Some((hidden, shown)) = value.split_at_checked(at) else { return false };
    out.push_str(HIDDEN);
    out.push_str(shown);
    holds_back(hidden, count)
}

/// Whether `hidden` has at least as many letters and digits as are shown.
fn holds_back(hidden: &str, shown: usize) -> bool {
    shown > 0 && hidden.chars().filter(|c| c.is_alphanumeric()).count() >= shown
}

/// Appends the last four digits when there are `least` to `most`.
fn last_four(value: &str, least: usize, most: usize, out: &mut String) -> bool {
    if let Some(number) = AsciiNumber::of(value) {
        return last_ascii_four(number, least, most, out);
    }
    let total = digits(value).count();
    let enough = total >= least && total <= most;
    if enough {
        out.extend(digits(value).skip(total.saturating_sub(4)));
    }
    enough
}

fn last_ascii_four(number: AsciiNumber, least: usize, most: usize, out: &mut String) -> bool {
    let enough = number.count >= least.max(4) && number.count <= most;
    if enough {
        out.push_str(str::from_utf8(&number.last).unwrap_or_default());
    }
    enough
}

const HIDDEN: &str = "•••";
const MAX_NAME_WORDS: usize = 4;
const MAX_TOWN_CHARS: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(style: MaskStyle, value: &str) -> String {
        let mut out = String::new();
        mask(style, value, &mut out);
        out
    }

    fn check(style: MaskStyle, cases: &[(&str, &str)]) {
        for (value, expected) in cases {
            assert_eq!(masked(style, value), *expected, "{value}");
        }
    }

    #[test]
    fn email_keeps_the_first_letter_and_the_domain() {
        check(
            MaskStyle::Email,
            &[
                ("jane@example.com", "j•••@example.com"),
                (" Jane Doe <jane@example.com> ", "j•••@example.com"),
                ("jo@example.com", "•••@example.com"),
                ("ünal@exämple.de", "ü•••@exämple.de"),
                ("jane", "•••"),
                ("@", "•••"),
                ("jane@", "•••"),
                ("a@x.com, bob@y.com", "•••"),
                ("jane@4111111111111111.com", "•••"),
                ("jane@example.com 4111111111111111", "•••"),
                ("jane@localhost", "•••"),
            ],
        );
    }

    #[test]
    fn phone_keeps_four_digits_of_eight_or_more() {
        check(
            MaskStyle::Phone,
            &[
                ("+49 151 1234567", "••• ••• 4567"),
                ("12345678", "••• ••• 5678"),
                ("1234567", "•••"),
                ("110", "•••"),
                ("ask Jane", "•••"),
                ("４９１５１１２３４５６７", "••• ••• 4567"),
            ],
        );
    }

    #[test]
    fn card_keeps_four_digits_of_one_card() {
        check(
            MaskStyle::Card,
            &[
                ("4111 1111 1111 1111", "•••• •••• •••• 1111"),
                ("378282246310005", "•••• •••• •••• 0005"),
                ("Visa 4111111111111111", "•••• •••• •••• 1111"),
                ("4111111111111112", "•••• •••• •••• 1112"),
                ("4111111111111111 123", "•••• •••• •••• ••••"),
                ("4111111111111111 12/28 123", "•••• •••• •••• ••••"),
                ("378282246310005 cvv 1", "•••• •••• •••• ••••"),
                ("1111", "•••• •••• •••• ••••"),
                ("n/a", "•••• •••• •••• ••••"),
            ],
        );
    }

    #[test]
    fn iban_keeps_country_and_four() {
        check(
            MaskStyle::Iban,
            &[
                ("DE89 3704 0044 0532 0130 00", "DE•• •••• 3000"),
                ("gb29nwbk60161331926819", "GB•• •••• 6819"),
                ("DE89", "•••"),
                ("4111 1111 1111 1111", "•••"),
            ],
        );
    }

    #[test]
    fn name_keeps_first_letters() {
        check(
            MaskStyle::Name,
            &[
                ("Jane Doe", "J••• D•••"),
                ("J Doe", "••• D•••"),
                ("J. Doe", "••• D•••"),
                ("Жанна", "Ж•••"),
                ("王小明", "王•••"),
                ("4111 1111", "••• •••"),
                ("  ", "•••"),
                ("one two three four five", "o••• t••• t••• f•••"),
            ],
        );
    }

    #[test]
    fn address_keeps_the_last_word() {
        check(
            MaskStyle::Address,
            &[
                ("12 Main Street, Springfield", "••• Springfield"),
                ("10115 Berlin", "••• Berlin"),
                ("Berlin", "•••"),
                ("Hauptstr. 12", "•••"),
                ("10115", "•••"),
                ("- Berlin", "•••"),
            ],
        );
    }

    #[test]
    fn date_keeps_the_year() {
        check(
            MaskStyle::Date,
            &[
                ("1984-03-09", "1984-••-••"),
                ("1984-03-09T00:00:00Z", "1984-••-••"),
                ("09.03.1984", "1984-••-••"),
                ("3/9/1984", "1984-••-••"),
                ("19840309", "1984-••-••"),
                ("1984", "•••"),
                ("09.03.84", "•••"),
                ("1984-13-41", "•••"),
            ],
        );
    }

    #[test]
    fn keep_rules_hold_back_as_much_as_they_show() {
        check(
            MaskStyle::KeepLast(4),
            &[
                ("536-22-8726", "•••8726"),
                ("12345678", "•••5678"),
                ("1234567", "•••"),
                ("1234", "•••"),
                ("12", "•••"),
                ("-----1234", "•••"),
                ("ключевой", "•••евой"),
            ],
        );
        check(MaskStyle::KeepFirst(2), &[("Berlin", "Be•••"), ("éàüö", "éà•••"), ("abc", "•••"), ("ab", "•••")]);
        check(MaskStyle::KeepFirst(0), &[("Berlin", "•••")]);
        check(MaskStyle::KeepLast(0), &[("Berlin", "•••")]);
        check(MaskStyle::Full, &[("Berlin", "•••")]);
    }

    fn styles() -> impl Strategy<Value = MaskStyle> {
        prop_oneof![
            Just(MaskStyle::Email),
            Just(MaskStyle::Phone),
            Just(MaskStyle::Card),
            Just(MaskStyle::Iban),
            Just(MaskStyle::Name),
            Just(MaskStyle::Address),
            Just(MaskStyle::Date),
            Just(MaskStyle::Full),
            (0..12_u8).prop_map(MaskStyle::KeepFirst),
            (0..12_u8).prop_map(MaskStyle::KeepLast),
        ]
    }

    fn values() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[0-9 +()/-]{1,24}",
            "[a-zé.]{1,12}@[a-z]{1,8}\\.[a-z]{2,4}",
            "[A-Z]{2}[0-9]{2}[A-Z0-9 ]{8,30}",
            "([A-Zß][a-zü]{0,8} ?){1,5}",
            "[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}",
        ]
    }

    fn telling(text: &str) -> usize {
        text.chars().filter(|c| c.is_alphanumeric()).count()
    }

    fn plainly(style: MaskStyle, value: &str) -> Option<String> {
        let mut out = b"before ".to_vec();
        let plain = plain(style, value, &mut out);
        let text = String::from_utf8(out).unwrap();
        let text = text.strip_prefix("before ").unwrap();
        assert!(plain || text.is_empty(), "{value}");
        assert!(!text.contains(['"', '\\']) && !text.contains(char::is_control), "{value}");
        plain.then(|| text.to_owned())
    }

    const PLAIN: [MaskStyle; 4] = [MaskStyle::Email, MaskStyle::Phone, MaskStyle::Card, MaskStyle::Full];

    #[test]
    fn common_values_are_masked_the_short_way() {
        for (style, value) in [
            (MaskStyle::Email, "jane@example.com"),
            (MaskStyle::Phone, "+49 151 1234567"),
            (MaskStyle::Card, "4111 1111 1111 1111"),
        ] {
            assert_eq!(plainly(style, value), Some(masked(style, value)));
        }
        for style in PLAIN {
            assert_eq!(plainly(style, "\"\\\n"), None);
        }
    }

    proptest! {
        #[test]
        fn the_short_way_agrees(
            any in any::<String>(),
            mail in "[a-z'\"é.]{0,4}@?[a-z0-9.\"-]{0,12}@?",
            number in "[+0-9 \"a-]{0,24}",
            card in "(4111 ?1111 ?1111 ?1111|378282246310005)[0-9x]?",
        ) {
            for value in [any, mail, number, card] {
                for style in PLAIN {
                    if let Some(short) = plainly(style, &value) {
                        prop_assert_eq!(short, masked(style, &value), "{}", value);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn every_mask_carries_the_mark_and_never_the_value(style in styles(), value in values()) {
            prop_assume!(!value.is_empty());
            let mask = masked(style, &value);
            prop_assert!(mask.contains('•'));
            prop_assert!(telling(&value) == 0 || !mask.contains(value.trim()) || value.contains('•'), "{mask}");
        }

        #[test]
        fn masking_a_mask_shows_no_more(style in styles(), value in values()) {
            prop_assume!(!value.is_empty());
            let once = masked(style, &value);
            prop_assert!(telling(&masked(style, &once)) <= telling(&once));
        }

        #[test]
        fn keep_rules_never_show_more_than_half(count in 0..12_u8, value in any::<String>()) {
            prop_assume!(!value.is_empty());
            for style in [MaskStyle::KeepFirst(count), MaskStyle::KeepLast(count)] {
                prop_assert!(2 * telling(&masked(style, &value)) <= telling(&value));
            }
        }
    }
}
