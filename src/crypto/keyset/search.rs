//! What equal values have in common: search prefixes, deterministic values, token look-ups. Each comes once per living
//! key, the active one first, so that a search during a rotation finds both.

use super::{
    super::{
        aead::Refused,
        envelope::{EnvelopeMode, PREFIX},
        sealed::{Bound, blind_index, det_seal},
        spelling::Spelling,
        token,
    },
    Key, KeyPurpose, Keyset, Material, SealError, spell,
};
use crate::model::TokenShape;

impl Keyset {
    /// The prefixes that indexed values of `normalised` start with in the CRM: 32 characters, in base32 37.
    ///
    /// # Errors
    /// When the class has no living index key.
    pub fn indexes(&self, class: &str, normalised: &str, spelling: Spelling) -> Result<Vec<String>, SealError> {
        self.each(KeyPurpose::Index, class, |key| {
            let Material::Mac(mac) = &key.material else { return Err(SealError::Cipher) };
            let mut front = vec![EnvelopeMode::SealIndexed.byte()];
            front.extend_from_slice(&key.info.id.bytes());
            front.extend_from_slice(&blind_index(mac, &self.tenant, class, normalised));
            let mut text = spell(&front, spelling);
            text.truncate(PREFIX.len() + spelling.prefix_letters());
            Ok(text)
        })
    }

    /// The deterministic values of `normalised`; the first is the one to write.
    ///
    /// # Errors
    /// When the class has no living `det` key.
    pub fn det(&self, class: &str, normalised: &str, spelling: Spelling) -> Result<Vec<String>, SealError> {
        if normalised.len() > super::MAX_TEXT_BYTES {
            return Err(SealError::TooLong);
        }
        self.each(KeyPurpose::Det, class, |key| {
            let Material::Siv(siv) = &key.material else { return Err(SealError::Cipher) };
            let bound = Bound { tenant: &self.tenant, class, key: key.info.id, subject: None };
            let sealed = det_seal(siv, bound, normalised).map_err(|Refused| SealError::Cipher)?;
            Ok(spell(&sealed, spelling))
        })
    }

    /// The keyed hashes under which the vault finds tokens of `normalised`; the first is the one to store.
    ///
    /// # Errors
    /// When the class has no living token key.
    pub fn token_lookups(&self, class: &str, normalised: &str) -> Result<Vec<[u8; 32]>, SealError> {
        self.each(KeyPurpose::Token, class, |key| {
            let Material::Mac(mac) = &key.material else { return Err(SealError::Cipher) };
            Ok(token::lookup(mac, &self.tenant, class, normalised))
        })
    }

    /// A fresh token of `class`. The vault stores it, and asks again if it has that token already.
    ///
    /// # Errors
    /// When the class has no active token key, or the random source fails.
    pub fn mint_token(&self, class: &str, shape: TokenShape, domain: &str) -> Result<String, SealError> {
        let key = self.active(KeyPurpose::Token, class)?;
        let Material::Mac(mac) = &key.material else { return Err(SealError::Cipher) };
        Ok(token::mint(mac, &self.tenant, class, shape, domain)?)
    }

    /// Whether `token` was minted for `class`: its check digits tell, without asking the vault. A phone token has only
    /// two, so one in a hundred other numbers passes.
    #[must_use]
    pub fn token_is_of(&self, class: &str, token: &str) -> bool {
        self.generations(KeyPurpose::Token, class).iter().any(|key| match &key.material {
            Material::Mac(mac) => token::is_genuine(mac, &self.tenant, class, token),
            Material::Seal(_) | Material::Siv(_) | Material::Gone => false,
        })
    }

    fn each<T>(
        &self,
        purpose: KeyPurpose,
        class: &str,
        make: impl Fn(&Key) -> Result<T, SealError>,
    ) -> Result<Vec<T>, SealError> {
        let keys = self.generations(purpose, class);
        if keys.is_empty() {
            return Err(SealError::NoKey { class: class.into(), purpose });
        }
        keys.iter().map(|key| make(key)).collect()
    }
}
