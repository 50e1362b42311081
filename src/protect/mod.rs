//! A leaf or a finding, its class and a view in; what the caller gets instead out. Never passes a value on that it does
//! not understand: what has no partial form is hidden whole.

mod mask;
mod normalise;
mod pseudonym;
mod stored;
mod text;

pub use normalise::normalise;
pub use stored::{
    Answers, Opened, Owners, Store, Stored, SubjectAnswer, TokenAnswer, Unopened, Unstorable, fits, holds,
};

pub use crate::crypto::SubjectKey;
use crate::{
    crypto::MacKey,
    model::{Class, Leaf, View},
};

/// Every mask and every redacted text carries it: U+2022.
pub const MARK: char = '•';

/// What stands in a leaf's place; text is in the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The leaf as it was.
    Kept,
    /// The string in the buffer.
    Text,
    /// The number `0`.
    Zero,
    /// `false`.
    False,
    /// `null`.
    Null,
}

/// Makes stand-ins.
#[derive(Debug, Clone)]
pub struct Protector {
    pseudonyms: MacKey,
}

impl Protector {
    /// A protector whose pseudonyms are keyed by `pseudonyms`.
    #[must_use]
    pub fn new(pseudonyms: MacKey) -> Self {
        Self { pseudonyms }
    }

    /// What `leaf` of `class` looks like at `view`; appends text to `out`, which the caller has emptied.
    ///
    /// Empty strings and `null` stay what they are at any view. A number is shown as text when it is masked or has a
    /// pseudonym; `true` and `false` have neither, since one bit has no part and no second value to stand for it.
    pub fn leaf(&self, class: &Class, view: View, leaf: Leaf<'_>, out: &mut String) -> Shown {
        match (view, leaf) {
            (View::Reveal, _) => Shown::Kept,
            (_, Leaf::Null) => Shown::Null,
            (_, Leaf::Bool(_)) => Shown::False,
            (View::Redact, Leaf::Number(_)) => Shown::Zero,
            (_, Leaf::Text(value) | Leaf::Number(value)) => {
                self.span(class, view, value, out);
                Shown::Text
            }
        }
    }

    /// Appends what [`Self::leaf`] makes of a masked text or number that is written as most are, when nothing in it has to
    /// be escaped in JSON: no quote, backslash or control character. Else nothing, and `false`.
    #[inline]
    pub fn plain_mask(&self, class: &Class, leaf: Leaf<'_>, out: &mut Vec<u8>) -> bool {
        match leaf {
            Leaf::Text(value) | Leaf::Number(value) => mask::plain(class.mask, value, out),
            Leaf::Bool(_) | Leaf::Null => false,
        }
    }

    /// What a finding in free text looks like at `view`; appends to `out`. Nothing for an empty `text`.
    pub fn span(&self, class: &Class, view: View, text: &str, out: &mut String) {
        if text.is_empty() {
            return;
        }
        match view {
            View::Reveal => out.push_str(text),
            View::Mask => mask::mask(class.mask, text, out),
            View::Pseudonym => pseudonym::pseudonym(&self.pseudonyms, class, text, out),
            View::Redact => out.push_str(&redacted_text(class)),
        }
    }
}

/// What stands in the place of a redacted text: `[card_number •••]`.
#[must_use]
pub fn redacted_text(class: &Class) -> String {
    format!("[{} •••]", class.name)
}

/// Whether `text` is or holds a stand-in that a client may be writing back: it carries [`MARK`], the bracket `⟦fg:`, or
/// one of the shapes that pseudonyms have. A single mark that starts an item of a list (`• first`) is not a stand-in:
/// masks have two marks next to each other.
#[must_use]
pub fn is_stand_in(text: &str) -> bool {
    carries_mark(text) || text.contains("⟦fg:") || pseudonym::carries_pseudonym(text)
}

/// Whether a pseudonym stands anywhere in `text`.
#[must_use]
pub fn is_pseudonym(text: &str) -> bool {
    pseudonym::carries_pseudonym(text)
}

fn carries_mark(text: &str) -> bool {
    let mut before = ' ';
    let mut chars = text.trim_end().chars().peekable();
    while let Some(c) = chars.next() {
        let item = before.is_whitespace() && chars.peek().is_some_and(|next| *next != MARK);
        if c == MARK && !item {
            return true;
        }
        before = c;
    }
    false
}

