//! The keyset as the vault uses it, and the vault's own hash keys: names under which records and tokens are kept.

use std::{fmt, sync::Arc};

use super::VaultError;
use crate::{
    crypto::{Keyset, MacKey, OpenError, Purpose, RootKey, SealError, Shelf, SubjectKey},
    model::{SubjectRef, TokenShape},
};

/// A keyset and the token domain.
#[derive(Clone)]
pub(super) struct Keys {
    keyset: Arc<Keyset>,
    domain: Option<Arc<str>>,
}

/// A normalised value as it is looked up: one hash per living generation of the class's token key, the active one
/// first.
pub(super) type Lookups = Vec<[u8; 16]>;

impl Keys {
    pub(super) fn new(keyset: Arc<Keyset>, domain: Option<Arc<str>>) -> Self {
        Self { keyset, domain }
    }

    /// The same with another keyset.
    pub(super) fn with(&self, keyset: Arc<Keyset>) -> Self {
        Self { keyset, domain: self.domain.clone() }
    }

    pub(super) fn tenant(&self) -> &str {
        self.keyset.tenant()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.keyset.epoch()
    }

    pub(super) fn lookups(&self, class: &str, normalised: &str) -> Result<Lookups, VaultError> {
        let hashes = self.keyset.token_lookups(class, normalised)?;
        Ok(hashes.iter().map(first_half).collect())
    }

    pub(super) fn mint(&self, class: &str, shape: TokenShape) -> Result<String, VaultError> {
        let domain = match (shape, &self.domain) {
            (TokenShape::Email, None) => return Err(VaultError::NoTokenDomain),
            (_, domain) => domain.as_deref().unwrap_or_default(),
        };
        Ok(self.keyset.mint_token(class, shape, domain)?)
    }

    /// The bytes of a new shelf: its key wrapped for the store.
    pub(super) fn wrap(&self, key: &SubjectKey) -> Result<Vec<u8>, VaultError> {
        Ok(self.keyset.wrap_subject(key)?)
    }

    pub(super) fn unwrap(&self, reference: SubjectRef, wrapped: &[u8]) -> Result<SubjectKey, VaultError> {
        self.keyset.unwrap_subject(reference, wrapped).map_err(unwrapped)
    }

    /// Whether `wrapped` is under the current subject-wrapping key.
    pub(super) fn is_current(&self, wrapped: &[u8]) -> bool {
        self.keyset.is_current_wrap(wrapped)
    }

    pub(super) fn shelf(&self, key: &SubjectKey) -> Result<Shelf, VaultError> {
        Ok(Shelf::new(self.tenant(), key)?)
    }

    /// `hashes` sealed for the store.
    pub(super) fn seal_hashes(&self, root: &RootKey) -> Result<Vec<u8>, VaultError> {
        Ok(self.keyset.seal_row(root.to_text().expose().as_bytes(), HASHES)?)
    }

    pub(super) fn open_hashes(&self, sealed: &[u8]) -> Result<Hashes, VaultError> {
        let text = self.keyset.open_row(sealed, HASHES).map_err(unwrapped)?;
        let text = std::str::from_utf8(&text).map_err(|_| VaultError::Tampered)?;
        Hashes::new(&RootKey::parse(text)?, self.tenant())
    }
}

/// Names of records and tokens inside the store: keyed, and independent of the keyset's generations, so that no
/// rotation renames anything.
#[derive(Clone)]
pub(super) struct Hashes {
    record: MacKey,
    token: MacKey,
}

/// The name of a record.
pub(super) type RecordHash = [u8; 16];
/// The name of a token.
pub(super) type TokenHash = [u8; 16];

impl Hashes {
    pub(super) fn new(root: &RootKey, tenant: &str) -> Result<Self, VaultError> {
        Ok(Self {
            record: root.derive(Purpose::VaultRecord, tenant)?,
            token: root.derive(Purpose::VaultToken, tenant)?,
        })
    }

    pub(super) fn record(&self, resource: &str, id: &str) -> RecordHash {
        first_half(&self.record.mac(&[resource.as_bytes(), id.as_bytes()]))
    }

    /// The name of a token whatever a CRM did to its case, and whatever the token domain is now.
    pub(super) fn token(&self, token: &str) -> TokenHash {
        let local = token.split_once('@').map_or(token, |(local, _)| local);
        first_half(&self.token.mac(&[local.to_ascii_lowercase().as_bytes()]))
    }

    /// The name of a display text of a class in a shape: what is unique in a shared vault.
    #[cfg(feature = "postgres")]
    pub(super) fn text(&self, class: &str, text: &str, shape: TokenShape) -> [u8; 16] {
        let shape: &[u8] = match shape {
            TokenShape::Opaque => b"opaque",
            TokenShape::Email => b"email",
            TokenShape::Phone => b"phone",
        };
        first_half(&self.token.mac(&[b"text", class.as_bytes(), shape, text.as_bytes()]))
    }

    /// A number for a normalised value: what gateways lock while they mint for it.
    #[cfg(feature = "postgres")]
    pub(super) fn value(&self, class: &str, normalised: &str) -> i64 {
        let hash = self.token.mac(&[b"value", class.as_bytes(), normalised.as_bytes()]);
        i64::from_be_bytes(hash.first_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Debug for Hashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hashes(hidden)")
    }
}

fn first_half(hash: &[u8; 32]) -> [u8; 16] {
    hash.first_chunk().copied().unwrap_or_default()
}

fn unwrapped(error: OpenError) -> VaultError {
    match error {
        OpenError::Tampered => VaultError::Tampered,
        _ => VaultError::KeysetMismatch,
    }
}

impl From<SealError> for VaultError {
    fn from(error: SealError) -> Self {
        Self::Keyset(error.to_string())
    }
}

impl From<OpenError> for VaultError {
    fn from(error: OpenError) -> Self {
        unwrapped(error)
    }
}

const HASHES: &[u8] = b"vault hash keys";
