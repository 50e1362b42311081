//! Receipts of erasure: what was destroyed, in numbers and keyed names, signed (Ed25519, RFC 8032). Never a value, a
//! token or a record id.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use super::{
    VaultError,
    keys::{Keys, RecordHash},
    store::Shredded,
};
use crate::{
    crypto::{SigningKey, VerifyingKey, hex},
    model::{SubjectRef, Timestamp},
};

/// What was erased, before it is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// The version of this form: 1.
    pub fieldgate_erasure: u32,
    /// The tenant.
    pub tenant: String,
    /// The vault's random name, in hex.
    pub vault: String,
    /// Keyed names of the records that were asked for, in hex: the same record has the same name in every receipt.
    pub records: Vec<String>,
    /// Data subjects whose keys were destroyed.
    pub subjects: usize,
    /// Tokens that stand for nothing any more; those that other subjects use stay.
    pub tokens: usize,
    /// The epoch of the keyset under which the vault was closed again.
    pub epoch: u64,
    /// When, RFC 3339 in UTC.
    pub time: String,
}

/// A signed erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// What was erased.
    pub erasure: Erasure,
    /// The signer's public key, base64.
    pub key: String,
    /// Over the erasure, base64.
    pub signature: String,
}

/// A receipt with what a restored backup needs to repeat the erasure.
#[derive(Serialize, Deserialize)]
struct StoredErasure {
    receipt: Receipt,
    subjects: Vec<String>,
}

impl Erasure {
    pub(super) fn new(
        keys: &Keys,
        vault: [u8; 16],
        records: &[RecordHash],
        shredded: &Shredded,
        now: Timestamp,
    ) -> Self {
        Self {
            fieldgate_erasure: VERSION,
            tenant: keys.tenant().to_owned(),
            vault: hex(&vault),
            records: records.iter().map(|record| hex(record)).collect(),
            subjects: shredded.subjects.len(),
            tokens: shredded.tokens.len(),
            epoch: keys.epoch(),
            time: now.to_string(),
        }
    }

    /// What is signed: the form's name, a newline, and each member as `name=value` on a line of its own, in the order
    /// of the names. Values cannot hold a newline but for the tenant, which is written as JSON.
    fn signed(&self) -> Vec<u8> {
        let members = BTreeMap::from([
            ("epoch", self.epoch.to_string()),
            ("form", self.fieldgate_erasure.to_string()),
            ("records", self.records.join(",")),
            ("subjects", self.subjects.to_string()),
            ("tenant", serde_json::Value::from(self.tenant.as_str()).to_string()),
            ("time", self.time.clone()),
            ("tokens", self.tokens.to_string()),
            ("vault", self.vault.clone()),
        ]);
        let lines = members.into_iter().map(|(name, value)| format!("{name}={value}\n"));
        std::iter::once(SIGNED.to_owned()).chain(lines).collect::<String>().into_bytes()
    }

    fn is_plain(&self) -> bool {
        let hexadecimal = |text: &String| text.len() == 32 && text.bytes().all(|c| c.is_ascii_hexdigit());
        let time = self.time.bytes().all(|c| c.is_ascii_digit() || b"-:TZ.".contains(&c));
        time && hexadecimal(&self.vault) && self.records.iter().all(hexadecimal)
    }
}

impl Receipt {
    pub(super) fn sign(erasure: Erasure, key: &SigningKey) -> Self {
        let signature = BASE64_STANDARD.encode(key.sign(&erasure.signed()));
        Self { erasure, key: BASE64_STANDARD.encode(key.verifying_key().0), signature }
    }

