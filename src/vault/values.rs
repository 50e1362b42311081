//! What goes into the vault and comes out of it.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{MAX_TEXT_BYTES, VaultError, receipt::Receipt, row::Row};
use crate::{
    crypto::{SubjectKey, hex},
    model::{Sensitive, SubjectRef, TokenShape},
};

/// What is known of a data subject.
#[derive(Debug)]
pub enum SubjectState {
    /// Its key, and the records it was seen on.
    Live {
        /// Opens its values.
        key: SubjectKey,
        /// Its records.
        links: Vec<Link>,
    },
    /// Erased: nothing opens its values any more.
    Erased,
    /// Never minted here.
    Unknown,
}

/// A record of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// As the API map calls it.
    pub resource: Arc<str>,
    /// Its keyed name: compare with [`super::Vault::record_ref`].
    pub record: RecordRef,
}

/// The keyed name of a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordRef(pub(super) [u8; 16]);

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordRef({self})")
    }
}

/// Whose record it is.
#[derive(Debug)]
pub enum RecordState {
    /// This subject's.
    Linked(SubjectKey),
    /// A subject's that was erased.
    Erased,
    /// Nobody said so far.
    Unknown,
}

/// A value that needs a token.
#[derive(Debug, Clone, Copy)]
pub struct TokenAsk<'a> {
    /// Its class.
    pub class: &'a str,
    /// The text that is shown.
    pub text: &'a str,
    /// The text that is compared.
    pub normalised: &'a str,
    /// What the token looks like.
    pub shape: TokenShape,
    /// Whose value it is. Without a subject the token is never erased.
    pub subject: Option<SubjectRef>,
}

impl TokenAsk<'_> {
    pub(super) fn check(&self) -> Result<(), VaultError> {
        let bytes = self.text.len().max(self.normalised.len());
        if bytes > MAX_TEXT_BYTES {
            return Err(VaultError::TooLong { bytes, limit: MAX_TEXT_BYTES });
        }
        Ok(())
    }

    pub(super) fn owned(&self) -> OwnedAsk {
        OwnedAsk {
            class: self.class.into(),
            text: Sensitive::new(self.text.to_owned()),
            normalised: Sensitive::new(self.normalised.to_owned()),
            shape: self.shape,
            subject: self.subject,
        }
    }

    /// Whether `row` is the row of this value.
    pub(super) fn is(&self, row: &Row) -> bool {
        *row.class == *self.class && row.text.expose() == self.text && row.shape == self.shape
    }
}

/// The same, to be handed to another thread.
#[derive(Debug)]
pub(super) struct OwnedAsk {
    pub(super) class: Arc<str>,
    pub(super) text: Sensitive<String>,
    pub(super) normalised: Sensitive<String>,
    pub(super) shape: TokenShape,
    pub(super) subject: Option<SubjectRef>,
}

impl OwnedAsk {
    pub(super) fn borrow(&self) -> TokenAsk<'_> {
        TokenAsk {
            class: &self.class,
            text: self.text.expose(),
            normalised: self.normalised.expose(),
            shape: self.shape,
            subject: self.subject,
        }
    }

    pub(super) fn row(&self, token: String, lookup: [u8; 16]) -> Row {
        Row {
            token,
            shape: self.shape,
            class: Arc::clone(&self.class),
            text: self.text.clone(),
            normalised: (self.normalised != self.text).then(|| self.normalised.clone()),
            lookup,
        }
    }
}

/// Holder of tokens that were asked for without a data subject. Subjects are never 0.
pub(super) const NOBODY: SubjectRef = SubjectRef([0; 8]);

/// What a token stands for.
#[derive(Debug)]
pub enum TokenState {
    /// This value.
    Value {
        /// Its class.
        class: Arc<str>,
        /// The text that is shown.
        text: Sensitive<String>,
        /// Subjects that use it, at most [`super::HOLDERS_SHOWN`]; none, if it was asked for without one.
        holders: Vec<SubjectRef>,
    },
    /// A value that was erased.
    Erased,
    /// Never minted here.
    Unknown,
}

/// Whether a keyset older than the newest one seen is taken (`--accept-rollback`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollback {
    /// It is not: somebody may have put an old file back to revive destroyed keys.
    Refused,
    /// It is, and becomes the newest seen.
    Accepted,
}

/// Whether a vault that is there is replaced (`--force`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// It is not.
    Refused,
    /// It is.
    Allowed,
}

/// An erasure that is durable in the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The proof.
    pub receipt: Receipt,
    /// What is left to do in the key file.
    pub roll: Roll,
}

/// The vault needs the current subject-wrapping key only: destroy the older ones in the key file, and in the older
/// generations of that file too. Until then copies of the vault's files can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "copies of the vault can be opened until the older keys are destroyed"]
pub struct Roll {
    /// The epoch of the keyset that the vault was closed under: a key file with a lower one must not be used for this.
    pub epoch: u64,
}

/// How much is in a vault. Tombstones count too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Data subjects.
    pub subjects: u64,
    /// Links between subjects and records.
    pub links: u64,
    /// Tokens.
    pub tokens: u64,
    /// Erasures.
    pub erasures: u64,
    /// Size of the store in bytes.
    pub bytes: u64,
}
