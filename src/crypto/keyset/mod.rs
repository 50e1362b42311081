//! The keys of a tenant, ready for use: values in, sealed values out, and back. Which key seals is decided here and
//! nowhere else; a second key is never tried (field-protection.md §1.2, partitioning oracles).

mod entry;
mod file;
mod krk;
mod life;
mod rows;
mod search;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use zeroize::Zeroizing;

pub use entry::{ALARM_VALUES, Budget, ClassPlan, KeyInfo, KeyPurpose, KeyState, REFUSED_VALUES, USE_STEP_VALUES};
pub use file::{Kek, KeyFile, KeyFileError, KeyHeader};
pub use krk::Krk;
pub use life::{BACKUP_CYCLE_SECONDS, KeyMistake, PROPAGATION_SECONDS, Propagation, Residual};

use super::{
    MacKey, NoRandomness,
    aead::Refused,
    envelope::{Envelope, EnvelopeMode, KeyId, MAX_TEXT_BYTES, PREFIX},
    random,
    sealed::{Bound, Closed, SealKey, blind_index, det_open, head, pad, unpad},
    spelling::Spelling,
    subject::SubjectKey,
};
use crate::model::{Normaliser, Sensitive};

/// Opened keys. Share it by `Arc`; its secrets are wiped with the last one, and it prints none.
pub struct Keyset {
    tenant: Arc<str>,
    epoch: u64,
    by_id: HashMap<KeyId, Arc<Key>>,
    classes: HashMap<Arc<str>, Generations>,
}

/// Living keys of one class (of the tenant: class ``), per purpose, the active one first.
#[derive(Default)]
struct Generations([Vec<Arc<Key>>; KeyPurpose::ALL.len()]);

struct Key {
    info: KeyInfo,
    material: Material,
    /// Values sealed since the key was made, as far as this process knows.
    used: AtomicU64,
}

enum Material {
    Seal(Box<SealKey>),
    Siv(Box<Zeroizing<[u8; 64]>>),
    Mac(Box<MacKey>),
    /// Disabled or destroyed.
    Gone,
}

/// A value to be sealed.
#[derive(Clone, Copy)]
pub struct Seal<'a> {
    /// Its class.
    pub class: &'a str,
    /// The value, exactly as it came; at most [`MAX_TEXT_BYTES`] bytes.
    pub text: &'a str,
    /// The key of the person it belongs to, where the class is erasable per person.
    pub subject: Option<&'a SubjectKey>,
    /// The normalised value, where the class has a blind index; goes with a subject only.
    pub normalised: Option<&'a str>,
    /// How it is written down.
    pub spelling: Spelling,
    /// Pads to a multiple of this many bytes; 0: the length shows.
    pub padding: u8,
}

/// An opened value.
#[derive(Debug)]
pub struct Opened {
    /// The class it was sealed for.
    pub class: Arc<str>,
    /// The value (normalised, if it was sealed deterministically).
    pub text: Sensitive<String>,
    /// Whether sealing it again would use the same keys.
    pub current: bool,
}

/// Why a value could not be sealed. Clear text is never the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The keyset has no active key.
    #[error("class `{class}` has no active `{purpose}` key")]
    NoKey {
        /// The class.
        class: String,
        /// What the key would be for.
        purpose: KeyPurpose,
    },
    /// A blind index without a person.
    #[error("an indexed value needs a data subject's key")]
    NoSubject,
    /// Past [`MAX_TEXT_BYTES`].
    #[error("the value is longer than 1 MiB")]
    TooLong,
    /// The key has sealed [`REFUSED_VALUES`] values.
    #[error("key `{0}` has sealed as many values as it may; rotate it")]
    Spent(KeyId),
    /// No fresh randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The cipher refused, which it does not for values within the limits.
    #[error("the cipher refused the value")]
    Cipher,
}

/// Why a value stays closed. The caller of the gateway is told none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No key of that name, or one with another purpose.
    #[error("sealed under a key that is not in the keyset")]
    UnknownKey,
    /// The key is disabled.
    #[error("sealed under a disabled key")]
    Disabled,
    /// The key was destroyed.
    #[error("sealed under a destroyed key")]
    Destroyed,
    /// The subject's key was not given, or another subject's was.
    #[error("sealed for a data subject whose key is not there")]
    NoSubjectKey,
    /// Sealed for another tenant, class, head or person.
    #[error("sealed in another context")]
    ContextMismatch,
    /// Changed after it was sealed.
    #[error("changed after it was sealed")]
    Tampered,
    /// Made in a way this version does not know.
    #[error("made in a way that this version does not know")]
    Unsupported,
}

/// What keeps a class from being stored as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Uncovered {
    /// `fieldgate keys provide` adds it.
    #[error("the key file has no active `{0}` key for it")]
    NoKey(KeyPurpose),
    /// What stands in the CRM would not be found any more.
    #[error("its keys compare values as `{name}`", name = .0.as_str())]
    Normaliser(Normaliser),
}

