//! What a journal is hashed and sealed with: a key derived for it, and the keyset's row key.

use std::sync::Arc;

use super::{Secrets, Unavailable};
use crate::{
    crypto::{Keyset, MacKey},
    model::Sensitive,
};

/// The keys of journals.
pub struct JournalKeys {
    mac: MacKey,
    keys: Arc<Keyset>,
}

impl JournalKeys {
    /// `mac` is the root key's for `Purpose::Sweep`.
    #[must_use]
    pub fn new(mac: MacKey, keys: Arc<Keyset>) -> Self {
        Self { mac, keys }
    }
}

impl Secrets for JournalKeys {
    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.mac.mac(parts)
    }

    fn seal(&self, bytes: &[u8]) -> Result<Vec<u8>, Unavailable> {
        self.keys.seal_row(bytes, PLACE).map_err(|error| Unavailable { what: format!("the keys: {error}") })
    }

    fn open(&self, sealed: &[u8]) -> Option<Sensitive<Vec<u8>>> {
        self.keys.open_row(sealed, PLACE).ok().map(|bytes| Sensitive::new(bytes.to_vec()))
    }
}

/// Bound to every sealed id and cursor, so that a row of the vault never passes for one.
const PLACE: &[u8] = b"fieldgate/1 sweep journal";
