//! TLS of clients, and bytes on a connection that nothing has looked at.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use fieldgate::tls;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// TLS settings of a client that trusts `ca`.
pub fn client_tls(ca: &Path, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let settings = tls::ClientSettings { ca: Some(ca.to_path_buf()), ..tls::ClientSettings::default() };
    let config = tls::client_config(&settings, &|path| path.to_path_buf(), "test").unwrap();
    let mut config = (*config).clone();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

/// Writes `bytes` on a fresh TLS connection and reads until it closes or is silent for two seconds.
pub fn raw(address: SocketAddr, ca: &Path, bytes: &[u8]) -> String {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(client_tls(ca, &[b"http/1.1"]), name).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(bytes).unwrap();
    stream.flush().unwrap();
    let mut out = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 {
            break;
        }
        out.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&out).into_owned()
}
