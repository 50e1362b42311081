//! How a value is sealed and opened under keys that are given (field-protection.md §3): derivation, commitment,
//! padding. Which key it is, and whether it may be used, is the keyset's business.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    MacKey,
    aead::{Refused, frame, gcm_open, gcm_seal, hkdf, siv_open, siv_seal},
    envelope::{EnvelopeMode, KeyId, write_length},
    subject::SubjectKey,
};

/// A key that values are sealed under.
pub(super) struct SealKey {
    raw: Zeroizing<[u8; 32]>,
    mac: MacKey,
}

/// What a value is bound to besides its own head.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    pub(super) tenant: &'a str,
    pub(super) class: &'a str,
    pub(super) key: KeyId,
    pub(super) subject: Option<&'a SubjectKey>,
}

/// Why sealed bytes did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// Another tenant, class, head, key or subject than the one it was sealed for.
    Commitment,
    /// The ciphertext or its tag was changed.
    Tag,
}

impl SealKey {
    pub(super) fn new(raw: Zeroizing<[u8; 32]>) -> Self {
        Self { mac: MacKey::new(raw.as_slice()), raw }
    }

    /// `head ‖ salt ‖ commitment ‖ ciphertext ‖ tag` of `body`. `salt` must be fresh.
    pub(super) fn seal(
        &self,
        subject: Option<&SubjectKey>,
        context: &[u8],
        head: &[u8],
        salt: &[u8; 16],
        mut body: Zeroizing<Vec<u8>>,
    ) -> Result<Vec<u8>, Refused> {
        let derived = self.derive(subject, context, salt)?;
        let tag = gcm_seal(&derived.key, &derived.nonce, context, &mut body)?;
        let mut out = Vec::with_capacity(head.len() + 48 + body.len());
        for part in [head, salt, &derived.commitment, &body, &tag] {
            out.extend_from_slice(part);
        }
        Ok(out)
    }

    /// The text (still padded) of `tail`: salt, commitment, ciphertext and tag. The commitment is compared first, in
    /// constant time.
    pub(super) fn open(
        &self,
        subject: Option<&SubjectKey>,
        context: &[u8],
        tail: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Closed> {
        let (salt, rest) = tail.split_first_chunk::<16>().ok_or(Closed::Tag)?;
        let (commitment, rest) = rest.split_first_chunk::<16>().ok_or(Closed::Tag)?;
        let (body, tag) = rest.split_last_chunk::<16>().ok_or(Closed::Tag)?;
        let derived = self.derive(subject, context, salt).map_err(|Refused| Closed::Tag)?;
        if !bool::from(derived.commitment.ct_eq(commitment)) {
            return Err(Closed::Commitment);
        }
        let mut body = Zeroizing::new(body.to_vec());
        gcm_open(&derived.key, &derived.nonce, context, &mut body, *tag).map_err(|Refused| Closed::Tag)?;
        Ok(body)
    }

    fn derive(&self, subject: Option<&SubjectKey>, context: &[u8], salt: &[u8; 16]) -> Result<Derived, Refused> {
        let mixed;
        let secret = match subject {
            None => &self.raw,
            Some(subject) => {
                let parts: [&[u8]; 2] = [&subject.reference().0, subject.dek()];
                mixed = Zeroizing::new(self.mac.labelled(b"fg1 subj\0", &parts));
                &mixed
            }
        };
        let mut bytes = Zeroizing::new([0; 60]);
        hkdf(salt, secret.as_slice(), &[b"fg1 seal\0", context], bytes.as_mut_slice())?;
        let (key, rest) = bytes.split_first_chunk::<32>().ok_or(Refused)?;
        let (nonce, rest) = rest.split_first_chunk::<12>().ok_or(Refused)?;
        let commitment = rest.first_chunk::<16>().ok_or(Refused)?;
        Ok(Derived { key: Zeroizing::new(*key), nonce: *nonce, commitment: *commitment })
    }
}

struct Derived {
    key: Zeroizing<[u8; 32]>,
    nonce: [u8; 12],
    commitment: [u8; 16],
}

impl Bound<'_> {
    /// What a randomised value is bound to.
    pub(super) fn context(&self, mode: EnvelopeMode, head: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.tenant.len() + self.class.len() + head.len());
        let reference = self.subject.map(SubjectKey::reference);
        let subject: &[u8] = reference.as_ref().map_or(&[], |reference| &reference.0);
        let (tenant, class) = (self.tenant.as_bytes(), self.class.as_bytes());
        frame(&mut out, &[b"fieldgate/fg1", &[mode.byte()], tenant, class, &self.key.bytes(), subject, head]);
        out
    }
}

