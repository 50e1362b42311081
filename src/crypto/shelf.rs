//! A shelf of the vault: one random key under which a share of its rows lies. When one row has to go for good, its
//! shelf gets a new key, the rows that stay are sealed again, and the old key is destroyed: copies of the old bytes
//! stay closed.

use std::fmt;

use zeroize::Zeroizing;

use super::{
    OpenError, SealError, SubjectKey,
    aead::{Refused, frame, hkdf, siv_open, siv_seal},
};
use crate::model::SubjectRef;

/// A shelf's key, ready for use: AES-256-SIV (RFC 5297), derived once from 32 random bytes. Wiped when dropped.
pub struct Shelf {
    reference: SubjectRef,
    siv: Zeroizing<[u8; 64]>,
}

impl Shelf {
    /// The shelf of `tenant` whose random bytes are those of `key`.
    ///
    /// # Errors
    /// When the derivation fails, which HKDF does only past 255 blocks.
    pub fn new(tenant: &str, key: &SubjectKey) -> Result<Self, SealError> {
        let mut context = Vec::with_capacity(64 + tenant.len());
        frame(&mut context, &[b"fieldgate/shelf", tenant.as_bytes(), &key.reference().0]);
        let mut siv = Zeroizing::new([0; 64]);
        hkdf(&[], key.dek(), &[&context], siv.as_mut_slice()).map_err(|Refused| SealError::Cipher)?;
        Ok(Self { reference: key.reference(), siv })
    }

    /// The name of its key.
    #[must_use]
    pub fn reference(&self) -> SubjectRef {
        self.reference
    }

    /// Seals a row for its `place`, 16 bytes longer than it was. The same row in the same place gives the same bytes.
    ///
    /// # Errors
    /// When the cipher refuses, which it does not for rows that fit into memory.
    pub fn stow(&self, place: &[u8], row: &[u8]) -> Result<Vec<u8>, SealError> {
        siv_seal(&self.siv, &[b"row", place], row).map_err(|Refused| SealError::Cipher)
    }

    /// The row out of what [`Self::stow`] made.
    ///
    /// # Errors
    /// When it lay on another shelf or in another place, or was changed.
    pub fn take(&self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        siv_open(&self.siv, &[b"row", place], sealed).map_err(|Refused| OpenError::Tampered)
    }

    /// Seals the key of a data subject: 48 bytes.
    ///
    /// # Errors
    /// As [`Self::stow`].
    pub fn stow_subject(&self, subject: &SubjectKey) -> Result<Vec<u8>, SealError> {
        let parts: [&[u8]; 2] = [b"subject", &subject.reference().0];
        siv_seal(&self.siv, &parts, subject.dek()).map_err(|Refused| SealError::Cipher)
    }

    /// The key of `reference` out of what [`Self::stow_subject`] made.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn take_subject(&self, reference: SubjectRef, sealed: &[u8]) -> Result<SubjectKey, OpenError> {
        let parts: [&[u8]; 2] = [b"subject", &reference.0];
        let dek = siv_open(&self.siv, &parts, sealed).map_err(|Refused| OpenError::Tampered)?;
        let dek = dek.as_slice().try_into().map_err(|_| OpenError::Tampered)?;
        Ok(SubjectKey::new(reference, Zeroizing::new(dek)))
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shelf({}, hidden)", self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf() -> Shelf {
        Shelf::new("acme", &SubjectKey::generate().unwrap()).unwrap()
    }

    #[test]
    fn rows_and_subjects_come_back_from_their_own_place_only() {
        let (shelf, other, subject) = (shelf(), shelf(), SubjectKey::generate().unwrap());
        let row = shelf.stow(b"place", b"row").unwrap();
        assert_eq!(shelf.take(b"place", &row).unwrap().as_slice(), b"row");
        assert_eq!(shelf.take(b"elsewhere", &row).unwrap_err(), OpenError::Tampered);
        assert_eq!(other.take(b"place", &row).unwrap_err(), OpenError::Tampered);
        let sealed = shelf.stow_subject(&subject).unwrap();
        assert_eq!(shelf.take_subject(subject.reference(), &sealed).unwrap().dek(), subject.dek());
        assert!(shelf.take_subject(SubjectRef([1; 8]), &sealed).is_err());
        assert!(other.take_subject(subject.reference(), &sealed).is_err());
        assert!(shelf.take(&subject.reference().0, &sealed).is_err());
    }

    #[test]
    fn tenants_have_shelves_of_their_own() {
        let key = SubjectKey::generate().unwrap();
        let row = Shelf::new("acme", &key).unwrap().stow(b"p", b"row").unwrap();
        assert!(Shelf::new("other", &key).unwrap().take(b"p", &row).is_err());
    }
}
