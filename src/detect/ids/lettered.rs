//! National ids with letters, in one word or with dashes and spaces between its parts.

use super::check::{self, decimal, part};
use crate::{
    detect::{
        Spot, at,
        chain::{Gap, Group},
        context::Text,
        fold::LETTER,
        sought::Sought,
        topics::Topic,
    },
    model::Entity,
};

/// The id that the word `start..end` is.
pub(in crate::detect) fn claim(bytes: &Text<'_>, start: usize, end: usize, sought: &Sought) -> Option<Spot> {
    let word = bytes.get(start..end).filter(|word| (8..=MOST_BYTES).contains(&word.len()))?;
    if !bounded(bytes, start, end) {
        return None;
    }
    let mut capitals = [0; MOST_BYTES];
    let number = capitals.get_mut(..word.len())?;
    number.copy_from_slice(word);
    number.make_ascii_uppercase();
    let (entity, topic, score) = kind(number)?;
    // People write them in capitals; programs write all sorts of things in small letters.
    let small = word.iter().any(u8::is_ascii_lowercase);
    found(bytes, start, end, (entity, topic, if small { score - SMALL } else { score }), sought)
}

fn found(bytes: &Text<'_>, start: usize, end: usize, kind: (Entity, Topic, u8), sought: &Sought) -> Option<Spot> {
    let (entity, topic, base) = kind;
    if !sought.has(entity) {
        return None;
    }
    let words = bytes.around(start, end);
    let score = match () {
        () if words.around(topic) => base.max(super::NAMED),
        () if words.around(Topic::AnyId) => base.saturating_add(super::GENERIC).min(super::NAMED),
        () if words.reference() => base.saturating_sub(super::OTHER),
        () => base,
    };
    sought.wants(entity, score).then_some(Spot { start, end, entity, score })
}

pub(super) fn kind(number: &[u8]) -> Option<(Entity, Topic, u8)> {
    match number.len() {
        8 if es_nif(number) => Some((Entity::EsNif, Topic::EsNif, 40)),
        9 if es_nif(number) => Some((Entity::EsNif, Topic::EsNif, 68)),
        9 if es_nie(number) => Some((Entity::EsNif, Topic::EsNif, 82)),
        9 if uk_nino(number) => Some((Entity::UkNino, Topic::UkNino, 80)),
        10 if in_pan(number) => {
            let holder = b"ABCFGHJLPT".contains(&at(number, 3));
            Some((Entity::InPan, Topic::InPan, if holder { 80 } else { 35 }))
        }
        11 if is_hetu(number) => Some((Entity::FiHetu, Topic::FiHetu, 94)),
        14 if number.iter().any(u8::is_ascii_alphabetic) && br_cnpj(number) => {
            Some((Entity::BrCnpj, Topic::BrCnpj, 50))
        }
        15 if fr_nir(number) => Some((Entity::FrNir, Topic::FrNir, 88)),
        16 if it_fiscal_code(number) => Some((Entity::ItFiscalCode, Topic::ItFiscalCode, 96)),
        _ => None,
    }
}

/// An id with letters whose digits are `groups`.
pub(in crate::detect) fn written_apart(bytes: &Text<'_>, groups: &[Group], sought: &Sought) -> Option<Spot> {
    groups.iter().enumerate().find_map(|(first, group)| {
        let rest = groups.get(first..).unwrap_or_default();
        match group.len() {
            6 if sought.has(Entity::FiHetu) => hetu_apart(bytes, group, sought),
            7 | 8 if sought.has(Entity::EsNif) => nif_apart(bytes, group, sought),
            4 if sought.has(Entity::InAadhaar) => aadhaar_apart(bytes, group, sought),
            _ => None,
        }
        .or_else(|| if sought.has(Entity::UkNino) { nino_apart(bytes, rest, sought) } else { None })
        .or_else(|| if sought.has(Entity::BrCnpj) { cnpj_apart(bytes, group, sought) } else { None })
    })
}

/// `131052-308T`, `131052+308T`.
fn hetu_apart(bytes: &Text<'_>, group: &Group, sought: &Sought) -> Option<Spot> {
    let end = group.start + 11;
    let signed = matches!(at(bytes, group.end), b'-' | b'+');
    let number = bytes.get(group.start..end).filter(|_| signed && bounded(bytes, group.start, end))?;
    let mut capitals = [0; 11];
    capitals.copy_from_slice(number);
    capitals.make_ascii_uppercase();
    let score = if capitals == number { 90 } else { 70 };
    is_hetu(&capitals).then(|| found(bytes, group.start, end, (Entity::FiHetu, Topic::FiHetu, score), sought))?
}

