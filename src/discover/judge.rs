//! Evidence about a leaf in, a class with reason and confidence out: the name, the type, the format, the pattern, the
//! description, the examples, and the findings in recorded values.

use super::{
    leaf::{Concept, Kind, Leaf},
    naming::{self, Verdict},
};
use crate::model::Entity;

/// What is proposed for a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judgement {
    /// What it is; absent when it holds nothing personal.
    pub(super) concept: Option<Concept>,
    /// 0–100.
    pub(super) confidence: u8,
    /// Why, in a few words; never a value.
    pub(super) reason: String,
}

/// Judges one leaf.
pub(super) fn judge(leaf: &Leaf) -> Judgement {
    let mut scale = Scale::default();
    let plain = fixed(leaf);
    let by_name = naming::judge(leaf);
    let mut safe = 0;
    match by_name {
        Verdict::Is(concept, confidence) => {
            scale.add(concept, confidence, "its name is ".to_owned() + concept.noun() + "'s");
        }
        Verdict::Plain(confidence) => safe = confidence,
        Verdict::Unknown => {}
    }
    if let Some((reason, may_be)) = plain {
        // A date can be a birthday, a number a phone: what the type rules out, no name brings back.
        let kept = scale.best().filter(|(concept, _, _)| may_be.contains(concept));
        if kept.is_none() {
            return Judgement { concept: None, confidence: 92, reason: reason.to_owned() };
        }
        scale.only(may_be);
    }
    format(leaf, &mut scale);
    // Identifiers and flags look like numbers; only a name that does not say so lets values speak.
    let values = Values::of(leaf);
    if !(safe >= 80 && values.weak) {
        values.weigh(leaf, &mut scale);
    }
    if safe < 60 {
        description(leaf, &mut scale);
    }
    if leaf.kind == Kind::Open && scale.best().is_none() {
        scale.add(Concept::FreeText, 55, "nobody says what is in it: all its text is scanned".to_owned());
    }
    if says_identifier(&leaf.description) {
        scale.doubt("its description calls it an identifier");
    }
    match scale.best() {
        Some((concept, confidence, reason)) => Judgement { concept: Some(concept), confidence, reason },
        None if safe > 0 => {
            Judgement { concept: None, confidence: safe, reason: "its name is nothing personal's".to_owned() }
        }
        None => Judgement { concept: None, confidence: 30, reason: "nothing says what it is".to_owned() },
    }
}

/// What the type alone decides: why it is plain, and what it may be all the same.
fn fixed(leaf: &Leaf) -> Option<(&'static str, &'static [Concept])> {
    let format = leaf.format.as_deref().unwrap_or_default();
    Some(match (leaf.kind, format) {
        (Kind::Bool, _) => ("true or false", &[]),
        (Kind::Number, _) => (
            "a number",
            &[
                Concept::Phone,
                Concept::Card,
                Concept::CardExpiry,
                Concept::CardCode,
                Concept::BirthDate,
                Concept::Iban,
                Concept::NationalId,
                Concept::Address,
            ],
        ),
        (_, "date" | "date-time" | "time" | "duration") => {
            ("a date or a time", &[Concept::BirthDate, Concept::CardExpiry])
        }
        (_, "uuid" | "binary" | "byte") => ("its format holds no text", &[]),
        (_, "uri" | "url" | "uri-reference") => ("a link", &[]),
        _ if leaf.enumerated => ("one of a fixed list", &[Concept::Address, Concept::CardExpiry]),
        _ => return None,
    })
}

fn format(leaf: &Leaf, scale: &mut Scale) {
    let format = leaf.format.as_deref().unwrap_or_default();
    let named = match format {
        "email" | "idn-email" | "e-mail" => Some(Concept::Email),
        "phone" | "telephone" | "tel" | "phone-number" | "phone_number" | "e164" => Some(Concept::Phone),
        "credit-card" | "creditcard" | "card-number" => Some(Concept::Card),
        "iban" => Some(Concept::Iban),
        "ssn" => Some(Concept::NationalId),
        "password" => Some(Concept::Secret),
        "html" | "markdown" | "textarea" => Some(Concept::FreeText),
        _ => None,
    };
    if let Some(concept) = named {
        scale.add(concept, 96, format!("its format is {format}"));
    }
    let pattern = leaf.pattern.as_deref().unwrap_or_default();
    let digits = pattern.contains("\\d") || pattern.contains("0-9");
    let has = |text: &str| pattern.contains(text);
    if asks_for_at(pattern) {
        scale.add(Concept::Email, 80, "its pattern is an e-mail address's".to_owned());
    } else if digits && (has("{3}-") || has("{3})-")) && has("{2}-") && has("{4}") {
        scale.add(Concept::NationalId, 80, "its pattern is a social security number's".to_owned());
    } else if digits && has("\\+") && !has("a-z") && !has("A-Z") {
        scale.add(Concept::Phone, 72, "its pattern is a phone number's".to_owned());
    } else if digits && (has("{13,19}") || has("{12,19}") || has("{16}") && !has("a-f")) {
        scale.add(Concept::Card, 60, "its pattern is a card number's".to_owned());
    }
}

