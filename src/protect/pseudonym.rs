//! Keyed stand-ins: the same value gives the same one, shaped like its class, and recognisable without the key.
//!
//! | class | stand-in | never a real value, because |
//! |---|---|---|
//! | e-mail | `p-` 16 hex `@pseudonym.invalid` | RFC 6761 §6.4 |
//! | phone | `+999` and 12 digits | ITU-T E.164: country code 999 is not assigned |
//! | card | `999` and 13 digits | ISO/IEC 7812-1: no issuer, and the check digit is five off |
//! | IBAN | `XX00` and 18 digits | no country, and check digits 00 do not exist |
//! | name | `Person` 12 hex | |
//! | address | `Place` 12 hex | |
//! | date | a date in the years 9000–9899 | |
//! | other | `p-` 16 hex | |

use super::text::{canonical, digits, luhn};
use crate::{
    crypto::{MacKey, hex},
    model::{Class, MaskStyle},
};

/// Appends the stand-in of `value`, which is not empty.
///
/// Classes of one shape share their stand-ins, so that an address in one field joins with the same address in another
/// and in free text; classes without a shape have their own.
pub(super) fn pseudonym(key: &MacKey, class: &Class, value: &str, out: &mut String) {
    let (shape, name) = match class.mask {
        MaskStyle::Email => ("email", ""),
        MaskStyle::Phone => ("phone", ""),
        MaskStyle::Card => ("card", ""),
        MaskStyle::Iban => ("iban", ""),
        MaskStyle::Name => ("name", ""),
        MaskStyle::Address => ("address", ""),
        MaskStyle::Date => ("date", ""),
        MaskStyle::KeepFirst(_) | MaskStyle::KeepLast(_) | MaskStyle::Full => ("other", &*class.name),
    };
    let same = zeroize::Zeroizing::new(canonical(class.mask, value));
    let tag = key.mac(&[shape.as_bytes(), name.as_bytes(), same.as_bytes()]);
    let (low, high) = tag.split_at(16);
    let [low, high] = [low, high].map(|half| half.iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte)));
    let short = hex(&tag).chars().take(12).collect::<String>();
    out.push_str(&match class.mask {
        MaskStyle::Email => format!("p-{}{MAIL_DOMAIN}", token(&tag)),
        MaskStyle::Phone => format!("+999{:012}", low % 10_u128.pow(12)),
        MaskStyle::Card => card(low),
        MaskStyle::Iban => format!("XX00{:018}", low % 10_u128.pow(18)),
        MaskStyle::Name => format!("Person {short}"),
        MaskStyle::Address => format!("Place {short}"),
        MaskStyle::Date => format!("9{:03}-{:02}-{:02}", low % 900, high % 12 + 1, (high >> 64) % 28 + 1),
        MaskStyle::KeepFirst(_) | MaskStyle::KeepLast(_) | MaskStyle::Full => format!("p-{}", token(&tag)),
    });
}

fn token(tag: &[u8]) -> String {
    hex(tag).chars().take(16).collect()
}

/// 15 digits and a check digit that is five off.
fn card(number: u128) -> String {
    let body = format!("999{:012}", number % 10_u128.pow(12));
    let check = wrong_check(&body);
    format!("{body}{check}")
}

fn wrong_check(body: &str) -> u32 {
    (10 - luhn(body.chars().rev(), 1) + 5) % 10
}

/// Whether a stand-in made here stands anywhere in `text`, in any case and with any separators in numbers.
pub(super) fn carries_pseudonym(text: &str) -> bool {
    // Shortest: a date of ten bytes; all have a digit or `p-`.
    if text.len() < 10 {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    let after = |mark: &'static str| {
        let text = lower.as_str();
        text.match_indices(mark).filter_map(move |(at, _)| {
            let alone = text.get(..at)?.chars().next_back().is_none_or(|before| !before.is_alphanumeric());
            alone.then(|| text.get(at + mark.len()..)).flatten()
        })
    };
    let hex_run = |rest: &str| rest.bytes().take_while(u8::is_ascii_hexdigit).count();
    lower.contains("pseudonym.invalid")
        || after("p-").any(|rest| hex_run(rest) == 16)
        || after("person ").chain(after("place ")).any(|rest| hex_run(rest) == 12)
        || after("xx00").any(|rest| digit_run(rest).count() >= 18)
        || lower.match_indices("999").any(|(at, _)| lower.get(..at).zip(lower.get(at..)).is_some_and(number))
        || after("9").any(stand_in_date)
}

