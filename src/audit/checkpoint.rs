//! Signed tree heads: C2SP `tlog-checkpoint` in a C2SP `signed-note`, and the verifier key text (`vkey`).
//!
//! The text is strict: what does not come out byte for byte when it is written again is refused, so that no bit of a
//! checkpoint file can change unnoticed.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::tree::Hash;
use crate::crypto::{SigningKey, VerifyingKey, hex, sha256};

/// Ed25519 (C2SP `signed-note`, signature types).
const ED25519: u8 = 0x01;

/// A tree head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, which is also the key's.
    pub origin: String,
    /// Records covered.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a checkpoint or a verifier key was refused.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum NoteError {
    /// Not the three lines, an empty line and one signature line.
    #[error("it is not a checkpoint (origin, size, root, an empty line, one signature)")]
    Format,
    /// It names another log.
    #[error("it names another log than the verification key")]
    OtherLog,
    /// It names another key.
    #[error("it was signed by another key")]
    OtherKey,
    /// The signature does not match.
    #[error("its signature is wrong")]
    Signature,
    /// Not `name+hash+key`.
    #[error("the verification key is not of the form `origin+hash+key`")]
    VerificationKey,
    /// An origin with characters that a note cannot carry.
    #[error("the origin is empty, too long, or holds spaces, `+` or control characters")]
    Origin,
}

/// Who may sign a log: the content of a `vkey`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    origin: String,
    key: VerifyingKey,
}

impl Trust {
    /// The key that is trusted.
    #[must_use]
    pub fn key(&self) -> VerifyingKey {
        self.key
    }

    /// Trust in `key` for the log called `origin`.
    ///
    /// # Errors
    /// When the origin cannot stand in a note: 1–200 bytes, no white space, no `+`, no control characters.
    pub fn new(origin: &str, key: VerifyingKey) -> Result<Self, NoteError> {
        let fits = (1..=200).contains(&origin.len())
            && origin.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '+' && c != '"' && c != '\\');
        if fits { Ok(Self { origin: origin.to_owned(), key }) } else { Err(NoteError::Origin) }
    }

    /// Reads a `vkey`: `origin+hash+base64(0x01 ‖ public key)`.
    ///
    /// # Errors
    /// When it is not of that form, or its hash does not match.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(origin), Some(hash), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::VerificationKey);
        };
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| NoteError::VerificationKey)?;
        let Some((&ED25519, key)) = bytes.split_first() else { return Err(NoteError::VerificationKey) };
        let key = VerifyingKey(key.try_into().map_err(|_| NoteError::VerificationKey)?);
        let trust = Self::new(origin, key)?;
        if hex(&trust.key_id()) == hash { Ok(trust) } else { Err(NoteError::VerificationKey) }
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The `vkey` text.
    #[must_use]
    pub fn to_vkey(&self) -> String {
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(&self.key.0);
        format!("{}+{}+{}", self.origin, hex(&self.key_id()), BASE64_STANDARD.encode(bytes))
    }

    /// `SHA-256(name ‖ LF ‖ 0x01 ‖ public key)`, its first four bytes.
    fn key_id(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = sha256(&[self.origin.as_bytes(), b"\n", &[ED25519], &self.key.0]);
        [a, b, c, d]
    }
}

/// The `vkey` of the log called `origin` whose checkpoints `key` signs; what an auditor is given out of band.
#[must_use]
pub fn verification_key(origin: &str, key: &VerifyingKey) -> String {
    Trust { origin: origin.to_owned(), key: *key }.to_vkey()
}

impl Checkpoint {
    fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64_STANDARD.encode(self.root))
    }

    /// The signed note.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        let body = self.body();
        let trust = Trust { origin: self.origin.clone(), key: key.verifying_key() };
        note(&body, &trust, &key.sign(body.as_bytes()))
    }

    /// Reads a signed note and checks it against `trust`.
    ///
    /// # Errors
    /// When it is not exactly a checkpoint of that log, signed by that key.
    pub fn open(text: &[u8], trust: &Trust) -> Result<Self, NoteError> {
        let text = std::str::from_utf8(text).map_err(|_| NoteError::Format)?;
        let (head, signature) = text.split_once("\n\n").ok_or(NoteError::Format)?;
        let mut lines = head.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Format);
        };
        let root = BASE64_STANDARD.decode(root).map_err(|_| NoteError::Format)?;
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| NoteError::Format)?,
            root: root.try_into().map_err(|_| NoteError::Format)?,
        };
        if checkpoint.origin != trust.origin {
            return Err(NoteError::OtherLog);
        }
        let encoded = signature
            .strip_prefix("— ")
            .and_then(|rest| rest.strip_prefix(origin))
            .and_then(|rest| rest.strip_prefix(' '))
            .and_then(|rest| rest.strip_suffix('\n'))
            .ok_or(NoteError::Format)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| NoteError::Format)?;
        let (id, signed) = bytes.split_at_checked(4).ok_or(NoteError::Format)?;
        if id != trust.key_id() {
            return Err(NoteError::OtherKey);
        }
        if !trust.key.verify(checkpoint.body().as_bytes(), signed) {
            return Err(NoteError::Signature);
        }
        // `+7` and `07` are the number 7 too; only one spelling is ours.
        let same = note(&checkpoint.body(), trust, signed) == text;
        if same { Ok(checkpoint) } else { Err(NoteError::Format) }
    }
}

fn note(body: &str, trust: &Trust, signature: &[u8]) -> String {
    let mut signed = trust.key_id().to_vec();
    signed.extend_from_slice(signature);
    format!("{body}\n— {} {}\n", trust.origin, BASE64_STANDARD.encode(signed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vkey_of_the_note_specification_is_read() {
        // golang.org/x/mod/sumdb/note, package documentation.
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let trust = Trust::parse(text).unwrap();
        assert_eq!((trust.origin(), trust.to_vkey().as_str()), ("PeterNeumann", text));
        assert_eq!(Trust::parse(&text.replace("c74f", "c74e")), Err(NoteError::VerificationKey));
    }

    #[test]
    fn a_checkpoint_is_read_back_and_every_flipped_bit_is_noticed() {
        let key = SigningKey::generate().unwrap();
        let trust = Trust::new("fieldgate.test/gw-1", key.verifying_key()).unwrap();
        let checkpoint = Checkpoint { origin: trust.origin().to_owned(), size: 1207, root: [7; 32] };
        let text = checkpoint.sign(&key).into_bytes();
        assert_eq!(Checkpoint::open(&text, &trust), Ok(checkpoint));
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                assert!(Checkpoint::open(&changed, &trust).is_err(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn another_key_and_another_log_are_told_apart() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let checkpoint = Checkpoint { origin: "a".into(), size: 1, root: [0; 32] };
        let text = checkpoint.sign(&key);
        let refused = |origin, key: &SigningKey| {
            Checkpoint::open(text.as_bytes(), &Trust::new(origin, key.verifying_key()).unwrap()).unwrap_err()
        };
        assert_eq!(refused("a", &other), NoteError::OtherKey);
        assert_eq!(refused("b", &key), NoteError::OtherLog);
        assert_eq!(Trust::new("a b", key.verifying_key()), Err(NoteError::Origin));
    }
}
