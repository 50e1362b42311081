//! The key file of a tenant (field-protection.md §5.1): JSON text in, keys out, and back. Each key is wrapped with
//! what is written beside it, and the whole file carries a MAC: nothing can be edited, added, dropped or reordered
//! without the root.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{
    super::{aead::Refused, envelope::KeyId},
    entry::{Entry, KeyInfo, KeyPurpose, KeyState},
    krk::{Krk, Subkeys, check_value},
};
use crate::model::{Normaliser, Timestamp};

/// Which provider wraps the root, and how it is found there. Shown to operators; holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kek {
    /// `file`, `passphrase`, `systemd`, `aws-kms`, `vault-transit` or `pkcs11`.
    pub provider: String,
    /// The key's name at the provider.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uri: String,
    /// What the wrapped root is bound to there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
}

/// What is read of a key file before its root is unwrapped. Nothing of it is proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHeader {
    /// The tenant it says it belongs to.
    pub tenant: String,
    /// Its epoch.
    pub epoch: u64,
    /// Who wraps the root.
    pub kek: Kek,
    /// The wrapped root.
    pub wrapped_root: Vec<u8>,
}

/// Why a key file is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyFileError {
    /// Not this format.
    #[error("not a key file: line {line}, column {column}")]
    Malformed {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// Another version.
    #[error("the key file has format {0}; this version reads 1")]
    Version(u32),
    /// The root does not belong to it.
    #[error("the root key is not the one this key file was written with")]
    WrongRoot,
    /// The MAC does not fit.
    #[error("the key file was changed by something else than `fieldgate keys`")]
    Changed,
    /// A key does not unwrap with what is written beside it.
    #[error("key `{0}` was not wrapped for what is written beside it")]
    Key(String),
    /// A rule of the format is broken.
    #[error("the key file breaks a rule: {0}")]
    Rule(&'static str),
}

/// An opened key file: what the `keys` verbs edit. Secrets inside are wiped when dropped.
#[derive(Clone)]
pub struct KeyFile {
    pub(super) tenant: Arc<str>,
    pub(super) epoch: u64,
    pub(super) updated: Timestamp,
    pub(super) kek: Kek,
    pub(super) wrapped_root: Vec<u8>,
    pub(super) root: Krk,
    pub(super) entries: Vec<Entry>,
}

impl KeyFile {
    /// The part of `text` that says how to get at the root.
    ///
    /// # Errors
    /// When it is not a key file of this version.
    pub fn header(text: &str) -> Result<KeyHeader, KeyFileError> {
        let document = Document::parse(text)?;
        let wrapped_root = decode(&document.krk.wrapped, "the wrapped root is not base64")?;
        Ok(KeyHeader { tenant: document.tenant, epoch: document.epoch, kek: document.kek, wrapped_root })
    }

    /// Opens `text` with its root.
    ///
    /// # Errors
    /// When the root is another one, when the file was changed, or when it breaks a rule of the format.
    pub fn read(text: &str, root: &Krk) -> Result<Self, KeyFileError> {
        let mut document = Document::parse(text)?;
        if document.krk.kcv != root.check_value() {
            return Err(KeyFileError::WrongRoot);
        }
        let subkeys = root.subkeys(&document.tenant).map_err(|Refused| KeyFileError::WrongRoot)?;
        let given = decode(&std::mem::take(&mut document.mac), "the MAC is not base64")?;
        if !bool::from(subkeys.mac(&document.canonical()?).as_slice().ct_eq(&given)) {
            return Err(KeyFileError::Changed);
        }
        let keys = std::mem::take(&mut document.keys);
        let entries =
            keys.into_iter().map(|key| key.open(&document.tenant, &subkeys)).collect::<Result<Vec<_>, _>>()?;
        let file = Self {
            tenant: document.tenant.into(),
            epoch: document.epoch,
            updated: instant(&document.updated)?,
            kek: document.kek,
            wrapped_root: decode(&document.krk.wrapped, "the wrapped root is not base64")?,
            root: root.clone(),
            entries,
        };
        file.check()?;
        Ok(file)
    }

    /// The text of the file, sealed.
    ///
    /// # Errors
    /// When a key cannot be wrapped, which does not happen for keys of the sizes used.
    pub fn to_text(&self) -> Result<String, KeyFileError> {
        let subkeys = self.root.subkeys(&self.tenant).map_err(|Refused| KeyFileError::WrongRoot)?;
        let keys = self.entries.iter().map(|entry| Key::close(entry, &self.tenant, &subkeys));
        let mut document = Document {
            fieldgate_keyset: VERSION,
            tenant: self.tenant.to_string(),
            epoch: self.epoch,
            updated: self.updated.to_string(),
            kek: self.kek.clone(),
            krk: Root { wrapped: BASE64_STANDARD.encode(&self.wrapped_root), kcv: self.root.check_value() },
            keys: keys.collect::<Result<_, _>>()?,
            mac: String::new(),
        };
        document.mac = BASE64_STANDARD.encode(subkeys.mac(&document.canonical()?));
        let text = serde_json::to_string_pretty(&document).map_err(|_| KeyFileError::Rule("it cannot be written"))?;
        Ok(text + "\n")
    }

    /// The tenant it belongs to.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Counts every change; a lower one than seen before is an old copy.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Who wraps the root.
    #[must_use]
    pub fn kek(&self) -> &Kek {
        &self.kek
    }

    /// The root, for a provider to wrap again.
    #[must_use]
    pub fn root(&self) -> &Krk {
        &self.root
    }

    /// What may be shown of the keys, in the order of the file.
    pub fn keys(&self) -> impl Iterator<Item = &KeyInfo> {
        self.entries.iter().map(|entry| &entry.info)
    }

    /// Three bytes that tell a key apart without showing it; nothing for a destroyed one.
    #[must_use]
    pub fn check_value(&self, id: KeyId) -> Option<String> {
        let entry = self.entries.iter().find(|entry| entry.info.id == id)?;
        entry.secret.as_deref().map(|secret| check_value(secret))
    }

    /// Rules that hold in every key file.
    fn check(&self) -> Result<(), KeyFileError> {
        let mut ids: Vec<_> = self.keys().map(|key| key.id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
            return Err(KeyFileError::Rule("two keys have the same id"));
        }
        for state in [KeyState::Active, KeyState::Pending] {
            let mut at: Vec<_> =
                self.keys().filter(|key| key.state == state).map(|key| (key.purpose, &key.class)).collect();
            at.sort_unstable();
            if at.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
                return Err(KeyFileError::Rule("two keys of one purpose and class are active, or two are pending"));
            }
        }
        match self.keys().find(|key| key.purpose.is_per_class() == key.class.is_empty()) {
            Some(_) => Err(KeyFileError::Rule("a key belongs to a class and should not, or should and does not")),
            None => Ok(()),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    fieldgate_keyset: u32,
    tenant: String,
    epoch: u64,
    updated: String,
    kek: Kek,
    krk: Root,
    keys: Vec<Key>,
    mac: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    wrapped: String,
    kcv: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: String,
    purpose: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    class: String,
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    norm: Option<String>,
    state: String,
    created: String,
    changed: String,
    #[serde(default)]
    used: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wrapped: Option<String>,
}

impl Document {
    fn parse(text: &str) -> Result<Self, KeyFileError> {
        let malformed =
            |error: serde_json::Error| KeyFileError::Malformed { line: error.line(), column: error.column() };
        let document: Self = serde_json::from_str(text).map_err(malformed)?;
        if document.fieldgate_keyset == VERSION {
            Ok(document)
        } else {
            Err(KeyFileError::Version(document.fieldgate_keyset))
        }
    }

    /// The bytes under the MAC: the document without it, in one spelling.
    fn canonical(&self) -> Result<Vec<u8>, KeyFileError> {
        serde_json::to_vec(self).map_err(|_| KeyFileError::Rule("it cannot be written"))
    }
}

impl Key {
    fn close(entry: &Entry, tenant: &str, subkeys: &Subkeys) -> Result<Self, KeyFileError> {
        let info = &entry.info;
        let mut key = Self {
            id: info.id.to_string(),
            purpose: info.purpose.as_str().into(),
            class: info.class.to_string(),
            alg: info.purpose.algorithm().into(),
            norm: info.purpose.compares().then(|| info.normaliser.as_str().into()),
            state: info.state.as_str().into(),
            created: info.created.to_string(),
            changed: info.changed.to_string(),
            used: info.used,
            wrapped: None,
        };
        if let Some(secret) = &entry.secret {
            let wrapped = subkeys.wrap(&key.metadata(tenant), secret);
            let wrapped = wrapped.map_err(|Refused| KeyFileError::Key(key.id.clone()))?;
            key.wrapped = Some(BASE64_STANDARD.encode(wrapped));
        }
        Ok(key)
    }

    fn open(self, tenant: &str, subkeys: &Subkeys) -> Result<Entry, KeyFileError> {
        let purpose = KeyPurpose::named(&self.purpose).ok_or(KeyFileError::Rule("a key has an unknown purpose"))?;
        let state = KeyState::named(&self.state).ok_or(KeyFileError::Rule("a key has an unknown state"))?;
        if self.alg != purpose.algorithm() {
            return Err(KeyFileError::Rule("a key has another algorithm than its purpose"));
        }
        let normaliser = match (&self.norm, purpose.compares()) {
            (Some(name), true) => {
                Normaliser::named(name).ok_or(KeyFileError::Rule("a key has an unknown normaliser"))?
            }
            (None, false) => Normaliser::Text,
            _ => return Err(KeyFileError::Rule("a key has a normaliser and compares nothing, or the reverse")),
        };
        let secret = match (&self.wrapped, state) {
            (None, KeyState::Destroyed) => None,
            (Some(wrapped), KeyState::Pending | KeyState::Active | KeyState::Retiring | KeyState::Disabled) => {
                let wrapped = decode(wrapped, "a wrapped key is not base64")?;
                let secret = subkeys.unwrap(&self.metadata(tenant), &wrapped);
                Some(secret.map_err(|Refused| KeyFileError::Key(self.id.clone()))?)
            }
            _ => return Err(KeyFileError::Rule("a destroyed key has material, or a living one has none")),
        };
        if secret.as_ref().is_some_and(|secret| secret.len() != purpose.key_bytes()) {
            return Err(KeyFileError::Rule("a key has the wrong size"));
        }
        let info = KeyInfo {
            id: KeyId::parse(&self.id).ok_or(KeyFileError::Rule("a key id is not eight hex digits, or is 0"))?,
            purpose,
            class: self.class.into(),
            normaliser,
            state,
            created: instant(&self.created)?,
            changed: instant(&self.changed)?,
            used: self.used,
        };
        Ok(Entry { info, secret })
    }

    /// What a key is wrapped together with. `used` is under the MAC only: it is written often.
    fn metadata<'a>(&'a self, tenant: &'a str) -> [&'a [u8]; 10] {
        let norm = self.norm.as_deref().unwrap_or_default();
        [
            "fieldgate/keyset-entry",
            tenant,
            &self.id,
            &self.purpose,
            &self.class,
            &self.alg,
            norm,
            &self.state,
            &self.created,
            &self.changed,
        ]
        .map(str::as_bytes)
    }
}

fn decode(text: &str, rule: &'static str) -> Result<Vec<u8>, KeyFileError> {
    BASE64_STANDARD.decode(text).map_err(|_| KeyFileError::Rule(rule))
}

fn instant(text: &str) -> Result<Timestamp, KeyFileError> {
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    let time = parsed.map_err(|_| KeyFileError::Rule("a time is not RFC 3339"))?;
    Ok(Timestamp::from_micros(time.as_microsecond()))
}

const VERSION: u32 = 1;
