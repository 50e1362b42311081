//! IBANs (ISO 13616-1): country, length, check digits modulo 97 (ISO/IEC 7064).

use super::{Spot, at, fold::LETTER};
use crate::model::Entity;

/// The IBAN whose first check digit is at `digit`.
pub(super) fn around(bytes: &[u8], digit: usize) -> Option<Spot> {
    let gap = usize::from(matches!(at(bytes, digit.wrapping_sub(1)), b' ' | b'-'));
    let start = digit.checked_sub(2 + gap)?;
    let country = [at(bytes, start).to_ascii_uppercase(), at(bytes, start + 1).to_ascii_uppercase()];
    if !country.iter().all(u8::is_ascii_uppercase) || !at(bytes, digit + 1).is_ascii_digit() {
        return None;
    }
    let before = bytes.get(..start)?;
    let glued = before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == LETTER);
    if glued && !before.last_chunk::<4>().is_some_and(|word| word.eq_ignore_ascii_case(b"iban")) {
        return None;
    }
    let place = LENGTHS.binary_search_by(|(code, _)| code.as_bytes().cmp(&country)).ok()?;
    let length = LENGTHS.get(place)?.1;
    let mut slots = [0; MOST_BYTES];
    let number = slots.get_mut(..length)?;
    let mut position = start;
    let (mut read, mut gaps, mut small, mut capital) = (0, 0, false, false);
    while let Some(slot) = number.get_mut(read) {
        let byte = at(bytes, position);
        position += 1;
        if byte.is_ascii_alphanumeric() {
            *slot = byte.to_ascii_uppercase();
            read += 1;
            small |= byte.is_ascii_lowercase();
            capital |= byte.is_ascii_uppercase();
            gaps = 0;
        } else if matches!(byte, b' ' | b'-' | b'.' | b'\n' | b'\r') && gaps < 2 {
            gaps += 1;
        } else {
            return None;
        }
    }
    // Words of a sentence, such as `SO-273588 merged into…`.
    if small && capital {
        return None;
    }
    let bounded = !at(bytes, position).is_ascii_alphanumeric() && at(bytes, position) != LETTER;
    (bounded && at(number, 2).is_ascii_digit() && at(number, 3).is_ascii_digit() && valid(number)).then_some(Spot {
        start,
        end: position,
        entity: Entity::Iban,
        score: 99,
    })
}

/// The check digits of an IBAN in capitals without gaps.
fn valid(number: &[u8]) -> bool {
    let Some((head, tail)) = number.split_at_checked(4) else { return false };
    let rest = tail.iter().chain(head).fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97,
    });
    rest == 1
}

/// The longest there is.
const MOST_BYTES: usize = 34;

/// Country and length: the SWIFT IBAN registry, and countries outside it that write IBANs.
const LENGTHS: [(&str, usize); 111] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AO", 25),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BF", 28),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BJ", 28),
    ("BR", 29),
    ("BY", 28),
    ("CF", 27),
    ("CG", 27),
    ("CH", 21),
    ("CI", 28),
    ("CM", 27),
    ("CR", 22),
    ("CV", 25),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("DZ", 26),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GA", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GQ", 27),
    ("GR", 27),
    ("GT", 28),
    ("GW", 25),
    ("HN", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IR", 26),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KM", 27),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MA", 28),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MG", 27),
    ("MK", 19),
    ("ML", 28),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("MZ", 25),
    ("NE", 28),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SN", 28),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TD", 27),
    ("TG", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

#[cfg(test)]
mod tests {
    use crate::detect::tests::found;
    use crate::model::Entity::Iban;

    #[test]
    fn ibans_are_found_in_print_and_electronic_form() {
        for iban in [
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "GB29 NWBK 6016 1331 9268 19",
            "de89 3704 0044 0532 0130 00",
            "NO93 8601 1117 947",
            "MT84MALT011000012345MTLCAST001S",
            "FR14 2004 1010 0505 0001 3M02 606",
            "DE89-3704-0044-0532-0130-00",
            "DE 89 3704 0044 0532 0130 00",
            "BE68\u{a0}5390\u{a0}0754\u{a0}7034",
            "TR330006100519786457841326",
        ] {
            assert_eq!(found(&format!("to {iban} (BIC X)")), [(Iban, iban)], "{iban}");
        }
        assert_eq!(found("IBANDE89370400440532013000"), [(Iban, "DE89370400440532013000")]);
    }

    #[test]
    fn a_wrong_digit_length_or_country_is_no_iban() {
        for text in [
            "DE88370400440532013000",
            "DE8937040044053201300",
            "XX89370400440532013000",
            "ABDE89370400440532013000",
            "NL80211_CMD_UPDATE_FT",
        ] {
            assert!(found(text).iter().all(|hit| hit.0 != Iban), "{text}");
        }
    }
}
