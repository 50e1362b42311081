//! The key of one data subject. Deleting every copy of it is what erases the person.

use std::fmt;

use zeroize::Zeroizing;

use super::{NoRandomness, random};
use crate::model::SubjectRef;

/// 32 random bytes and their pseudonymous name. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct SubjectKey {
    reference: SubjectRef,
    dek: Zeroizing<[u8; 32]>,
}

impl SubjectKey {
    /// A fresh key under a fresh name.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut name = random::<8>()?;
        while name == [0; 8] {
            name = random()?;
        }
        Ok(Self { reference: SubjectRef(name), dek: Zeroizing::new(random()?) })
    }

    pub(super) fn new(reference: SubjectRef, dek: Zeroizing<[u8; 32]>) -> Self {
        Self { reference, dek }
    }

    /// The name that stands in sealed values.
    #[must_use]
    pub fn reference(&self) -> SubjectRef {
        self.reference
    }

    pub(super) fn dek(&self) -> &[u8; 32] {
        &self.dek
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectKey({}, hidden)", self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_do_not_print() {
        let (one, other) = (SubjectKey::generate().unwrap(), SubjectKey::generate().unwrap());
        assert_ne!(one.reference(), other.reference());
        assert_ne!(one.dek(), other.dek());
        assert_eq!(format!("{one:?}"), format!("SubjectKey({}, hidden)", one.reference()));
    }
}
