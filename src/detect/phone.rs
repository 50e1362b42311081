//! Telephone numbers: `+` and `00` with a country code (ITU-T E.164), area codes in parentheses, the North American
//! plan, trunk `0`, and bare digits next to a word such as `tel`. Dates, times, machine addresses, amounts and what
//! follows a word such as `order` are not.

use super::{
    Spot, at,
    chain::{Gap, Group},
    context::Text,
    fold::LETTER,
    machine,
    topics::Topic,
};
use crate::model::Entity;

/// Claims the groups that make a number.
pub(super) fn claim(bytes: &Text<'_>, groups: &mut [Group], found: &mut Vec<Spot>) {
    exclude(bytes, groups);
    let mut first = 0;
    while let Some(rest) = groups.get(first..).filter(|rest| !rest.is_empty()) {
        let free = rest.iter().take_while(|group| !group.taken).take(MAX_GROUPS).count();
        let Some((used, start, score)) = number(bytes, rest.get(..free).unwrap_or_default(), rest.get(free)) else {
            first += 1;
            continue;
        };
        let claimed = groups.get_mut(first..first + used).unwrap_or_default();
        for group in claimed.iter_mut() {
            group.taken = true;
        }
        found.extend(claimed.last().map(|last| Spot { start, end: last.end, entity: Entity::Phone, score }));
        first += used;
    }
}

/// The number that starts with the first group: how many groups, where it starts, its score.
fn number(bytes: &Text<'_>, groups: &[Group], after: Option<&Group>) -> Option<(usize, usize, u8)> {
    let first = groups.first()?;
    let digits = first.digits(bytes);
    let open = usize::from(at(bytes, first.start.wrapping_sub(1)) == b'(');
    let start = first.start - open;
    if let Some(plus) = plus_before(bytes, start).or_else(|| plus_before(bytes, first.start)) {
        let used = fitting(groups, 8, 15)?;
        // `+52.520008` is a place; `+1.5551234567` a number (RFC 5733 §2.5).
        let place = matches!(groups, [_, decimals, ..] if used == 2 && decimals.gap == Gap::Dot && decimals.len() <= 7);
        return (at(digits, 0) != b'0' && !place).then_some((used, plus, 92));
    }
    let before = at(bytes, start.wrapping_sub(1));
    let glued = is_word(before)
        || b"#$".contains(&before)
        || (b"-/._".contains(&before) && is_word(at(bytes, start.wrapping_sub(2))));
    // Nobody writes anything else like that.
    let certain = international(digits, groups).or_else(|| parenthesised(bytes, groups));
    let formed = certain
        .or_else(|| north_american(bytes, groups, after))
        .or_else(|| trunk(bytes, groups))
        .or_else(|| mobile(digits, groups));
    // The words are read last: looking at them costs more than all the rest.
    let (used, score) = formed.or_else(|| spoken(groups))?;
    let words = bytes.before(start);
    let named = words.before(Topic::Phone);
    // A number that has the form of one counts unless it is called something else; any other only next to the word.
    let other = if formed.is_some() && named { words.labelled() } else { words.reference() };
    if (other && certain.is_none()) || (!named && (formed.is_none() || glued)) {
        return None;
    }
    let end = groups.get(used.checked_sub(1)?)?.end;
    let next = at(bytes, end);
    let goes_on =
        is_word(next) || next == b'%' || (b"-_".contains(&next) && is_word(at(bytes, end + 1)) && used == groups.len());
    (!goes_on || named).then_some((used, start, score))
}

/// `00` and a country code. Ten to 17 digits, twelve without gaps.
fn international(digits: &[u8], groups: &[Group]) -> Option<(usize, u8)> {
    // Pairs are the address of a network card.
    if sizes(groups, &[2; 6]) {
        return None;
    }
    let coded = digits.starts_with(b"00") && (digits.len() == 2 || at(digits, 2) != b'0') && digits.len() != 3;
    // Area codes behind 001 start with 2 to 9.
    let plan = at(digits, 2) != b'1' || !matches!(at(digits, 3), b'0' | b'1');
    let used = fitting(groups, 10, 17)?;
    (coded && plan && (used > 1 || digits.len() >= 12)).then_some((used, 85))
}

/// `(030) 1234567`, `(555) 123-4567`.
fn parenthesised(bytes: &[u8], groups: &[Group]) -> Option<(usize, u8)> {
    let [area, rest @ ..] = groups else { return None };
    let enclosed = at(bytes, area.start.wrapping_sub(1)) == b'(' && at(bytes, area.end) == b')';
    let year = area.len() == 4 && (1900..2100).contains(&area.value(bytes));
    if !enclosed || year || area.len() > 5 || rest.is_empty() {
        return None;
    }
    if area.len() == 3 && sizes(rest, &[3, 4]) {
        return Some((3, 85));
    }
    let least = if at(bytes, area.start) == b'0' { 8 } else { 9 };
    fitting(groups, least, 13).filter(|used| *used > 1).map(|used| (used, 80))
}

