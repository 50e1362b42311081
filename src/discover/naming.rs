//! What a member's name says about its values, with what stands around it.

use super::{
    leaf::{Beside, Concept, Kind, Leaf, Level},
    words::{Meaning as M, Words},
};

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is this, with this confidence.
    Is(Concept, u8),
    /// It holds nothing personal, with this confidence.
    Plain(u8),
    /// The name says nothing.
    Unknown,
}

/// What the objects around a leaf are.
#[derive(Debug, Clone, Copy, Default)]
struct Around {
    /// The nearest noun.
    noun: M,
    /// All that the words around that noun mean: `bankAccount`.
    all: M,
    /// The nearest noun that is not the leaf's own record.
    named: bool,
}

/// Judges `leaf` by its name.
pub(super) fn judge(leaf: &Leaf) -> Verdict {
    let words = Words::of(leaf.name());
    let around = around(&leaf.around);
    let trimmed = words.trimmed();
    let Some(((head_word, head), before)) = trimmed.split_last() else {
        return if around.noun.is(M::ADDRESS) { Verdict::Unknown } else { Verdict::Plain(40) };
    };
    let any = trimmed.iter().fold(M::default(), |all, (_, meaning)| all | *meaning);
    let judged = Judged { head: *head, head_word, before, any, words: &words, around, beside: leaf.beside };
    if let Some(found) = judged.numbers() {
        return found;
    }
    if leaf.kind == Kind::Bool {
        return Verdict::Plain(95);
    }
    judged
        .contact()
        .or_else(|| judged.address(leaf))
        .or_else(|| judged.name())
        .or_else(|| judged.rest(leaf))
        .unwrap_or(Verdict::Unknown)
}

/// The nearest noun around; a level that says nothing is looked through, one that says something unknown is not.
fn around(levels: &[Level]) -> Around {
    for level in levels {
        let property = Words::of(&level.property);
        let schema = Words::of(&level.schema);
        let (own, typed) = (property.noun(), schema.noun());
        match (own, typed) {
            (None, None) => {}
            (Some(noun), _) if noun != M::default() => {
                // `billing_contact: Address` is what its schema says when the property only says whose.
                let noun = typed.filter(|typed| typed.is(M::ADDRESS)).unwrap_or(noun);
                return Around { noun, all: property.any() | schema.any(), named: true };
            }
            (_, Some(noun)) if noun != M::default() => {
                return Around { noun, all: property.any() | schema.any(), named: own.is_some() };
            }
            _ => return Around { named: true, ..Around::default() },
        }
    }
    Around::default()
}

struct Judged<'a> {
    head: M,
    head_word: &'a str,
    before: &'a [(String, M)],
    any: M,
    words: &'a Words,
    around: Around,
    beside: Beside,
}

