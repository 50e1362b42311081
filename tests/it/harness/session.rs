//! A TLS connection that is kept: chosen name, versions, ALPN and client certificate, requests as bytes.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};

/// How a client shakes hands.
#[derive(Clone)]
pub struct Hello {
    ca: PathBuf,
    name: String,
    alpn: Vec<Vec<u8>>,
    versions: Vec<&'static SupportedProtocolVersion>,
    certificate: Option<fieldgate::tls::generate::Pair>,
}

impl Hello {
    /// For `localhost`, HTTP/1.1, any TLS version, no certificate.
    pub fn new(ca: &Path) -> Self {
        Self {
            ca: ca.to_path_buf(),
            name: "localhost".to_owned(),
            alpn: vec![b"http/1.1".to_vec()],
            versions: rustls::ALL_VERSIONS.to_vec(),
            certificate: None,
        }
    }

    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    pub fn version(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    pub fn certificate(mut self, pair: &fieldgate::tls::generate::Pair) -> Self {
        self.certificate = Some(pair.clone());
        self
    }

    /// Connects; the error is what TLS says. In TLS 1.3 a refused client certificate shows with the first answer only.
    pub fn connect(&self, address: SocketAddr) -> Result<Session, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&self.ca).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&self.versions).unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(pair.key.expose().as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols.clone_from(&self.alpn);
        let name = ServerName::try_from(self.name.clone()).unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(|error| error.to_string())?;
        }
        Ok(Session(StreamOwned::new(connection, socket)))
    }
}

/// A connection after its handshake.
pub struct Session(StreamOwned<ClientConnection, TcpStream>);

impl Session {
    /// The DNS names of the certificate the server showed.
    pub fn names(&self) -> Vec<String> {
        let chain = self.0.conn.peer_certificates().unwrap();
        fieldgate::tls::read_certificate(&chain[0]).unwrap().dns
    }

    pub fn protocol(&self) -> Option<String> {
        self.0.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
    }

    /// `1.2` or `1.3`.
    pub fn version(&self) -> &'static str {
        match self.0.conn.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "1.3",
            _ => "1.2",
        }
    }

    pub fn send(&mut self, bytes: &str) -> Result<(), String> {
        self.0.write_all(bytes.as_bytes()).and_then(|()| self.0.flush()).map_err(|error| error.to_string())
    }

    /// One answer, head and body as they came; the connection stays.
    pub fn answer(&mut self) -> Result<String, String> {
        let (mut out, mut buffer) = (Vec::new(), [0; 4096]);
        while !is_whole(&out) {
            match self.0.read(&mut buffer) {
                Ok(0) => return Err(format!("closed after {} bytes", out.len())),
                Ok(count) => out.extend_from_slice(&buffer[..count]),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    pub fn ask(&mut self, request: &str) -> Result<String, String> {
        self.send(request)?;
        self.answer()
    }
}

/// Whether `bytes` hold an answer to its end.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map(|length| length.parse());
    body.len() >= length.map_or(0, Result::unwrap)
}

/// `GET target` on a kept connection, with an API key or without.
pub fn get(target: &str, key: Option<&str>) -> String {
    let key = key.map(|key| format!("Fieldgate-Key: {key}\r\n")).unwrap_or_default();
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{key}\r\n")
}
