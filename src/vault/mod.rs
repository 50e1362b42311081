//! The gateway's own store: keys of data subjects, what tokens stand for, and which record belongs to whom. Keyed
//! names and sealed rows lie in it; clear values, record ids and tokens never do. What it acknowledges is durable.

mod control;
mod error;
mod keys;
#[cfg(feature = "postgres")]
mod postgres;
mod receipt;
mod row;
mod settings;
mod shelves;
mod store;
mod values;

use std::{path::Path, sync::Arc};

use arc_swap::ArcSwap;

use crate::{
    crypto::{Keyset, SigningKey, SubjectKey},
    model::{SubjectRef, Timestamp},
};

pub use control::{Answer, Ask, Control, ask};
pub use error::VaultError;
pub use receipt::{Erasure, Receipt};
pub use settings::Settings;
pub use store::Restored;
pub use values::{
    Erased, Link, Overwrite, RecordRef, RecordState, Roll, Rollback, Stats, SubjectState, TokenAsk, TokenState,
};
use {
    keys::{Hashes, Keys},
    store::Store,
    values::{NOBODY, OwnedAsk},
};

/// An open vault; clones share it. Methods take batches; the embedded store answers reads at once and writes after
/// one sync that all callers of the moment share.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    keys: ArcSwap<Keys>,
    backend: Backend,
}

enum Backend {
    Embedded(Box<Store>),
    #[cfg(feature = "postgres")]
    Postgres(Box<postgres::Postgres>),
}

/// The same question to whichever store it is.
macro_rules! put {
    ($vault:ident . $question:ident ( $($argument:expr),* )) => {
        match &$vault.0.backend {
            Backend::Embedded(store) => store.$question($($argument),*).await,
            #[cfg(feature = "postgres")]
            Backend::Postgres(server) => server.$question($($argument),*).await,
        }
    };
}

/// The same question about rows that are sealed. A roll that ends between the look at the keys and the look at the rows leaves rows
/// that only newer keys open, and those are in use by then: the question is asked again.
macro_rules! ask {
    ($vault:ident . $question:ident ( $($argument:expr),* )) => {{
        let keys = $vault.keys();
        let answer = put!($vault.$question(&keys, $($argument),*));
        let now = $vault.keys();
        match answer {
            Err(_) if !Arc::ptr_eq(&keys, &now) => put!($vault.$question(&now, $($argument),*)),
            answer => answer,
        }
    }};
}

impl Vault {
    /// Makes an empty vault: the folder (mode 0700), or the tables in PostgreSQL.
    ///
    /// # Errors
    /// When there is one already, or it cannot be written.
    pub fn init(settings: &Settings, keyset: Arc<Keyset>) -> Result<(), VaultError> {
        let keys = keys(settings, keyset);
        match settings.url.as_deref() {
            None => Store::init(&settings.dir, &keys),
            #[cfg(feature = "postgres")]
            Some(url) => postgres::Postgres::init(url, settings, &keys),
            #[cfg(not(feature = "postgres"))]
            Some(_) => Err(VaultError::NotBuilt),
        }
    }

    /// Opens what [`Self::init`] made. `dir` is used as it is: resolve it against the configuration's folder before.
    ///
    /// # Errors
    /// When it is not there, not private, open elsewhere, of another tenant or format, does not open with this
    /// keyset, or has seen a newer one ([`VaultError::Rollback`]).
    pub fn open(settings: &Settings, keyset: Arc<Keyset>) -> Result<Self, VaultError> {
        Self::open_with(settings, keyset, Rollback::Refused)
    }