impl Keyset {
    /// Opens the key file `text` with its root.
    ///
    /// # Errors
    /// As [`KeyFile::read`].
    pub fn read(text: &str, root: &Krk) -> Result<Self, KeyFileError> {
        KeyFile::read(text, root)?.open()
    }

    /// The tenant the keys belong to.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Counts the changes of the key file; never falls.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The class that the key `id` seals for.
    #[must_use]
    pub fn class_of(&self, id: KeyId) -> Option<&str> {
        self.by_id.get(&id).map(|key| &*key.info.class).filter(|class| !class.is_empty())
    }

    /// Whether the keyset can do what the configuration asks for a class: active keys for its storage, and values
    /// compared in the form its keys were made for.
    ///
    /// # Errors
    /// What is missing, or which form the keys have.
    pub fn covers(&self, plan: &ClassPlan<'_>) -> Result<(), Uncovered> {
        for purpose in KeyPurpose::needed(plan.storage.mode) {
            let key = self.active(*purpose, plan.class).map_err(|_| Uncovered::NoKey(*purpose))?;
            if purpose.compares() && key.info.normaliser != plan.storage.normaliser {
                return Err(Uncovered::Normaliser(key.info.normaliser));
            }
        }
        Ok(())
    }

    /// The state of the key `id`.
    #[must_use]
    pub fn state_of(&self, id: KeyId) -> Option<KeyState> {
        self.by_id.get(&id).map(|key| key.info.state)
    }

    /// Values sealed under each sealing key: what the key file said and what this keyset added, in that order.
    pub fn usage(&self) -> impl Iterator<Item = (KeyId, u64, u64)> {
        let sealing =
            |key: &&Arc<Key>| matches!(key.info.purpose, KeyPurpose::Seal | KeyPurpose::Det | KeyPurpose::Row);
        self.by_id.values().filter(sealing).map(|key| {
            let used = key.used.load(Ordering::Relaxed);
            (key.info.id, key.info.used, used.saturating_sub(key.info.used))
        })
    }

    /// Seals a value under the active keys of its class: with the subject's key if one is given, with a blind index in
    /// front if a normalised value is. About 2 µs for a short value.
    ///
    /// # Errors
    /// When there is no key for it, it is too long, the key is spent, or the random source fails.
    pub fn seal(&self, value: &Seal<'_>) -> Result<String, SealError> {
        if value.text.len() > MAX_TEXT_BYTES {
            return Err(SealError::TooLong);
        }
        let key = self.active(KeyPurpose::Seal, value.class)?;
        let Material::Seal(cipher) = &key.material else { return Err(SealError::Cipher) };
        let (mode, index) = match (value.subject, value.normalised) {
            (None, None) => (EnvelopeMode::Seal, None),
            (Some(_), None) => (EnvelopeMode::SealSubject, None),
            (Some(_), Some(normalised)) => {
                let index_key = self.active(KeyPurpose::Index, value.class)?;
                let Material::Mac(mac) = &index_key.material else { return Err(SealError::Cipher) };
                let index = blind_index(mac, &self.tenant, value.class, normalised);
                (EnvelopeMode::SealIndexed, Some((index_key.info.id, index)))
            }
            (None, Some(_)) => return Err(SealError::NoSubject),
        };
        key.count()?;
        let body = pad(value.text, value.padding);
        let head = head(mode, key.info.id, value.subject, index, body.len());
        let bound = Bound { tenant: &self.tenant, class: value.class, key: key.info.id, subject: value.subject };
        let context = bound.context(mode, &head);
        let sealed = cipher.seal(value.subject, &context, &head, &random()?, body);
        Ok(spell(&sealed.map_err(|Refused| SealError::Cipher)?, value.spelling))
    }

    /// Opens a value with exactly the key it names.
    ///
    /// # Errors
    /// When the key is not there or may not be used, the subject's key is missing, or the value is not what was sealed.
    pub fn open(&self, envelope: &Envelope, subject: Option<&SubjectKey>) -> Result<Opened, OpenError> {
        let key = self.by_id.get(&envelope.key_id()).ok_or(OpenError::UnknownKey)?;
        match key.info.state {
            KeyState::Disabled => return Err(OpenError::Disabled),
            KeyState::Destroyed => return Err(OpenError::Destroyed),
            KeyState::Pending | KeyState::Active | KeyState::Retiring => {}
        }
        let subject = match envelope.subject() {
            None => None,
            Some(reference) => Some(subject.filter(|key| key.reference() == reference).ok_or(OpenError::NoSubjectKey)?),
        };
        let bound = Bound { tenant: &self.tenant, class: &key.info.class, key: key.info.id, subject };
        let (mode, head, tail) = (envelope.mode(), envelope.head(), envelope.tail());
        let body = match (mode, key.info.purpose, &key.material) {
            (EnvelopeMode::Det, KeyPurpose::Det, Material::Siv(siv)) => {
                det_open(siv, bound, head, tail).map_err(|Refused| OpenError::Tampered)?
            }
            (
                EnvelopeMode::Seal | EnvelopeMode::SealSubject | EnvelopeMode::SealIndexed,
                KeyPurpose::Seal,
                Material::Seal(cipher),
            ) => cipher.open(subject, &bound.context(mode, head), tail)?,
            _ => return Err(OpenError::UnknownKey),
        };
        let text = unpad(body).ok_or(OpenError::Tampered)?;
        let is_active = |id: KeyId| self.state_of(id) == Some(KeyState::Active);
        let current = is_active(key.info.id) && envelope.index_key_id().is_none_or(is_active);
        Ok(Opened { class: Arc::clone(&key.info.class), text: Sensitive::new(text), current })
    }

