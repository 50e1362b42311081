//! What only the words around it give away: passports, driving licences, bank accounts, dates of birth.

use super::{
    Spot, at,
    chain::{Gap, Group},
    context::Text,
    fold::LETTER,
    ids,
    sought::Sought,
    topics::Topic,
};
use crate::model::Entity;

/// The passport or driving licence that the word `start..end`, letters and digits, is.
pub(super) fn word(bytes: &Text<'_>, start: usize, end: usize, sought: &Sought) -> Option<Spot> {
    let word = bytes.get(start..end).filter(|word| (6..=18).contains(&word.len()))?;
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits < 3 || word.contains(&LETTER) || !ids::bounded(bytes, start, end) {
        return None;
    }
    let british = sought.has(Entity::DrivingLicence) && is_british_licence(word);
    if !british && digits < 4 {
        return None;
    }
    let words = bytes.around(start, end);
    let (entity, score) = match () {
        () if british => (Entity::DrivingLicence, if words.reference() { 50 } else { 80 }),
        () if word.len() <= 9 && digits >= 3 && words.before(Topic::Passport) => (Entity::Passport, 75),
        () if words.before(Topic::DrivingLicence) => (Entity::DrivingLicence, 70),
        () if word.len() <= 9 && digits >= 5 && words.around(Topic::Passport) => (Entity::Passport, 66),
        () => return None,
    };
    sought.wants(entity, score).then_some(Spot { start, end, entity, score })
}

/// DVLA: five of the surname, a digit, month (51 and up for women), day, a digit, two initials, three for checking.
fn is_british_licence(word: &[u8]) -> bool {
    let (Some(surname), Some(born), Some(initials), Some(checks)) =
        (word.get(..5), word.get(5..11), word.get(11..13), word.get(13..16))
    else {
        return false;
    };
    let number = |from: usize| u32::from(at(born, from)) * 10 + u32::from(at(born, from + 1)) - 11 * u32::from(b'0');
    let letters = surname.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    word.len() == 16
        && letters > 0
        && surname.iter().skip(letters).all(|byte| *byte == b'9')
        && born.iter().all(u8::is_ascii_digit)
        && matches!(number(1), 1..=12 | 51..=62)
        && matches!(number(3), 1..=31)
        && initials.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'9')
        && at(initials, 0).is_ascii_alphabetic()
        && checks.iter().all(u8::is_ascii_alphanumeric)
        && checks.iter().skip(1).all(u8::is_ascii_alphabetic)
}

/// Claims the groups that words around them say are a date of birth, an account, a passport or a licence.
pub(super) fn claim(bytes: &Text<'_>, groups: &mut [Group], sought: &Sought, spots: &mut Vec<Spot>) {
    let mut first = 0;
    while let Some(group) = groups.get(first) {
        let found = if group.taken { None } else { spot(bytes, groups, first, sought) };
        let Some((used, spot)) = found else {
            first += 1;
            continue;
        };
        groups.iter_mut().skip(first).take(used).for_each(|group| group.taken = true);
        spots.push(spot);
        first += used;
    }
}

fn spot(bytes: &Text<'_>, groups: &[Group], first: usize, sought: &Sought) -> Option<(usize, Spot)> {
    let group = groups.get(first)?;
    let start = group.start;
    if is_word(at(bytes, start.wrapping_sub(1))) {
        return None;
    }
    let ending = |used: usize| groups.get(first + used - 1).map_or(start, |last| last.end);
    let found = |entity, used, start, score| {
        let end = ending(used);
        let open = !is_word(at(bytes, end)) && sought.wants(entity, score);
        open.then_some((used, Spot { start, end, entity, score }))
    };
    if sought.has(Entity::BirthDate) {
        let date = super::phone::date(bytes, groups, first);
        if date > 0 && born(bytes, start) {
            return found(Entity::BirthDate, date, start, 85);
        }
        if date == 0 && group.len() == 4 && (1900..2030).contains(&group.value(bytes)) {
            let begin = worded_date(bytes, start);
            if let Some(begin) = begin.filter(|begin| born(bytes, *begin)) {
                return found(Entity::BirthDate, 1, begin, 85);
            }
        }
        if date > 0 {
            return None;
        }
    }
    let run = groups.get(first..).unwrap_or_default();
    let together = 1 + run
        .iter()
        .skip(1)
        .take(MOST_GROUPS)
        .take_while(|next| !next.taken && matches!(next.gap, Gap::Space | Gap::Dash))
        .count();
    let digits: usize = run.iter().take(together).map(Group::len).sum();
    if !(6..=18).contains(&digits) {
        return None;
    }
    let words = bytes.before(start);
    if words.before(Topic::Phone) {
        return None;
    }
    match () {
        () if words.before(Topic::BankAccount) => found(Entity::BankAccount, together, start, 72),
        () if words.before(Topic::Passport) && together == 1 && digits <= 9 => found(Entity::Passport, 1, start, 72),
        () if words.before(Topic::DrivingLicence) && digits <= 12 => found(Entity::DrivingLicence, together, start, 68),
        () => None,
    }
}

