//! Keys in, derived keys, MACs and signatures out. Never touches files, sockets or the clock.

mod aead;
pub mod envelope;
mod keyset;
mod mac;
mod nonce;
mod root;
mod sealed;
mod shelf;
mod signing;
mod spelling;
mod subject;
mod token;
mod wrap;

pub use envelope::{Envelope, EnvelopeError, EnvelopeMode, KeyId, find_sealed, looks_sealed};
pub use keyset::{
    ALARM_VALUES, BACKUP_CYCLE_SECONDS, Budget, ClassPlan, Kek, KeyFile, KeyFileError, KeyHeader, KeyInfo, KeyMistake,
    KeyPurpose, KeyState, Keyset, Krk, OpenError, Opened, PROPAGATION_SECONDS, Propagation, REFUSED_VALUES, Residual,
    Seal, SealError, USE_STEP_VALUES, Uncovered,
};
pub use mac::MacKey;
pub use nonce::nonce;
pub use root::{KeyError, Purpose, RootKey};
pub use shelf::Shelf;
pub use signing::{SigningKey, VerifyingKey};
pub use spelling::Spelling;
pub use subject::SubjectKey;
pub use token::token_shape;
pub use wrap::{WrapKey, WrongWrapKey};

use aws_lc_rs::digest;

/// The random source failed; nothing that needs fresh randomness may go on.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("the operating system's random source failed")]
pub struct NoRandomness;

/// `N` bytes of the operating system's randomness; nothing is kept in between, so a fork or a resumed snapshot repeats
/// nothing.
///
/// # Errors
/// When the random source fails.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// SHA-256 (FIPS 180-4) of the concatenated parts.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// HMAC-SHA-256 (FIPS 198-1) of `message` under a key of any length.
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    MacKey::new(key).labelled(message, &[])
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' + value - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_abc_is_the_fips_vector() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&sha256(&[b"a", b"bc"])), expected);
    }
}