    fn active(&self, purpose: KeyPurpose, class: &str) -> Result<&Arc<Key>, SealError> {
        let first = self.generations(purpose, class).first();
        let active = first.filter(|key| key.info.state == KeyState::Active);
        active.ok_or_else(|| SealError::NoKey { class: class.into(), purpose })
    }

    fn generations(&self, purpose: KeyPurpose, class: &str) -> &[Arc<Key>] {
        self.classes.get(class).and_then(|of_class| of_class.0.get(purpose as usize)).map_or(&[], Vec::as_slice)
    }
}

impl KeyFile {
    /// The keys ready for use.
    ///
    /// # Errors
    /// When a key has the wrong size, which [`KeyFile::read`] has refused before.
    pub fn open(&self) -> Result<Keyset, KeyFileError> {
        let mut by_id = HashMap::with_capacity(self.entries.len());
        let mut classes: HashMap<Arc<str>, Generations> = HashMap::new();
        for entry in &self.entries {
            let key = Arc::new(Key::new(entry)?);
            let info = &key.info;
            by_id.insert(info.id, Arc::clone(&key));
            if info.state.is_live() {
                let of_class = classes.entry(Arc::clone(&info.class)).or_default();
                of_class.0.get_mut(info.purpose as usize).into_iter().for_each(|keys| keys.push(Arc::clone(&key)));
            }
        }
        for keys in classes.values_mut().flat_map(|of_class| &mut of_class.0) {
            // Stable: the others stay in the order of the file, which is that of their making.
            keys.sort_by_key(|key| key.info.state != KeyState::Active);
        }
        Ok(Keyset { tenant: Arc::clone(&self.tenant), epoch: self.epoch, by_id, classes })
    }
}

impl Key {
    fn new(entry: &entry::Entry) -> Result<Self, KeyFileError> {
        let info = entry.info.clone();
        let wrong_size = || KeyFileError::Rule("a key has the wrong size");
        let material = match &entry.secret {
            Some(secret) if info.state.is_live() => match info.purpose {
                KeyPurpose::Seal | KeyPurpose::Row => {
                    let raw = secret.as_slice().try_into().map_err(|_| wrong_size())?;
                    Material::Seal(Box::new(SealKey::new(Zeroizing::new(raw))))
                }
                KeyPurpose::Det | KeyPurpose::SubjectWrap => {
                    let raw = secret.as_slice().try_into().map_err(|_| wrong_size())?;
                    Material::Siv(Box::new(Zeroizing::new(raw)))
                }
                KeyPurpose::Index | KeyPurpose::Token => Material::Mac(Box::new(MacKey::new(secret))),
            },
            _ => Material::Gone,
        };
        let used = AtomicU64::new(info.used);
        Ok(Self { info, material, used })
    }

    /// Counts a value, and refuses it past the budget.
    fn count(&self) -> Result<(), SealError> {
        match Budget::after(self.used.fetch_add(1, Ordering::Relaxed)) {
            Budget::Spent => Err(SealError::Spent(self.info.id)),
            Budget::Within | Budget::Alarm => Ok(()),
        }
    }
}

fn spell(bytes: &[u8], spelling: Spelling) -> String {
    let mut text = String::with_capacity(PREFIX.len() + spelling.letters(bytes.len()));
    text.push_str(PREFIX);
    spelling.encode(bytes, &mut text);
    text
}

impl From<Closed> for OpenError {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Commitment => Self::ContextMismatch,
            Closed::Tag => Self::Tampered,
        }
    }
}

impl fmt::Debug for Keyset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyset(`{}`, epoch {}, {} keys hidden)", self.tenant, self.epoch, self.by_id.len())
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFile(`{}`, epoch {}, {} keys hidden)", self.tenant, self.epoch, self.entries.len())
    }
}

#[cfg(test)]
#[path = "../tests/keyset.rs"]
mod tests;
