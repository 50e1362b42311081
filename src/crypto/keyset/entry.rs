//! One key of a keyset: what it is for, where it is in its life, and what of it may be shown.

use std::{fmt, sync::Arc};

use zeroize::Zeroizing;

use super::super::envelope::KeyId;
use crate::model::{KeyScope, Mode, Normaliser, Storage, Timestamp};

/// What a key is for. Each has its own keys, so that no output of one can stand for another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyPurpose {
    /// Randomised values of a class.
    Seal,
    /// Deterministic values of a class.
    Det,
    /// The blind index of a class.
    Index,
    /// Look-up hashes and check digits of a class's tokens.
    Token,
    /// Wraps the keys of data subjects; one at a time, its generations are epochs.
    SubjectWrap,
    /// Seals the rows of the vault.
    Row,
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 6] = [Self::Seal, Self::Det, Self::Index, Self::Token, Self::SubjectWrap, Self::Row];

    /// The name in key files and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Det => "det",
            Self::Index => "bi",
            Self::Token => "tok",
            Self::SubjectWrap => "swk",
            Self::Row => "row",
        }
    }

    /// The purpose called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// The algorithm written beside it.
    #[must_use]
    pub fn algorithm(self) -> &'static str {
        match self {
            Self::Seal | Self::Row => "A256GCM-HKDF-C16",
            Self::Det | Self::SubjectWrap => "A256SIV",
            Self::Index => "HS256-128",
            Self::Token => "HS256",
        }
    }

    /// Bytes of its keys.
    #[must_use]
    pub fn key_bytes(self) -> usize {
        match self {
            Self::Det | Self::SubjectWrap => 64,
            Self::Seal | Self::Index | Self::Token | Self::Row => 32,
        }
    }

    /// Whether each class has keys of its own; the others belong to the tenant.
    #[must_use]
    pub fn is_per_class(self) -> bool {
        !matches!(self, Self::SubjectWrap | Self::Row)
    }

    /// Whether values under such a key are compared, so that a normaliser is written beside it.
    #[must_use]
    pub fn compares(self) -> bool {
        matches!(self, Self::Det | Self::Index | Self::Token)
    }

    /// The keys a class stored like this needs.
    #[must_use]
    pub fn needed(mode: Mode) -> &'static [Self] {
        match mode {
            Mode::Clear => &[],
            Mode::Seal(KeyScope::Class | KeyScope::Subject) => &[Self::Seal],
            Mode::SealIndexed => &[Self::Seal, Self::Index],
            Mode::Token(_) => &[Self::Token],
            Mode::Det => &[Self::Det],
        }
    }
}

/// Where a key is in its life (field-protection.md §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyState {
    /// Opens, never seals: every gateway learns it before any uses it.
    Pending,
    /// Seals and opens; one per purpose and class.
    Active,
    /// Opens only.
    Retiring,
    /// Refuses; can be taken back.
    Disabled,
    /// Gone: only its name is left.
    Destroyed,
}

impl KeyState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Active, Self::Retiring, Self::Disabled, Self::Destroyed];

    /// The name in key files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Disabled => "disabled",
            Self::Destroyed => "destroyed",
        }
    }

    /// The state called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// Whether values under the key are opened and searched for.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Pending | Self::Active | Self::Retiring)
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for KeyPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A class of the configuration: what it needs keys for.
#[derive(Debug, Clone, Copy)]
pub struct ClassPlan<'a> {
    /// Its name.
    pub class: &'a str,
    /// How it is stored.
    pub storage: Storage,
}

/// How far a key's budget of values is used up (field-protection.md §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Below [`ALARM_VALUES`].
    Within,
    /// Rotate now.
    Alarm,
    /// At [`REFUSED_VALUES`]: it seals nothing more.
    Spent,
}

impl Budget {
    /// The budget after `used` values.
    #[must_use]
    pub fn after(used: u64) -> Self {
        match used {
            REFUSED_VALUES.. => Self::Spent,
            ALARM_VALUES.. => Self::Alarm,
            _ => Self::Within,
        }
    }
}

/// Values under one key after which a rotation is due: 2^39, half of the planned 2^40.
pub const ALARM_VALUES: u64 = 1 << 39;
/// Values under one key after which it seals no more: 2^41.
pub const REFUSED_VALUES: u64 = 1 << 41;
/// Uses are written to the key file in steps of this many values, so that a crash forgets none.
pub const USE_STEP_VALUES: u64 = 1 << 20;

/// What of a key may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name.
    pub id: KeyId,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// Its class; empty for the tenant's own keys.
    pub class: Arc<str>,
    /// How the values of its class are compared.
    pub normaliser: Normaliser,
    /// Where it is in its life.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
    /// When its state changed last.
    pub changed: Timestamp,
    /// Values sealed under it, in steps of [`USE_STEP_VALUES`].
    pub used: u64,
}

/// A key with its secret; destroyed ones have none.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) info: KeyInfo,
    pub(super) secret: Option<Zeroizing<Vec<u8>>>,
}

impl Entry {
    pub(super) fn is(&self, purpose: KeyPurpose, class: &str) -> bool {
        self.info.purpose == purpose && &*self.info.class == class
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_alarms_at_half_and_ends_at_double() {
        assert_eq!(Budget::after(ALARM_VALUES - 1), Budget::Within);
        assert_eq!(Budget::after(ALARM_VALUES), Budget::Alarm);
        assert_eq!(Budget::after(REFUSED_VALUES - 1), Budget::Alarm);
        assert_eq!(Budget::after(REFUSED_VALUES), Budget::Spent);
    }

    #[test]
    fn names_are_read_back() {
        assert!(KeyPurpose::ALL.iter().all(|one| KeyPurpose::named(one.as_str()) == Some(*one)));
        assert!(KeyState::ALL.iter().all(|one| KeyState::named(one.as_str()) == Some(*one)));
        assert_eq!(KeyState::named("Active"), None);
    }
}
