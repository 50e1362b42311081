//! The life of keys (field-protection.md §5.2): verbs that change an opened key file, and what each refuses. Writing
//! the result to disk is the caller's business; `now` is his clock.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{
    super::{NoRandomness, envelope::KeyId, random},
    entry::{ClassPlan, Entry, KeyInfo, KeyPurpose, KeyState},
    file::{Kek, KeyFile},
    krk::Krk,
};
use crate::model::{Normaliser, Timestamp};

/// Why a verb was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyMistake {
    /// No key of that name.
    #[error("there is no key `{0}`")]
    Unknown(KeyId),
    /// The class has no key of that purpose.
    #[error("class `{class}` has no active `{purpose}` key")]
    NoKey {
        /// The class.
        class: String,
        /// The purpose.
        purpose: KeyPurpose,
    },
    /// The class has keys of several purposes, or none.
    #[error("class `{0}` has no single kind of key to rotate")]
    WhichPurpose(String),
    /// One is pending already.
    #[error("key `{0}` is pending for that class already")]
    AlreadyPending(KeyId),
    /// The verb asks for another state.
    #[error("key `{id}` is {state}")]
    State {
        /// The key.
        id: KeyId,
        /// Its state.
        state: KeyState,
    },
    /// Nobody said that every gateway knows the key, and too little time has passed.
    #[error("key `{id}` is {age} s old; gateways may not know it before {needed} s")]
    NotSpread {
        /// The key.
        id: KeyId,
        /// Its age in seconds.
        age: i64,
        /// Seconds that have to pass.
        needed: i64,
    },
    /// Time has passed, but nobody said that every gateway knows the key.
    #[error("nobody confirmed that every gateway knows key `{0}`")]
    NotConfirmed(KeyId),
    /// Values are left under the key.
    #[error("{left} values are still stored under key `{id}`")]
    Residual {
        /// The key.
        id: KeyId,
        /// Values counted.
        left: u64,
    },
    /// Nobody counted.
    #[error("nobody counted the values that are stored under key `{0}`")]
    ResidualUnknown(KeyId),
    /// A backup may still bring values back that need it.
    #[error("key `{id}` was disabled {age} s ago; backups may need it for {needed} s")]
    BackupCycle {
        /// The key.
        id: KeyId,
        /// Seconds since.
        age: i64,
        /// Seconds that have to pass.
        needed: i64,
    },
    /// No fresh randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Whether every gateway has loaded the epoch that a pending key came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// All live gateways report it.
    Confirmed,
    /// Nobody asked them, and the operator goes on after the delay (`--force`).
    Waited {
        /// Seconds that a key has to be old: [`PROPAGATION_SECONDS`] unless configured.
        needed: i64,
    },
    /// Nobody asked.
    Unknown,
}

/// How many stored values are left under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residual {
    /// The sweep counted.
    Counted(u64),
    /// Nobody counted.
    Unknown,
}

/// Default time for a key to reach every gateway: three polls of ten seconds.
pub const PROPAGATION_SECONDS: i64 = 30;
/// Default time between `disable` and `destroy`: 35 days, a month of backups and some.
pub const BACKUP_CYCLE_SECONDS: i64 = 35 * 86_400;

impl KeyFile {
    /// A new key file with active keys for `classes` and for the tenant.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn new(
        tenant: &str,
        classes: &[ClassPlan<'_>],
        kek: Kek,
        wrapped_root: Vec<u8>,
        root: Krk,
        now: Timestamp,
    ) -> Result<Self, KeyMistake> {
        let entries = Vec::new();
        let mut file = Self { tenant: tenant.into(), epoch: 0, updated: now, kek, wrapped_root, root, entries };
        file.provide(classes, now)?;
        Ok(file)
    }

