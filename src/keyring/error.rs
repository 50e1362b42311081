//! Why keys could not be read, wrapped or written; each variant knows what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{provider::KekError, settings::KekSettings};
use crate::crypto::{KeyFileError, KeyMistake};

/// Why a keyring does not give its keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The system refused.
    #[error("`{path}`: {what}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's word.
        error: io::Error,
    },
    /// Others may read or change a secret file.
    #[error("`{path}` {why}")]
    Insecure {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Not a key file, or a changed one.
    #[error("`{path}`: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: KeyFileError,
    },
    /// The key-encryption key.
    #[error("KEK provider `{provider}`: {error}")]
    Kek {
        /// Its name.
        provider: &'static str,
        /// Why.
        error: KekError,
    },
    /// The key file names another provider than the configuration.
    #[error("the key file is wrapped by `{file}`, the configuration names `{configured}`")]
    Provider {
        /// In the key file.
        file: String,
        /// In the configuration.
        configured: &'static str,
    },
    /// A new key file would overwrite one.
    #[error("`{0}` exists already")]
    Exists(PathBuf),
    /// Somebody else edits it.
    #[error("`{0}` is being edited by another process")]
    Locked(PathBuf),
    /// A verb was refused.
    #[error(transparent)]
    Mistake(KeyMistake),
    /// No fresh randomness.
    #[error("the operating system's random source failed")]
    NoRandomness,
}

impl KeyringError {
    pub(super) fn io(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { path: path.to_owned(), what, error }
    }

    pub(super) fn file(path: &Path, error: KeyFileError) -> Self {
        Self::File { path: path.to_owned(), error }
    }

    pub(super) fn kek(settings: &KekSettings, error: KekError) -> Self {
        Self::Kek { provider: settings.provider(), error }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Io { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                "make a key file with `fieldgate keys new`, or correct the path in `[keys]`".into()
            }
            Self::Io { .. } => "check the folder, its owner and free space".into(),
            Self::Insecure { path, .. } => {
                format!("make it yours alone: `chown $(id -u) {0} && chmod 600 {0}`", path.display())
            }
            Self::File { error: KeyFileError::WrongRoot | KeyFileError::Malformed { .. }, .. } => {
                "put the key file and its KEK back from the same backup".into()
            }
            Self::File { .. } => "put back the newest of its older generations beside it, or a backup".into(),
            Self::Kek { error, .. } => error.help().into(),
            Self::Provider { .. } => {
                "name the provider it was wrapped with as `kek`, and the new one as `next_kek` for `keys rewrap`".into()
            }
            Self::Exists(_) => "`fieldgate keys provide` adds the keys that new classes need".into(),
            Self::Locked(_) => "wait for the other `fieldgate keys` to end".into(),
            Self::Mistake(mistake) => advice(mistake).into(),
            Self::NoRandomness => "restart the machine; nothing was written".into(),
        }
    }
}

fn advice(mistake: &KeyMistake) -> &'static str {
    match mistake {
        KeyMistake::Unknown(_) => "`fieldgate keys list` shows the ids",
        KeyMistake::NoKey { .. } => "`fieldgate keys provide` adds the keys that the classes of the configuration need",
        KeyMistake::WhichPurpose(_) => "name one with `--purpose`; `fieldgate keys list` shows what the class has",
        KeyMistake::AlreadyPending(_) => "promote it, or disable it, before another",
        KeyMistake::State { state, .. } => match state {
            crate::crypto::KeyState::Active => "rotate the class and promote the new key first",
            crate::crypto::KeyState::Pending => "promote it first, or disable it",
            crate::crypto::KeyState::Retiring => "retire it when nothing is stored under it any more, or disable it",
            crate::crypto::KeyState::Disabled => "`fieldgate keys disable --undo` takes it back",
            crate::crypto::KeyState::Destroyed => "a destroyed key does not come back",
        },
        KeyMistake::NotSpread { .. } => "wait, or check that every gateway reports the epoch and add `--confirmed`",
        KeyMistake::NotConfirmed(_) => {
            "check that every gateway reports the epoch and add `--confirmed`; or wait for the delay and add `--force`"
        }
        KeyMistake::Residual { .. } => "run `fieldgate protect rewrap` until it counts 0",
        KeyMistake::ResidualUnknown(_) => "run `fieldgate protect rewrap`, and give what it counted as `--residual`",
        KeyMistake::BackupCycle { .. } => "wait until no backup needs it, or add `--force`",
        KeyMistake::NoRandomness(_) => "restart the machine; nothing was written",
    }
}
