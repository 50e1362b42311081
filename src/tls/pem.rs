//! Reads certificates and keys from PEM files; every mistake is a `Problem` at the key that named the file.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use zeroize::Zeroizing;

use crate::model::Problem;

/// Largest PEM file that is read, bytes.
pub(crate) const PEM_BYTES: u64 = 4 << 20;

/// Where the files of a part of the configuration are, and which key a mistake belongs to.
pub(crate) struct Files<'a> {
    resolve: &'a dyn Fn(&Path) -> PathBuf,
    at: &'a str,
}

impl<'a> Files<'a> {
    pub(crate) fn new(resolve: &'a dyn Fn(&Path) -> PathBuf, at: &'a str) -> Self {
        Self { resolve, at }
    }

    /// A problem at `key`, below the prefix.
    pub(crate) fn problem(&self, key: &str, what: impl Into<String>, help: impl Into<String>) -> Problem {
        let path = if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) };
        Problem::new(path, what, help)
    }

    /// The chain in `path`, end-entity certificate first.
    pub(crate) fn chain(&self, key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
        let bytes = self.read(key, path)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        match chain {
            Ok(chain) if !chain.is_empty() => Ok(chain),
            Ok(_) => Err(self.problem(
                key,
                format!("`{}` holds no certificate", path.display()),
                "give a PEM file with `BEGIN CERTIFICATE`, end-entity certificate first",
            )),
            Err(error) => Err(self.problem(
                key,
                format!("`{}` is not PEM: {error}", path.display()),
                "give a PEM file with `BEGIN CERTIFICATE`",
            )),
        }
    }

    /// The private key in `path`.
    pub(crate) fn key(&self, key: &str, path: &Path) -> Result<PrivateKeyDer<'static>, Problem> {
        let bytes = self.read(key, path)?;
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
            self.problem(
                key,
                format!("`{}` holds no private key", path.display()),
                "give an unencrypted PEM key (PKCS #8, PKCS #1 or SEC1)",
            )
        })
    }

    /// The roots in `path`.
    pub(crate) fn roots(&self, key: &str, path: &Path) -> Result<RootCertStore, Problem> {
        let mut roots = RootCertStore::empty();
        for certificate in self.chain(key, path)? {
            roots.add(certificate).map_err(|error| {
                self.problem(
                    key,
                    format!("a certificate in `{}` cannot be a root: {error}", path.display()),
                    "give the certificates of the authorities themselves",
                )
            })?;
        }
        Ok(roots)
    }

    fn read(&self, key: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let file = (self.resolve)(path);
        let unreadable = |error: &dyn std::fmt::Display| {
            self.problem(
                key,
                format!("`{}` cannot be read: {error}", file.display()),
                "check the path and who may read it",
            )
        };
        let length = std::fs::metadata(&file).map_err(|error| unreadable(&error))?.len();
        if length > PEM_BYTES {
            return Err(unreadable(&"it is larger than 4 MiB"));
        }
        std::fs::read(&file).map(Zeroizing::new).map_err(|error| unreadable(&error))
    }
}
