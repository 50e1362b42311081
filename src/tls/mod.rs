//! PEM files in, rustls configurations out; certificates for first use. Never decides who a client is.

mod certificate;
mod client;
pub mod generate;
mod pem;
mod resolver;
mod server;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use certificate::{CertificateError, client_auth, read_certificate};
pub use client::{ClientSettings, RESUMABLE_SESSIONS, client_config, server_name};
pub use server::{CertificateFiles, ClientAuthMode, MinVersion, Server, ServerSettings, server_config};

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The one cryptographic provider of this program; configurations name it, nothing installs it process-wide.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
