//! Payment card numbers (ISO/IEC 7812-1): length and issuer range, check digit, layout.

use super::{
    Spot, at,
    chain::{Gap, Group},
    context::Text,
    phone,
    topics::Topic,
};
use crate::model::Entity;

/// Claims the groups that make a card number.
pub(super) fn claim(bytes: &Text<'_>, groups: &mut [Group], found: &mut Vec<Spot>) {
    let mut first = 0;
    while first < groups.len() {
        match longest(bytes, groups, first) {
            Some((last, score)) => {
                let claimed = groups.get_mut(first..=last).unwrap_or_default();
                for group in claimed.iter_mut() {
                    group.taken = true;
                }
                if let (Some(from), Some(to)) = (claimed.first(), claimed.last()) {
                    found.push(Spot { start: from.start, end: to.end, entity: Entity::Card, score });
                }
                first = last + 1;
            }
            None => first += 1,
        }
    }
}

/// The longest card number that starts at group `first`: its last group and score.
fn longest(bytes: &Text<'_>, groups: &[Group], first: usize) -> Option<(usize, u8)> {
    let mut digits = [0_u8; MAX_DIGITS];
    let (mut count, mut best) = (0, None);
    let candidates = groups.get(first..)?;
    for (more, group) in candidates.iter().enumerate() {
        if group.taken || (more > 0 && matches!(group.gap, Gap::Slash | Gap::Paren)) {
            break;
        }
        let Some(slots) = digits.get_mut(count..count + group.len()) else { break };
        slots.copy_from_slice(group.digits(bytes));
        count += group.len();
        let (Some(number), Some(used)) = (digits.get(..count), candidates.get(..=more)) else { break };
        let before = first.checked_sub(1).and_then(|before| groups.get(before));
        if let Some(score) = score(bytes, number, used, before, candidates.get(more + 1)) {
            best = Some((first + more, score));
        }
    }
    best
}

fn score(
    bytes: &Text<'_>,
    number: &[u8],
    groups: &[Group],
    before: Option<&Group>,
    after: Option<&Group>,
) -> Option<u8> {
    let [from, ..] = groups else { return None };
    let all_equal = number.iter().all(|digit| Some(digit) == number.first());
    if number.len() < MIN_DIGITS || all_equal || !luhn(number) {
        return None;
    }
    // `+` and up to 15 digits is a telephone number (E.164).
    if number.len() <= 15 && phone::plus_before(bytes, from.start).is_some() {
        return None;
    }
    let score = layout(groups)?;
    let gap = groups.get(1).map(|group| group.gap);
    let joined = |other: Option<&Group>| other.is_some_and(|other| Some(other.gap) == gap && gap != Some(Gap::Space));
    if score < STRICT && (joined(Some(from)) || joined(after) || is_part(bytes, from, groups.last())) {
        return None;
    }
    // The end of a longer row of fours.
    if groups.last().is_some_and(|last| last.len() < 4) && from.len() == 4 && before.is_some() && Some(from.gap) == gap
    {
        return None;
    }
    // Bytes in hexadecimal are written in pairs.
    if groups.len() > 5 && from.len() == 2 && !named(bytes, from.start) {
        return None;
    }
    // The decimals of a fraction.
    if groups.len() == 1 && from.gap == Gap::Dot && before.is_some_and(|whole| whole.len() <= 3) {
        return None;
    }
    let words = bytes.before(from.start);
    let card = words.before(Topic::Card);
    if issued(number) {
        // Old Visa numbers have 13 digits, and so has every article: those of Germany start with 4 as well.
        if number.len() == 13 && groups.len() == 1 && !card && ean(number) {
            return Some(40);
        }
        // One order number in ten has a right check digit.
        return Some(if words.labelled() && !card { score.saturating_sub(LABELLED) } else { score });
    }
    (card && !words.reference()).then_some(70)
}