/// The bytes before the salt of a randomised value.
pub(super) fn head(
    mode: EnvelopeMode,
    key: KeyId,
    subject: Option<&SubjectKey>,
    index: Option<(KeyId, [u8; 16])>,
    body: usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    out.push(mode.byte());
    if let Some((index_key, index)) = index {
        out.extend_from_slice(&index_key.bytes());
        out.extend_from_slice(&index);
    }
    out.extend_from_slice(&key.bytes());
    if let Some(subject) = subject {
        out.extend_from_slice(&subject.reference().0);
    }
    write_length(&mut out, body);
    out
}

/// The blind index of a normalised value: HMAC-SHA-256, its first 128 bits.
pub(super) fn blind_index(key: &MacKey, tenant: &str, class: &str, normalised: &str) -> [u8; 16] {
    let tag = key.labelled(b"fg1 bi\0", &[tenant.as_bytes(), class.as_bytes(), normalised.as_bytes()]);
    tag.first_chunk().copied().unwrap_or_default()
}

/// The whole envelope of a deterministic value.
pub(super) fn det_seal(key: &[u8; 64], bound: Bound<'_>, normalised: &str) -> Result<Vec<u8>, Refused> {
    let mut out = vec![EnvelopeMode::Det.byte()];
    out.extend_from_slice(&bound.key.bytes());
    let sealed = siv_seal(key, &det_parts(bound, &out), normalised.as_bytes())?;
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// The text of a deterministic value.
pub(super) fn det_open(
    key: &[u8; 64],
    bound: Bound<'_>,
    head: &[u8],
    tail: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    siv_open(key, &det_parts(bound, head), tail)
}

fn det_parts<'a>(bound: Bound<'a>, head: &'a [u8]) -> [&'a [u8]; 4] {
    [b"fieldgate/fg1", head, bound.tenant.as_bytes(), bound.class.as_bytes()]
}

/// The bytes of `text`, padded to a multiple of `multiple` (0 or 1: not at all) with `80 00…` (ISO/IEC 7816-4). UTF-8
/// followed by `80` is never UTF-8, so [`unpad`] needs no flag in the head, and an unpadded value opens as it is.
pub(super) fn pad(text: &str, multiple: u8) -> Zeroizing<Vec<u8>> {
    let multiple = usize::from(multiple.max(1));
    let size = if multiple == 1 { text.len() } else { (text.len() + 1).next_multiple_of(multiple) };
    let mut body = Zeroizing::new(Vec::with_capacity(size));
    body.extend_from_slice(text.as_bytes());
    if size > text.len() {
        body.push(0x80);
        body.resize(size, 0);
    }
    body
}

/// The text of a padded or unpadded body.
pub(super) fn unpad(mut body: Zeroizing<Vec<u8>>) -> Option<String> {
    match String::from_utf8(std::mem::take(&mut *body)) {
        Ok(text) => Some(text),
        Err(padded) => {
            let mut body = Zeroizing::new(padded.into_bytes());
            let end = body.iter().rposition(|byte| *byte != 0)?;
            if body.get(end) != Some(&0x80) {
                return None;
            }
            body.truncate(end);
            let text = String::from_utf8(std::mem::take(&mut *body));
            text.map_err(|error| drop(Zeroizing::new(error.into_bytes()))).ok()
        }
    }
}

#[cfg(test)]
#[path = "tests/sealed.rs"]
mod tests;
