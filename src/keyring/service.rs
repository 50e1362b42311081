//! One bounded HTTPS exchange with a key service: JSON out, JSON in. It runs on a thread of its own, so that it may be
//! called from inside and outside of a runtime.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use zeroize::Zeroizing;

use super::provider::KekError;
use crate::{crypto::Krk, tls};

/// An answer at most, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// One exchange at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// A service and how it is trusted.
#[derive(Debug, Clone)]
pub(super) struct Service {
    uri: Uri,
    ca: Option<PathBuf>,
}

impl Service {
    /// The service at `url`: https, or http on loopback.
    pub(super) fn new(url: &str, ca: Option<&Path>) -> Result<Self, KekError> {
        let uri: Uri = url.parse().map_err(|_| KekError::Unreachable("its address is not a URL".into()))?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        match uri.scheme_str() {
            Some("https") if !host.is_empty() => {}
            Some("http") if loopback => {}
            _ => return Err(KekError::Unreachable("its address has to start with https (http on loopback)".into())),
        }
        Ok(Self { uri, ca: ca.map(Path::to_path_buf) })
    }

    /// The host and port as the request names them.
    pub(super) fn host(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Posts `body` to `path`; the answer is given for any status of success.
    pub(super) fn post(&self, path: &str, headers: HeaderMap, body: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, KekError> {
        let work = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| KekError::Unreachable(error.to_string()))?;
            let done = runtime.block_on(async {
                // Made in here: a timer needs the runtime around it.
                tokio::time::timeout(PATIENCE, self.exchange(path, headers, body)).await
            });
            done.unwrap_or_else(|_| Err(KekError::Unreachable("not within ten seconds".into())))
        };
        std::thread::scope(|scope| scope.spawn(work).join())
            .unwrap_or_else(|_| Err(KekError::Unreachable("the exchange broke off".into())))
    }

    async fn exchange(&self, path: &str, headers: HeaderMap, body: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, KekError> {
        let host = self.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let secure = self.uri.scheme_str() == Some("https");
        let port = self.uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await.map_err(unreachable)?;
        if !secure {
            return self.send(stream, path, headers, body).await;
        }
        let settings = tls::ClientSettings { ca: self.ca.clone(), ..tls::ClientSettings::default() };
        let config = tls::client_config(&settings, &Path::to_path_buf, "keys.kek")
            .map_err(|_| KekError::Unreachable("its root certificates cannot be read".into()))?;
        let name = tls::server_name(host).ok_or(KekError::Unreachable("its host is not a name".into()))?;
        let stream = tokio_rustls::TlsConnector::from(Arc::clone(&config)).connect(name, stream).await;
        self.send(stream.map_err(unreachable)?, path, headers, body).await
    }

    async fn send<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        path: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, KekError> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
        let connection = tokio::spawn(connection);
        let mut request = Request::post(path).body(Full::new(Bytes::from(body))).map_err(unreachable)?;
        *request.headers_mut() = headers;
        request.headers_mut().insert(header::HOST, self.host().parse().map_err(unreachable)?);
        let response = sender.send_request(request).await.map_err(unreachable)?;
        let status = response.status();
        #[expect(clippy::disallowed_methods, reason = "bounded by `Limited`")]
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        connection.abort();
        let body = body.map_err(|_| KekError::Unreachable("its answer is too long or broke off".into()))?;
        let body = Zeroizing::new(body.to_bytes().to_vec());
        if status.is_success() { Ok(body) } else { Err(KekError::Refused(refusal(status.as_u16(), &body))) }
    }
}

fn unreachable(error: impl std::fmt::Display) -> KekError {
    KekError::Unreachable(error.to_string())
}

/// The status, and the type of the error where the service names one (AWS: `__type`). Messages are not repeated.
fn refusal(status: u16, body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Named {
        __type: String,
    }
    let named: Option<Named> = serde_json::from_slice(body).ok();
    let plain = |text: &str| text.len() <= 80 && text.bytes().all(|c| c.is_ascii_alphanumeric() || b".#".contains(&c));
    match named.filter(|named| plain(&named.__type)) {
        Some(named) => format!("status {status} ({})", named.__type),
        None => format!("status {status}"),
    }
}

/// The root out of the 32 bytes that the service gave back.
pub(super) fn root(bytes: &[u8]) -> Result<Krk, KekError> {
    Ok(Krk::from_bytes(Zeroizing::new(bytes.try_into().map_err(|_| KekError::Wrong)?)))
}

#[cfg(test)]
pub(super) mod testing {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread::JoinHandle,
    };

    /// A request as it came over the wire.
    pub(crate) struct Received {
        pub(crate) head: String,
        pub(crate) body: serde_json::Value,
        pub(crate) raw: Vec<u8>,
    }

    impl Received {
        pub(crate) fn header(&self, name: &str) -> &str {
            let of = |line: &'_ str| line.split_once(": ").is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
            self.head.lines().find(|line| of(line)).and_then(|line| line.split_once(": ")).map_or("", |(_, v)| v)
        }
    }

    /// Serves `count` requests on loopback with `answer`: status and JSON.
    pub(crate) fn stub(
        count: usize,
        answer: impl Fn(&Received) -> (u16, String) + Send + 'static,
    ) -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serve = move || {
            for _ in 0..count {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
                let received = loop {
                    let read = stream.read(&mut piece).unwrap();
                    bytes.extend_from_slice(&piece[..read]);
                    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
                    let raw = bytes[end + 4..].to_vec();
                    let body = serde_json::from_slice(&raw).unwrap_or_default();
                    let received = Received { head, body, raw };
                    if received.raw.len() >= received.header("content-length").parse().unwrap_or(0) {
                        break received;
                    }
                };
                let (status, text) = answer(&received);
                let length = text.len();
                write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{text}").unwrap();
            }
        };
        (url, std::thread::spawn(serve))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_reached_over_https_or_loopback_only() {
        for url in ["http://vault.example.com", "ftp://localhost", "nothing", "https://", "/x"] {
            assert!(matches!(Service::new(url, None), Err(KekError::Unreachable(_))), "{url}");
        }
        for url in ["https://vault.example.com:8200", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"] {
            assert!(Service::new(url, None).is_ok(), "{url}");
        }
    }

    #[test]
    fn an_answer_is_read_up_to_its_limit() {
        for (bytes, fits) in [(MAX_ANSWER_BYTES, true), (MAX_ANSWER_BYTES + 1, false)] {
            let (url, served) = testing::stub(1, move |_| (200, "x".repeat(bytes)));
            let answer = Service::new(&url, None).unwrap().post("/", HeaderMap::new(), Vec::new());
            assert_eq!(answer.is_ok(), fits, "{bytes}");
            served.join().unwrap();
        }
    }

    #[test]
    fn a_refusal_names_status_and_type_and_nothing_else() {
        let text = r#"{"__type":"AccessDeniedException","message":"User x may not"}"#;
        let (url, served) = testing::stub(1, move |_| (400, text.into()));
        let refused = Service::new(&url, None).unwrap().post("/", HeaderMap::new(), Vec::new()).unwrap_err();
        assert_eq!(refused, KekError::Refused("status 400 (AccessDeniedException)".into()));
        served.join().unwrap();
        let closed = Service::new(&url, None).unwrap().post("/", HeaderMap::new(), Vec::new());
        assert!(matches!(closed, Err(KekError::Unreachable(_))));
    }
}