    /// Reads the JSON form and checks the signature with a key that is trusted; the one inside is not.
    ///
    /// # Errors
    /// When the text is not a receipt, or `key` did not sign it.
    pub fn verify(text: &str, key: &VerifyingKey) -> Result<Self, VaultError> {
        let receipt: Self = serde_json::from_str(text).map_err(|_| VaultError::Receipt("it is not a receipt"))?;
        if receipt.erasure.fieldgate_erasure != VERSION || !receipt.erasure.is_plain() {
            return Err(VaultError::Receipt("it has another form than this release knows"));
        }
        let signature = BASE64_STANDARD.decode(&receipt.signature).map_err(|_| VaultError::Receipt("bad signature"))?;
        if !key.verify(&receipt.erasure.signed(), &signature) {
            return Err(VaultError::Receipt("another key signed it, or it was changed"));
        }
        Ok(receipt)
    }

    /// The JSON form, one line.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which does not happen for a receipt that was made here.
    pub fn to_json(&self) -> Result<String, VaultError> {
        serde_json::to_string(self).map_err(|_| VaultError::Receipt("it cannot be written"))
    }

    /// Whether `record` is one of its records.
    pub(super) fn names(&self, record: &RecordHash) -> bool {
        self.erasure.records.contains(&hex(record))
    }

    pub(super) fn to_stored(&self, shredded: &Shredded) -> Result<Vec<u8>, VaultError> {
        let subjects = shredded.subjects.iter().map(SubjectRef::to_string).collect();
        let stored = StoredErasure { receipt: self.clone(), subjects };
        serde_json::to_vec(&stored).map_err(|_| VaultError::Receipt("it cannot be written"))
    }

    /// The receipt and the subjects it is about.
    pub(super) fn from_stored(bytes: &[u8]) -> Result<(Self, Vec<SubjectRef>), VaultError> {
        let stored: StoredErasure = serde_json::from_slice(bytes).map_err(|_| VaultError::Tampered)?;
        let subjects = stored.subjects.iter().map(|text| subject(text).ok_or(VaultError::Tampered));
        Ok((stored.receipt, subjects.collect::<Result<_, _>>()?))
    }
}

fn subject(hex: &str) -> Option<SubjectRef> {
    (hex.len() == 16).then_some(())?;
    u64::from_str_radix(hex, 16).ok().map(|number| SubjectRef(number.to_be_bytes()))
}

const VERSION: u32 = 1;
const SIGNED: &str = "fieldgate erasure receipt\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(key: &SigningKey) -> Receipt {
        let erasure = Erasure {
            fieldgate_erasure: VERSION,
            tenant: "acme".to_owned(),
            vault: hex(&[1; 16]),
            records: vec![hex(&[2; 16])],
            subjects: 1,
            tokens: 3,
            epoch: 7,
            time: Timestamp::default().to_string(),
        };
        Receipt::sign(erasure, key)
    }

    #[test]
    fn a_receipt_verifies_with_its_key_and_unchanged_only() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let text = receipt(&key).to_json().unwrap();
        assert_eq!(Receipt::verify(&text, &key.verifying_key()).unwrap(), receipt(&key));
        assert!(Receipt::verify(&text, &other.verifying_key()).is_err());
        for (from, to) in [("\"tokens\":3", "\"tokens\":2"), ("acme", "acne"), ("0202", "0203"), ("1970", "1971")] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert!(Receipt::verify(&changed, &key.verifying_key()).is_err(), "{changed}");
        }
        assert!(Receipt::verify("{}", &key.verifying_key()).is_err());
    }

    #[test]
    fn members_cannot_run_into_each_other() {
        let key = SigningKey::generate().unwrap();
        let mut forged = receipt(&key);
        forged.erasure.time = "x\ntokens=0".to_owned();
        let forged = Receipt::sign(forged.erasure, &key).to_json().unwrap();
        assert!(matches!(Receipt::verify(&forged, &key.verifying_key()), Err(VaultError::Receipt(_))));
    }

    #[test]
    fn stored_receipts_keep_the_subjects() {
        let key = SigningKey::generate().unwrap();
        let shredded = Shredded { subjects: vec![SubjectRef([0, 1, 2, 3, 4, 5, 6, 7])], tokens: Vec::new() };
        let stored = receipt(&key).to_stored(&shredded).unwrap();
        assert_eq!(Receipt::from_stored(&stored).unwrap(), (receipt(&key), shredded.subjects));
    }
}
