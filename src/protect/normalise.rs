//! A value in, the form that is compared out (field-protection.md §3). Only what goes into an index, a look-up hash or
//! a deterministic value is normalised; the stored text stays as it came. A change of these rules needs a new version
//! name: everything indexed before would not be found any more.

use unicode_normalization::UnicodeNormalization;

use crate::model::Normaliser;

/// `text` in the form of `normaliser`. `region` is the ISO 3166 code whose dialling rules national numbers follow
/// (`phone-1` only). Applying it twice changes nothing.
#[must_use]
pub fn normalise(normaliser: Normaliser, text: &str, region: Option<&str>) -> String {
    match normaliser {
        Normaliser::Text => text.trim().nfc().collect::<String>().trim().to_owned(),
        Normaliser::Email => email(text),
        Normaliser::Phone => phone(text, region),
        Normaliser::Id => id(text),
        Normaliser::Name => name(text),
    }
}

/// Trimmed, NFKC, lower case, the domain as an A-label (UTS 46). Dots and tags of the local part stay: whether they
/// matter is the mail host's business.
fn email(text: &str) -> String {
    let folded = lower(text);
    let folded = folded.trim();
    match folded.rsplit_once('@') {
        Some((local, domain)) => match idna::domain_to_ascii(domain) {
            Ok(ascii) if !ascii.is_empty() => format!("{local}@{ascii}"),
            _ => folded.to_owned(),
        },
        None => folded.to_owned(),
    }
}

/// NFKC, full lower case, NFKC again: lower-casing may leave a form that is not composed.
fn lower(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

/// `+` and digits where the number is international or the region says how to make it so; else its digits; an
/// extension follows as `x12`. What has other words in it (`1-800-FLOWERS`, an address) is compared as a name: its
/// digits alone would make different things equal.
fn phone(text: &str, region: Option<&str>) -> String {
    let plain: String = text.nfkc().map(ascii_digit).collect::<String>().to_lowercase();
    let plain = plain.trim().trim_start_matches("tel:").trim_start_matches("tel").trim_start_matches('.');
    let (number, extension) = match plain.find(['x', 'e', '#', ';']) {
        Some(at) => plain.split_at(at),
        None => (plain, ""),
    };
    let extension = extension.trim_start_matches(['x', 'e', 't', '#', ';', '=', '.', ':', ' ']);
    let in_number = |c: char| c.is_ascii_digit() || c.is_whitespace() || "+()-./\u{2010}\u{2011}\u{2013}".contains(c);
    let is_number = number.contains(|c: char| c.is_ascii_digit()) && number.chars().all(in_number);
    match (is_number, extension) {
        (true, "") if !plain.contains(['x', '#', ';', 'e']) => dialled(number, region),
        (true, digits) if !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit()) => {
            dialled(number, region) + "x" + digits
        }
        _ => name(text),
    }
}

/// Arabic, Persian and Devanagari digits in ASCII.
fn ascii_digit(c: char) -> char {
    let zero = match c {
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        '\u{966}'..='\u{96f}' => 0x966,
        _ => return c,
    };
    char::from_digit(u32::from(c) - zero, 10).unwrap_or(c)
}

fn dialled(plain: &str, region: Option<&str>) -> String {
    let digits: String = plain.chars().filter(char::is_ascii_digit).collect();
    if plain.chars().find(|c| *c == '+' || c.is_ascii_digit()) == Some('+') {
        return format!("+{}", without_trunk(plain, &digits));
    }
    let Some(region) = region.and_then(|name| REGIONS.iter().find(|one| one.name.eq_ignore_ascii_case(name))) else {
        return digits.strip_prefix("00").map(|rest| format!("+{rest}")).unwrap_or(digits);
    };
    if let Some(rest) = digits.strip_prefix(region.exit) {
        return format!("+{rest}");
    }
    let national = digits.strip_prefix(region.trunk).unwrap_or(&digits);
    if region.trunk.is_empty() || national.len() < digits.len() || national.len() >= region.shortest {
        format!("+{}{national}", region.calling)
    } else {
        digits
    }
}

