//! A small HTTPS client for the demo: one connection per call, answers in bounded memory.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::cli::Failure;

/// One answer at most, in bytes.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// One call to make.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Call {
    pub(super) fn get(target: impl Into<String>) -> Self {
        Self { method: Method::GET, target: target.into(), headers: Vec::new(), body: None }
    }

    pub(super) fn send(method: Method, target: impl Into<String>, body: Value) -> Self {
        Self { method, target: target.into(), headers: Vec::new(), body: Some(body) }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Answer {
    /// The JSON; `null` when it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// Where calls go.
pub(super) struct Caller {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl Caller {
    pub(super) fn new(address: SocketAddr, tls: Arc<ClientConfig>) -> Self {
        Self { address, tls }
    }

    /// Makes `call` as `localhost`.
    pub(super) async fn call(&self, call: &Call) -> Result<Answer, Failure> {
        self.exchange(call).await.map_err(|error| {
            Failure::system(format!("{} {}: {error}", call.method, call.target), "see the messages above")
        })
    }

    async fn exchange(&self, call: &Call) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost")?;
        let stream = tokio_rustls::TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder().method(&call.method).uri(&call.target);
        request = request.header(header::HOST, format!("localhost:{}", self.address.port()));
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let body = match &call.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        let (head, body) = sender.send_request(request.body(Full::new(body))?).await?.into_parts();
        #[expect(clippy::disallowed_methods, reason = "bounded by `Limited`")]
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?.to_bytes();
        connection.abort();
        Ok(Answer { status: head.status, headers: head.headers, text: String::from_utf8(body.to_vec())? })
    }
}
