//! Tokens: random names for values, in shapes that CRM validators take, with keyed check digits (field-protection.md
//! §2.2). What a token stands for is the vault's business.

use super::{MacKey, NoRandomness, random, spelling::base32};
use crate::model::TokenShape;

/// A fresh token of `class`: 80 random bits, for a phone 10 random digits. Uniqueness is enforced where it is stored.
pub(super) fn mint(
    key: &MacKey,
    tenant: &str,
    class: &str,
    shape: TokenShape,
    domain: &str,
) -> Result<String, NoRandomness> {
    let mut name = String::with_capacity(PREFIX.len() + 24 + 1 + domain.len());
    match shape {
        TokenShape::Phone => {
            // 2^64 is not a multiple of 10^10: the bias is below 2^-30, which does not help anybody to guess.
            let number = u64::from_be_bytes(random()?) % 10_000_000_000;
            name.push_str(&format!("{number:010}"));
        }
        TokenShape::Opaque | TokenShape::Email => base32(&random::<10>()?, &mut name),
    }
    Ok(write(key, tenant, class, shape, &name, domain))
}

/// The token called `name`.
pub(super) fn write(key: &MacKey, tenant: &str, class: &str, shape: TokenShape, name: &str, domain: &str) -> String {
    let check = check(key, tenant, class, shape, name);
    match shape {
        TokenShape::Opaque => format!("{PREFIX}{name}{check}"),
        TokenShape::Email => format!("{PREFIX}{name}{check}@{domain}"),
        TokenShape::Phone => format!("{PHONE}{name}{check}"),
    }
}

/// Whether the check digits of `token` are those of `key`; `false` too for what is not a token at all.
pub(super) fn is_genuine(key: &MacKey, tenant: &str, class: &str, token: &str) -> bool {
    use subtle::ConstantTimeEq;
    let lower = token.to_ascii_lowercase();
    let local = lower.split_once('@').map_or(lower.as_str(), |(local, _)| local);
    let (shape, name, given) = if let Some(letters) = letters(local) {
        let (name, check) = letters.split_at(16);
        (TokenShape::Opaque, name, check)
    } else if let Some(digits) = digits(local) {
        let (name, check) = digits.split_at(10);
        (TokenShape::Phone, name, check)
    } else {
        return false;
    };
    check(key, tenant, class, shape, name).as_bytes().ct_eq(given.as_bytes()).into()
}

/// The shape of `text`, if it is written like a token; `domain` is the token domain of the configuration. Whether it is
/// genuine, only its check digits tell (`Keyset::token_is_of`). CRMs that change the case are allowed to.
#[must_use]
pub fn token_shape(text: &str, domain: &str) -> Option<TokenShape> {
    let lower = text.to_ascii_lowercase();
    match lower.split_once('@') {
        Some((local, host)) => {
            (host.eq_ignore_ascii_case(domain) && letters(local).is_some()).then_some(TokenShape::Email)
        }
        None if letters(&lower).is_some() => Some(TokenShape::Opaque),
        None => digits(&lower).map(|_| TokenShape::Phone),
    }
}

/// The 24 letters of a lower-case opaque token.
fn letters(text: &str) -> Option<&str> {
    let letters = text.strip_prefix(PREFIX)?;
    let known = |c: u8| c.is_ascii_lowercase() || (b'2'..=b'7').contains(&c);
    (letters.len() == 24 && letters.bytes().all(known)).then_some(letters)
}

/// The 12 digits of a phone token.
fn digits(text: &str) -> Option<&str> {
    let digits = text.strip_prefix(PHONE)?;
    (digits.len() == 12 && digits.bytes().all(|c| c.is_ascii_digit())).then_some(digits)
}

/// 40 bits as eight letters; for a phone two digits, which stop a typing error and nobody else.
fn check(key: &MacKey, tenant: &str, class: &str, shape: TokenShape, name: &str) -> String {
    let tag = key.labelled(b"fg1 tokchk\0", &[tenant.as_bytes(), class.as_bytes(), name.as_bytes()]);
    match shape {
        TokenShape::Phone => {
            let front: [u8; 8] = tag.first_chunk().copied().unwrap_or_default();
            format!("{:02}", u64::from_be_bytes(front) % 100)
        }
        TokenShape::Opaque | TokenShape::Email => {
            let mut out = String::with_capacity(8);
            base32(tag.get(..5).unwrap_or_default(), &mut out);
            out
        }
    }
}

/// The keyed look-up hash of a normalised value.
pub(super) fn lookup(key: &MacKey, tenant: &str, class: &str, normalised: &str) -> [u8; 32] {
    key.labelled(b"fg1 toklook\0", &[tenant.as_bytes(), class.as_bytes(), normalised.as_bytes()])
}

const PREFIX: &str = "fg1t";
/// An unassigned country code: no real number starts with it (ITU-T E.164).
const PHONE: &str = "+999";

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> MacKey {
        MacKey::new(&(0x80..=0x9f).collect::<Vec<u8>>())
    }

    #[test]
    fn the_two_shapes_are_those_of_the_vectors() {
        let email = write(&key(), "acme", "email", TokenShape::Email, "aaisem2ekvthpcez", "fg.example.com");
        assert_eq!(email, "fg1taaisem2ekvthpcez6m6ahadj@fg.example.com");
        let phone = write(&key(), "acme", "phone", TokenShape::Phone, "1234567890", "");
        assert_eq!(phone, "+999123456789011");
        assert!(is_genuine(&key(), "acme", "email", &email));
        assert!(is_genuine(&key(), "acme", "email", &email.to_uppercase()));
        assert!(is_genuine(&key(), "acme", "phone", &phone));
        assert!(!is_genuine(&key(), "acme", "phone", "+999123456789012"));
        assert!(!is_genuine(&key(), "other", "email", &email));
        assert!(!is_genuine(&key(), "acme", "nickname", &email));
    }

    #[test]
    fn what_is_minted_is_recognised_as_its_shape() {
        for (shape, length) in [(TokenShape::Opaque, 28), (TokenShape::Email, 43), (TokenShape::Phone, 16)] {
            let token = mint(&key(), "acme", "x", shape, "fg.example.com").unwrap();
            assert_eq!(token.len(), length);
            assert_eq!(token_shape(&token, "fg.example.com"), Some(shape));
            assert!(is_genuine(&key(), "acme", "x", &token));
        }
        for text in
            ["fg1taaisem2ekvthpcez6m6ahadj@example.com", "fg1taaisem2ekvthpcez6m6ahad", "+99912345678901", "", "+4912"]
        {
            assert_eq!(token_shape(text, "fg.example.com"), None, "{text}");
        }
    }
}