/// `+999…` or a card number that starts behind `before`. Other digits may follow it in groups of their own.
fn number((before, rest): (&str, &str)) -> bool {
    if before.ends_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let unbroken = rest.bytes().take_while(u8::is_ascii_digit).count();
    let digits: String = digit_run(rest).take(17).collect();
    let plus = before.trim_end().ends_with('+') || before.ends_with("%2b") || before.ends_with("00");
    let phone = unbroken <= 15 && (digits.len() >= 15 && plus || digits.len() == 15 && before.trim().is_empty());
    let card = unbroken <= 16
        && unbroken != 15
        && digits.get(..15).zip(digits.get(15..16)).is_some_and(|(body, check)| check == wrong_check(body).to_string());
    phone || card
}

/// The digits from the start of `text`, with single separators between them.
fn digit_run(text: &str) -> impl Iterator<Item = char> {
    let mut gap = 0;
    text.chars()
        .take_while(move |c| {
            gap = if digits(c.encode_utf8(&mut [0; 4])).next().is_some() { 0 } else { gap + 1 };
            gap == 0 || gap <= 2 && matches!(c, ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}' | '_')
        })
        .filter(char::is_ascii_digit)
}

/// The rest of a date in the years 9000–9899, behind its first digit.
fn stand_in_date(rest: &str) -> bool {
    let mut parts = rest.splitn(3, '-');
    let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let plain = |text: &str, size: usize| text.len() == size && text.bytes().all(|byte| byte.is_ascii_digit());
    let day = day.get(..2).is_some_and(|day| plain(day, 2));
    plain(year, 3) && year < "900" && plain(month, 2) && day
}