/// `12345678-Z`, `X-1234567-L`.
fn nif_apart(bytes: &Text<'_>, group: &Group, sought: &Sought) -> Option<Spot> {
    let dashed = |position: usize| usize::from(matches!(at(bytes, position), b'-' | b' '));
    let (mut start, mut number) = (group.start, Vec::new());
    let letter = group.start.checked_sub(1 + dashed(group.start.wrapping_sub(1)));
    if let Some(letter) = letter.filter(|_| group.len() == 7) {
        let foreign = matches!(at(bytes, letter).to_ascii_uppercase(), b'X' | b'Y' | b'Z');
        if foreign && !is_word(at(bytes, letter.wrapping_sub(1))) {
            start = letter;
            number.push(at(bytes, letter).to_ascii_uppercase());
        }
    }
    let last = group.end + dashed(group.end);
    if !at(bytes, last).is_ascii_alphabetic() {
        return None;
    }
    number.extend_from_slice(group.digits(bytes));
    number.push(at(bytes, last).to_ascii_uppercase());
    if (start == group.start && last == group.end) || !bounded(bytes, start, last + 1) {
        return None;
    }
    let score = match number.len() {
        _ if at(bytes, group.end) == b' ' => 45,
        9 if es_nie(&number) => 85,
        9 if es_nif(&number) => 75,
        8 if es_nif(&number) => 55,
        _ => return None,
    };
    (es_nif(&number) || es_nie(&number))
        .then(|| found(bytes, start, last + 1, (Entity::EsNif, Topic::EsNif, score), sought))?
}

/// `AB 12 34 56 C`, `AB 123456 C`.
fn nino_apart(bytes: &Text<'_>, groups: &[Group], sought: &Sought) -> Option<Spot> {
    let spaced = |group: &Group| matches!(group.gap, Gap::Space | Gap::Dash);
    let used = match groups {
        [one, ..] if one.len() == 6 => 1,
        [a, b, c, ..] if [a, b, c].iter().all(|group| group.len() == 2) && spaced(b) && b.gap == c.gap => 3,
        _ => return None,
    };
    let gap = |byte: u8| usize::from(matches!(byte, b' ' | b'-'));
    let (from, to) = (groups.first()?.start, groups.get(used - 1)?.end);
    let start = from.checked_sub(2 + gap(at(bytes, from.wrapping_sub(1))))?;
    let last = to + gap(at(bytes, to));
    if !at(bytes, start).is_ascii_alphabetic() || !at(bytes, last).is_ascii_alphabetic() {
        return None;
    }
    let mut number = bytes.get(start..start + 2)?.to_ascii_uppercase();
    groups.iter().take(used).for_each(|group| number.extend_from_slice(group.digits(bytes)));
    number.push(at(bytes, last).to_ascii_uppercase());
    let capitals = at(bytes, start).is_ascii_uppercase() && at(bytes, last).is_ascii_uppercase();
    let score = if capitals { 85 } else { 60 };
    (uk_nino(&number) && last > to && bounded(bytes, start, last + 1))
        .then(|| found(bytes, start, last + 1, (Entity::UkNino, Topic::UkNino, score), sought))?
}

/// `2341:2341:2346`.
fn aadhaar_apart(bytes: &Text<'_>, group: &Group, sought: &Sought) -> Option<Spot> {
    let end = group.start + 14;
    let written = bytes.get(group.start..end).filter(|_| at(bytes, group.end) == b':')?;
    let mut number = Vec::with_capacity(12);
    for (place, byte) in written.iter().enumerate() {
        match (place, byte) {
            (4 | 9, b':') => {}
            (4 | 9, _) => return None,
            (_, byte) if byte.is_ascii_digit() => number.push(*byte),
            _ => return None,
        }
    }
    (check::in_aadhaar(&number) && bounded(bytes, group.start, end))
        .then(|| found(bytes, group.start, end, (Entity::InAadhaar, Topic::InAadhaar, 64), sought))?
}

/// `12.ABC.345/01DE-35`, found from its last two digits.
fn cnpj_apart(bytes: &Text<'_>, group: &Group, sought: &Sought) -> Option<Spot> {
    let start = group.start.checked_sub(16).filter(|_| group.len() == 2 && at(bytes, group.start - 1) == b'-')?;
    let written = bytes.get(start..group.end)?;
    let mut number = Vec::with_capacity(14);
    for (place, byte) in written.iter().enumerate() {
        match (place, byte) {
            (2 | 6, b'.') | (10, b'/') | (15, b'-') => {}
            (2 | 6 | 10 | 15, _) => return None,
            (_, byte) if byte.is_ascii_uppercase() || byte.is_ascii_digit() => number.push(*byte),
            _ => return None,
        }
    }
    let lettered = number.iter().any(u8::is_ascii_alphabetic);
    (lettered && br_cnpj(&number) && bounded(bytes, start, group.end))
        .then(|| found(bytes, start, group.end, (Entity::BrCnpj, Topic::BrCnpj, 92), sought))?
}

/// Whether a word stands by itself: `550e8400-e29b` and `x@y` are parts of something else.
pub(in crate::detect) fn bounded(bytes: &[u8], start: usize, end: usize) -> bool {
    let (before, after) = (at(bytes, start.wrapping_sub(1)), at(bytes, end));
    let joined = |byte: u8| b"-_./@+%".contains(&byte);
    let glued = is_word(before)
        || before == b'#'
        || before == b'@'
        || (joined(before) && is_word(at(bytes, start.wrapping_sub(2))));
    let goes_on = is_word(after) || after == b'@' || (joined(after) && is_word(at(bytes, end + 1)));
    !glued && !goes_on
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == LETTER
}