/// Whether a pattern asks for an `@`; one among the characters that it allows asks for nothing.
fn asks_for_at(pattern: &str) -> bool {
    let (mut class, mut escaped) = (false, false);
    for c in pattern.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '@' if !class => return true,
            _ => {}
        }
    }
    // `[@]` asks for it.
    pattern.contains("[@]")
}

/// What the values say.
struct Values {
    /// The entity most values are, and their share in percent.
    whole: Option<(Concept, u32)>,
    /// Values with something inside, in percent.
    part: u32,
    /// Only digits speak for it: ids look alike.
    weak: bool,
}

impl Values {
    fn of(leaf: &Leaf) -> Self {
        let seen = &leaf.seen;
        let share = |count: u32| count.saturating_mul(100).checked_div(seen.values).unwrap_or(0);
        let best = Entity::ALL.iter().zip(seen.whole).max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 0);
        let whole = best.and_then(|(entity, count)| Some((Concept::of(*entity)?, share(count))));
        let weak = !matches!(whole, Some((Concept::Email | Concept::Iban, _)));
        Self { whole, part: share(seen.part), weak }
    }

    fn weigh(&self, leaf: &Leaf, scale: &mut Scale) {
        let what = if leaf.examples { "example" } else { "recorded value" };
        if let Some((concept, share)) = self.whole.filter(|(_, share)| *share >= 50) {
            let base = match concept {
                Concept::Email => 82,
                Concept::Iban => 85,
                Concept::Card => 72,
                _ => 55,
            };
            let sure = if leaf.examples { 0 } else { u8::try_from(leaf.seen.values.min(10)).unwrap_or(10) };
            scale.add(concept, base + sure, format!("{share} % of its {what}s look like {}", concept.noun()));
        }
        let some = self.whole.map_or(0, |(_, share)| share) + self.part;
        let prose = leaf.seen.prose > 0;
        if self.part >= 2 || (some > 0 && some < 50) {
            let confidence = if prose { 74 } else { 60 };
            scale.add(
                Concept::FreeText,
                confidence,
                format!("{} % of its {what}s hold something inside other text", some.max(1)),
            );
        }
    }
}

/// Phrases of a description, in English, where the name does not decide.
fn description(leaf: &Leaf, scale: &mut Scale) {
    if leaf.kind == Kind::Bool || says_identifier(&leaf.description) {
        return;
    }
    let text = leaf.description.to_lowercase();
    const PHRASES: [(Concept, &[&str]); 8] = [
        (Concept::Email, &["email address", "e-mail address"]),
        (Concept::Phone, &["phone number", "telephone number", "fax number", "mobile number"]),
        (
            Concept::Name,
            &["full name", "first name", "last name", "family name", "surname", "given name", "middle name"],
        ),
        (
            Concept::Address,
            &["street address", "postal address", "zip code", "postal code", "mailing address", "sublocality"],
        ),
        (Concept::BirthDate, &["date of birth", "birth date", "birthday"]),
        (Concept::Card, &["credit card number", "card number", "primary account number"]),
        (Concept::Iban, &["bank account number", "iban"]),
        (Concept::NationalId, &["social security number", "passport number", "national identification"]),
    ];
    for (concept, phrases) in PHRASES {
        if phrases.iter().any(|phrase| text.contains(phrase)) {
            scale.add(concept, 54, format!("its description speaks of {}", concept.noun()));
        }
    }
}

/// Whether a description says that the value names a record, whatever the record is about.
fn says_identifier(description: &str) -> bool {
    let text = description.to_lowercase();
    let start = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    let start = start.strip_prefix("a ").or_else(|| start.strip_prefix("the ")).unwrap_or(start);
    ["unique identifier", "unique id ", "id of ", "identifier of ", "identifier for ", "uuid of "]
        .iter()
        .any(|phrase| start.starts_with(phrase))
}

/// Evidence for several concepts.
#[derive(Default)]
struct Scale(Vec<(Concept, u8, Vec<String>)>);

impl Scale {
    /// Two signs of one thing are surer than the better of them.
    fn add(&mut self, concept: Concept, confidence: u8, reason: String) {
        match self.0.iter_mut().find(|(own, _, _)| *own == concept) {
            Some((_, before, reasons)) => {
                let (high, low) = (u32::from((*before).max(confidence)), u32::from((*before).min(confidence)));
                *before = u8::try_from((high + (100 - high) * low / 200).min(99)).unwrap_or(99);
                reasons.push(reason);
            }
            None => self.0.push((concept, confidence, vec![reason])),
        }
    }

    fn only(&mut self, concepts: &[Concept]) {
        self.0.retain(|(concept, _, _)| concepts.contains(concept));
    }

    fn doubt(&mut self, reason: &str) {
        for (concept, confidence, reasons) in &mut self.0 {
            if *concept != Concept::NationalId {
                *confidence /= 3;
                reasons.push(reason.to_owned());
            }
        }
    }

    fn best(&self) -> Option<(Concept, u8, String)> {
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_by_key(|(concept, confidence, _)| (std::cmp::Reverse(*confidence), *concept));
        let (concept, confidence, reasons) = sorted.first()?;
        // Something else is said, too: less sure.
        let doubt = sorted.get(1).map_or(0, |(_, second, _)| *second / 10);
        Some((*concept, confidence.saturating_sub(doubt), reasons.join("; ")))
    }
}
