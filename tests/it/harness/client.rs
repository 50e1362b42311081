//! A caller, and what came back.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;

use super::client_tls;

/// A caller with its headers.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub(super) ca: PathBuf,
    pub headers: Vec<(String, String)>,
    h2: bool,
}

/// What came back; an exchange that was cut has no text.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    /// Whether the body ended as its framing says.
    pub whole: bool,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The values of a header, joined.
    pub fn header(&self, name: &str) -> String {
        let values = self.headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
        values.collect::<Vec<_>>().join(", ")
    }
}

impl Client {
    pub fn new(address: SocketAddr, ca: &Path) -> Self {
        Self { address, ca: ca.to_path_buf(), headers: Vec::new(), h2: false }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same caller over HTTP/2.
    pub fn h2(mut self) -> Self {
        self.h2 = true;
        self
    }

    pub fn get(&self, target: &str) -> Answer {
        self.call(Method::GET, target, None)
    }

    pub fn send(&self, method: Method, target: &str, body: &Value) -> Answer {
        self.call(method, target, Some(body.to_string()))
    }

    pub fn call(&self, method: Method, target: &str, body: Option<String>) -> Answer {
        self.try_call(method, target, body).unwrap_or_else(|error| panic!("{target}: {error}"))
    }

    pub fn try_call(&self, method: Method, target: &str, body: Option<String>) -> Result<Answer, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.exchange(method, target, body)).map_err(|error| error.to_string())
    }

    /// The parts in which the body of an answer comes, each with when it came.
    pub fn parts(&self, method: Method, target: &str, body: Option<String>) -> Vec<(std::time::Instant, Bytes)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut body = self.open(method, target, body).await.unwrap().into_body();
            let mut parts = Vec::new();
            while let Some(frame) = body.frame().await {
                parts.push((std::time::Instant::now(), frame.unwrap().into_data().unwrap_or_default()));
            }
            parts
        })
    }

    pub async fn exchange(&self, method: Method, target: &str, body: Option<String>) -> Result<Answer, Failure> {
        let response = self.open(method, target, body).await?;
        let (head, mut body) = response.into_parts();
        let (mut bytes, mut whole) = (Vec::new(), true);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
        Ok(Answer { status: head.status, headers: head.headers, bytes: Bytes::from(bytes), whole })
    }

    async fn open(
        &self,
        method: Method,
        target: &str,
        body: Option<String>,
    ) -> Result<http::Response<hyper::body::Incoming>, Failure> {
        let stream = tokio::net::TcpStream::connect(self.address).await?;
        let name = rustls_pki_types::ServerName::try_from("localhost")?;
        let alpn: &[&[u8]] = if self.h2 { &[b"h2"] } else { &[b"http/1.1"] };
        let stream = tokio_rustls::TlsConnector::from(client_tls(&self.ca, alpn)).connect(name, stream).await?;
        let port = self.address.port();
        let uri = if self.h2 { format!("https://localhost:{port}{target}") } else { target.to_owned() };
        let mut request = Request::builder().method(method).uri(uri);
        if !self.h2 {
            request = request.header("host", format!("localhost:{port}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if body.is_some() && !self.headers.iter().any(|(name, _)| name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        Ok(if self.h2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        })
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;
