//! Chooses the certificate for a handshake: by SNI over the names in the certificates, the first one otherwise.

use std::{collections::HashMap, sync::Arc};

use rustls::{
    SignatureScheme,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// The certificates of a listener.
#[derive(Debug, Default)]
pub(crate) struct ByName {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// `*.example.com` under `example.com`.
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    fallback: Vec<Arc<CertifiedKey>>,
}

impl ByName {
    /// Adds a certificate for `names` (DNS SANs); the first one added also serves every other name and no name.
    ///
    /// Several certificates of one name (ECDSA beside RSA) are tried in order of addition.
    pub(crate) fn add(&mut self, names: &[String], key: &Arc<CertifiedKey>) {
        for name in names {
            let name = name.to_ascii_lowercase();
            match name.strip_prefix("*.") {
                Some(parent) => self.wildcard.entry(parent.to_owned()).or_default().push(Arc::clone(key)),
                None => self.exact.entry(name).or_default().push(Arc::clone(key)),
            }
        }
        self.fallback.push(Arc::clone(key));
    }

    /// The certificate for `name`: an exact name before a wildcard (one label, RFC 9525 §6.3), else the first.
    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let fits = |keys: &Vec<Arc<CertifiedKey>>| {
            keys.iter().find(|key| key.key.choose_scheme(schemes).is_some()).map(Arc::clone)
        };
        let name = name.map(|name| name.trim_end_matches('.').to_ascii_lowercase());
        let exact = name.as_ref().and_then(|name| self.exact.get(name)).and_then(fits);
        let named = exact.or_else(|| {
            let (_, parent) = name.as_ref()?.split_once('.')?;
            self.wildcard.get(parent).and_then(fits)
        });
        named.or_else(|| fits(&self.fallback))
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}
