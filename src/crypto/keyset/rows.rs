//! What the vault keeps: subject keys wrapped under the current epoch, and sealed rows.

use zeroize::Zeroizing;

use super::{
    super::{
        aead::{Refused, frame, siv_open, siv_seal},
        envelope::KeyId,
        random,
        subject::SubjectKey,
    },
    Key, KeyPurpose, KeyState, Keyset, Material, OpenError, SealError,
};
use crate::model::SubjectRef;

impl Keyset {
    /// `subject` wrapped under the current epoch: 52 bytes, the epoch's key id in front.
    ///
    /// # Errors
    /// When there is no active wrapping key.
    pub fn wrap_subject(&self, subject: &SubjectKey) -> Result<Vec<u8>, SealError> {
        let key = self.active(KeyPurpose::SubjectWrap, "")?;
        let Material::Siv(siv) = &key.material else { return Err(SealError::Cipher) };
        let parts = subject_parts(&self.tenant, subject.reference(), key.info.id);
        let wrapped = siv_seal(siv, &[&parts], subject.dek()).map_err(|Refused| SealError::Cipher)?;
        let mut out = key.info.id.bytes().to_vec();
        out.extend_from_slice(&wrapped);
        Ok(out)
    }

    /// The key of `reference` out of what [`Self::wrap_subject`] made, under any living epoch.
    ///
    /// # Errors
    /// When the epoch is not there any more, or the bytes were wrapped for another tenant or person.
    pub fn unwrap_subject(&self, reference: SubjectRef, wrapped: &[u8]) -> Result<SubjectKey, OpenError> {
        let (key, sealed) = self.named(KeyPurpose::SubjectWrap, wrapped)?;
        let Material::Siv(siv) = &key.material else { return Err(OpenError::UnknownKey) };
        let parts = subject_parts(&self.tenant, reference, key.info.id);
        let secret = siv_open(siv, &[&parts], sealed).map_err(|Refused| OpenError::Tampered)?;
        let dek = secret.as_slice().try_into().map_err(|_| OpenError::Tampered)?;
        Ok(SubjectKey::new(reference, Zeroizing::new(dek)))
    }

    /// Whether `wrapped` is under the current epoch; if not, a roll has to wrap it again.
    #[must_use]
    pub fn is_current_wrap(&self, wrapped: &[u8]) -> bool {
        self.named(KeyPurpose::SubjectWrap, wrapped).is_ok_and(|(key, _)| key.info.state == KeyState::Active)
    }

    /// Seals a row of the vault, bound to `ad` (its place). 52 bytes longer than the row.
    ///
    /// # Errors
    /// When there is no active row key, it is spent, or the random source fails.
    pub fn seal_row(&self, row: &[u8], ad: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.active(KeyPurpose::Row, "")?;
        let Material::Seal(cipher) = &key.material else { return Err(SealError::Cipher) };
        key.count()?;
        let context = row_context(&self.tenant, key.info.id, ad);
        let body = Zeroizing::new(row.to_vec());
        cipher.seal(None, &context, &key.info.id.bytes(), &random()?, body).map_err(|Refused| SealError::Cipher)
    }

    /// The row out of what [`Self::seal_row`] made.
    ///
    /// # Errors
    /// When its key is not there, or it was sealed for another place, or changed.
    pub fn open_row(&self, sealed: &[u8], ad: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (key, tail) = self.named(KeyPurpose::Row, sealed)?;
        let Material::Seal(cipher) = &key.material else { return Err(OpenError::UnknownKey) };
        Ok(cipher.open(None, &row_context(&self.tenant, key.info.id, ad), tail)?)
    }

    /// The key whose id stands in front of `bytes`, and what follows it.
    fn named<'a>(&self, purpose: KeyPurpose, bytes: &'a [u8]) -> Result<(&Key, &'a [u8]), OpenError> {
        let (id, rest) = bytes.split_first_chunk::<4>().ok_or(OpenError::Tampered)?;
        let id = KeyId::new(u32::from_be_bytes(*id)).ok_or(OpenError::Tampered)?;
        let key = self.by_id.get(&id).filter(|key| key.info.purpose == purpose).ok_or(OpenError::UnknownKey)?;
        match key.info.state {
            KeyState::Disabled => Err(OpenError::Disabled),
            KeyState::Destroyed => Err(OpenError::Destroyed),
            KeyState::Pending | KeyState::Active | KeyState::Retiring => Ok((key, rest)),
        }
    }
}

fn subject_parts(tenant: &str, reference: SubjectRef, epoch: KeyId) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + tenant.len());
    frame(&mut out, &[b"fieldgate/swk", tenant.as_bytes(), &reference.0, &epoch.bytes()]);
    out
}

fn row_context(tenant: &str, key: KeyId, ad: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + tenant.len() + ad.len());
    frame(&mut out, &[b"fieldgate/row", tenant.as_bytes(), &key.bytes(), ad]);
    out
}