/// Reserved by RFC 6761: never delivered, never anybody's.
const MAIL_DOMAIN: &str = "@pseudonym.invalid";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        crypto::{Purpose, RootKey},
        model::Storage,
        protect::is_stand_in,
    };

    const STYLES: [MaskStyle; 10] = [
        MaskStyle::Email,
        MaskStyle::Phone,
        MaskStyle::Card,
        MaskStyle::Iban,
        MaskStyle::Name,
        MaskStyle::Address,
        MaskStyle::Date,
        MaskStyle::KeepFirst(2),
        MaskStyle::KeepLast(4),
        MaskStyle::Full,
    ];

    fn key() -> MacKey {
        static KEY: std::sync::OnceLock<MacKey> = std::sync::OnceLock::new();
        KEY.get_or_init(|| RootKey::generate().unwrap().derive(Purpose::Pseudonym, "t").unwrap()).clone()
    }

    fn class(name: &str, mask: MaskStyle) -> Class {
        Class { name: name.into(), mask, storage: Storage::CLEAR, detects: vec![] }
    }

    fn made(mask: MaskStyle, value: &str) -> String {
        let mut out = String::new();
        pseudonym(&key(), &class("c", mask), value, &mut out);
        out
    }

    #[test]
    fn each_class_has_its_shape() {
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let email = made(MaskStyle::Email, "jane@example.com");
        assert!(email.starts_with("p-") && email.ends_with("@pseudonym.invalid"), "{email}");
        let phone = made(MaskStyle::Phone, "+49 151 1234567");
        assert!(phone.starts_with("+999") && phone.len() == 16 && number(&phone[1..]), "{phone}");
        let card = made(MaskStyle::Card, "4111 1111 1111 1111");
        assert!(card.starts_with("999") && card.len() == 16 && number(&card), "{card}");
        assert!(!crate::protect::text::is_card(&card), "{card}");
        let iban = made(MaskStyle::Iban, "DE89 3704 0044 0532 0130 00");
        assert!(iban.starts_with("XX00") && iban.len() == 22, "{iban}");
        assert!(made(MaskStyle::Name, "Jane Doe").starts_with("Person "));
        let date = made(MaskStyle::Date, "1984-03-09");
        assert!(date.parse::<jiff::civil::Date>().is_ok(), "{date}");
    }

    #[test]
    fn one_value_has_one_stand_in_however_it_is_spelled() {
        assert_eq!(made(MaskStyle::Email, "Jane@Example.com"), made(MaskStyle::Email, "jane@example.com"));
        assert_eq!(made(MaskStyle::Phone, "+49 151 1234567"), made(MaskStyle::Phone, "0049-151-1234567"));
        assert_ne!(made(MaskStyle::Phone, "+49 151 1234567"), made(MaskStyle::Phone, "+49 151 1234568"));
    }

    #[test]
    fn classes_of_one_shape_join_and_others_do_not() {
        let of = |name: &str, mask| {
            let mut out = String::new();
            pseudonym(&key(), &class(name, mask), "jane@example.com", &mut out);
            out
        };
        assert_eq!(of("work", MaskStyle::Email), of("home", MaskStyle::Email));
        assert_ne!(of("work", MaskStyle::Full), of("home", MaskStyle::Full));
    }

    #[test]
    fn another_key_gives_another_stand_in() {
        let other = RootKey::generate().unwrap().derive(Purpose::Pseudonym, "t").unwrap();
        for mask in STYLES {
            let mut out = String::new();
            pseudonym(&other, &class("c", mask), "1984-03-09", &mut out);
            if mask != MaskStyle::Date {
                assert_ne!(out, made(mask, "1984-03-09"));
            }
        }
    }

    #[test]
    fn real_values_are_no_stand_ins() {
        for text in [
            "jane@example.com",
            "+49 151 1234567",
            "4111 1111 1111 1111",
            "DE89 3704 0044 0532 0130 00",
            "Jane Doe",
            "1984-03-09",
            "9999-12-31",
            "Person of interest",
            "Place de la Concorde 12",
            "p-123",
            "999",
            "+999 123",
            "9991234567890",
            "XX00",
            "order 9998887776665554443",
            "",
            "map-0123456789abcdef",
            "536-22-8726",
            "Call 0800 999 1234 about order 4711",
        ] {
            assert!(!is_stand_in(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn stand_ins_are_recognised_wherever_they_are_written(value in "[ -~é]{1,40}", style in 0..10_usize, upper: bool) {
            let mask = STYLES[style];
            let plain = made(mask, &value);
            prop_assert!(is_stand_in(&plain), "{plain}");
            let written = if upper { plain.to_uppercase() } else { plain.clone() };
            prop_assert!(is_stand_in(&format!("please ask {written}, or nobody")), "{written}");
            prop_assert!(is_stand_in(&format!("12 {written} 12/28 123 45678")), "{written}");
            prop_assert!(is_stand_in(&format!("?q={}", written.replace('@', "%40").replace('+', "%2B"))), "{written}");
            if matches!(mask, MaskStyle::Phone | MaskStyle::Card | MaskStyle::Iban) {
                let spaced: String = plain.chars().enumerate().flat_map(|(at, c)| (at > 3 && at % 4 == 0).then_some(' ').into_iter().chain([c])).collect();
                prop_assert!(is_stand_in(&spaced), "{spaced}");
            }
        }

        #[test]
        fn stand_ins_do_not_hold_the_value(value in "\\PC{0,20}[a-zA-Z0-9é]{6,20}\\PC{0,20}", style in 0..10_usize) {
            prop_assert!(!made(STYLES[style], &value).contains(value.trim()));
        }

        #[test]
        fn any_text_is_judged_without_harm(text in any::<String>(), digits in "[0-9 +.-]{0,40}") {
            let _ = is_stand_in(&text);
            let _ = is_stand_in(&digits);
        }
    }
}
