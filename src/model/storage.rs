//! What the CRM holds of a class: in clear, sealed, as a token or deterministic; and how equal values are recognised.

use std::fmt;

/// How a value of a class is stored (field-protection.md §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// The value itself.
    #[default]
    Clear,
    /// Random AES-256-GCM (`fg1` 0x11, 0x12).
    Seal(KeyScope),
    /// Sealed under a subject key with a blind index in front (`fg1` 0x13): found by prefix.
    SealIndexed,
    /// A random token that the vault maps to the value: found by equality.
    Token(TokenShape),
    /// AES-SIV (`fg1` 0x15): found by equality, not erasable.
    Det,
}

/// Which key seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyScope {
    /// The class's key: erasable only for the whole class.
    Class,
    /// The class's key together with the data subject's: erasable per subject.
    Subject,
}

/// What a token looks like to the CRM's validators (field-protection.md §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenShape {
    /// `fg1t` and 24 base32 characters.
    Opaque,
    /// The same as the local part of an address in the token domain.
    Email,
    /// `+999` and 12 digits: an unassigned country code.
    Phone,
}

/// How a value is brought to the form that is compared; only index input is, the stored text stays as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Normaliser {
    /// `text-1`: NFC, trimmed.
    #[default]
    Text,
    /// `email-1`: trimmed, NFKC, lower case, domain as an A-label.
    Email,
    /// `phone-1`: E.164 with the default region, else digits.
    Phone,
    /// `id-1`: upper case, separators out (cards, IBANs, national ids).
    Id,
    /// `name-1`: NFKC, case folded, single spaces.
    Name,
}

impl Normaliser {
    /// Every normaliser.
    pub const ALL: [Self; 5] = [Self::Text, Self::Email, Self::Phone, Self::Id, Self::Name];

    /// The versioned name used in configuration and key files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text-1",
            Self::Email => "email-1",
            Self::Phone => "phone-1",
            Self::Id => "id-1",
            Self::Name => "name-1",
        }
    }

    /// The normaliser called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// Whether clear values are still expected in the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Phase {
    /// Clear values of before the migration are viewed like any other, and searched for too.
    Mixed,
    /// A clear value is masked for everybody and raised as an incident.
    #[default]
    Enforced,
}

/// What happens to a sealed value that is found on another record than the one it was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Linkage {
    /// It is opened, and the mismatch is counted.
    #[default]
    Relaxed,
    /// A placeholder is shown.
    Strict,
}

/// How a class is stored and found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Storage {
    /// The stored form.
    pub mode: Mode,
    /// How values are compared.
    pub normaliser: Normaliser,
    /// Whether clear values are expected.
    pub phase: Phase,
    /// What a value on another record means.
    pub linkage: Linkage,
    /// Sealed texts are padded to a multiple of this many bytes: 0 (length shows), 16, 32 or 64.
    pub padding: u8,
}

impl Storage {
    /// In clear.
    pub const CLEAR: Self = Self {
        mode: Mode::Clear,
        normaliser: Normaliser::Text,
        phase: Phase::Enforced,
        linkage: Linkage::Relaxed,
        padding: 0,
    };

    /// Whether the CRM holds something else than the value.
    #[must_use]
    pub fn is_protected(self) -> bool {
        self.mode != Mode::Clear
    }

    /// Whether equal values can be searched for.
    #[must_use]
    pub fn is_searchable(self) -> bool {
        matches!(self.mode, Mode::Clear | Mode::SealIndexed | Mode::Token(_) | Mode::Det)
    }

    /// Whether values of this class need a data subject's key or a token row: what the vault keeps.
    #[must_use]
    pub fn needs_vault(self) -> bool {
        matches!(self.mode, Mode::Seal(KeyScope::Subject) | Mode::SealIndexed | Mode::Token(_))
    }
}

/// The pseudonymous name of a data subject inside sealed values: 8 random bytes, never 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectRef(pub [u8; 8]);

impl fmt::Display for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectRef({self})")
    }
}
