//! The providers of key-encryption keys: each wraps and unwraps one 32-byte root, bound to its tenant. They are asked
//! once at start and once per reload, never for a value.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

use super::{KeyringError, passphrase, private, remote, settings::KekSettings};
use crate::{
    crypto::{Kek, Krk, WrapKey},
    model::Sensitive,
};

/// Why a provider did not wrap or unwrap. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KekError {
    /// The secret itself could not be read.
    #[error("{0}")]
    Secret(String),
    /// It was read, and is another one.
    #[error("the root key was not wrapped with it, or was wrapped for another tenant")]
    Wrong,
    /// Not a KEK file.
    #[error("the file does not hold a KEK")]
    NotAKek,
    /// Fewer than 12 characters.
    #[error("the passphrase has fewer than {} characters", passphrase::MIN_CHARACTERS)]
    ShortPassphrase,
    /// Not in this build.
    #[error("this binary was built without it")]
    NotBuilt,
    /// The service did not answer, or not in time.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// The service refused.
    #[error("refused with {0}")]
    Refused(String),
    /// No fresh randomness.
    #[error("the operating system's random source failed")]
    NoRandomness,
}

impl KekError {
    pub(super) fn help(&self) -> &'static str {
        match self {
            Self::Secret(_) => "make the secret readable for this user alone, where `[keys]` says it is",
            Self::Wrong => "put back the KEK this key file was wrapped with, or the key file that belongs to this KEK",
            Self::NotAKek => "name a file that `fieldgate keys new` made",
            Self::ShortPassphrase => "choose a longer one; six random words are good",
            Self::NotBuilt => "build with `--features` and the provider's name, or choose another provider",
            Self::Unreachable(_) => "running gateways go on; start this one when the service answers again",
            Self::Refused(_) => "check the credential's rights on the key: it needs encrypt and decrypt",
            Self::NoRandomness => "restart the machine; nothing was written",
        }
    }
}

/// What the wrapped root is bound to at a service.
fn context(tenant: &str) -> BTreeMap<String, String> {
    [("tenant", tenant), ("use", "fieldgate-keyset")].map(|(key, value)| (key.into(), value.into())).into()
}

/// Makes what a provider needs and can be made here: a KEK file that is not there yet.
pub(super) fn prepare(settings: &KekSettings) -> Result<(), KeyringError> {
    match settings {
        KekSettings::File { path } if !path.exists() => {
            let key = WrapKey::generate().map_err(|_| KeyringError::NoRandomness)?;
            // A crash behind this line leaves a KEK that wraps nothing; `keys new` uses it the next time.
            private::create(path, key.to_text().expose())
        }
        _ => Ok(()),
    }
}

/// The root wrapped by the provider, and how the key file names it.
pub(super) fn wrap(settings: &KekSettings, root: &Krk, tenant: &str) -> Result<(Kek, Vec<u8>), KekError> {
    let (uri, context, wrapped) = match settings {
        KekSettings::File { .. } | KekSettings::Systemd { .. } => {
            let key = local_key(settings)?;
            let wrapped = key.wrap(root, tenant).map_err(|_| KekError::Wrong)?;
            (format!("kcv:{}", key.check_value()), BTreeMap::new(), wrapped)
        }
        KekSettings::Passphrase { .. } => {
            (String::new(), BTreeMap::new(), passphrase::wrap(&phrase(settings)?, root, tenant)?)
        }
        KekSettings::AwsKms { .. } | KekSettings::VaultTransit { .. } | KekSettings::Pkcs11 { .. } => {
            let context = context(tenant);
            let (uri, wrapped) = remote::wrap(settings, root, &context)?;
            (uri, context, wrapped)
        }
    };
    Ok((Kek { provider: settings.provider().into(), uri, context }, wrapped))
}

/// The root out of what [`wrap`] made.
pub(super) fn unwrap(settings: &KekSettings, kek: &Kek, wrapped: &[u8], tenant: &str) -> Result<Krk, KekError> {
    match settings {
        KekSettings::File { .. } | KekSettings::Systemd { .. } => {
            local_key(settings)?.unwrap(wrapped, tenant).map_err(|_| KekError::Wrong)
        }
        KekSettings::Passphrase { .. } => passphrase::unwrap(&phrase(settings)?, wrapped, tenant),
        KekSettings::AwsKms { .. } | KekSettings::VaultTransit { .. } | KekSettings::Pkcs11 { .. } => {
            // The context is made anew and not taken from the file: a file of another tenant must not open.
            if kek.context != context(tenant) {
                return Err(KekError::Wrong);
            }
            remote::unwrap(settings, wrapped, &kek.context)
        }
    }
}

fn local_key(settings: &KekSettings) -> Result<WrapKey, KekError> {
    let text = match settings {
        KekSettings::File { path } => secret(path)?,
        KekSettings::Systemd { credential } => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
                .ok_or_else(|| KekError::Secret("`CREDENTIALS_DIRECTORY` is not set: not started by systemd".into()))?;
            secret(&PathBuf::from(folder).join(credential))?
        }
        _ => return Err(KekError::NotAKek),
    };
    WrapKey::parse(text.expose()).map_err(|_| KekError::NotAKek)
}

fn phrase(settings: &KekSettings) -> Result<Sensitive<String>, KekError> {
    let text = match settings {
        KekSettings::Passphrase { env: Some(name), .. } => std::env::var(name)
            .map(Sensitive::new)
            .map_err(|_| KekError::Secret(format!("the environment variable `{name}` is not set")))?,
        KekSettings::Passphrase { file: Some(path), .. } => secret(path)?,
        KekSettings::Passphrase { fd: Some(fd), .. } => {
            let path = PathBuf::from(format!("/proc/self/fd/{fd}"));
            let opened = File::open(&path).map_err(KeyringError::io(&path, "cannot be opened"));
            opened
                .and_then(|file| private::read_open(&path, file, private::MAX_SECRET_BYTES))
                .map_err(|e| unread(&e))?
        }
        _ => return Err(KekError::Secret("no source of a passphrase is configured".into())),
    };
    // A line end is what an editor or `echo` adds; other white space may be meant.
    Ok(Sensitive::new(text.expose().trim_end_matches(['\n', '\r']).to_owned()))
}

/// The text of a private file.
pub(super) fn secret(path: &Path) -> Result<Sensitive<String>, KekError> {
    private::read(path, private::MAX_SECRET_BYTES).map_err(|error| unread(&error))
}

fn unread(error: &KeyringError) -> KekError {
    KekError::Secret(error.to_string())
}
