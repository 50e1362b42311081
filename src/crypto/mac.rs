//! HMAC-SHA-256 (FIPS 198-1) under a derived key.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, digest::common::Block};
use zeroize::Zeroize;

use super::sha256;

/// A key for one purpose. No `Debug` output beyond its name, no way to read it back; wiped when it is dropped.
///
/// It holds the two states that hashing the padded key leaves behind, so that a tag of a short text costs two or three blocks.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut block = Block::<Sha256>::default();
        if let Some(start) = block.get_mut(..bytes.len()) {
            start.copy_from_slice(bytes);
        } else if let Some(start) = block.first_chunk_mut() {
            *start = sha256(&[bytes]);
        }
        let key = Self(Hmac::new(&block));
        block.zeroize();
        key
    }

    /// The tag over `label` as it is and `parts`, each framed by its length as in [`Self::mac`].
    #[must_use]
    pub(super) fn labelled(&self, label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        self.tag(label, parts)
    }

    /// The tag over `parts`, each framed by its length (u32 big-endian), so that no two lists of parts collide.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.tag(&[], parts)
    }

    fn tag(&self, label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut context = self.0.clone();
        context.update(label);
        for part in parts {
            context.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            context.update(part);
        }
        context.finalize().into_bytes().into()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_framed() {
        let key = MacKey::new(&[7; 32]);
        assert_ne!(key.mac(&[b"ab", b"c"]), key.mac(&[b"a", b"bc"]));
        assert_eq!(key.mac(&[b"ab", b"c"]), key.mac(&[b"ab", b"c"]));
    }
}