/// Whether words before `start` speak of a birth; French `né le` too, of which folding leaves what other languages have.
fn born(bytes: &Text<'_>, start: usize) -> bool {
    let french = [&b"ne le "[..], b"nee le ", b"ne(e) le "].iter().any(|words| {
        start >= words.len()
            && bytes.get(start - words.len()..start).is_some_and(|text| text.eq_ignore_ascii_case(words))
    });
    french || bytes.before(start).before(Topic::BirthDate)
}

/// Where a date that ends with the year at `year` starts: `12 May 1984`, `May 12th, 1984`, `12. Mai 1984`, `12 de mayo de 1984`.
fn worded_date(bytes: &[u8], year: usize) -> Option<usize> {
    let window = bytes.get(year.saturating_sub(DATE_BYTES)..year)?;
    let offset = year - window.len();
    let mut parts = Vec::with_capacity(6);
    let mut end = window.len();
    while parts.len() < 5 {
        let piece = window.get(..end)?;
        let stop = piece.iter().rposition(|byte| byte.is_ascii_alphanumeric() || *byte == LETTER)? + 1;
        let start = piece
            .get(..stop)?
            .iter()
            .rposition(|byte| !(byte.is_ascii_alphanumeric() || *byte == LETTER))
            .map_or(0, |place| place + 1);
        parts.push((start, piece.get(start..stop)?));
        end = start;
        if end == 0 {
            break;
        }
    }
    parts.retain(|(_, word)| !word.eq_ignore_ascii_case(b"de") && !word.eq_ignore_ascii_case(b"of"));
    let is_month = |word: &[u8]| {
        word.len() >= 3
            && MONTHS.iter().any(|month| word.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(month.as_bytes())))
    };
    let is_day = |word: &[u8]| {
        let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (1..=2).contains(&digits) && word.len() <= digits + 2
    };
    match parts.as_slice() {
        [(_, month), (start, day), ..] if is_month(month) && is_day(day) => Some(offset + start),
        [(_, day), (start, month), ..] if is_month(month) && is_day(day) => Some(offset + start),
        _ => None,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == LETTER
}

/// No number of an account has more groups behind the first.
const MOST_GROUPS: usize = 17;
/// Month and day with words between.
const DATE_BYTES: usize = 28;
/// How months start in the languages of [`super::topics`].
const MONTHS: [&str; 33] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "ene", "abr", "ago", "dic",
    "mai", "okt", "dez", "avr", "gen", "mag", "giu", "lug", "set", "ott", "mei", "maj", "sty", "kwi", "cze", "lis",
    "gru",
];

#[cfg(test)]
mod tests {
    use crate::{
        detect::{Detector, Sought},
        model::Entity::{self, BankAccount, BirthDate, DrivingLicence, Passport},
    };

    fn found(text: &str) -> Vec<(Entity, &str)> {
        let mut findings = Vec::new();
        Detector::of(Sought::these(&[BankAccount, BirthDate, DrivingLicence, Passport])).scan(text, &mut findings);
        findings.iter().map(|finding| (finding.entity, &text[finding.start..finding.end])).collect()
    }

    #[test]
    fn words_say_what_a_number_is() {
        for (entity, text, value) in [
            (Passport, "passport no. C01X00T47", "C01X00T47"),
            (Passport, "Reisepass: C01X00T47", "C01X00T47"),
            (Passport, "passport number 123456789", "123456789"),
            (DrivingLicence, "driving licence MORGA657054SM9IJ", "MORGA657054SM9IJ"),
            (DrivingLicence, "Führerschein B072RRE2I55", "B072RRE2I55"),
            (DrivingLicence, "driver's license is D1234567", "D1234567"),
            (BankAccount, "Kontonummer 532013000", "532013000"),
            (BankAccount, "bank account 12345678", "12345678"),
            (BankAccount, "sort code 20-00-00", "20-00-00"),
            (BirthDate, "born on 09/03/1984", "09/03/1984"),
            (BirthDate, "geb. 9.3.1984", "9.3.1984"),
            (BirthDate, "DOB: 1984-03-09", "1984-03-09"),
            (BirthDate, "date of birth March 9, 1984", "March 9, 1984"),
            (BirthDate, "geboren am 9. Mai 1984", "9. Mai 1984"),
            (BirthDate, "nacida el 9 de mayo de 1984", "9 de mayo de 1984"),
        ] {
            assert_eq!(found(&format!("Her {text}, she says")), [(entity, value)], "{text}");
        }
    }

    #[test]
    fn without_the_words_it_is_a_number() {
        for text in ["C01X00T47", "order 532013000", "09/03/1984", "arrives 1984-03-09", "9 May 1984", "20-00-00"] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
