//! The root key of a gateway and what is derived from it (HKDF-SHA-256, RFC 5869).

use std::fmt;

use aws_lc_rs::hkdf;
use base64::{Engine, prelude::BASE64_STANDARD};

use super::{MacKey, NoRandomness, random};
use crate::model::Sensitive;

const PREFIX: &str = "fieldgate-root-1:";

/// What a derived key is for: each purpose has its own key, so that a tag of one never stands for a tag of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Pseudonyms shown to callers.
    Pseudonym,
    /// Subject references in access records.
    SubjectRef,
    /// Hashes of API keys.
    ApiKey,
    /// Names of records inside the vault.
    VaultRecord,
    /// Names of tokens inside the vault.
    VaultToken,
    /// Hashes in the journals of sweeps.
    Sweep,
}

impl Purpose {
    fn info(self) -> &'static [u8] {
        match self {
            Self::Pseudonym => b"fieldgate/1 pseudonym",
            Self::SubjectRef => b"fieldgate/1 subject reference",
            Self::ApiKey => b"fieldgate/1 api key",
            Self::VaultRecord => b"fieldgate/1 vault record",
            Self::VaultToken => b"fieldgate/1 vault token",
            Self::Sweep => b"fieldgate/1 sweep journal",
        }
    }
}

/// Why a key was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not our format.
    #[error("not a key of the expected format (one line that starts with `{0}`)")]
    Format(&'static str),
    /// Right format, wrong key material.
    #[error("the key material is damaged")]
    Damaged,
    /// No fresh randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// 32 random bytes every other symmetric key is derived from.
#[derive(Clone)]
pub struct RootKey(Sensitive<Vec<u8>>);

impl RootKey {
    /// A fresh key.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self(Sensitive::new(random::<32>()?.to_vec())))
    }

    /// Reads the one-line form `fieldgate-root-1:<base64>`.
    ///
    /// # Errors
    /// When the text is not that form or does not hold 32 bytes.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(KeyError::Format(PREFIX))?;
        let bytes = Sensitive::new(BASE64_STANDARD.decode(encoded).map_err(|_| KeyError::Damaged)?);
        if bytes.expose().len() == 32 { Ok(Self(bytes)) } else { Err(KeyError::Damaged) }
    }

    /// The one-line form.
    #[must_use]
    pub fn to_text(&self) -> Sensitive<String> {
        Sensitive::new(format!("{PREFIX}{}\n", BASE64_STANDARD.encode(self.0.expose())))
    }

    /// The key of `tenant` for `purpose`.
    ///
    /// # Errors
    /// When the derivation fails, which HKDF does only past 255 blocks.
    pub fn derive(&self, purpose: Purpose, tenant: &str) -> Result<MacKey, KeyError> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"fieldgate/1");
        let prk = salt.extract(self.0.expose());
        let info = [purpose.info(), b"\0", tenant.as_bytes()];
        let mut okm = [0; 32];
        let source = prk.expand(&info, hkdf::HKDF_SHA256).map_err(|_| KeyError::Damaged)?;
        source.fill(&mut okm).map_err(|_| KeyError::Damaged)?;
        Ok(MacKey::new(&okm))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text_form_and_purposes_and_tenants_differ() {
        let key = RootKey::generate().unwrap();
        let again = RootKey::parse(key.to_text().expose()).unwrap();
        let tag = |key: &RootKey, purpose, tenant| key.derive(purpose, tenant).unwrap().mac(&[b"x"]);
        assert_eq!(tag(&key, Purpose::Pseudonym, "a"), tag(&again, Purpose::Pseudonym, "a"));
        assert_ne!(tag(&key, Purpose::Pseudonym, "a"), tag(&key, Purpose::Pseudonym, "b"));
        assert_ne!(tag(&key, Purpose::Pseudonym, "a"), tag(&key, Purpose::ApiKey, "a"));
    }

    #[test]
    fn other_text_is_refused() {
        assert_eq!(RootKey::parse("hello").unwrap_err(), KeyError::Format(PREFIX));
        assert_eq!(RootKey::parse("fieldgate-root-1:AAAA").unwrap_err(), KeyError::Damaged);
    }
}
