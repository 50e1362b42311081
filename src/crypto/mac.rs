//! HMAC-SHA-256 (FIPS 198-1) under a derived key.

use std::fmt;

use aws_lc_rs::hmac;

/// A key for one purpose. No `Debug` output beyond its name, no way to read it back.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
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
        let mut context = hmac::Context::with_key(&self.0);
        context.update(label);
        for part in parts {
            context.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
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