fn named(bytes: &Text<'_>, start: usize) -> bool {
    bytes.before(start).before(Topic::Card)
}

/// Whether letters are joined to the groups: `36677496-7390-4801-ae77`.
fn is_part(bytes: &[u8], first: &Group, last: Option<&Group>) -> bool {
    let joined = |sign: u8, other: u8| b"-_".contains(&sign) && other.is_ascii_alphanumeric();
    let end = last.map_or(first.end, |last| last.end);
    joined(at(bytes, first.start.wrapping_sub(1)), at(bytes, first.start.wrapping_sub(2)))
        || joined(at(bytes, end), at(bytes, end + 1))
}

/// How far the groups look like a card number.
fn layout(groups: &[Group]) -> Option<u8> {
    let mut sizes = [0; 5];
    for (slot, group) in sizes.iter_mut().zip(groups) {
        *slot = group.len();
    }
    let gaps = || groups.iter().skip(1).map(|group| group.gap);
    match sizes {
        _ if groups.len() == 1 => return Some(95),
        [4, 4, 4, 1..=4, 0] | [4, 4, 4, 4, 1..=3] | [4, 6, 4..=5, 0, 0] | [4, 4, 5, 0, 0] | [6, 13, 0, 0, 0]
            if groups.len() <= 5 =>
        {
            return Some(98);
        }
        _ => {}
    }
    let one_gap = gaps().all(|gap| matches!(gap, Gap::Space | Gap::Dash | Gap::Low) && Some(gap) == gaps().next());
    let size = groups.first().map_or(0, Group::len);
    let (even, uneven) = groups
        .split_last()
        .map_or((false, 0), |(last, rest)| (rest.iter().all(|group| group.len() == size), last.len()));
    let regular = even && uneven <= size;
    let coarse = groups.len() <= 4 && groups.iter().all(|group| group.len() >= 3);
    (one_gap && (regular || coarse)).then_some(80)
}

