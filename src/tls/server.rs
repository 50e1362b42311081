//! The TLS side of a listener: `[listener.tls]` in, a rustls server configuration out.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ServerConfig, crypto::aws_lc_rs::Ticketer, server::WebPkiClientVerifier, sign::CertifiedKey};
use serde::Deserialize;

use super::{pem::Files, provider, read_certificate, resolver::ByName};
use crate::model::Problem;

/// `[listener.tls]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// Certificates with their keys, chosen by SNI over the DNS names in each; the first also serves any other name.
    pub certificates: Vec<CertificateFiles>,
    /// Whether clients authenticate with a certificate. Default `none`.
    #[serde(default)]
    pub client_auth: ClientAuthMode,
    /// PEM bundle of the authorities that client certificates must chain to.
    pub client_ca: Option<PathBuf>,
    /// The lowest TLS version. Default `1.2`.
    #[serde(default)]
    pub min_version: MinVersion,
}

/// A certificate and its key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The chain, end-entity certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Whether clients are asked for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuthMode {
    /// Not asked.
    #[default]
    None,
    /// Asked; a client without one goes on, one with a bad one does not.
    Optional,
    /// No handshake without one.
    Required,
}

/// The lowest TLS version a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum MinVersion {
    /// TLS 1.2 (RFC 5246) with AEAD suites only, and TLS 1.3.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3 (RFC 8446) only.
    #[serde(rename = "1.3")]
    Tls13,
}

/// A loaded server side; swapped whole on reload.
#[derive(Debug, Clone)]
pub struct Server {
    /// What rustls runs.
    pub config: Arc<ServerConfig>,
    /// Whether clients are asked for a certificate.
    pub asks_certificate: bool,
}

/// Loads the files of `settings`. `resolve` makes paths absolute; `at` is the dotted key of `settings` in the
/// configuration (`listener.tls`).
///
/// Session tickets are keyed per load: after a reload every session is verified anew, so an authority that was removed
/// ends with the reload.
///
/// # Errors
/// Every mistake found, each with its key.
pub fn server_config(
    settings: &ServerSettings,
    resolve: &dyn Fn(&Path) -> PathBuf,
    at: &str,
) -> Result<Arc<Server>, Vec<Problem>> {
    let files = Files::new(resolve, at);
    let mut problems = Vec::new();
    let mut resolver = ByName::default();
    if settings.certificates.is_empty() {
        problems.push(files.problem(
            "certificates",
            "no certificate is given",
            "list at least one certificate and key",
        ));
    }
    for (index, pair) in settings.certificates.iter().enumerate() {
        match certified_key(&files, index, pair) {
            Ok((names, key)) => resolver.add(&names, &Arc::new(key)),
            Err(found) => problems.extend(found),
        }
    }
    let verifier = client_verifier(settings, &files).map_err(|problem| problems.push(problem)).unwrap_or_default();
    if !problems.is_empty() {
        return Err(problems);
    }
    let refused = |error: rustls::Error| {
        vec![files.problem("certificates", format!("TLS cannot start: {error}"), "check the certificates and keys")]
    };
    let versions: &[_] = match settings.min_version {
        MinVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        MinVersion::Tls13 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions).map_err(refused)?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = Ticketer::new().map_err(refused)?;
    // 0-RTT stays off: a replayed request would be a second access.
    config.max_early_data_size = 0;
    Ok(Arc::new(Server { config: Arc::new(config), asks_certificate: settings.client_auth != ClientAuthMode::None }))
}

fn certified_key(
    files: &Files<'_>,
    index: usize,
    pair: &CertificateFiles,
) -> Result<(Vec<String>, CertifiedKey), Vec<Problem>> {
    let (certificate_at, key_at) = (format!("certificates.{index}.certificate"), format!("certificates.{index}.key"));
    let (chain, key) = match (files.chain(&certificate_at, &pair.certificate), files.key(&key_at, &pair.key)) {
        (Ok(chain), Ok(key)) => (chain, key),
        (chain, key) => return Err([chain.err(), key.err()].into_iter().flatten().collect()),
    };
    let names = chain.first().map(|leaf| read_certificate(leaf)).transpose().map_err(|error| {
        vec![files.problem(&certificate_at, error.to_string(), "have the certificate issued again")]
    })?;
    let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
        vec![files.problem(
            &key_at,
            format!("the key cannot serve the certificate: {error}"),
            "give the key the certificate was issued for",
        )]
    })?;
    Ok((names.map(|names| names.dns).unwrap_or_default(), certified))
}

type ClientVerifier = Arc<dyn rustls::server::danger::ClientCertVerifier>;

fn client_verifier(settings: &ServerSettings, files: &Files<'_>) -> Result<Option<ClientVerifier>, Problem> {
    let path = match (settings.client_auth, &settings.client_ca) {
        (ClientAuthMode::None, None) => return Ok(None),
        (ClientAuthMode::None, Some(_)) => {
            return Err(files.problem(
                "client_ca",
                "`client_ca` is given, but `client_auth` is `none`",
                "set `client_auth` to `optional` or `required`, or remove `client_ca`",
            ));
        }
        (_, None) => {
            return Err(files.problem(
                "client_ca",
                "client certificates are asked for, but no authority is trusted",
                "name a PEM bundle in `client_ca`",
            ));
        }
        (_, Some(path)) => path,
    };
    let roots = Arc::new(files.roots("client_ca", path)?);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    let builder = match settings.client_auth {
        ClientAuthMode::Required => builder,
        ClientAuthMode::None | ClientAuthMode::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map(Some).map_err(|error| {
        files.problem("client_ca", format!("client certificates cannot be verified: {error}"), "check the bundle")
    })
}