impl Judged<'_> {
    fn is(concept: Concept, confidence: u8) -> Option<Verdict> {
        Some(Verdict::Is(concept, confidence))
    }

    /// Cards, accounts, ids of people, dates of birth, secrets.
    fn numbers(&self) -> Option<Verdict> {
        let in_card = self.around.noun.is(M::CARD) || self.beside.card;
        let money = |word: &str| matches!(word, "credit" | "debit" | "payment");
        let gift = self.words.0.iter().any(|(word, _)| {
            matches!(word.as_str(), "gift" | "loyalty" | "business" | "score" | "id" | "sim" | "memory")
        });
        if self.head.is(M::CVC) || (in_card && matches!(self.head_word, "code") && self.words.has("security")) {
            return Self::is(Concept::CardCode, 92);
        }
        if (self.any.is(M::EXPIRY) && (self.any.is(M::CARD) || in_card))
            || (self.any.is(M::EXPIRY) && self.words.has("exp") && (self.words.has("month") || self.words.has("year")))
        {
            return Self::is(Concept::CardExpiry, 90);
        }
        if self.any.is(M::BIRTH)
            || (self.words.has("birth") && (self.words.has("date") || self.words.has("year") || self.words.has("day")))
        {
            let place = self.any.is(M::ADDRESS | M::REGION) || self.words.has("place") || self.any.is(M::NAME);
            let date = !self.head.is(M::NEUTRAL)
                || matches!(self.head_word, "date" | "day" | "year" | "datum" | "fecha" | "data_hora" | "month");
            if date && !place {
                return Self::is(Concept::BirthDate, 95);
            }
        }
        if self.head.is(M::NATIONAL) || (self.any.is(M::NATIONAL) && self.head.is(M::NUMBER | M::CONTENT)) {
            return Self::is(Concept::NationalId, 92);
        }
        let id = self.head.is(M::NUMBER) || matches!(self.head_word, "id" | "code" | "identifier" | "identification");
        let prefix = |words: &[&str]| words.iter().any(|word| self.words.has(word));
        if id
            && (self.words.has("social") && self.words.has("security")
                || prefix(&["passport", "license", "licence"]) && !prefix(&["software", "plate"])
                || self.words.has("national") && prefix(&["id", "identifier", "identification"]))
        {
            return Self::is(Concept::NationalId, 85);
        }
        let own_number = self.head.is(M::NUMBER | M::CONTENT) || self.head.is(M::CARD);
        if self.any.is(M::CARD) && own_number && !gift && !self.any.is(M::FREE | M::LINK) {
            let named = self.any.is(M::NUMBER) || self.words.0.iter().any(|(word, _)| money(word));
            let alone =
                self.before.is_empty() && !matches!(self.head_word, "card" | "carte" | "carta" | "pan" | "kaart");
            if named || alone {
                return Self::is(Concept::Card, 93);
            }
            if self.head_word == "pan" && (in_card || self.before.is_empty()) {
                return Self::is(Concept::Card, 70);
            }
        }
        if in_card && self.around.noun.is(M::CARD) && self.before.is_empty() && self.head.is(M::NUMBER) {
            return Self::is(Concept::Card, 90);
        }
        let bank = self.any.is(M::BANK);
        if self.any.is(M::IBAN) && !self.head.is(M::NEUTRAL) {
            return Self::is(Concept::Iban, 94);
        }
        let bank_around = bank || self.around_is_bank();
        if bank_around && self.head.is(M::NUMBER) && self.words.has("account") {
            return Self::is(Concept::Iban, 85);
        }
        if self.any.is(M::SECRET) && !self.head.is(M::NEUTRAL) && (self.head.is(M::SECRET) || self.before.is_empty()) {
            return Self::is(Concept::Secret, 90);
        }
        None
    }

    fn around_is_bank(&self) -> bool {
        self.around.all.is(M::BANK)
    }

    /// E-mail addresses and phone numbers.
    fn contact(&self) -> Option<Verdict> {
        for (concept, meaning) in [(Concept::Email, M::EMAIL), (Concept::Phone, M::PHONE)] {
            let Some(at) = self
                .before
                .iter()
                .position(|(_, m)| m.is(meaning))
                .or_else(|| self.head.is(meaning).then_some(self.before.len()))
            else {
                // `emails[].value`, `phone.number`: the thing its parent names.
                let content = self.before.is_empty() && self.head.is(M::CONTENT | M::NUMBER);
                let postal = meaning == M::PHONE && self.head.is(M::ADDRESS);
                if self.around.named && self.around.noun.is(meaning) && content && !postal && !self.head.is(M::FREE) {
                    return Self::is(concept, 85);
                }
                continue;
            };
            if self.head.is(M::NEUTRAL) {
                return Some(Verdict::Plain(85));
            }
            if self.head.is(M::FREE) && !self.head.is(meaning) {
                return Self::is(Concept::FreeText, 80);
            }
            let after = self.before.get(at + 1..).unwrap_or_default();
            let tail = after.iter().map(|(_, m)| *m).chain((at < self.before.len()).then_some(self.head));
            let fits = M::ADDRESS | M::NUMBER | M::WHICH | M::CONTENT | meaning | M::GIVEN | M::PERSON | M::COMPANY;
            if tail.into_iter().all(|m| m.is(fits)) {
                let weak = matches!(self.head_word, "mail" | "mails" | "portable" | "cell" | "sms" | "handy")
                    && self.before.is_empty();
                return Self::is(concept, if weak { 72 } else { 94 });
            }
            return Some(Verdict::Plain(60));
        }
        if self.beside.letter && self.before.is_empty() && matches!(self.head_word, "cc" | "bcc") {
            return Self::is(Concept::Email, 70);
        }
        None
    }

    /// Parts of postal addresses.
    fn address(&self, leaf: &Leaf) -> Option<Verdict> {
        let in_address = self.around.noun.is(M::ADDRESS) && !self.around.noun.is(M::PLACE_NOT_POST);
        let beside = self.beside.address;
        if self.any.is(M::PLACE_NOT_POST) && self.words.has("address") {
            return Some(Verdict::Plain(85));
        }
        let postal_code = matches!(self.head_word, "code" | "number" | "no" | "name" | "line" | "nummer")
            && self.before.iter().any(|(_, m)| m.is(M::ADDRESS));
        if self.head.is(M::ADDRESS) || postal_code {
            // `address` beside other parts, or as a member of an e-mail, was judged before.
            return Self::is(Concept::Address, if in_address || beside { 95 } else { 88 });
        }
        if self.head.is(M::REGION) {
            if in_address || beside {
                return Self::is(Concept::Address, 88);
            }
            let coordinate = matches!(self.head_word, "latitude" | "longitude" | "lat" | "lng" | "lon");
            return Some(if coordinate { Verdict::Is(Concept::Address, 55) } else { Verdict::Plain(45) });
        }
        if self.head.is(M::NAME | M::NEUTRAL)
            && self.before.last().is_some_and(|(_, m)| m.is(M::REGION))
            && (in_address || beside)
        {
            return Self::is(Concept::Address, 75);
        }
        let line = self.any.is(M::ADDRESS) && self.any.is(M::REGION) && !self.head.is(M::NEUTRAL);
        let house = self.any.is(M::REGION) && self.head.is(M::NUMBER) && (in_address || beside);
        if line || house {
            return Self::is(Concept::Address, 85);
        }
        // What else stands in an address without a meaning of its own.
        let own = M::NEUTRAL | M::NAME | M::LINK | M::SURNAME | M::LOGIN | M::AFFIX;
        if in_address
            && leaf.kind == Kind::Text
            && !leaf.enumerated
            && !self.head.is(own)
            && !self.any.is(M::PERSON)
            && !self.any.is(M::FREE)
        {
            let website = matches!(self.head_word, "website" | "site" | "web" | "homepage");
            return (!website).then_some(Verdict::Is(Concept::Address, 60));
        }
        None
    }

    /// Names of people; what names a thing is none.
    fn name(&self) -> Option<Verdict> {
        let noun = self.around.noun;
        if self.head.is(M::SURNAME) || (self.any.is(M::SURNAME) && self.head.is(M::NAME)) {
            return Self::is(Concept::Name, 93);
        }
        if self.head.is(M::LOGIN)
            || (self.head.is(M::NAME)
                && self.before.last().is_some_and(|(word, _)| word == "user" || word == "login" || word == "screen"))
        {
            return Self::is(Concept::Name, 62);
        }
        let given = |(_, m): &(String, M)| m.is(M::GIVEN);
        let named = self.any.is(M::NAME);
        if self.head.is(M::AFFIX)
            && (self.beside.person && (noun.is(M::PERSON) || named) || named && self.before.len() == 1)
        {
            return Self::is(Concept::Name, 75);
        }
        // `nombre_completo`, `nom_client`: the noun comes first.
        let latin =
            self.before.first().is_some_and(|(word, m)| m.is(M::NAME) && word != "name") && !self.head.is(M::NAME);
        if latin {
            let of = |meaning: M| self.any.is(meaning);
            return if of(M::PERSON) || of(M::GIVEN) { Self::is(Concept::Name, 82) } else { Some(Verdict::Plain(60)) };
        }
        if !self.head.is(M::NAME) {
            return None;
        }
        if self.before.iter().any(given) {
            return Self::is(Concept::Name, 95);
        }
        let which = |(word, m): &&(String, M)| (!m.is(M::WHICH) || m.is(M::COMPANY)) && word != "display";
        Some(match self.before.iter().rev().find(which) {
            // A connector's profile is nobody.
            Some((word, _)) if word == "profile" && self.before.iter().any(|(_, m)| m.is(M::THING)) => {
                Verdict::Plain(70)
            }
            Some((_, m)) if m.is(M::PERSON) => Verdict::Is(Concept::Name, 87),
            Some((word, _)) if self.around_is_bank() && word == "account" => Verdict::Is(Concept::Name, 65),
            Some((_, m)) if m.is(M::THING | M::COMPANY | M::NEUTRAL | M::BANK) => Verdict::Plain(80),
            Some(_) => Verdict::Plain(50),
            None => self.bare_name(),
        })
    }

    /// `name` alone: whose is it?
    fn bare_name(&self) -> Verdict {
        let noun = self.around.noun;
        let words = M::THING | M::COMPANY | M::NEUTRAL | M::WRITING | M::ADDRESS | M::BANK;
        if noun.is(M::PERSON) {
            Verdict::Is(Concept::Name, 85)
        } else if noun.is(M::EMAIL) || noun.is(M::SURNAME) {
            Verdict::Is(Concept::Name, 65)
        } else if noun.is(words) {
            Verdict::Plain(75)
        } else if self.beside.person && !self.beside.company {
            Verdict::Is(Concept::Name, 68)
        } else if self.beside.letter {
            Verdict::Plain(50)
        } else {
            Verdict::Plain(if self.around.named { 55 } else { 45 })
        }
    }

    /// Free text, and what is certainly nothing.
    fn rest(&self, leaf: &Leaf) -> Option<Verdict> {
        if leaf.kind == Kind::Number {
            return Some(Verdict::Plain(90));
        }
        if self.head.is(M::NEUTRAL) {
            return Some(Verdict::Plain(80));
        }
        if self.beside.pair
            && self.before.is_empty()
            && matches!(self.head_word, "value" | "values" | "valor" | "wert" | "valeur" | "valore")
        {
            return Self::is(Concept::FreeText, 60);
        }
        let prose = self.head.is(M::FREE) && !leaf.enumerated;
        if prose {
            return Self::is(Concept::FreeText, if self.head.is(M::WRAPPER) { 70 } else { 82 });
        }
        if self.head.is(M::TITLE)
            && self.before.is_empty()
            && self.around.noun.is(M::WRITING)
            && !self.around.noun.is(M::PERSON)
        {
            return Self::is(Concept::FreeText, 65);
        }
        if self.head.is(M::PERSON)
            && leaf.kind == Kind::Text
            && !leaf.enumerated
            && self.before.iter().all(|(_, m)| m.is(M::WHICH))
        {
            return Self::is(Concept::Name, 45);
        }
        None
    }
}