/// The number by 23 names the letter. Seven digits are eight without their leading zero.
fn es_nif(number: &[u8]) -> bool {
    let Some((letter, digits)) = number.split_last() else { return false };
    digits.iter().all(u8::is_ascii_digit)
        && decimal(digits) > 0
        && ES_LETTERS.get((decimal(digits) % 23) as usize) == Some(letter)
}

/// `X`, `Y` and `Z` count as the digits 0, 1 and 2.
fn es_nie(number: &[u8]) -> bool {
    let Some((first, rest)) = number.split_first().filter(|(first, _)| matches!(first, b'X'..=b'Z')) else {
        return false;
    };
    let Some((letter, digits)) = rest.split_last() else { return false };
    let value = u64::from(first - b'X') * 10_000_000 + decimal(digits);
    number.len() == 9 && digits.iter().all(u8::is_ascii_digit) && ES_LETTERS.get((value % 23) as usize) == Some(letter)
}

/// Prefixes that HMRC gives out (NIM39110), a suffix A to D.
fn uk_nino(number: &[u8]) -> bool {
    let [first, second, digits @ .., suffix] = number else { return false };
    let given = !b"DFIQUV".contains(first)
        && !b"DFIQUVO".contains(second)
        && ![b"BG", b"GB", b"NK", b"KN", b"NT", b"TN", b"ZZ"].contains(&&[*first, *second]);
    given
        && first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
        && digits.len() == 6
        && digits.iter().all(u8::is_ascii_digit)
        && (b'A'..=b'D').contains(suffix)
}

/// Five letters (the fourth says what its holder is), four digits, a letter.
fn in_pan(number: &[u8]) -> bool {
    let (Some(head), Some(digits), Some(last)) = (number.get(..5), number.get(5..9), number.get(9)) else {
        return false;
    };
    head.iter().all(u8::is_ascii_uppercase)
        && digits.iter().all(u8::is_ascii_digit)
        && digits != b"0000"
        && last.is_ascii_uppercase()
}

/// Date, century sign, number and the check character of both by 31.
pub(super) fn is_hetu(number: &[u8]) -> bool {
    let (Some(date), Some(serial)) = (number.get(..6), number.get(7..10)) else { return false };
    let digits = date.iter().chain(serial).all(u8::is_ascii_digit);
    let century = b"+-ABCDEFYXWVU".contains(&at(number, 6));
    let value = decimal(date) * 1000 + decimal(serial);
    digits
        && century
        && check::is_day(part(date, 2, 4), part(date, 0, 2))
        && part(serial, 0, 3) >= 2
        && FI_CHECKS.get((value % 31) as usize) == number.get(10)
}

fn br_cnpj(number: &[u8]) -> bool {
    let plain = number.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let ends = number.get(12..).is_some_and(|checks| checks.iter().all(u8::is_ascii_digit));
    plain && ends && check::br_cnpj(number)
}

/// Corsica: `2A` and `2B` count as 19 and 18.
fn fr_nir(number: &[u8]) -> bool {
    let mut digits = [b'0'; 15];
    if number.len() != 15 || at(number, 5) != b'2' {
        return false;
    }
    digits.copy_from_slice(number);
    let replacement = match at(number, 6) {
        b'A' => *b"19",
        b'B' => *b"18",
        _ => return false,
    };
    if let Some(department) = digits.get_mut(5..7) {
        department.copy_from_slice(&replacement);
    }
    digits.iter().all(u8::is_ascii_digit) && check::fr_nir(&digits)
}

/// Six letters, year, month letter, day, place, check letter; digits may be replaced by letters (omocodia).
fn it_fiscal_code(number: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_digit() || OMOCODIA.contains(byte);
    let formed = number.iter().enumerate().all(|(place, byte)| match place {
        0..=5 | 11 | 15 => byte.is_ascii_uppercase(),
        8 => b"ABCDEHLMPRST".contains(byte),
        _ => digit(byte),
    });
    let worth = |byte: u8| usize::from(if byte.is_ascii_digit() { byte - b'0' } else { byte.saturating_sub(b'A') });
    let sum: usize = number
        .iter()
        .take(15)
        .enumerate()
        .map(|(place, byte)| match place % 2 {
            0 => IT_ODD.get(worth(*byte)).copied().map_or(0, usize::from),
            _ => worth(*byte),
        })
        .sum();
    formed && u8::try_from(sum % 26).is_ok_and(|check| number.get(15) == Some(&(b'A' + check)))
}

const ES_LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
const FI_CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
const OMOCODIA: &[u8; 10] = b"LMNPQRSTUV";
/// What letters and digits in odd places count (Decreto ministeriale 23 December 1976).
const IT_ODD: [u8; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
const MOST_BYTES: usize = 16;
/// What small letters take from a score.
const SMALL: u8 = 30;