/// `+44 (0)20 …` is written by people who mean `+44 20 …`.
fn without_trunk(plain: &str, digits: &str) -> String {
    match plain.split_once("(0)") {
        Some((front, _)) => {
            let at = front.chars().filter(char::is_ascii_digit).count();
            let (country, rest) = digits.split_at_checked(at).unwrap_or((digits, ""));
            format!("{country}{}", rest.strip_prefix('0').unwrap_or(rest))
        }
        None => digits.to_owned(),
    }
}

/// Upper case, everything but letters and digits out: cards, IBANs, national ids.
fn id(text: &str) -> String {
    let upper: String = text.nfkc().collect::<String>().to_uppercase().nfkc().collect();
    let kept: String = upper.chars().filter(|c| c.is_alphanumeric()).collect();
    if kept.is_empty() { upper.trim().to_owned() } else { kept }
}

/// NFKC, case folded, single spaces.
fn name(text: &str) -> String {
    // Upper case first folds `ß` and `ss`, `ς` and `σ` together, which lower case alone does not (Unicode 5.18,
    // caseless).
    let folded = text.nfkc().collect::<String>().to_uppercase().to_lowercase();
    let folded: String = folded.replace('ς', "σ").nfkc().collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Dialling rules of a region (ITU-T E.164, E.123; national numbering plans).
struct Region {
    name: &'static str,
    calling: &'static str,
    /// Dialled before a national number.
    trunk: &'static str,
    /// Dialled before an international number.
    exit: &'static str,
    /// Digits of the shortest national number that is taken without its trunk prefix.
    shortest: usize,
}

const fn region(
    name: &'static str,
    calling: &'static str,
    trunk: &'static str,
    exit: &'static str,
    shortest: usize,
) -> Region {
    Region { name, calling, trunk, exit, shortest }
}

#[rustfmt::skip]
const REGIONS: &[Region] = &[
    region("AE", "971", "0", "00", 8), region("AR", "54", "0", "00", 10), region("AT", "43", "0", "00", 7),
    region("AU", "61", "0", "0011", 9), region("BE", "32", "0", "00", 8), region("BG", "359", "0", "00", 8),
    region("BR", "55", "0", "00", 10), region("CA", "1", "1", "011", 10), region("CH", "41", "0", "00", 9),
    region("CL", "56", "", "00", 9), region("CN", "86", "0", "00", 10), region("CO", "57", "", "00", 10),
    region("CY", "357", "", "00", 8), region("CZ", "420", "", "00", 9), region("DE", "49", "0", "00", 7),
    region("DK", "45", "", "00", 8), region("EE", "372", "", "00", 7), region("ES", "34", "", "00", 9),
    region("FI", "358", "0", "00", 6), region("FR", "33", "0", "00", 9), region("GB", "44", "0", "00", 9),
    region("GR", "30", "", "00", 10), region("HK", "852", "", "001", 8), region("HR", "385", "0", "00", 8),
    region("HU", "36", "06", "00", 8), region("IE", "353", "0", "00", 7), region("IL", "972", "0", "00", 8),
    region("IN", "91", "0", "00", 10), region("IS", "354", "", "00", 7), region("IT", "39", "", "00", 6),
    region("JP", "81", "0", "010", 9), region("KR", "82", "0", "00", 8), region("LT", "370", "0", "00", 8),
    region("LU", "352", "", "00", 5), region("LV", "371", "", "00", 8), region("MT", "356", "", "00", 8),
    region("MX", "52", "", "00", 10), region("MY", "60", "0", "00", 8), region("NL", "31", "0", "00", 9),
    region("NO", "47", "", "00", 8), region("NZ", "64", "0", "00", 8), region("PL", "48", "", "00", 9),
    region("PT", "351", "", "00", 9), region("RO", "40", "0", "00", 9), region("SE", "46", "0", "00", 7),
    region("SG", "65", "", "000", 8), region("SI", "386", "0", "00", 8), region("SK", "421", "0", "00", 9),
    region("TR", "90", "0", "00", 10), region("UA", "380", "0", "00", 9), region("US", "1", "1", "011", 10),
    region("ZA", "27", "0", "00", 9),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(normaliser: Normaliser, region: Option<&str>, cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            assert_eq!(normalise(normaliser, text, region), *expected, "{text}");
        }
    }

    #[test]
    fn e_mail_addresses_meet_in_lower_case_with_ascii_domains() {
        check(
            Normaliser::Email,
            None,
            &[
                ("  Ada@Example.COM ", "ada@example.com"),
                ("ada.l+x@example.com", "ada.l+x@example.com"),
                ("Jörg@Bücher.example", "jörg@xn--bcher-kva.example"),
                ("ｊｏ@ｅｘａｍｐｌｅ.com", "jo@example.com"),
                ("not an address", "not an address"),
                ("ada@", "ada@"),
            ],
        );
    }

    #[test]
    fn phone_numbers_meet_in_e164() {
        let german = ["+49 30 901820", "0049-30-901820", "(030) 90 18 20", "030/901820", "+49 (0)30 901820"];
        for text in german {
            assert_eq!(normalise(Normaliser::Phone, text, Some("de")), "+4930901820", "{text}");
        }
        check(
            Normaliser::Phone,
            Some("US"),
            &[
                ("(202) 555-0143", "+12025550143"),
                ("1-202-555-0143", "+12025550143"),
                ("011 44 20 7946 0018", "+442079460018"),
                ("911", "911"),
                ("٢٠٢5550143", "+12025550143"),
                ("tel:+1-202-555-0143", "+12025550143"),
                ("202.555.0143 ext. 12", "+12025550143x12"),
                ("(202) 555-0143 x12", "+12025550143x12"),
                ("1-800-FLOWERS", "1-800-flowers"),
                ("ada@example.com", "ada@example.com"),
                ("555 or 556", "555 or 556"),
            ],
        );
        check(Normaliser::Phone, Some("IT"), &[("06 6982", "+39066982")]);
        check(Normaliser::Phone, None, &[("030 901820", "030901820"), ("0044 20", "+4420"), ("None", "none")]);
        check(Normaliser::Phone, Some("XX"), &[("030 901820", "030901820")]);
    }

    #[test]
    fn ids_names_and_texts_lose_what_does_not_count() {
        check(
            Normaliser::Id,
            None,
            &[("de89 3704 0044", "DE8937040044"), ("4111-1111 1111.1111", "4111111111111111"), (" - ", "-")],
        );
        check(Normaliser::Name, None, &[("  Zoë\u{a0} KAŠIK ", "zoë kašik"), ("Weiß", "weiss"), ("Zoe\u{308}", "zoë")]);
        check(Normaliser::Text, None, &[(" A  b\u{308} ", "A  b\u{308}"), ("o\u{308}", "ö"), ("", "")]);
    }

    #[test]
    fn regions_are_sorted_and_known_once() {
        assert!(REGIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    proptest! {
        #[test]
        fn a_second_time_changes_nothing(
            text in "\\PC{0,24}",
            at in 0usize..5,
            region in prop::option::of("US|DE|IT|HU|XX"),
        ) {
            let normaliser = Normaliser::ALL[at];
            let once = normalise(normaliser, &text, region.as_deref());
            prop_assert_eq!(normalise(normaliser, &once, region.as_deref()), once);
        }

        #[test]
        fn dialled_digits_do_not_move_a_second_time(
            text in "[+0-9() x]{0,16}",
            region in prop::option::of("US|DE|IT|HU|SG|XX"),
        ) {
            let once = normalise(Normaliser::Phone, &text, region.as_deref());
            prop_assert_eq!(normalise(Normaliser::Phone, &once, region.as_deref()), once);
        }
    }
}
