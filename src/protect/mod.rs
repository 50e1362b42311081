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
    pub fn leaf(&self, _class: &Class, view: View, _leaf: Leaf<'_>, out: &mut String) -> Shown {
        if view == View::Reveal {
            return Shown::Kept;
        }
        out.push('•');
        Shown::Text
    }

    /// What a finding in free text looks like at `view`; appends to `out`.
    pub fn span(&self, _class: &Class, view: View, text: &str, out: &mut String) {
        out.push_str(if view == View::Reveal { text } else { "•" });
    }
}

/// Whether `text` is a stand-in that a client may be writing back: it carries U+2022 or the bracket `⟦fg:`.
#[must_use]
pub fn is_stand_in(text: &str) -> bool {
    text.contains('•') || text.contains("⟦fg:")
}
