//! A place of a body and what is known about it, whether a schema or recorded traffic told.

use std::rc::Rc;

use crate::model::{Entity, FREE_TEXT};

/// One step from a body's root.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Seg {
    /// A member.
    Name(Rc<str>),
    /// Every element of an array.
    Each,
    /// Every member of an object whose members have no names of their own (a map).
    Any,
    /// What follows stands at any depth below (a schema that contains itself).
    Deep,
}

/// What JSON type a leaf has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    #[default]
    Text,
    Number,
    Bool,
    /// Anything: nobody says what is below.
    Open,
}

/// A property and the named schema of its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) property: Rc<str>,
    pub(super) schema: Rc<str>,
}

/// What the members beside a leaf say about the object they are in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Beside {
    pub(super) address: bool,
    pub(super) person: bool,
    pub(super) company: bool,
    /// Has `subject` or `body`.
    pub(super) letter: bool,
    /// Has `name`, `key` or `field`: the `value` beside it can be anything.
    pub(super) pair: bool,
    pub(super) card: bool,
}

/// How often a detector found something in the values seen at a place; never the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Values that are not empty.
    pub(super) values: u32,
    /// Values that a finding covers, per entity.
    pub(super) whole: [u32; Entity::ALL.len()],
    /// Values with a finding inside other text.
    pub(super) part: u32,
    /// Values of several words.
    pub(super) prose: u32,
}

impl Default for Seen {
    fn default() -> Self {
        Self { values: 0, whole: [0; Entity::ALL.len()], part: 0, prose: 0 }
    }
}

/// A leaf of a body.
#[derive(Debug, Clone, Default)]
pub(super) struct Leaf {
    pub(super) path: Vec<Seg>,
    pub(super) kind: Kind,
    pub(super) format: Option<String>,
    pub(super) pattern: Option<String>,
    pub(super) description: String,
    pub(super) enumerated: bool,
    /// The named schema it belongs to and its place there.
    pub(super) schema: Rc<str>,
    pub(super) property: String,
    /// What it stands in, nearest first.
    pub(super) around: Vec<Level>,
    pub(super) beside: Beside,
    pub(super) seen: Seen,
    /// An example starts with `http`.
    pub(super) links: bool,
    /// `seen` are examples of a document, not traffic.
    pub(super) examples: bool,
}

impl Leaf {
    /// The member's own name: the last step that has one.
    pub(super) fn name(&self) -> &str {
        self.path
            .iter()
            .rev()
            .find_map(|seg| match seg {
                Seg::Name(name) => Some(&**name),
                _ => None,
            })
            .unwrap_or_default()
    }
}

/// The selector that leads along `path`.
pub(super) fn selector(path: &[Seg]) -> String {
    let mut text = String::from("$");
    let mut deep = false;
    for seg in path {
        match seg {
            Seg::Deep => {
                deep = true;
                continue;
            }
            Seg::Each => text.push_str(if deep { "..[*]" } else { "[*]" }),
            Seg::Any => text.push_str(if deep { "..*" } else { ".*" }),
            Seg::Name(name) if is_shorthand(name) => {
                text.push_str(if deep { ".." } else { "." });
                text.push_str(name);
            }
            Seg::Name(name) => {
                text.push_str(if deep { "..['" } else { "['" });
                for c in name.chars() {
                    match c {
                        '\'' | '\\' => text.extend(['\\', c]),
                        c if c.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(c))),
                        c => text.push(c),
                    }
                }
                text.push_str("']");
            }
        }
        deep = false;
    }
    text
}

fn is_shorthand(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What a value is, before a configuration says which class that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Concept {
    Email,
    Phone,
    Name,
    Address,
    BirthDate,
    Card,
    CardExpiry,
    CardCode,
    Iban,
    NationalId,
    Secret,
    FreeText,
}

impl Concept {
    /// Class names that fit, best first.
    pub(super) fn classes(self) -> &'static [&'static str] {
        match self {
            Self::Email => &["email"],
            Self::Phone => &["phone"],
            Self::Name => &["name"],
            Self::Address => &["address"],
            Self::BirthDate => &["birth_date"],
            Self::Card => &["card_number", "card"],
            Self::CardExpiry => &["card_expiry", "card_number"],
            Self::CardCode => &["card_code", "card_cvc", "cvc", "card_number"],
            Self::Iban => &["iban", "bank_account"],
            Self::NationalId => &["national_id", "ssn"],
            Self::Secret => &["secret", "password"],
            Self::FreeText => &[FREE_TEXT],
        }
    }

    /// What a finding is a sign of.
    pub(super) fn of(entity: Entity) -> Option<Self> {
        match entity.as_str() {
            "card" => Some(Self::Card),
            "email" => Some(Self::Email),
            "phone" => Some(Self::Phone),
            "iban" => Some(Self::Iban),
            "us_ssn" => Some(Self::NationalId),
            _ => None,
        }
    }

    /// How reasons call it.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Email => "an e-mail address",
            Self::Phone => "a phone number",
            Self::Name => "a person's name",
            Self::Address => "part of an address",
            Self::BirthDate => "a date of birth",
            Self::Card => "a card number",
            Self::CardExpiry => "a card's expiry",
            Self::CardCode => "a card's security code",
            Self::Iban => "a bank account",
            Self::NationalId => "a national id",
            Self::Secret => "a secret",
            Self::FreeText => "text that people write",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Selector;

    #[test]
    fn every_path_is_a_selector_that_maps_take() {
        let name = |text: &str| Seg::Name(text.into());
        for (path, expected) in [
            (vec![], "$"),
            (vec![name("data"), Seg::Each, name("e-mail")], "$.data[*]['e-mail']"),
            (vec![name("a'b\\c\n")], "$['a\\'b\\\\c\\u000a']"),
            (vec![name("fields"), Seg::Any], "$.fields.*"),
            (vec![name("tree"), Seg::Deep, name("name")], "$.tree..name"),
            (vec![Seg::Deep, name("@x")], "$..['@x']"),
            (vec![name("café")], "$['café']"),
        ] {
            assert_eq!(selector(&path), expected);
            let parsed: Selector = selector(&path).parse().unwrap();
            assert_eq!(parsed.as_str(), expected);
        }
    }
}
