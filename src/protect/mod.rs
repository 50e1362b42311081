//! A leaf or a finding, its class and a view in; what the caller gets instead out.

use crate::{
    crypto::MacKey,
    model::{Class, Leaf, View},
};

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
    _pseudonyms: MacKey,
}

impl Protector {
    /// A protector whose pseudonyms are keyed by `pseudonyms`.
    #[must_use]
    pub fn new(pseudonyms: MacKey) -> Self {
        Self { _pseudonyms: pseudonyms }
    }

    /// What `leaf` of `class` looks like at `view`; appends text to `out`, which the caller has emptied.
    pub fn leaf(&self, class: &Class, view: View, leaf: Leaf<'_>, out: &mut String) -> Shown {
        match leaf {
            _ if view == View::Reveal => Shown::Kept,
            Leaf::Null | Leaf::Text("") => Shown::Kept,
            Leaf::Text(text) => {
                self.span(class, view, text, out);
                Shown::Text
            }
            Leaf::Number(_) => Shown::Zero,
            Leaf::Bool(_) => Shown::False,
        }
    }

    /// What a finding in free text looks like at `view`; appends to `out`.
    pub fn span(&self, class: &Class, view: View, text: &str, out: &mut String) {
        match view {
            View::Reveal => out.push_str(text),
            View::Mask => out.push_str("•••"),
            View::Pseudonym => out.push_str("⟦fg:p⟧"),
            View::Redact => out.push_str(&redacted_text(class)),
        }
    }
}

/// What redacted text of `class` looks like.
#[must_use]
pub fn redacted_text(class: &Class) -> String {
    format!("[{} •••]", class.name)
}

/// Whether `text` is a stand-in that a client may be writing back: it carries U+2022 or the bracket `⟦fg:`.
#[must_use]
pub fn is_stand_in(text: &str) -> bool {
    text.contains('•') || text.contains("⟦fg:")
}

/// Whether `leaf` is a stand-in.
#[must_use]
pub fn is_stand_in_leaf(leaf: Leaf<'_>) -> bool {
    matches!(leaf, Leaf::Text(text) if is_stand_in(text))
}
