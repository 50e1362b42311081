//! The three primitives everything stored is made of, each behind one function: AES-256-GCM (SP 800-38D), AES-256-SIV
//! (RFC 5297) and HKDF-SHA-256 (RFC 5869). Key bytes in, bytes out; what they mean is the callers' business.

use aes_gcm::{
    AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag,
    aead::{Key, inout::InOutBuf},
};
use aes_siv::siv::Aes256Siv;
use aws_lc_rs::hkdf;
use zeroize::Zeroizing;

/// A tag or a synthetic IV does not belong to these bytes, or a length is past what the algorithm takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

/// Encrypts `body` where it lies and returns the 16-byte tag. `nonce` must never repeat under `key`.
pub(super) fn gcm_seal(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], body: &mut [u8]) -> Result<[u8; 16], Refused> {
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key));
    let tag = cipher.encrypt_inout_detached(&Nonce::from(*nonce), aad, InOutBuf::from(body));
    tag.map(Into::into).map_err(|_| Refused)
}

/// Decrypts `body` where it lies; on a wrong tag it stays ciphertext.
pub(super) fn gcm_open(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    body: &mut [u8],
    tag: [u8; 16],
) -> Result<(), Refused> {
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key));
    let done = cipher.decrypt_inout_detached(&Nonce::from(*nonce), aad, InOutBuf::from(body), &Tag::from(tag));
    done.map_err(|_| Refused)
}

/// `siv16 ‖ ciphertext` of `text` bound to `parts` (at most 126 of them).
pub(super) fn siv_seal(key: &[u8; 64], parts: &[&[u8]], text: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut siv = Aes256Siv::new(&(*key).into());
    siv.encrypt(parts, text).map_err(|_| Refused)
}

/// What [`siv_seal`] sealed.
pub(super) fn siv_open(key: &[u8; 64], parts: &[&[u8]], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let mut siv = Aes256Siv::new(&(*key).into());
    siv.decrypt(parts, sealed).map(Zeroizing::new).map_err(|_| Refused)
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Fills `out` (at most 8,160 bytes) from `secret`.
pub(super) fn hkdf(salt: &[u8], secret: &[u8], info: &[&[u8]], out: &mut [u8]) -> Result<(), Refused> {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let okm = prk.expand(info, Length(out.len())).map_err(|_| Refused)?;
    okm.fill(out).map_err(|_| Refused)
}

/// Appends each part with its length in front (u32 big-endian): `LP` of the design.
pub(super) fn frame(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
#[path = "tests/aead.rs"]
mod tests;
