//! Ed25519 (RFC 8032) for checkpoints.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_STANDARD};

use super::{KeyError, random};
use crate::model::Sensitive;

const PREFIX: &str = "fieldgate-ed25519-1:";

/// A private key.
pub struct SigningKey {
    seed: Sensitive<Vec<u8>>,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn generate() -> Result<Self, KeyError> {
        Self::from_seed(random::<32>()?.to_vec())
    }

    /// Reads the one-line form `fieldgate-ed25519-1:<base64 of the 32-byte seed>`.
    ///
    /// # Errors
    /// When the text is not that form.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(KeyError::Format(PREFIX))?;
        Self::from_seed(BASE64_STANDARD.decode(encoded).map_err(|_| KeyError::Damaged)?)
    }

    fn from_seed(seed: Vec<u8>) -> Result<Self, KeyError> {
        let seed = Sensitive::new(seed);
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| KeyError::Damaged)?;
        Ok(Self { seed, pair })
    }

    /// The one-line form.
    #[must_use]
    pub fn to_text(&self) -> Sensitive<String> {
        Sensitive::new(format!("{PREFIX}{}\n", BASE64_STANDARD.encode(self.seed.expose())))
    }

    /// Signs `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut out = [0; 64];
        let signature = self.pair.sign(message);
        for (slot, byte) in out.iter_mut().zip(signature.as_ref()) {
            *slot = *byte;
        }
        out
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut key = [0; 32];
        for (slot, byte) in key.iter_mut().zip(self.pair.public_key().as_ref()) {
            *slot = *byte;
        }
        VerifyingKey(key)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(hidden)")
    }
}

/// A public key, 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyingKey(pub [u8; 32]);

impl VerifyingKey {
    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_8032_test_1() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let bytes = (0..32).map(|i| u8::from_str_radix(&seed[i * 2..i * 2 + 2], 16).unwrap()).collect();
        let key = SigningKey::from_seed(bytes).unwrap();
        assert!(super::super::hex(&key.verifying_key().0).starts_with("d75a980182b10ab7"));
        let signature = key.sign(b"");
        assert!(super::super::hex(&signature).starts_with("e5564300c360ac72"));
        assert!(key.verifying_key().verify(b"", &signature));
        assert!(!key.verifying_key().verify(b"x", &signature));
    }

    #[test]
    fn the_text_form_round_trips() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::parse(key.to_text().expose()).unwrap();
        assert_eq!(key.verifying_key(), again.verifying_key());
    }
}
