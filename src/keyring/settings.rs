//! `[keys]` of the configuration.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{
    crypto::{BACKUP_CYCLE_SECONDS, PROPAGATION_SECONDS},
    model::Problem,
};

/// Where the key file lies, and who wraps its root.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The key file of the tenant; made by `fieldgate keys new`, mode 0600.
    pub keyset: PathBuf,
    /// The provider of the key-encryption key.
    pub kek: KekSettings,
    /// The provider that `fieldgate keys rewrap` changes to; both are tried meanwhile.
    #[serde(default)]
    pub next_kek: Option<KekSettings>,
    /// Seconds until every gateway knows a new key: 10–86400, default 30.
    #[serde(default = "propagation")]
    pub propagation_seconds: u32,
    /// Days for which a backup may bring back values under a disabled key: 0–3660, default 35.
    #[serde(default = "backup_days")]
    pub backup_days: u32,
}

/// A provider of key-encryption keys. Secrets themselves never stand in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "provider", rename_all = "kebab-case", deny_unknown_fields)]
pub enum KekSettings {
    /// A key in a file of mode 0600; made by `fieldgate keys new`. For trials, and where the disk is trusted.
    File {
        /// The file.
        path: PathBuf,
    },
    /// A passphrase (Argon2id). Exactly one source.
    Passphrase {
        /// The environment variable that holds it.
        #[serde(default)]
        env: Option<String>,
        /// The file that holds it, mode 0600.
        #[serde(default)]
        file: Option<PathBuf>,
        /// The inherited descriptor it is read from, once: the gateway cannot reload its keys then.
        #[serde(default)]
        fd: Option<u32>,
    },
    /// A credential of the systemd unit (`LoadCredential=`, `SetCredentialEncrypted=`): the text of a KEK file.
    Systemd {
        /// Its name in `$CREDENTIALS_DIRECTORY`.
        credential: String,
    },
    /// AWS KMS; needs the build feature `aws-kms`.
    AwsKms {
        /// ARN or id of the key.
        key: String,
        /// Region, such as `eu-central-1`.
        region: String,
        /// Another endpoint than the region's.
        #[serde(default)]
        endpoint: Option<String>,
        /// PEM roots for the endpoint, instead of the system's.
        #[serde(default)]
        ca: Option<PathBuf>,
    },
    /// The transit engine of HashiCorp Vault or OpenBao; needs the build feature `vault-transit`.
    VaultTransit {
        /// `https://vault.example.com:8200`.
        url: String,
        /// The key's name.
        key: String,
        /// Where the engine is mounted.
        #[serde(default = "transit")]
        mount: String,
        /// The file with the token, mode 0600.
        token_file: PathBuf,
        /// PEM roots, instead of the system's.
        #[serde(default)]
        ca: Option<PathBuf>,
    },
    /// A key inside an HSM; needs the build feature `pkcs11`.
    Pkcs11 {
        /// The vendor's library.
        module: PathBuf,
        /// Label of the token.
        token: String,
        /// Label of the AES-256 key.
        key: String,
        /// The file with the user's PIN, mode 0600.
        pin_file: PathBuf,
    },
}

impl Settings {
    /// What is out of range or contradicts itself.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let ranges = [
            ("propagation_seconds", self.propagation_seconds, 10, 86_400),
            ("backup_days", self.backup_days, 0, 3_660),
        ];
        for (key, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                let what = format!("`{key}` is {value}, which is out of range");
                problems.push(Problem::new(
                    format!("keys.{key}"),
                    what,
                    format!("choose a number from {low} to {high}"),
                ));
            }
        }
        let keks = [("keys.kek", Some(&self.kek)), ("keys.next_kek", self.next_kek.as_ref())];
        for (path, kek) in keks {
            problems.extend(kek.and_then(KekSettings::mistake).map(|(what, help)| Problem::new(path, what, help)));
        }
        problems
    }
}

