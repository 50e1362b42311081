//! `[[upstream]]` as it stands in the configuration.

use std::path::PathBuf;

use serde::Deserialize;

/// One CRM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The name in routes, policies and records.
    pub name: String,
    /// `https://host[:port][/base]`.
    pub url: String,
    /// The API map.
    pub map: PathBuf,
    /// PEM bundle of roots; absent means those of the operating system.
    pub ca: Option<PathBuf>,
    /// Client certificate to present, with `client_key`.
    pub client_certificate: Option<PathBuf>,
    /// Its private key.
    pub client_key: Option<PathBuf>,
    /// The name to ask for and to verify instead of the host of `url`.
    pub server_name: Option<String>,
    /// Whether to speak HTTP/2 when the CRM does. Default false: HTTP/1.1 costs less per request to one server.
    #[serde(default)]
    pub http2: bool,
    /// Other origins under which the CRM writes links to itself, `https://host[:port]`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The header that carries the gateway's own credential.
    pub credential_header: Option<String>,
    /// The file that holds the credential; white space around it is cut off.
    pub credential_file: Option<PathBuf>,
    /// Whether the caller's `Authorization` goes to the CRM. Default false.
    #[serde(default)]
    pub pass_authorization: bool,
    /// Whether cookies go to the CRM and back. Default false.
    #[serde(default)]
    pub pass_cookies: bool,
    /// How long an unused connection is kept. Default 60.
    #[serde(default = "default_idle")]
    pub idle_seconds: u64,
    /// How long a connection is used at most. Default 600.
    #[serde(default = "default_lifetime")]
    pub lifetime_seconds: u64,
    /// Name resolution, TCP and TLS together, and the wait for a free connection. Default 5.
    #[serde(default = "default_connect")]
    pub connect_seconds: u64,
    /// From the request to the response head, upload included. Default 60.
    #[serde(default = "default_response")]
    pub response_seconds: u64,
    /// Between two reads of a response body. Default 60.
    #[serde(default = "default_read")]
    pub read_seconds: u64,
    /// Connections (HTTP/1.1) or concurrent requests (HTTP/2) per worker. Default 128.
    #[serde(default = "default_connections")]
    pub max_connections: usize,
}

fn default_idle() -> u64 {
    60
}

fn default_lifetime() -> u64 {
    600
}

fn default_connect() -> u64 {
    5
}

fn default_response() -> u64 {
    60
}

fn default_read() -> u64 {
    60
}

fn default_connections() -> usize {
    128
}
