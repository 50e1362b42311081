//! A key-encryption key out of a passphrase: Argon2id (RFC 9106) with its parameters and salt in front of what it
//! wraps.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::provider::KekError;
use crate::{
    crypto::{Krk, WrapKey, random},
    model::Sensitive,
};

/// Memory, in KiB: 64 MiB, the second recommended choice of RFC 9106 §4.
const MEMORY_KIB: u32 = 64 * 1024;
/// Passes.
const PASSES: u32 = 3;
/// Lanes.
const LANES: u32 = 4;
/// Most memory a key file may ask for, in KiB: 1 GiB.
const MAX_MEMORY_KIB: u32 = 1 << 20;
/// Most passes and lanes a key file may ask for.
const MAX_COST: u32 = 16;
/// Shortest passphrase, in characters.
pub(super) const MIN_CHARACTERS: usize = 12;

/// `memory ‖ passes ‖ lanes` (u32 big-endian each) `‖ salt16 ‖` the wrapped root.
pub(super) fn wrap(phrase: &Sensitive<String>, root: &Krk, tenant: &str) -> Result<Vec<u8>, KekError> {
    if phrase.expose().chars().count() < MIN_CHARACTERS {
        return Err(KekError::ShortPassphrase);
    }
    let salt = random::<16>().map_err(|_| KekError::NoRandomness)?;
    let key = derive(phrase, &salt, [MEMORY_KIB, PASSES, LANES])?;
    let mut out = [MEMORY_KIB, PASSES, LANES].map(u32::to_be_bytes).concat();
    out.extend_from_slice(&salt);
    out.extend_from_slice(&key.wrap(root, tenant).map_err(|_| KekError::Wrong)?);
    Ok(out)
}

pub(super) fn unwrap(phrase: &Sensitive<String>, wrapped: &[u8], tenant: &str) -> Result<Krk, KekError> {
    let mut rest = wrapped;
    let mut cost = [0; 3];
    for value in &mut cost {
        let (front, back) = rest.split_first_chunk::<4>().ok_or(KekError::Wrong)?;
        (*value, rest) = (u32::from_be_bytes(*front), back);
    }
    let (salt, sealed) = rest.split_first_chunk::<16>().ok_or(KekError::Wrong)?;
    derive(phrase, salt, cost)?.unwrap(sealed, tenant).map_err(|_| KekError::Wrong)
}

/// Takes about a quarter of a second with the costs that are written; bounded by the most that is read.
fn derive(phrase: &Sensitive<String>, salt: &[u8; 16], [memory, passes, lanes]: [u32; 3]) -> Result<WrapKey, KekError> {
    if memory > MAX_MEMORY_KIB || passes > MAX_COST || lanes > MAX_COST {
        return Err(KekError::Wrong);
    }
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| KekError::Wrong)?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut key = Zeroizing::new([0; 32]);
    argon.hash_password_into(phrase.expose().as_bytes(), salt, key.as_mut_slice()).map_err(|_| KekError::Wrong)?;
    Ok(WrapKey::from_bytes(key))
}

#[cfg(test)]
mod tests {
    use argon2::{AssociatedData, ParamsBuilder};

    use super::*;

    /// RFC 9106 §5.3.
    #[test]
    fn argon2id_is_that_of_the_rfc() {
        let data = AssociatedData::new(&[4; 12]).unwrap();
        let params = ParamsBuilder::new().m_cost(32).t_cost(3).p_cost(4).data(data).output_len(32).build().unwrap();
        let argon = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut tag = [0; 32];
        argon.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
        assert_eq!(crate::crypto::hex(&tag), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    }

    #[test]
    fn a_root_comes_back_with_its_passphrase_only() {
        let (phrase, root) = (Sensitive::from(String::from("correct horse battery")), Krk::generate().unwrap());
        let wrapped = wrap(&phrase, &root, "acme").unwrap();
        assert_eq!(unwrap(&phrase, &wrapped, "acme").unwrap().expose(), root.expose());
        assert_eq!(unwrap(&String::from("another phrase").into(), &wrapped, "acme").unwrap_err(), KekError::Wrong);
        assert_eq!(unwrap(&phrase, &wrapped[..20], "acme").unwrap_err(), KekError::Wrong);
        let mut costly = wrapped.clone();
        costly[0..4].copy_from_slice(&(MAX_MEMORY_KIB + 1).to_be_bytes());
        assert_eq!(unwrap(&phrase, &costly, "acme").unwrap_err(), KekError::Wrong);
    }

    #[test]
    fn twelve_characters_are_enough_and_eleven_are_not() {
        let root = Krk::generate().unwrap();
        assert!(wrap(&String::from("äöüäöüäöüäöü").into(), &root, "acme").is_ok());
        assert_eq!(wrap(&String::from("12345678901").into(), &root, "acme"), Err(KekError::ShortPassphrase));
    }
}
