//! The root of one keyset: 32 random bytes that a KEK provider keeps wrapped, and the two subkeys made of them.

use std::fmt;

use zeroize::Zeroizing;

use super::super::{
    MacKey, NoRandomness,
    aead::{Refused, frame, hkdf, siv_open, siv_seal},
    hex, random,
};

/// The keyset root key. Never written down unwrapped, never printed, wiped when dropped.
#[derive(Clone)]
pub struct Krk(Zeroizing<[u8; 32]>);

impl Krk {
    /// A fresh key.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// The key that a provider unwrapped.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, for a provider to wrap.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Three bytes that tell keys apart without showing them.
    #[must_use]
    pub fn check_value(&self) -> String {
        check_value(self.0.as_slice())
    }

    pub(super) fn subkeys(&self, tenant: &str) -> Result<Subkeys, Refused> {
        let (mut wrap, mut mac) = (Zeroizing::new([0; 64]), Zeroizing::new([0; 32]));
        hkdf(SALT, self.0.as_slice(), &[b"wrap\0", tenant.as_bytes()], wrap.as_mut_slice())?;
        hkdf(SALT, self.0.as_slice(), &[b"mac\0", tenant.as_bytes()], mac.as_mut_slice())?;
        Ok(Subkeys { wrap, mac: MacKey::new(mac.as_slice()) })
    }
}

impl fmt::Debug for Krk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Krk(hidden)")
    }
}

/// First three bytes of HMAC-SHA-256(key, "kcv"), in hex.
pub(super) fn check_value(key: &[u8]) -> String {
    hex(MacKey::new(key).labelled(b"kcv", &[]).get(..3).unwrap_or_default())
}

/// What wraps the entries and what seals the file.
pub(super) struct Subkeys {
    wrap: Zeroizing<[u8; 64]>,
    mac: MacKey,
}

impl Subkeys {
    /// Wraps a key together with what is written beside it.
    pub(super) fn wrap(&self, metadata: &[&[u8]], secret: &[u8]) -> Result<Vec<u8>, Refused> {
        siv_seal(&self.wrap, &[&framed(metadata)], secret)
    }

    pub(super) fn unwrap(&self, metadata: &[&[u8]], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
        siv_open(&self.wrap, &[&framed(metadata)], wrapped)
    }

    pub(super) fn mac(&self, document: &[u8]) -> [u8; 32] {
        self.mac.mac(&[document])
    }
}

fn framed(metadata: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    frame(&mut out, metadata);
    out
}

const SALT: &[u8] = b"fieldgate/keyset-1";
