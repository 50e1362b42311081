//! Opens one verified connection to a CRM.

use rustls::pki_types::ServerName;
use tokio::{io::BufReader, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Upstream, UpstreamError};

/// The protocol that ALPN chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// One connection. Reads are buffered below TLS, because rustls alone takes a record of 16 KiB in pieces of 4 KiB.
pub(crate) type Stream = TlsStream<BufReader<TcpStream>>;

/// Bytes taken from a socket at once: two full TLS records.
const READ_BYTES: usize = 33 * 1024;

/// Resolves, connects and shakes hands, all within the connect time.
pub(crate) async fn connect(upstream: &Upstream) -> Result<(Stream, Protocol), UpstreamError> {
    tokio::time::timeout(upstream.times.connect, open(upstream)).await.map_err(|_| UpstreamError::ConnectTimeout)?
}

async fn open(upstream: &Upstream) -> Result<(Stream, Protocol), UpstreamError> {
    let mut failure = UpstreamError::Resolve;
    let addresses = tokio::net::lookup_host(upstream.address()).await.map_err(|_| UpstreamError::Resolve)?;
    for address in addresses {
        failure = UpstreamError::Connect;
        let Ok(socket) = TcpStream::connect(address).await else { continue };
        // A request is one write; Nagle would only hold it back.
        let _ = socket.set_nodelay(true);
        return shake_hands(upstream, socket).await;
    }
    Err(failure)
}

async fn shake_hands(upstream: &Upstream, socket: TcpStream) -> Result<(Stream, Protocol), UpstreamError> {
    let name: ServerName<'static> = upstream.server_name.clone();
    let connector = TlsConnector::from(upstream.tls.clone());
    let stream = connector.connect(name, BufReader::with_capacity(READ_BYTES, socket)).await.map_err(|error| {
        tracing::warn!(upstream.name = %upstream.name(), %error, "tls handshake with upstream failed");
        UpstreamError::Tls
    })?;
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    Ok((stream, protocol))
}
