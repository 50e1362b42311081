//! The TLS side of an upstream: roots, client certificate and server name in, a rustls client configuration out.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ClientConfig, RootCertStore, client::Resumption};
use rustls_pki_types::ServerName;

use super::{pem::Files, provider};
use crate::model::Problem;

/// What an upstream says about TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientSettings {
    /// PEM bundle of roots; absent means those of the operating system.
    pub ca: Option<PathBuf>,
    /// The certificate to present, with `client_key`.
    pub client_certificate: Option<PathBuf>,
    /// Its private key.
    pub client_key: Option<PathBuf>,
    /// Whether to offer `h2` beside `http/1.1`.
    pub http2: bool,
}

/// Sessions kept for resumption per upstream.
pub const RESUMABLE_SESSIONS: usize = 64;

/// Loads the files of `settings`. `resolve` makes paths absolute; `at` is the dotted key (`upstream.0`).
///
/// # Errors
/// Every mistake found, each with its key.
pub fn client_config(
    settings: &ClientSettings,
    resolve: &dyn Fn(&Path) -> PathBuf,
    at: &str,
) -> Result<Arc<ClientConfig>, Vec<Problem>> {
    let files = Files::new(resolve, at);
    let roots = match &settings.ca {
        Some(path) => files.roots("ca", path),
        None => native_roots(&files),
    };
    let identity = match (&settings.client_certificate, &settings.client_key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => files
            .chain("client_certificate", certificate)
            .and_then(|chain| Ok(Some((chain, files.key("client_key", key)?)))),
        (Some(_), None) => {
            Err(files.problem("client_key", "`client_certificate` has no key", "name its key in `client_key`"))
        }
        (None, Some(_)) => Err(files.problem(
            "client_certificate",
            "`client_key` has no certificate",
            "name its certificate in `client_certificate`",
        )),
    };
    let (roots, identity) = match (roots, identity) {
        (Ok(roots), Ok(identity)) => (roots, identity),
        (roots, identity) => return Err([roots.err(), identity.err()].into_iter().flatten().collect()),
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| vec![files.problem("ca", format!("TLS cannot start: {error}"), "check the roots")])?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
            vec![files.problem(
                "client_key",
                format!("the key cannot serve the certificate: {error}"),
                "give the key the certificate was issued for",
            )]
        })?,
    };
    config.alpn_protocols = match settings.http2 {
        true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    };
    config.resumption = Resumption::in_memory_sessions(RESUMABLE_SESSIONS);
    Ok(Arc::new(config))
}

/// A DNS name or an IP address to verify the certificate against.
#[must_use]
pub fn server_name(host: &str) -> Option<ServerName<'static>> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned()).ok()
}

fn native_roots(files: &Files<'_>) -> Result<RootCertStore, Problem> {
    let mut roots = RootCertStore::empty();
    // A system bundle often holds a few certificates that are no roots; the rest is still good.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(files.problem(
            "ca",
            "the operating system has no root certificates",
            "install them (`ca-certificates`) or name a bundle in `ca`",
        ));
    }
    Ok(roots)
}