/// `555-123-4567`, `1-800-555-1234` (North American Numbering Plan).
fn north_american(bytes: &[u8], groups: &[Group], after: Option<&Group>) -> Option<(usize, u8)> {
    let country = usize::from(groups.first().is_some_and(|group| group.len() == 1 && group.value(bytes) == 1));
    let local = groups.get(country..)?;
    let ([area, exchange, line, ..], true) = (local, sizes(local, &[3, 3, 4])) else { return None };
    let used = country + 3;
    let next = groups.get(used).or(after);
    let gap = exchange.gap;
    let alone = area.gap != gap || country == 1;
    if line.gap != gap || !alone || next.is_some_and(|next| next.gap == gap && gap != Gap::Space) {
        return None;
    }
    let assigned = area.value(bytes) >= 200 && exchange.value(bytes) >= 200;
    match gap {
        Gap::Dash => Some((used, if assigned { 85 } else { 70 })),
        Gap::Space | Gap::Dot if area.value(bytes) >= 200 => Some((used, if assigned { 75 } else { 66 })),
        _ => None,
    }
}

/// `030 1234567`, `0151/12345678`, `01 23 45 67 89`: trunk prefix 0, nine to 12 digits, at least one gap.
fn trunk(bytes: &[u8], groups: &[Group]) -> Option<(usize, u8)> {
    let area = groups.first()?;
    let digits = area.digits(bytes);
    if at(digits, 0) != b'0' || matches!(at(digits, 1), 0 | b'0') || area.len() > 6 {
        return None;
    }
    if groups.iter().take(6).all(|group| group.len() == 2) {
        // Pairs are French; six of them are something else.
        return (groups.len() == 5).then_some((5, 75));
    }
    fitting(groups, 9, 12).filter(|used| *used > 1).map(|used| (used, 72))
}

/// `98765 43210`, `333 1234567`: mobile numbers of plans without a trunk prefix.
fn mobile(digits: &[u8], groups: &[Group]) -> Option<(usize, u8)> {
    let lead = at(digits, 0);
    let gap = groups.get(1)?.gap;
    let indian = sizes(groups, &[5, 5]) && (b'6'..=b'9').contains(&lead);
    let italian = sizes(groups, &[3, 7]) && lead == b'3';
    let alone = groups.get(2).is_none_or(|next| next.gap != gap);
    ((indian || italian) && alone && matches!(gap, Gap::Space | Gap::Dash)).then_some((2, 62))
}

/// Digits that a word may say are a number: seven and more, six in groups.
fn spoken(groups: &[Group]) -> Option<(usize, u8)> {
    fitting(groups, 7, 15).or_else(|| fitting(groups, 6, 15).filter(|used| *used > 1)).map(|used| (used, 65))
}

/// Marks what is a date, a time, an IPv4 address or an amount.
fn exclude(bytes: &[u8], groups: &mut [Group]) {
    for first in 0..groups.len() {
        let Some(group) = groups.get(first) else { continue };
        let (before, after) = (at(bytes, group.start.wrapping_sub(1)), at(bytes, group.end));
        let timed = (after == b':' && at(bytes, group.end + 1).is_ascii_digit())
            || (before == b':' && at(bytes, group.start.wrapping_sub(2)).is_ascii_digit());
        let amount = (after == b',' && at(bytes, group.end + 1).is_ascii_digit())
            || (before == b',' && at(bytes, group.start.wrapping_sub(2)).is_ascii_digit())
            || before == b'$';
        let used = if timed || amount {
            1
        } else {
            if machine::dotted(bytes, groups, first) { 4 } else { date(bytes, groups, first) }
        };
        for group in groups.iter_mut().skip(first).take(used) {
            group.taken = true;
        }
    }
}

/// Three when `first` starts a date.
pub(super) fn date(bytes: &[u8], groups: &[Group], first: usize) -> usize {
    let Some([a, b, c, after @ ..]) = groups.get(first..) else { return 0 };
    let gap = b.gap;
    let alone = a.gap != gap && after.first().is_none_or(|next| next.gap != gap);
    if !alone || c.gap != gap || !matches!(gap, Gap::Dash | Gap::Dot | Gap::Slash) {
        return 0;
    }
    let day = |group: &Group| group.len() <= 2 && (1..=31).contains(&group.value(bytes));
    let month = |group: &Group| group.len() <= 2 && (1..=12).contains(&group.value(bytes));
    let year = |group: &Group| group.len() == 2 || (group.len() == 4 && (1800..2200).contains(&group.value(bytes)));
    let forward = year(a) && a.len() == 4 && month(b) && day(c);
    let backward = year(c) && ((day(a) && month(b)) || (month(a) && day(b)));
    if forward || backward { 3 } else { 0 }
}

