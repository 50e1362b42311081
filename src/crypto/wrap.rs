//! A local key-encryption key: wraps the root of a keyset with AES-256-SIV (RFC 5297), so that nothing needs a nonce.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::{
    KeyError, Krk, NoRandomness,
    aead::{Refused, frame, hkdf, siv_open, siv_seal},
    hex, random,
};
use crate::model::Sensitive;

const PREFIX: &str = "fieldgate-kek-1:";

/// 32 secret bytes out of a file, a credential or a passphrase. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct WrapKey(Zeroizing<[u8; 32]>);

/// The wrapped root does not belong to this key, or to this tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the wrapped root key does not open with this key")]
pub struct WrongWrapKey;

impl WrapKey {
    /// A fresh key.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// The key that was derived from a passphrase.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Reads the one-line form `fieldgate-kek-1:<base64>`.
    ///
    /// # Errors
    /// When the text is not that form or does not hold 32 bytes.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(KeyError::Format(PREFIX))?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded).map_err(|_| KeyError::Damaged)?);
        let bytes = bytes.as_slice().try_into().map_err(|_| KeyError::Damaged)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// The one-line form.
    #[must_use]
    pub fn to_text(&self) -> Sensitive<String> {
        Sensitive::new(format!("{PREFIX}{}\n", BASE64_STANDARD.encode(self.0.as_slice())))
    }

    /// Three bytes that tell keys apart without showing them.
    #[must_use]
    pub fn check_value(&self) -> String {
        hex(super::MacKey::new(self.0.as_slice()).labelled(b"kcv", &[]).get(..3).unwrap_or_default())
    }

    /// The root, wrapped for `tenant`.
    ///
    /// # Errors
    /// Never for a root: its size is within the algorithm's limits.
    pub fn wrap(&self, root: &Krk, tenant: &str) -> Result<Vec<u8>, WrongWrapKey> {
        let sealed = self.key().and_then(|key| siv_seal(&key, &[&bound(tenant)], root.expose()));
        sealed.map_err(|Refused| WrongWrapKey)
    }

    /// What [`Self::wrap`] wrapped.
    ///
    /// # Errors
    /// When it was wrapped with another key or for another tenant, or was changed.
    pub fn unwrap(&self, wrapped: &[u8], tenant: &str) -> Result<Krk, WrongWrapKey> {
        let opened = self.key().and_then(|key| siv_open(&key, &[&bound(tenant)], wrapped));
        let opened = opened.map_err(|Refused| WrongWrapKey)?;
        let bytes = opened.as_slice().try_into().map_err(|_| WrongWrapKey)?;
        Ok(Krk::from_bytes(Zeroizing::new(bytes)))
    }

    fn key(&self) -> Result<Zeroizing<[u8; 64]>, Refused> {
        let mut key = Zeroizing::new([0; 64]);
        hkdf(b"fieldgate/kek-1", self.0.as_slice(), &[b"wrap root\0"], key.as_mut_slice())?;
        Ok(key)
    }
}

fn bound(tenant: &str) -> Vec<u8> {
    let mut out = Vec::new();
    frame(&mut out, &[b"fieldgate/krk", tenant.as_bytes()]);
    out
}

impl fmt::Debug for WrapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrapKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_unwraps_with_its_key_and_tenant_only() {
        let (key, root) = (WrapKey::generate().unwrap(), Krk::generate().unwrap());
        let wrapped = key.wrap(&root, "acme").unwrap();
        let again = WrapKey::parse(key.to_text().expose()).unwrap();
        assert_eq!(again.unwrap(&wrapped, "acme").unwrap().expose(), root.expose());
        assert_eq!(again.unwrap(&wrapped, "evil").unwrap_err(), WrongWrapKey);
        assert_eq!(WrapKey::generate().unwrap().unwrap(&wrapped, "acme").unwrap_err(), WrongWrapKey);
        assert_eq!(again.unwrap(&wrapped[1..], "acme").unwrap_err(), WrongWrapKey);
        assert_eq!(format!("{key:?}"), "WrapKey(hidden)");
        assert_eq!(WrapKey::parse("fieldgate-root-1:AA==").unwrap_err(), KeyError::Format(PREFIX));
        assert_eq!(WrapKey::parse("fieldgate-kek-1:AA==").unwrap_err(), KeyError::Damaged);
    }
}