/// Whether `leaf` can be a stand-in: a text that is one, a pseudonym as a number, and `0` and `false`, which redacted
/// numbers and booleans look like. `null` is not: it is shown only where the CRM holds it.
///
/// For fields that the caller does not see in full; someone who does may well mean `0`.
#[must_use]
pub fn is_stand_in_leaf(leaf: Leaf<'_>) -> bool {
    match leaf {
        Leaf::Text(text) => is_stand_in(text),
        Leaf::Number(number) => number == "0" || is_stand_in(number),
        Leaf::Bool(value) => !value,
        Leaf::Null => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crypto::{Purpose, RootKey},
        model::{MaskStyle, Storage},
    };

    fn protector() -> Protector {
        Protector::new(RootKey::generate().unwrap().derive(Purpose::Pseudonym, "t").unwrap())
    }

    fn class(mask: MaskStyle) -> Class {
        Class { name: "card_number".into(), mask, storage: Storage::CLEAR, detects: vec![] }
    }

    fn shown(view: View, leaf: Leaf<'_>) -> (Shown, String) {
        let mut out = String::new();
        let shown = protector().leaf(&class(MaskStyle::Card), view, leaf, &mut out);
        (shown, out)
    }

    #[test]
    fn redact_keeps_the_type() {
        assert_eq!(shown(View::Redact, Leaf::Text("x")), (Shown::Text, "[card_number •••]".into()));
        assert_eq!(shown(View::Redact, Leaf::Number("1e400")), (Shown::Zero, String::new()));
        assert_eq!(shown(View::Redact, Leaf::Bool(true)), (Shown::False, String::new()));
        assert_eq!(shown(View::Redact, Leaf::Null), (Shown::Null, String::new()));
    }

    #[test]
    fn reveal_keeps_everything() {
        for leaf in [Leaf::Text("x"), Leaf::Number("4111111111111111"), Leaf::Bool(true), Leaf::Null] {
            assert_eq!(shown(View::Reveal, leaf), (Shown::Kept, String::new()));
        }
    }

    #[test]
    fn masked_numbers_become_text() {
        let mask = (Shown::Text, "•••• •••• •••• 1111".into());
        assert_eq!(shown(View::Mask, Leaf::Number("4111111111111111")), mask);
    }

    #[test]
    fn nothing_is_made_of_nothing() {
        for view in [View::Redact, View::Pseudonym, View::Mask] {
            assert_eq!(shown(view, Leaf::Text("")), (Shown::Text, String::new()));
            assert_eq!(shown(view, Leaf::Null), (Shown::Null, String::new()));
            assert_eq!(shown(view, Leaf::Bool(true)), (Shown::False, String::new()));
        }
    }

    #[test]
    fn whatever_stands_in_is_recognised_when_it_comes_back() {
        for mask in [MaskStyle::Email, MaskStyle::Name, MaskStyle::Date, MaskStyle::KeepLast(4), MaskStyle::Full] {
            for view in [View::Redact, View::Pseudonym, View::Mask] {
                for value in ["jane@example.com", "Jane Doe", "1984-03-09", "x", " ", "•"] {
                    let mut out = String::new();
                    assert_eq!(protector().leaf(&class(mask), view, Leaf::Text(value), &mut out), Shown::Text);
                    assert!(is_stand_in(&out) && is_stand_in_leaf(Leaf::Text(&out)), "{out}");
                }
            }
        }
        assert!(is_stand_in_leaf(Leaf::Number("0")) && is_stand_in_leaf(Leaf::Bool(false)));
        for leaf in [Leaf::Null, Leaf::Number("10"), Leaf::Bool(true), Leaf::Text("")] {
            assert!(!is_stand_in_leaf(leaf));
        }
    }

    #[test]
    fn a_list_is_no_stand_in() {
        for text in ["• first\n• second", "\t•\tfirst", "tea • coffee", "•first"] {
            assert!(!is_stand_in(text), "{text}");
        }
        for text in
            ["•", " • ", "••", "• first\n• j•••@example.com", "call ••• ••• 4567", "a•b", "[name •••]", "⟦fg:erased⟧"]
        {
            assert!(is_stand_in(text), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", protector()), "Protector { pseudonyms: MacKey(hidden) }");
    }
}
