//! Who is at the other end of a connection, before anybody is identified.

use std::{net::SocketAddr, sync::Arc};

/// The HTTP version that ALPN chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `http/1.1` (also without ALPN).
    Http1,
    /// `h2`.
    Http2,
}

/// What a client certificate says, read once per connection after rustls verified it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientCertificate {
    /// URI subject alternative names.
    pub uris: Vec<String>,
    /// E-mail subject alternative names.
    pub emails: Vec<String>,
    /// DNS subject alternative names.
    pub dns: Vec<String>,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// SHA-256 of the DER, lower-case hex: names the certificate in records.
    pub sha256: String,
    /// End of validity, seconds since the epoch.
    pub not_after: i64,
}

/// Why there is no client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCertificate {
    /// The listener does not ask for one.
    NotAsked,
    /// It was asked for and not sent.
    NotSent,
}

/// The outcome of TLS client authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// A chain to a configured root was verified.
    Verified(ClientCertificate),
    /// No certificate.
    None(NoCertificate),
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// The name of the listener that accepted it.
    pub listener: Arc<str>,
    /// Server name the client asked for.
    pub sni: Option<Arc<str>>,
    /// `1.2` or `1.3`.
    pub tls_version: &'static str,
    /// What ALPN chose.
    pub protocol: Protocol,
    /// The client's certificate or why there is none.
    pub client_auth: ClientAuth,
}