/// The Luhn check (ISO/IEC 7812-1 annex B) over ASCII digits.
pub(super) fn luhn(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0') << (place & 1);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The check digit of an article number (GTIN-13).
fn ean(number: &[u8]) -> bool {
    let weighted = |(place, digit): (usize, &u8)| u32::from(digit - b'0') * if place % 2 == 0 { 1 } else { 3 };
    number.iter().enumerate().map(weighted).sum::<u32>().is_multiple_of(10)
}

/// Whether an issuer gives out numbers that start and are as long as `number`.
fn issued(number: &[u8]) -> bool {
    let prefix = number.iter().take(4).fold(0, |sum: u16, digit| sum * 10 + u16::from(digit - b'0'));
    ISSUERS
        .iter()
        .any(|(from, to, short, long)| (*from..=*to).contains(&prefix) && (*short..=*long).contains(&number.len()))
}

/// What `order no.` takes from a number in one piece, so that it does not count; one in fours still does.
const LABELLED: u8 = 37;
/// The score of groups that cards are set in.
const STRICT: u8 = 95;
const MIN_DIGITS: usize = 12;
const MAX_DIGITS: usize = 19;

/// First four digits from–to, digits from–to.
const ISSUERS: [(u16, u16, usize, usize); 28] = [
    (1800, 1800, 15, 15), // JCB
    (2131, 2131, 15, 15), // JCB
    (2200, 2205, 16, 19), // Mir
    (2221, 2720, 16, 16), // Mastercard
    (3000, 3059, 14, 19), // Diners Club
    (3095, 3095, 14, 19), // Diners Club
    (3400, 3499, 15, 15), // American Express
    (3528, 3589, 16, 19), // JCB
    (3600, 3699, 14, 19), // Diners Club
    (3700, 3799, 15, 15), // American Express
    (3800, 3999, 14, 19), // Diners Club
    (4000, 4999, 13, 13), // Visa
    (4000, 4999, 16, 16), // Visa
    (4000, 4999, 18, 19), // Visa
    (5018, 5018, 12, 19), // Maestro
    (5020, 5020, 12, 19), // Maestro
    (5038, 5038, 12, 19), // Maestro
    (5000, 5099, 13, 19), // Maestro, Verve, RuPay
    (5100, 5599, 16, 16), // Mastercard
    (5893, 5893, 12, 19), // Maestro
    (5600, 5899, 13, 19), // Maestro
    (6304, 6304, 12, 19), // Maestro
    (6759, 6763, 12, 19), // Maestro
    (6000, 6999, 13, 19), // Discover, UnionPay, Maestro, RuPay
    (8100, 8299, 16, 19), // UnionPay, RuPay
    (8600, 8600, 16, 16), // Uzcard
    (9792, 9792, 16, 16), // Troy
    (9860, 9860, 16, 16), // Humo
];

#[cfg(test)]
mod tests {
    use crate::detect::tests::found;
    use crate::model::Entity::Card;

    #[test]
    fn cards_of_every_scheme_are_found() {
        for number in [
            "4111111111111111",
            "4222222222222",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "30569309025904",
            "6011111111111117",
            "3530111333300000",
            "6200000000000005",
            "2200000000000053",
            "6759649826438453",
            "501800000009",
            "8171999927660000",
            "6304000000000000",
            "4000000000000000006",
        ] {
            assert_eq!(found(&format!("pay {number} now")), [(Card, number)], "{number}");
        }
    }

    #[test]
    fn cards_are_found_however_they_are_grouped() {
        for number in [
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111  1111  1111  1111",
            "3782 822463 10005",
            "4111.1111.1111.1111",
            "4111 - 1111 - 1111 - 1111",
            "4111\n1111\n1111\n1111",
            "41 11 11 11 11 11 11 11",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
            "411111 1111 111111",
            "4111%201111%201111%201111",
            "4111_1111_1111_1111",
        ] {
            assert_eq!(found(&format!("card: {number}, thanks")), [(Card, number)], "{number}");
        }
    }

    #[test]
    fn disguised_cards_are_found() {
        for number in [
            "4111\u{a0}1111\u{a0}1111\u{a0}1111",
            "4111–1111–1111–1111",
            "4111\u{200b}1111\u{200b}1111\u{200b}1111",
            "４１１１１１１１１１１１１１１１",
            "٤١١١١١١١١١١١١١١١",
            "4\u{336}111111111111111",
        ] {
            assert_eq!(found(&format!("ü {number} ü")), [(Card, number)], "{number}");
        }
    }

    #[test]
    fn neighbours_do_not_hide_a_card() {
        assert_eq!(found("12345 4111 1111 1111 1111"), [(Card, "4111 1111 1111 1111")]);
        assert_eq!(
            found("4111 1111 1111 1111 5555 5555 5555 4444").iter().map(|hit| hit.0).collect::<Vec<_>>(),
            [Card, Card]
        );
        assert_eq!(found("pan=4111111111111111&x=1"), [(Card, "4111111111111111")]);
        assert_eq!(found("PAN4111111111111111exp"), [(Card, "4111111111111111")]);
        assert_eq!(found("4111111111111111.0"), [(Card, "4111111111111111")]);
    }

    #[test]
    fn what_is_no_card_is_left_alone() {
        for text in [
            "4111111111111112",
            "0.4111111111111111",
            "94111111111111111111234",
            "1732456789012",
            "9780306406157",
            "937-6150271-2551531",
            "0000000000000000",
            "24 80 24 80 24 80 24 80",
            "order 1234567890123456",
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn an_unknown_issuer_counts_next_to_the_word() {
        assert_eq!(found("credit card 9111111111111115"), []);
        assert_eq!(found("credit card 9111111111111111"), []);
        assert_eq!(found("credit card 7000000000000005"), [(Card, "7000000000000005")]);
        assert_eq!(found("parcel 7000000000000005"), []);
    }
}