    /// As [`Self::open`], with a say in whether an older keyset is taken.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(settings: &Settings, keyset: Arc<Keyset>, rollback: Rollback) -> Result<Self, VaultError> {
        let keys = keys(settings, keyset);
        let backend = match settings.url.as_deref() {
            None => Store::open(&settings.dir, &keys, settings.cache_mib << 20, rollback)
                .map(|store| Backend::Embedded(Box::new(store)))?,
            #[cfg(feature = "postgres")]
            Some(url) => postgres::Postgres::open(url, settings, &keys, rollback)
                .map(|server| Backend::Postgres(Box::new(server)))?,
            #[cfg(not(feature = "postgres"))]
            Some(_) => return Err(VaultError::NotBuilt),
        };
        Ok(Self(Arc::new(Inner { keys: ArcSwap::from_pointee(keys), backend })))
    }

    /// From now on every clone uses `keyset`.
    ///
    /// # Errors
    /// When it is older than the one in use, which stays, or the vault cannot remember it.
    pub async fn with_keyset(&self, keyset: Arc<Keyset>) -> Result<(), VaultError> {
        let keys = self.0.keys.load().with(keyset);
        put!(self.remember(&keys))?;
        self.0.keys.store(Arc::new(keys));
        Ok(())
    }

    /// The epoch of the keyset in use.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.keys.load().epoch()
    }

    fn keys(&self) -> Arc<Keys> {
        self.0.keys.load_full()
    }

    fn hashes(&self) -> &Hashes {
        match &self.0.backend {
            Backend::Embedded(store) => store.hashes(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(server) => server.hashes(),
        }
    }

    /// The keyed name of a record, to compare with [`Link::record`].
    #[must_use]
    pub fn record_ref(&self, resource: &str, record: &str) -> RecordRef {
        RecordRef(self.hashes().record(resource, record))
    }

    /// What is known of each subject.
    ///
    /// # Errors
    /// When the vault cannot be reached, or a row does not open. Nothing is known then: show placeholders.
    pub async fn subjects(&self, subjects: &[SubjectRef]) -> Result<Vec<SubjectState>, VaultError> {
        ask!(self.subjects(subjects))
    }

    /// Whose record each `(resource, record id)` is.
    ///
    /// # Errors
    /// As [`Self::subjects`].
    pub async fn subjects_of(&self, records: &[(&str, &str)]) -> Result<Vec<RecordState>, VaultError> {
        ask!(self.records(records))
    }

    /// Whose record it is.
    ///
    /// # Errors
    /// As [`Self::subjects`].
    pub async fn subject_of(&self, resource: &str, record: &str) -> Result<RecordState, VaultError> {
        let states = self.subjects_of(&[(resource, record)]).await?;
        states.into_iter().next().ok_or(VaultError::Tampered)
    }

    /// New subjects, durable.
    ///
    /// # Errors
    /// When the vault cannot be written.
    pub async fn mint_subjects(&self, count: usize) -> Result<Vec<SubjectKey>, VaultError> {
        put!(self.mint_subjects(&self.keys(), count))
    }

    /// A new subject, durable.
    ///
    /// # Errors
    /// When the vault cannot be written.
    pub async fn mint_subject(&self) -> Result<SubjectKey, VaultError> {
        self.mint_subjects(1).await?.pop().ok_or(VaultError::Tampered)
    }

    /// Remembers whose records these are: `(subject, resource, record id)`. Known links cost a look-up and no write.
    ///
    /// # Errors
    /// When a subject is erased or unknown, or the vault cannot be written.
    pub async fn link(&self, links: &[(SubjectRef, &str, &str)]) -> Result<(), VaultError> {
        put!(self.link(links))
    }

    /// The token of each value: the one of exactly this class, display text and shape, or a new one, durable. The
    /// subject becomes a holder of the token.
    ///
    /// # Errors
    /// When a value is longer than [`MAX_TEXT_BYTES`], its normalised form has [`MAX_SPELLINGS`] tokens already, a
    /// subject is erased or unknown, or the vault cannot be written. Some of the tokens may have been made then; that
    /// is harmless.
    pub async fn tokens(&self, asks: &[TokenAsk<'_>]) -> Result<Vec<String>, VaultError> {
        put!(self.tokens(&self.keys(), asks))
    }

    /// Every token that stands for each `(class, normalised value)`, at most [`MAX_SPELLINGS`]; none is made.
    ///
    /// # Errors
    /// As [`Self::subjects`].
    pub async fn find_tokens(&self, values: &[(&str, &str)]) -> Result<Vec<Vec<String>>, VaultError> {
        ask!(self.find_tokens(values))
    }

    /// What each token stands for.
    ///
    /// # Errors
    /// As [`Self::subjects`].
    pub async fn open_tokens(&self, tokens: &[&str]) -> Result<Vec<TokenState>, VaultError> {
        ask!(self.open_tokens(tokens))
    }

    /// Whether each subject uses each token, for tokens that more than [`HOLDERS_SHOWN`] use.
    ///
    /// # Errors
    /// As [`Self::subjects`].
    pub async fn holds(&self, asks: &[(&str, SubjectRef)]) -> Result<Vec<bool>, VaultError> {
        put!(self.holds(asks))
    }

    /// Erases everybody who is linked to the records: their keys and the tokens only they use. The keyset must have a
    /// new subject-wrapping key (`KeyFile::roll_subject_wrap`, then [`Self::with_keyset`]); when this returned,
    /// destroy the older ones (`KeyFile::destroy_old_subject_wraps`): until then copies of the vault's files could
    /// still be opened.
    ///
    /// # Errors
    /// When nothing is known of a record, the key was not rolled, or the vault cannot be written. Nothing is erased
    /// then.
    pub async fn erase(
        &self,
        records: &[(&str, &str)],
        signer: Arc<SigningKey>,
        now: Timestamp,
    ) -> Result<Erased, VaultError> {
        let keys = self.keys();
        let records = records.iter().map(|(resource, id)| self.hashes().record(resource, id)).collect();
        let sign = move |erasure| Receipt::sign(erasure, &signer);
        let receipt = put!(self.erase(&keys, records, now, sign))?;
        Ok(Erased { receipt, roll: Roll { epoch: keys.epoch() } })
    }

    /// Wraps the vault's keys under the keyset's current subject-wrapping key, so that the older ones can be destroyed.
    ///
    /// # Errors
    /// When the vault cannot be written.
    pub async fn roll(&self) -> Result<Roll, VaultError> {
        let keys = self.keys();
        put!(self.roll(&keys))?;
        Ok(Roll { epoch: keys.epoch() })
    }

    /// The receipts of all erasures, oldest first.
    ///
    /// # Errors
    /// As [`Self::subjects`].
    pub async fn receipts(&self) -> Result<Vec<Receipt>, VaultError> {
        put!(self.receipts())
    }

    /// After a rotation of a token key: gives every row the look-up hash of the new active key. Can be stopped and
    /// run again; the vault serves meanwhile. Returns how many rows changed.
    ///
    /// # Errors
    /// When the vault cannot be read or written.
    pub async fn reindex_tokens(&self) -> Result<u64, VaultError> {
        put!(self.reindex(&self.keys()))
    }

    /// Copies one moment of the vault to a new file of mode 0600; durable when this returns. Takes seconds per
    /// million rows and blocks its caller, not other callers.
    ///
    /// # Errors
    /// When the file is there already or cannot be written.
    pub fn backup(&self, path: &Path) -> Result<u64, VaultError> {
        match &self.0.backend {
            Backend::Embedded(store) => store.backup(path),
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => Err(VaultError::Unsupported("backup")),
        }
    }

    /// Puts a backup in the place of the vault of `settings`, which no process may have open. Erasures that the vault
    /// in place knows and the backup does not are repeated.
    ///
    /// # Errors
    /// When there is a vault and `overwrite` refuses, the backup is damaged, of another tenant or format, or does not
    /// open with this keyset. The vault in place is untouched then.
    pub fn restore(
        settings: &Settings,
        keyset: Arc<Keyset>,
        backup: &Path,
        overwrite: Overwrite,
        rollback: Rollback,
    ) -> Result<Restored, VaultError> {
        if settings.url.is_some() {
            return Err(VaultError::Unsupported("restore"));
        }
        store::restore(&settings.dir, backup, &keys(settings, keyset), overwrite, rollback)
    }

    /// How much is in it.
    ///
    /// # Errors
    /// As [`Self::subjects`].
    pub async fn stats(&self) -> Result<Stats, VaultError> {
        let ([subjects, links, tokens, erasures], bytes) = put!(self.counts())?;
        Ok(Stats { subjects, links, tokens, erasures, bytes })
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault(epoch {})", self.epoch())
    }
}

fn keys(settings: &Settings, keyset: Arc<Keyset>) -> Keys {
    Keys::new(keyset, settings.token_domain.as_deref().map(Into::into))
}

/// Longest text that a token stands for, in bytes. Longer values belong to `seal`.
pub const MAX_TEXT_BYTES: usize = 16 * 1024;
/// Tokens of one normalised value: a search for it sends all of them to the CRM, whose `IN` lists are short.
pub const MAX_SPELLINGS: usize = 32;
/// Holders of a token that are shown; for a text that everybody has (`unknown`) there can be many more.
pub const HOLDERS_SHOWN: usize = 1_024;
/// Tries for an unused token. With 10^10 phone tokens of which half are taken, eight misses in a row have a chance of
/// 1 in 256.
const MINT_TRIES: usize = 64;
/// Rows of one step of [`Vault::reindex_tokens`].
const REINDEX_PAGE: usize = 2_000;

#[cfg(test)]
mod tests;
