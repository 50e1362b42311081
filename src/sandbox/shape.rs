//! Values with check digits: payment cards (ISO/IEC 7812-1 Luhn), IBANs (ISO 13616 mod 97), social security numbers, dates.

/// Appends the Luhn check digit to `payload` (digits only).
pub(super) fn card(payload: &str) -> String {
    let sum: u32 = payload
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit.wrapping_sub(b'0') % 10);
            if place % 2 == 0 { if digit > 4 { digit * 2 - 9 } else { digit * 2 } } else { digit }
        })
        .sum();
    format!("{payload}{}", (10 - sum % 10) % 10)
}

/// The IBAN of a basic bank account number (`A–Z`, `0–9`) in `country` (two upper-case letters).
pub(super) fn iban(country: &str, account: &str) -> String {
    let rest = mod97(&format!("{account}{country}00"));
    format!("{country}{:02}{account}", 98 - rest)
}

/// The remainder that ISO 7064 mod 97-10 takes of a rearranged IBAN (letters count as 10 to 35).
pub(super) fn mod97(text: &str) -> u32 {
    text.chars().fold(0, |rest, symbol| match symbol.to_digit(36) {
        Some(value) if value < 10 => (rest * 10 + value) % 97,
        Some(value) => (rest * 100 + value) % 97,
        None => rest,
    })
}

/// A number in the shape of a US social security number that the assignment rules allow (area 001–899 without 666, no
/// zero group, no zero serial); different for each `n` below 88 million.
pub(super) fn ssn(n: u64) -> String {
    let area = 1 + n % 898;
    let area = if area >= 666 { area + 1 } else { area };
    let group = 1 + (n / 898) % 99;
    let serial = 1 + (n / 898 / 99) % 9999;
    format!("{area:03}-{group:02}-{serial:04}")
}

/// The date `days` after 1970-01-01 as `YYYY-MM-DD` (proleptic Gregorian; Hinnant's `civil_from_days`).
pub(super) fn date(days: i64) -> String {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A point in time `minutes` after 2026-01-05T08:00:00Z, RFC 3339: the sample CRM has no clock, so runs repeat exactly.
pub(super) fn moment(minutes: u64) -> String {
    let minutes = minutes.saturating_add(8 * 60);
    let day = 20_458_i64.saturating_add_unsigned(minutes / 1_440);
    format!("{}T{:02}:{:02}:00Z", date(day), minutes / 60 % 24, minutes % 60)
}

/// A card number in groups as people write it: 4-4-4-4, or 4-6-5 for fifteen digits.
pub(super) fn grouped(number: &str, separator: char) -> String {
    let ends: &[usize] = if number.len() == 15 { &[4, 10] } else { &[4, 8, 12] };
    let mut out = String::with_capacity(number.len() + ends.len());
    for (at, digit) in number.chars().enumerate() {
        if ends.contains(&at) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_test_cards_get_their_own_check_digit() {
        for known in ["4111111111111111", "5555555555554444", "378282246310005", "6011111111111117"] {
            assert_eq!(card(&known[..known.len() - 1]), known);
        }
    }

    #[test]
    fn published_example_ibans_get_their_own_check_digits() {
        for known in
            ["GB82WEST12345698765432", "DE89370400440532013000", "NL91ABNA0417164300", "FR1420041010050500013M02606"]
        {
            assert_eq!(iban(&known[..2], &known[4..]), known);
        }
    }

    #[test]
    fn social_security_numbers_stay_in_the_assignable_areas() {
        let all: std::collections::BTreeSet<String> = (0..20_000).map(|n| ssn(n * 3)).collect();
        assert_eq!(all.len(), 20_000);
        assert!(all.iter().all(|s| s.len() == 11 && &s[..3] != "000" && &s[..3] != "666" && &s[..3] < "900"));
        assert!(all.iter().all(|s| &s[4..6] != "00" && &s[7..] != "0000"));
    }

    #[test]
    fn dates_know_leap_years() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(moment(0), "2026-01-05T08:00:00Z");
        assert_eq!(moment(16 * 60 + 1), "2026-01-06T00:01:00Z");
    }

    #[test]
    fn groups_follow_the_print_on_the_card() {
        assert_eq!(grouped("4111111111111111", ' '), "4111 1111 1111 1111");
        assert_eq!(grouped("378282246310005", '-'), "3782-822463-10005");
    }
}
