//! A member's name in, what its words mean out: split at case, digits and signs, folded, compounds taken apart.
//!
//! English, German, French, Spanish, Italian, Dutch and Portuguese. Knows words, never values.

use std::{collections::HashMap, sync::LazyLock};

/// What a word can mean; a word may mean several things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Meaning(u32);

impl Meaning {
    pub(super) const EMAIL: Self = Self(1);
    pub(super) const PHONE: Self = Self(1 << 1);
    /// Says which name: `first`, `family`.
    pub(super) const GIVEN: Self = Self(1 << 2);
    /// `name` itself.
    pub(super) const NAME: Self = Self(1 << 3);
    /// A person's name in one word: `surname`.
    pub(super) const SURNAME: Self = Self(1 << 4);
    pub(super) const PERSON: Self = Self(1 << 5);
    pub(super) const COMPANY: Self = Self(1 << 6);
    pub(super) const THING: Self = Self(1 << 7);
    pub(super) const ADDRESS: Self = Self(1 << 8);
    /// Part of an address only beside other parts: `state`, `country`.
    pub(super) const REGION: Self = Self(1 << 9);
    /// At the end of a name, it makes the whole neither a person nor a way to reach one: `phone_type_id`.
    pub(super) const NEUTRAL: Self = Self(1 << 10);
    pub(super) const FREE: Self = Self(1 << 11);
    pub(super) const CARD: Self = Self(1 << 12);
    pub(super) const EXPIRY: Self = Self(1 << 13);
    pub(super) const CVC: Self = Self(1 << 14);
    pub(super) const IBAN: Self = Self(1 << 15);
    pub(super) const BANK: Self = Self(1 << 16);
    pub(super) const NATIONAL: Self = Self(1 << 17);
    pub(super) const BIRTH: Self = Self(1 << 18);
    pub(super) const SECRET: Self = Self(1 << 19);
    pub(super) const LINK: Self = Self(1 << 20);
    /// Says nothing of what is inside: `data`, `items`, `response`.
    pub(super) const WRAPPER: Self = Self(1 << 21);
    /// Says which one, not what: `primary`, `work`, `billing`.
    pub(super) const WHICH: Self = Self(1 << 22);
    pub(super) const NUMBER: Self = Self(1 << 23);
    /// `value`, `formatted`: the thing that its parent names.
    pub(super) const CONTENT: Self = Self(1 << 24);
    /// What people write about: `ticket`, `note`.
    pub(super) const WRITING: Self = Self(1 << 25);
    /// `title`, which is a job's, an honorific or a subject.
    pub(super) const TITLE: Self = Self(1 << 26);
    /// `prefix`, `suffix`: of a name only beside one.
    pub(super) const AFFIX: Self = Self(1 << 27);
    pub(super) const LOGIN: Self = Self(1 << 28);
    pub(super) const PLACE_NOT_POST: Self = Self(1 << 29);

