//! Why the vault refused; never with a value, a token or a record id in the text.

use std::{io, path::PathBuf};

use crate::crypto::{KeyError, NoRandomness};

/// Why the vault refused.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The folder holds no vault.
    #[error("there is no vault in `{0}`")]
    Missing(PathBuf),
    /// `init` or `restore` would replace one.
    #[error("there is a vault in `{0}` already")]
    Exists(PathBuf),
    /// Others can read the folder or a file of it.
    #[error("`{path}` has mode {mode:o}; it has to be {wanted:o} and owned by this user")]
    NotPrivate {
        /// The folder or file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it must have.
        wanted: u32,
    },
    /// Another process has it open.
    #[error("the vault in `{0}` is open in another process")]
    Locked(PathBuf),
    /// Written by a newer release, or not a vault.
    #[error("the vault has format {found}; this release knows format {known}")]
    Format {
        /// Its format.
        found: u32,
        /// The one this release writes.
        known: u32,
    },
    /// It belongs to someone else.
    #[error("the vault belongs to another tenant than the keyset")]
    OtherTenant,
    /// The keyset is older than one that was used with this vault.
    #[error("the keyset has epoch {given}, but this vault was used with epoch {seen}")]
    Rollback {
        /// The keyset's epoch.
        given: u64,
        /// The highest epoch seen.
        seen: u64,
    },
    /// The keyset does not hold a key that the vault needs, or holds it destroyed.
    #[error("the keyset cannot unwrap the keys of this vault")]
    KeysetMismatch,
    /// The keyset refused an operation.
    #[error("the keyset refused: {0}")]
    Keyset(String),
    /// A row is not what was stored under its key.
    #[error("a row of the vault was altered")]
    Tampered,
    /// A named subject has been erased.
    #[error("the data subject has been erased")]
    SubjectErased,
    /// Nobody minted this subject here.
    #[error("the vault does not know the data subject")]
    SubjectUnknown,
    /// A value is too long to be a token.
    #[error("the value has {bytes} bytes; a token stands for at most {limit}")]
    TooLong {
        /// Bytes of the value.
        bytes: usize,
        /// [`super::MAX_TEXT_BYTES`].
        limit: usize,
    },
    /// Too many display texts share one normalised value.
    #[error("{0} spellings of this value have tokens already, and a search may not miss one")]
    TooManySpellings(usize),
    /// E-mail tokens are asked for and `token_domain` is not set.
    #[error("`token_domain` is not set, so no e-mail token can be made")]
    NoTokenDomain,
    /// Every minted token was taken.
    #[error("no unused token was found in {0} tries")]
    NoFreeToken(usize),
    /// Nothing is linked to the record.
    #[error("the vault has no data of that record")]
    NothingToErase,
    /// The keyset's subject-wrapping key is the one the erased keys are wrapped under.
    #[error("the keyset's subject-wrapping key was not rolled")]
    NotRolled,
    /// The receipt is not one, or is not signed by this key.
    #[error("the receipt is not valid: {0}")]
    Receipt(&'static str),
    /// The store is busy beyond its queue.
    #[error("{0} writes wait for the vault already")]
    Busy(usize),
    /// The store failed or is gone; nothing is known.
    #[error("the vault cannot be reached: {0}")]
    Unavailable(String),
    /// This build cannot reach PostgreSQL.
    #[error("this build has no PostgreSQL, which `vault.url` asks for")]
    NotBuilt,
    /// This backend has no such operation.
    #[error("a vault in PostgreSQL has no `{0}`")]
    Unsupported(&'static str),
    /// The embedded store failed.
    #[error("the vault's store failed: {0}")]
    Store(#[source] Box<redb::Error>),
    /// A file operation failed.
    #[error("`{path}`: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl VaultError {
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// What to do about it, for the second line of a command's error.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Missing(_) => "make one with `fieldgate vault init`",
            Self::Exists(_) => "name another folder, or restore over it with `--force`",
            Self::NotPrivate { .. } => "take the rights of others away with `chmod`",
            Self::Locked(_) => "stop the other process, or ask it: a running gateway serves these commands itself",
            Self::Format { .. } => "use the release that wrote it, or a newer one",
            Self::OtherTenant => "open it with the keyset of its own tenant",
            Self::Rollback { .. } => "bring the newest key file back, or start once with `--accept-rollback`",
            Self::KeysetMismatch => "use the key file that was in use when this vault was last written",
            Self::Keyset(_) => "look at `fieldgate keys list`",
            Self::Tampered => "restore a backup, and find out who can write to the vault's files",
            Self::SubjectErased => "a new write gets a new data subject",
            Self::SubjectUnknown => "mint the data subject before it is used",
            Self::TooLong { .. } => "store this class with `seal`",
            Self::TooManySpellings(_) => "unify the spellings in the CRM, or store this class with `seal`",
            Self::NoTokenDomain => "set `token_domain` under `[vault]` to a domain of yours that takes no mail",
            Self::NoFreeToken(_) => "store this class with another token shape",
            Self::NothingToErase => "name the record as `resource:id`, as the API map calls it",
            Self::NotRolled => "let `fieldgate vault erase` roll it, or wait until the gateway has loaded the key file",
            Self::Receipt(_) => {
                "compare the file with the one that `vault erase` wrote, and the key with the gateway's"
            }
            Self::Busy(_) => "try again",
            Self::Unavailable(_) => "look at the log of the gateway or of PostgreSQL",
            Self::NotBuilt => "build with the feature `postgres`, or use `dir`",
            Self::Unsupported(_) => "use the tools of PostgreSQL (`pg_dump`, `pg_restore`)",
            Self::Store(_) | Self::File { .. } => "look at the disk and at the folder's owner and mode",
        }
    }
}

impl From<NoRandomness> for VaultError {
    fn from(error: NoRandomness) -> Self {
        Self::Keyset(error.to_string())
    }
}

impl From<KeyError> for VaultError {
    fn from(error: KeyError) -> Self {
        Self::Keyset(error.to_string())
    }
}

macro_rules! from_store {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for VaultError {
            fn from(error: redb::$error) -> Self {
                Self::Store(Box::new(error.into()))
            }
        })*
    };
}

from_store!(StorageError, TableError, TransactionError, CommitError, DatabaseError, SetDurabilityError);