/// How many groups hold at most `most` digits together, when these are at least `least`; a number ends with its line and
/// before `_`.
fn fitting(groups: &[Group], least: usize, most: usize) -> Option<usize> {
    let (mut used, mut total) = (0, 0);
    for group in groups {
        if total + group.len() > most || (used > 0 && matches!(group.gap, Gap::Line | Gap::Low)) {
            break;
        }
        total += group.len();
        used += 1;
    }
    (total >= least).then_some(used)
}

/// Whether the groups start with these sizes.
fn sizes(groups: &[Group], wanted: &[usize]) -> bool {
    groups.len() >= wanted.len() && groups.iter().zip(wanted).all(|(group, size)| group.len() == *size)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == LETTER
}

/// Where the `+` that ends at `start` is; `%2B` in a URL.
pub(super) fn plus_before(bytes: &[u8], start: usize) -> Option<usize> {
    let before = bytes.get(..start)?;
    if before.ends_with(b"+") && !before.get(..start - 1)?.last().is_some_and(u8::is_ascii_digit) {
        return Some(start - 1);
    }
    before.get(start.checked_sub(3)?..)?.eq_ignore_ascii_case(b"%2b").then(|| start - 3)
}

const MAX_GROUPS: usize = 16;

#[cfg(test)]
mod tests {
    use crate::detect::tests::found;
    use crate::model::Entity::Phone;

    #[test]
    fn international_numbers_are_found() {
        for number in [
            "+4915112345678",
            "+49 151 12345678",
            "+49 (0)151 1234567",
            "+1 (555) 123-4567",
            "+1-555-123-4567",
            "+44 20 7946 0958",
            "+1.5551234567",
            "0049 151 12345678",
            "00491511234567",
            "+33 1 23 45 67 89",
            "+\u{200b}49 151 12345678",
            "+49\u{a0}151\u{a0}12345678",
            "＋４９１５１１２３４５６７８",
            "%2B4915112345678",
            "+49 151 / 1234567",
            "(+49) 30 1234567",
        ] {
            let text = format!("reach me at {number}, please");
            let hits = found(&text);
            assert_eq!(hits.len(), 1, "{number}");
            assert_eq!(hits[0].0, Phone, "{number}");
            assert!(
                number.trim_start_matches('(').ends_with(hits[0].1.trim_start_matches('(')),
                "{number} {}",
                hits[0].1
            );
        }
    }

    #[test]
    fn national_numbers_are_found() {
        for number in [
            "(555) 123-4567",
            "555-123-4567",
            "555.234.4567",
            "1-800-555-1234",
            "030 12345678",
            "0151/12345678",
            "0151-1234567",
            "555 123 4567",
            "020 7946 0958",
            "07911 123456",
            "01 23 45 67 89",
            "(030) 1234567",
            "98765 43210",
            "333 1234567",
        ] {
            assert_eq!(found(&format!("reach me at {number}, please")), [(Phone, number)], "{number}");
        }
    }

    #[test]
    fn bare_digits_count_next_to_the_word() {
        assert_eq!(found("Tel.: 5551234567"), [(Phone, "5551234567")]);
        assert_eq!(found("Mobiltelefon 01511234567"), [(Phone, "01511234567")]);
        assert_eq!(found("phone 612 345 678"), [(Phone, "612 345 678")]);
        assert_eq!(found("hotel 5551234567"), []);
        assert_eq!(found("phone 5551234567, order 5551234568"), [(Phone, "5551234567")]);
    }

    #[test]
    fn a_number_next_to_a_date_or_another_number_is_found_alone() {
        assert_eq!(found("2026-11-24 030 12345678"), [(Phone, "030 12345678")]);
        assert_eq!(found("+49 151 12345678 2026-11-24"), [(Phone, "+49 151 12345678")]);
        assert_eq!(found("030 12345678 / +49 30 1234567").len(), 2);
        assert_eq!(found("0151 1234567\n0151 1234568").len(), 2);
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in [
            "2026-11-24",
            "24.11.2026 10:30",
            "11/24/2026 10:30:00",
            "2026-11-24T10:30:00.123456789Z",
            "192.168.100.200",
            "10.0.0.1:8080",
            "EUR 1.234.567,89",
            "1,234,567.89",
            "$1 234 567 890",
            "order 123-456-7890",
            "Order #4711-000123",
            "5551234567",
            "1732456789",
            "1732456789012",
            "O-1001-2002-3003",
            "SKU-123-456-7890",
            "0.1234567890",
            "52.5200081, 13.4049540",
            "1 234 567 890",
            "123456789",
            "12345-67890",
            "01-23-45-67-89-01",
            "00-11-22-33-44-55",
            "00100001 00000000",
            "at +52.520008",
            "100 200 300",
            "550e8400-e29b-41d4-a716-446655440000",
            "ISBN 978-3-16-148410-0",
            "case 030 12345678",
            "(2019) 123456789",
            "v1.2.3.4.5",
            "3.14159265358979",
            "1/2/3 4/5/6",
            "2026-11-24 2026-11-25 2026-11-26",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