    /// Whether it means any of `other`.
    pub(super) const fn is(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitOr for Meaning {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

/// The words of a name.
#[derive(Debug, Clone, Default)]
pub(super) struct Words(pub(super) Vec<(String, Meaning)>);

impl Words {
    /// Splits `name`; at most 24 words of its first 200 characters.
    pub(super) fn of(name: &str) -> Self {
        let mut words = Vec::new();
        for piece in pieces(name) {
            match meaning(&piece) {
                Some(meaning) => words.push((piece, meaning)),
                None => match compound(&piece) {
                    Some(parts) => words.extend(parts),
                    None => words.push((piece, Meaning::default())),
                },
            }
        }
        words.truncate(24);
        // `e-mail` is one word.
        if let Some(at) = words
            .windows(2)
            .position(|pair| matches!(pair, [(e, _), (mail, _)] if e == "e" && mail.starts_with("mail")))
        {
            words.remove(at);
            if let Some((word, meaning)) = words.get_mut(at) {
                (*word, *meaning) = ("email".to_owned(), Meaning::EMAIL);
            }
        }
        Self(words)
    }

    /// Without digits, single letters and words that only say which one, at the end.
    pub(super) fn trimmed(&self) -> &[(String, Meaning)] {
        let idle = |(word, meaning): &(String, Meaning)| {
            (meaning.is(Meaning::WHICH) && *meaning == Meaning::WHICH)
                || word.len() < 2
                || word.bytes().all(|byte| byte.is_ascii_digit())
        };
        let end = self.0.iter().rposition(|word| !idle(word)).map_or(0, |at| at + 1);
        self.0.get(..end).unwrap_or_default()
    }

    /// The word that says what the whole is: the last one of [`trimmed`](Self::trimmed), after wrappers are taken off.
    pub(super) fn noun(&self) -> Option<Meaning> {
        // `AttributeForProfile` is an attribute.
        let whole = self.trimmed();
        let whose =
            whole.iter().skip(1).position(|(word, _)| matches!(word.as_str(), "for" | "of" | "by" | "per" | "de"));
        let mut rest = whose.and_then(|at| whole.get(..=at)).unwrap_or(whole);
        while let Some(((_, meaning), before)) = rest.split_last() {
            if !meaning.is(Meaning::WRAPPER) {
                // `phone_numbers`, `emailAddresses`.
                let whole = self.any();
                let reach = [Meaning::EMAIL, Meaning::PHONE].into_iter().find(|reach| whole.is(*reach));
                return reach.filter(|_| meaning.is(Meaning::ADDRESS | Meaning::NUMBER)).or(Some(*meaning));
            }
            rest = before;
        }
        None
    }

    /// Everything that any word means.
    pub(super) fn any(&self) -> Meaning {
        self.0.iter().fold(Meaning::default(), |all, (_, meaning)| all | *meaning)
    }

    /// Whether `word` is among them.
    pub(super) fn has(&self, word: &str) -> bool {
        self.0.iter().any(|(own, _)| own == word)
    }
}

/// `name` cut at signs, digits and changes of case, in folded lower case.
fn pieces(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().take(200).collect();
    let (mut pieces, mut piece) = (Vec::new(), String::new());
    for (at, c) in chars.iter().enumerate() {
        let previous = at.checked_sub(1).and_then(|before| chars.get(before)).copied().unwrap_or(' ');
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        let starts = (c.is_uppercase()
            && (previous.is_lowercase() || (previous.is_uppercase() && next.is_lowercase())))
            || (c.is_ascii_digit() != previous.is_ascii_digit());
        if (starts || !c.is_alphanumeric()) && !piece.is_empty() {
            pieces.push(std::mem::take(&mut piece));
        }
        if c.is_alphanumeric() {
            piece.extend(c.to_lowercase().map(plain));
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// The letter without its accent.
fn plain(c: char) -> char {
    match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ß' => 's',
        other => other,
    }
}

/// What `word`, or its singular, means.
pub(super) fn meaning(word: &str) -> Option<Meaning> {
    let known = |word: &str| DICTIONARY.get(word).copied();
    known(word)
        .or_else(|| word.strip_suffix("ies").and_then(|stem| known(&format!("{stem}y"))))
        .or_else(|| word.strip_suffix("es").and_then(known))
        .or_else(|| word.strip_suffix('s').and_then(known))
}

/// `emailaddress`: known words of three letters or more without a gap, fewest first.
fn compound(word: &str) -> Option<Vec<(String, Meaning)>> {
    if !(6..=40).contains(&word.len()) || !word.is_ascii() {
        return None;
    }
    // best[end] = (words so far, where the last one starts).
    let mut best: Vec<Option<(usize, usize)>> = vec![None; word.len() + 1];
    if let Some(first) = best.first_mut() {
        *first = Some((0, 0));
    }
    for end in 3..=word.len() {
        for start in 0..=end - 3 {
            let Some((count, _)) = best.get(start).copied().flatten() else { continue };
            let known = word.get(start..end).is_some_and(|piece| meaning(piece).is_some());
            let slot = best.get_mut(end)?;
            if known && slot.is_none_or(|(before, _)| count + 1 < before) {
                *slot = Some((count + 1, start));
            }
        }
    }
    let (mut end, mut parts) = (word.len(), Vec::new());
    while end > 0 {
        let (_, start) = best.get(end).copied().flatten()?;
        let piece = word.get(start..end)?;
        parts.push((piece.to_owned(), meaning(piece)?));
        end = start;
    }
    parts.reverse();
    Some(parts)
}

static DICTIONARY: LazyLock<HashMap<&'static str, Meaning>> = LazyLock::new(|| {
    let mut words: HashMap<&'static str, Meaning> = HashMap::new();
    for (meaning, list) in super::vocabulary::LISTS {
        for word in list.split_whitespace() {
            let known = words.entry(word).or_default();
            *known = *known | *meaning;
        }
    }
    words
});

#[cfg(test)]
mod tests {
    use super::*;

    fn split(name: &str) -> Vec<String> {
        Words::of(name).0.into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn names_are_split_however_they_are_spelled() {
        for (name, expected) in [
            ("emailAddress", "email address"),
            ("Email_Address__c", "email address c"),
            ("e-mail", "email"),
            ("EMailAddress", "email address"),
            ("HTTPServerURL", "http server url"),
            ("address1", "address 1"),
            ("workphone", "work phone"),
            ("Straße", "strase"),
            ("telefonnummer", "telefonnummer"),
            ("prénom", "prenom"),
            ("billingpostalcode", "billing postal code"),
            ("xyzzy", "xyzzy"),
            ("", ""),
        ] {
            assert_eq!(split(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn the_noun_is_what_the_name_ends_with() {
        for (name, meant) in [
            ("phone_type_id", Meaning::NEUTRAL),
            ("primary_phone", Meaning::PHONE),
            ("ContactsFilter", Meaning::PERSON),
            ("home_address_2", Meaning::ADDRESS),
        ] {
            assert!(Words::of(name).noun().is_some_and(|noun| noun.is(meant)), "{name}");
        }
    }
}