    /// Adds the keys that `classes` and the tenant need and do not have; returns what was added.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn provide(&mut self, classes: &[ClassPlan<'_>], now: Timestamp) -> Result<Vec<KeyId>, KeyMistake> {
        let mut added = Vec::new();
        for purpose in [KeyPurpose::SubjectWrap, KeyPurpose::Row] {
            added.extend(self.provide_one(purpose, "", Normaliser::Text, now)?);
        }
        for plan in classes {
            for purpose in KeyPurpose::needed(plan.storage.mode) {
                added.extend(self.provide_one(*purpose, plan.class, plan.storage.normaliser, now)?);
            }
        }
        if !added.is_empty() {
            self.changed(now);
        }
        Ok(added)
    }

    fn provide_one(
        &mut self,
        purpose: KeyPurpose,
        class: &str,
        normaliser: Normaliser,
        now: Timestamp,
    ) -> Result<Option<KeyId>, KeyMistake> {
        let there = self.entries.iter().any(|entry| entry.is(purpose, class) && entry.info.state == KeyState::Active);
        if there { Ok(None) } else { self.add(purpose, class.into(), normaliser, KeyState::Active, now).map(Some) }
    }

    /// Adds a pending key. Without a `purpose` it is the one the class seals with, or its only one.
    ///
    /// # Errors
    /// When one is pending already, or the class has no such key.
    pub fn rotate(&mut self, class: &str, purpose: Option<KeyPurpose>, now: Timestamp) -> Result<KeyId, KeyMistake> {
        let purpose = match purpose {
            Some(purpose) => purpose,
            None => self.main_purpose(class)?,
        };
        let of_class = |state| self.entries.iter().find(move |key| key.is(purpose, class) && key.info.state == state);
        if let Some(pending) = of_class(KeyState::Pending) {
            return Err(KeyMistake::AlreadyPending(pending.info.id));
        }
        let active = of_class(KeyState::Active).ok_or_else(|| KeyMistake::NoKey { class: class.into(), purpose })?;
        let (class, normaliser) = (Arc::clone(&active.info.class), active.info.normaliser);
        let id = self.add(purpose, class, normaliser, KeyState::Pending, now)?;
        self.changed(now);
        Ok(id)
    }

    fn main_purpose(&self, class: &str) -> Result<KeyPurpose, KeyMistake> {
        let active = self.keys().filter(|key| &*key.class == class && key.state == KeyState::Active);
        let purposes: Vec<_> = active.map(|key| key.purpose).collect();
        match purposes.as_slice() {
            [only] => Ok(*only),
            several if several.contains(&KeyPurpose::Seal) => Ok(KeyPurpose::Seal),
            _ => Err(KeyMistake::WhichPurpose(class.into())),
        }
    }

    /// Makes a pending key the active one; the active one opens only from now on.
    ///
    /// # Errors
    /// When the key is not pending, or may not have reached every gateway.
    pub fn promote(&mut self, id: KeyId, propagation: Propagation, now: Timestamp) -> Result<(), KeyMistake> {
        let info = self.in_state(id, &[KeyState::Pending])?.clone();
        match propagation {
            Propagation::Confirmed => {}
            Propagation::Waited { needed } => {
                let age = now.seconds() - info.created.seconds();
                if age < needed {
                    return Err(KeyMistake::NotSpread { id, age, needed });
                }
            }
            Propagation::Unknown => return Err(KeyMistake::NotConfirmed(id)),
        }
        for entry in &mut self.entries {
            if entry.is(info.purpose, &info.class) && entry.info.state == KeyState::Active {
                entry.turn(KeyState::Retiring, now);
            }
        }
        self.turn(id, KeyState::Active, now);
        Ok(())
    }

    /// Ends the life of a retiring key that nothing is stored under any more: it is disabled.
    ///
    /// # Errors
    /// When values are left, nobody counted them, or the key is not retiring.
    pub fn retire(&mut self, id: KeyId, residual: Residual, now: Timestamp) -> Result<(), KeyMistake> {
        self.in_state(id, &[KeyState::Retiring])?;
        match residual {
            Residual::Counted(0) => {}
            Residual::Counted(left) => return Err(KeyMistake::Residual { id, left }),
            Residual::Unknown => return Err(KeyMistake::ResidualUnknown(id)),
        }
        self.turn(id, KeyState::Disabled, now);
        Ok(())
    }

    /// Stops a key at once, whatever is stored under it; [`Self::enable`] takes it back.
    ///
    /// # Errors
    /// When the key is active (promote another one first) or has been destroyed.
    pub fn disable(&mut self, id: KeyId, now: Timestamp) -> Result<(), KeyMistake> {
        self.in_state(id, &[KeyState::Pending, KeyState::Retiring])?;
        self.turn(id, KeyState::Disabled, now);
        Ok(())
    }

    /// Takes a disabled key back: it opens again, and seals nothing.
    ///
    /// # Errors
    /// When the key is not disabled.
    pub fn enable(&mut self, id: KeyId, now: Timestamp) -> Result<(), KeyMistake> {
        self.in_state(id, &[KeyState::Disabled])?;
        self.turn(id, KeyState::Retiring, now);
        Ok(())
    }

    /// Destroys a disabled key after `needed` seconds ([`BACKUP_CYCLE_SECONDS`]). What is left under it is lost.
    ///
    /// # Errors
    /// When the key is not disabled, or was disabled too short a time ago.
    pub fn destroy(&mut self, id: KeyId, needed: i64, now: Timestamp) -> Result<(), KeyMistake> {
        let info = self.in_state(id, &[KeyState::Disabled])?;
        let age = now.seconds() - info.changed.seconds();
        if age < needed {
            return Err(KeyMistake::BackupCycle { id, age, needed });
        }
        self.turn(id, KeyState::Destroyed, now);
        Ok(())
    }

    /// A new epoch of the subject-wrapping key, active at once: the vault wraps the surviving subject keys again, and
    /// then [`Self::destroy_old_subject_wraps`] makes the erased ones unreadable in every copy of the vault.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn roll_subject_wrap(&mut self, now: Timestamp) -> Result<KeyId, KeyMistake> {
        for entry in &mut self.entries {
            if entry.is(KeyPurpose::SubjectWrap, "") && matches!(entry.info.state, KeyState::Active | KeyState::Pending)
            {
                entry.turn(KeyState::Retiring, now);
            }
        }
        let id = self.add(KeyPurpose::SubjectWrap, "".into(), Normaliser::Text, KeyState::Active, now)?;
        self.changed(now);
        Ok(id)
    }

    /// Destroys every epoch of the subject-wrapping key but the active one; returns which.
    pub fn destroy_old_subject_wraps(&mut self, now: Timestamp) -> Vec<KeyId> {
        let mut gone = Vec::new();
        for entry in &mut self.entries {
            let old = !matches!(entry.info.state, KeyState::Active | KeyState::Destroyed);
            if entry.is(KeyPurpose::SubjectWrap, "") && old {
                entry.turn(KeyState::Destroyed, now);
                gone.push(entry.info.id);
            }
        }
        if !gone.is_empty() {
            self.changed(now);
        }
        gone
    }

    /// Adds `values` to what was sealed under a key.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn record_use(&mut self, id: KeyId, values: u64, now: Timestamp) -> Result<(), KeyMistake> {
        let entry = self.entries.iter_mut().find(|entry| entry.info.id == id).ok_or(KeyMistake::Unknown(id))?;
        entry.info.used = entry.info.used.saturating_add(values);
        self.changed(now);
        Ok(())
    }

    /// Another provider, or another key there, wraps the same root.
    pub fn rewrap(&mut self, kek: Kek, wrapped_root: Vec<u8>, now: Timestamp) {
        self.kek = kek;
        self.wrapped_root = wrapped_root;
        self.changed(now);
    }

    fn in_state(&self, id: KeyId, wanted: &[KeyState]) -> Result<&KeyInfo, KeyMistake> {
        let info = self.keys().find(|key| key.id == id).ok_or(KeyMistake::Unknown(id))?;
        if wanted.contains(&info.state) { Ok(info) } else { Err(KeyMistake::State { id, state: info.state }) }
    }

    fn turn(&mut self, id: KeyId, state: KeyState, now: Timestamp) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.info.id == id) {
            entry.turn(state, now);
        }
        self.changed(now);
    }

    fn changed(&mut self, now: Timestamp) {
        self.epoch = self.epoch.saturating_add(1);
        self.updated = now;
    }

    fn add(
        &mut self,
        purpose: KeyPurpose,
        class: Arc<str>,
        normaliser: Normaliser,
        state: KeyState,
        now: Timestamp,
    ) -> Result<KeyId, KeyMistake> {
        let id = loop {
            let candidate = KeyId::new(u32::from_be_bytes(random()?));
            if let Some(id) = candidate.filter(|id| self.keys().all(|key| key.id != *id)) {
                break id;
            }
        };
        let material = Zeroizing::new(random::<64>()?);
        let secret = Zeroizing::new(material.iter().take(purpose.key_bytes()).copied().collect());
        let normaliser = if purpose.compares() { normaliser } else { Normaliser::Text };
        let info = KeyInfo { id, purpose, class, normaliser, state, created: now, changed: now, used: 0 };
        self.entries.push(Entry { info, secret: Some(secret) });
        Ok(id)
    }
}

impl Entry {
    fn turn(&mut self, state: KeyState, now: Timestamp) {
        self.info.state = state;
        self.info.changed = now;
        if state == KeyState::Destroyed {
            self.secret = None;
        }
    }
}
