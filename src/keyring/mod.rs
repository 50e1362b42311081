//! Key files and the providers that wrap their roots: a configuration in, an opened keyset out, and edited key files
//! back to disk. Which key seals, and what a key's life allows, is decided in `crypto`.

mod error;
mod harden;
#[cfg(feature = "aws-kms")]
mod kms;
mod passphrase;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod private;
mod provider;
mod remote;
#[cfg(any(feature = "aws-kms", feature = "vault-transit"))]
mod service;
mod settings;
#[cfg(feature = "aws-kms")]
mod sigv4;
mod store;
#[cfg(feature = "vault-transit")]
mod transit;

use std::path::{Path, PathBuf};

pub use error::KeyringError;
pub use harden::{Hardening, harden};
pub use provider::KekError;
pub use settings::{KekSettings, Settings};
pub use store::{GENERATIONS, History, Lock};

use crate::{
    crypto::{ClassPlan, Kek, KeyFile, KeyFileError, Keyset, Krk},
    model::Timestamp,
};

/// One tenant's key file and the providers of the configuration.
#[derive(Debug)]
pub struct Keyring {
    path: PathBuf,
    kek: KekSettings,
    next_kek: Option<KekSettings>,
}

/// A key file that is being edited; nobody else edits it meanwhile.
#[derive(Debug)]
pub struct Editing {
    /// The keys.
    pub file: KeyFile,
    lock: Lock,
    path: PathBuf,
}

/// Opens the key file `path` whose root `kek` wraps.
///
/// # Errors
/// When a file is missing or readable for others, the provider refuses, or the key file was changed.
pub fn load(path: &Path, kek: &KekSettings) -> Result<Keyset, KeyringError> {
    Keyring { path: path.to_owned(), kek: kek.clone(), next_kek: None }.load()
}

impl Keyring {
    /// The key file of `settings`, whose paths start at `base`.
    #[must_use]
    pub fn new(settings: &Settings, base: &Path) -> Self {
        let next_kek = settings.next_kek.as_ref().map(|kek| kek.at(base));
        Self { path: base.join(&settings.keyset), kek: settings.kek.at(base), next_kek }
    }

    /// The key file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every file that a reload should watch.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let keks = [Some(&self.kek), self.next_kek.as_ref()];
        let files = keks.into_iter().flatten().filter_map(KekSettings::file);
        std::iter::once(self.path.clone()).chain(files).collect()
    }

    /// The keys, ready for use. Asks the provider once.
    ///
    /// # Errors
    /// As [`load`].
    pub fn load(&self) -> Result<Keyset, KeyringError> {
        let file = self.read()?;
        file.open().map_err(|error| KeyringError::file(&self.path, error))
    }

    /// Makes the key file with keys for `classes`; makes the KEK too, where it is a file that is not there yet.
    ///
    /// # Errors
    /// When the key file exists, or cannot be written, or the provider refuses.
    pub fn create(&self, tenant: &str, classes: &[ClassPlan<'_>], now: Timestamp) -> Result<KeyFile, KeyringError> {
        store::make_folder(&self.path)?;
        let _lock = Lock::take(&self.path)?;
        if self.path.exists() {
            return Err(KeyringError::Exists(self.path.clone()));
        }
        provider::prepare(&self.kek)?;
        let root = Krk::generate().map_err(|_| KeyringError::NoRandomness)?;
        let (kek, wrapped) = self.wrap(&self.kek, &root, tenant)?;
        let file = KeyFile::new(tenant, classes, kek, wrapped, root, now).map_err(KeyringError::Mistake)?;
        store::write(&self.path, &self.text(&file)?, file.epoch(), History::Keep)?;
        Ok(file)
    }

    /// The key file as it is, to be looked at.
    ///
    /// # Errors
    /// As [`load`].
    pub fn read(&self) -> Result<KeyFile, KeyringError> {
        let text = private::read(&self.path, private::MAX_KEY_FILE_BYTES)?;
        let header = KeyFile::header(text.expose()).map_err(|error| KeyringError::file(&self.path, error))?;
        let root = self.unwrap(&header.kek, &header.wrapped_root, &header.tenant)?;
        KeyFile::read(text.expose(), &root).map_err(|error| KeyringError::file(&self.path, error))
    }

    /// The key file to be edited, locked until the result is dropped.
    ///
    /// # Errors
    /// As [`load`], and when somebody else edits it.
    pub fn edit(&self) -> Result<Editing, KeyringError> {
        let lock = Lock::take(&self.path)?;
        Ok(Editing { file: self.read()?, lock, path: self.path.clone() })
    }

    /// Wraps the root again: with `next_kek` where the configuration has one, else anew with the same.
    ///
    /// # Errors
    /// When a provider refuses.
    pub fn rewrap(&self, editing: &mut Editing, now: Timestamp) -> Result<(), KeyringError> {
        let kek = self.next_kek.as_ref().unwrap_or(&self.kek);
        if self.next_kek.is_some() {
            provider::prepare(kek)?;
        }
        let tenant = editing.file.tenant().to_owned();
        let (kek, wrapped) = self.wrap(kek, &editing.file.root().clone(), &tenant)?;
        editing.file.rewrap(kek, wrapped, now);
        Ok(())
    }

    /// The text of the key file with its root wrapped by `kek` instead: for escrow. Nothing is written.
    ///
    /// # Errors
    /// When a provider refuses.
    pub fn escrow(&self, kek: &KekSettings, now: Timestamp) -> Result<String, KeyringError> {
        let mut file = self.read()?;
        let tenant = file.tenant().to_owned();
        let (kek, wrapped) = self.wrap(kek, &file.root().clone(), &tenant)?;
        file.rewrap(kek, wrapped, now);
        self.text(&file)
    }

    fn text(&self, file: &KeyFile) -> Result<String, KeyringError> {
        file.to_text().map_err(|error| KeyringError::file(&self.path, error))
    }

    fn wrap(&self, kek: &KekSettings, root: &Krk, tenant: &str) -> Result<(Kek, Vec<u8>), KeyringError> {
        provider::wrap(kek, root, tenant).map_err(|error| KeyringError::kek(kek, error))
    }

    /// Asks the providers that can have wrapped it: during a change of the KEK, `next_kek` as well.
    fn unwrap(&self, kek: &Kek, wrapped: &[u8], tenant: &str) -> Result<Krk, KeyringError> {
        let mut last = KeyringError::Provider { file: kek.provider.clone(), configured: self.kek.provider() };
        for candidate in std::iter::once(&self.kek).chain(&self.next_kek) {
            if candidate.provider() == kek.provider {
                match provider::unwrap(candidate, kek, wrapped, tenant) {
                    Ok(root) => return Ok(root),
                    Err(error) => last = KeyringError::kek(candidate, error),
                }
            }
        }
        Err(last)
    }
}

impl Editing {
    /// Writes what was edited. With [`History::Forget`] the older generations go, and with them every wrapped copy of a
    /// destroyed key.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(self, history: History) -> Result<KeyFile, KeyringError> {
        let text = self.file.to_text().map_err(|error: KeyFileError| KeyringError::file(&self.path, error))?;
        store::write(&self.path, &text, self.file.epoch(), history)?;
        drop(self.lock);
        Ok(self.file)
    }
}

#[cfg(test)]
mod tests;
