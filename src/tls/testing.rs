//! An authority in a temporary folder, for the tests of everything that speaks TLS.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::ClientConfig;

use super::{CertificateFiles, ClientSettings, client_config, generate};
use crate::model::Timestamp;

/// Within the validity of what is generated as long as the clock is within a year of it.
pub(crate) fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_seconds(now.as_secs() as i64)
}

/// Files of one authority and what it issued.
pub(crate) struct Pki {
    dir: tempfile::TempDir,
    pub(crate) ca: generate::Pair,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let ca = generate::ca("Test authority", now()).unwrap();
        let pki = Self { dir: tempfile::tempdir().unwrap(), ca };
        pki.write("ca", &pki.ca);
        pki
    }

    pub(crate) fn write(&self, name: &str, pair: &generate::Pair) {
        std::fs::write(self.dir.path().join(format!("{name}.pem")), &pair.certificate).unwrap();
        std::fs::write(self.dir.path().join(format!("{name}.key")), pair.key.expose()).unwrap();
    }

    pub(crate) fn server(&self, file: &str, names: &[&str]) -> CertificateFiles {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        self.write(file, &generate::server(&self.ca, &names, now()).unwrap());
        CertificateFiles { certificate: format!("{file}.pem").into(), key: format!("{file}.key").into() }
    }

    pub(crate) fn client(&self, file: &str, uri: &str) {
        self.write(file, &generate::client(&self.ca, uri, now()).unwrap());
    }

    pub(crate) fn resolve(&self) -> impl Fn(&Path) -> PathBuf {
        |path: &Path| self.dir.path().join(path)
    }

    pub(crate) fn connector(&self, client: Option<&str>, http2: bool) -> Arc<ClientConfig> {
        let settings = ClientSettings {
            ca: Some("ca.pem".into()),
            client_certificate: client.map(|name| format!("{name}.pem").into()),
            client_key: client.map(|name| format!("{name}.key").into()),
            http2,
        };
        client_config(&settings, &self.resolve(), "test").unwrap()
    }
}