impl KekSettings {
    /// Its name in key files.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Passphrase { .. } => "passphrase",
            Self::Systemd { .. } => "systemd",
            Self::AwsKms { .. } => "aws-kms",
            Self::VaultTransit { .. } => "vault-transit",
            Self::Pkcs11 { .. } => "pkcs11",
        }
    }

    /// The same with its paths starting at `base`.
    #[must_use]
    pub fn at(&self, base: &Path) -> Self {
        let mut own = self.clone();
        let paths: [Option<&mut PathBuf>; 2] = match &mut own {
            Self::File { path } => [Some(path), None],
            Self::Passphrase { file, .. } => [file.as_mut(), None],
            Self::Systemd { .. } => [None, None],
            Self::AwsKms { ca, .. } => [ca.as_mut(), None],
            Self::VaultTransit { token_file, ca, .. } => [Some(token_file), ca.as_mut()],
            Self::Pkcs11 { pin_file, .. } => [Some(pin_file), None],
        };
        paths.into_iter().flatten().for_each(|path| *path = base.join(&*path));
        own
    }

    /// The local file whose change means another KEK.
    pub(super) fn file(&self) -> Option<PathBuf> {
        match self {
            Self::File { path } => Some(path.clone()),
            Self::Passphrase { file, .. } => file.clone(),
            Self::VaultTransit { token_file, .. } => Some(token_file.clone()),
            Self::Systemd { .. } | Self::AwsKms { .. } | Self::Pkcs11 { .. } => None,
        }
    }

    fn mistake(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Passphrase { env, file, fd } => {
                let sources = usize::from(env.is_some()) + usize::from(file.is_some()) + usize::from(fd.is_some());
                let what = "a passphrase has exactly one of `env`, `file` and `fd`";
                (sources != 1).then_some((what, "name where it is read from, such as `env = \"FIELDGATE_PASSPHRASE\"`"))
            }
            Self::Systemd { credential } => {
                let bad = credential.is_empty() || credential.contains('/') || credential.starts_with('.');
                bad.then_some(("a credential is a plain name", "write the name of the `LoadCredential=` line"))
            }
            Self::VaultTransit { mount, key, .. } => {
                let plain = |text: &str| {
                    !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_./".contains(&c))
                };
                let bad = !plain(mount) || !plain(key) || key.contains('/');
                bad.then_some(("a mount and a key are names", "write letters, digits, `-`, `_` and `.`"))
            }
            Self::AwsKms { key, region, .. } => {
                let bad = key.is_empty() || !region.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
                bad.then_some(("a KMS key has an ARN and a region", "write `region = \"eu-central-1\"`"))
            }
            Self::File { .. } | Self::Pkcs11 { .. } => None,
        }
    }
}

fn propagation() -> u32 {
    PROPAGATION_SECONDS as u32
}

fn backup_days() -> u32 {
    (BACKUP_CYCLE_SECONDS / 86_400) as u32
}

fn transit() -> String {
    "transit".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_key_file_and_a_kek_are_enough() {
        let settings = read("keyset = 'keys/keyset.json'\nkek = { provider = 'file', path = 'keys/kek' }");
        assert!(settings.problems().is_empty());
        assert_eq!((settings.propagation_seconds, settings.backup_days), (30, 35));
        let at = settings.kek.at(Path::new("/etc/fieldgate"));
        assert_eq!(at, KekSettings::File { path: "/etc/fieldgate/keys/kek".into() });
    }

    #[test]
    fn every_provider_is_written_like_this() {
        for (text, provider) in [
            ("provider = 'passphrase', env = 'PHRASE'", "passphrase"),
            ("provider = 'systemd', credential = 'fieldgate-kek'", "systemd"),
            ("provider = 'aws-kms', key = 'alias/x', region = 'eu-central-1'", "aws-kms"),
            ("provider = 'vault-transit', url = 'https://v:8200', key = 'fg', token_file = 't'", "vault-transit"),
            ("provider = 'pkcs11', module = '/m.so', token = 't', key = 'k', pin_file = 'p'", "pkcs11"),
        ] {
            let settings = read(&format!("keyset = 'k'\nkek = {{ {text} }}"));
            assert_eq!(settings.kek.provider(), provider);
            assert!(settings.problems().is_empty(), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named_by_their_key() {
        let text = "keyset = 'k'\npropagation_seconds = 9\nbackup_days = 3661\n\
                    kek = { provider = 'passphrase', env = 'A', fd = 3 }\n\
                    next_kek = { provider = 'systemd', credential = '../x' }";
        let problems = read(text).problems();
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["keys.propagation_seconds", "keys.backup_days", "keys.kek", "keys.next_kek"]);
        let edge =
            "keyset = 'k'\npropagation_seconds = 10\nbackup_days = 3660\nkek = { provider = 'file', path = 'x' }";
        assert!(read(edge).problems().is_empty());
        for wrong in ["kek = { provider = 'gpg' }", "kek = { provider = 'file', path = 'x', key = 'y' }"] {
            assert!(toml::from_str::<Settings>(&format!("keyset = 'k'\n{wrong}")).is_err(), "{wrong}");
        }
    }
}
