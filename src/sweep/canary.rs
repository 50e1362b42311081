//! The texts that a probe writes, and what a CRM did to them.

use crate::{model::Normaliser, protect::normalise};

/// A shape of text that something of the gateway's has, or that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Canary {
    /// A sealed value in base64url: upper and lower case, digits, `-`, `_`.
    Opaque,
    /// A sealed value in lower-case base32.
    Opaque32,
    /// An opaque token.
    Token,
    /// An e-mail token.
    Email,
    /// A phone token.
    Phone,
    /// Blanks at both ends.
    Blanks,
    /// Two blanks inside.
    Gap,
    /// Letters that Unicode writes in one piece.
    Composed,
    /// The same in pieces.
    Decomposed,
    /// The marks of masks, `•` and `⟦`.
    Marks,
}

impl Canary {
    /// Every canary, stored forms first.
    pub const ALL: [Self; 10] = [
        Self::Opaque,
        Self::Opaque32,
        Self::Token,
        Self::Email,
        Self::Phone,
        Self::Blanks,
        Self::Gap,
        Self::Composed,
        Self::Decomposed,
        Self::Marks,
    ];

    /// The name in profiles.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opaque => "sealed value",
            Self::Opaque32 => "sealed value in lower case",
            Self::Token => "opaque token",
            Self::Email => "e-mail token",
            Self::Phone => "phone token",
            Self::Blanks => "blanks at the ends",
            Self::Gap => "two blanks inside",
            Self::Composed => "composed letters",
            Self::Decomposed => "decomposed letters",
            Self::Marks => "masks",
        }
    }

    /// The text. Nothing that anybody could take for a value: none of them opens, and `+999` is unassigned.
    #[must_use]
    pub fn text(self, token_domain: &str) -> String {
        match self {
            Self::Opaque => "fg1_Fieldgate-Probe_0123456789-AbCdEfGhIjKlMnOpQrStUvWxYz_aZ".to_owned(),
            Self::Opaque32 => format!("fg1_{}", base32(56)),
            Self::Token => format!("fg1t{}", base32(24)),
            Self::Email => format!("fg1t{}@{token_domain}", base32(24)),
            Self::Phone => "+999000000000017".to_owned(),
            Self::Blanks => "  Fieldgate probe  ".to_owned(),
            Self::Gap => "Fieldgate  probe".to_owned(),
            Self::Composed => "Fieldgate prob\u{e9} \u{c5}".to_owned(),
            Self::Decomposed => "Fieldgate probe\u{301} A\u{30a}".to_owned(),
            Self::Marks => "F\u{2022}\u{2022}\u{2022} \u{27e6}fg:probe\u{27e7}".to_owned(),
        }
    }

    /// `chars` characters of this shape, for finding out how long a text may be; nothing where it has no such length.
    #[must_use]
    pub fn long(self, chars: usize, token_domain: &str) -> Option<String> {
        match self {
            Self::Opaque | Self::Opaque32 | Self::Token => {
                let front = if self == Self::Token { "fg1t" } else { "fg1_" };
                chars.checked_sub(front.len()).filter(|rest| *rest > 0).map(|rest| format!("{front}{}", base32(rest)))
            }
            Self::Email => {
                // Labels of 32 characters in front of the domain, so that validators of host names agree.
                let front = format!("fg1t{}@", base32(24));
                let fill = chars.checked_sub(front.len() + token_domain.len())?;
                let mut labels: String = "abcdefghijklmnopqrstuvwxyzabcdef.".chars().cycle().take(fill).collect();
                match fill {
                    0 => {}
                    1 => return None,
                    _ => {
                        // The last one ends with its dot, and no two dots meet.
                        labels.truncate(fill - 1);
                        if labels.ends_with('.') {
                            labels.pop();
                            labels.push('x');
                        }
                        labels.push('.');
                    }
                }
                Some(format!("{front}{labels}{token_domain}"))
            }
            _ => None,
        }
    }
}

fn base32(chars: usize) -> String {
    "abcdefghijklmnopqrstuvwxyz234567".chars().cycle().take(chars).collect()
}

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Byte for byte as it was sent.
    Kept,
    /// The CRM refused it, or took it and left the field as it was.
    Refused,
    /// Its end is missing.
    Cut,
    /// All letters became small or capital ones.
    Folded,
    /// Blanks are missing.
    Trimmed,
    /// The same letters in another Unicode form.
    Recomposed,
    /// Separators and signs were put in, left out or replaced.
    Reformatted,
    /// Something else.
    Changed,
}

impl Fate {
    /// What `stored` tells about `sent`.
    #[must_use]
    pub fn of(sent: &str, stored: &str) -> Self {
        let composed = |text: &str| normalise(Normaliser::Text, text, None);
        let without = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        if sent == stored {
            Self::Kept
        } else if squeezed(sent) == squeezed(stored) {
            Self::Trimmed
        } else if !stored.is_empty() && sent.starts_with(stored) {
            Self::Cut
        } else if sent.to_lowercase() == stored.to_lowercase() {
            Self::Folded
        } else if composed(sent) == composed(stored) {
            Self::Recomposed
        } else if !stored.is_empty() && without(sent) == without(stored) {
            Self::Reformatted
        } else {
            Self::Changed
        }
    }

    /// The name in profiles.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Refused => "refused",
            Self::Cut => "cut off",
            Self::Folded => "case changed",
            Self::Trimmed => "blanks removed",
            Self::Recomposed => "unicode form changed",
            Self::Reformatted => "reformatted",
            Self::Changed => "changed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_are_told_apart() {
        for (sent, stored, fate) in [
            ("aB", "aB", Fate::Kept),
            ("aBcd", "aB", Fate::Cut),
            ("aB", "ab", Fate::Folded),
            ("  a b  ", "a b", Fate::Trimmed),
            ("a  b", "a b", Fate::Trimmed),
            ("e\u{301}", "\u{e9}", Fate::Recomposed),
            ("+999000000000017", "+999 00 000000 0017", Fate::Reformatted),
            ("aB", "other", Fate::Changed),
            ("aB", "", Fate::Changed),
        ] {
            assert_eq!(Fate::of(sent, stored), fate, "{stored}");
        }
    }

    #[test]
    fn canaries_have_the_lengths_they_are_asked_for() {
        for canary in [Canary::Opaque, Canary::Token, Canary::Email] {
            for chars in [43, 44, 45, 60, 76, 77, 78, 79, 80, 110, 111, 254] {
                let Some(text) = canary.long(chars, "fg.example.com") else {
                    assert!(canary == Canary::Email && matches!(chars, 44), "{canary:?} {chars}");
                    continue;
                };
                assert_eq!(text.chars().count(), chars, "{text}");
                assert!(!text.contains("..") && !text.contains("@."), "{text}");
            }
        }
        assert_eq!(Canary::Opaque.long(4, ""), None);
        assert_eq!(Canary::Blanks.long(40, ""), None);
    }

    #[test]
    fn no_canary_is_longer_than_a_short_column_needs() {
        assert!(Canary::ALL.iter().all(|canary| canary.text("fg.example.com").chars().count() <= 60));
    }
}
