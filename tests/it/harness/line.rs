//! A caller whose connection is kept: many requests, one handshake.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;

use super::{Answer, Client, client_tls};

/// Bytes of an answer.
const MAX_ANSWER: usize = 16 << 20;

/// A caller and its connection (HTTP/1.1).
pub struct Line {
    client: Client,
    runtime: Runtime,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Line {
    pub fn new(client: Client) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { client, runtime, sender: None }
    }

    /// One exchange; a connection that the other side ended is made anew before it.
    pub fn call(&mut self, method: Method, target: &str, body: &str) -> Answer {
        self.call_as("application/json", method, target, body)
    }

    /// The same with a body of another media type.
    pub fn call_as(&mut self, media: &str, method: Method, target: &str, body: &str) -> Answer {
        let Self { client, runtime, sender } = self;
        runtime.block_on(async {
            let open = match sender {
                Some(open) => open.ready().await.is_ok(),
                None => false,
            };
            if !open {
                *sender = Some(connect(client).await);
            }
            let mut request = Request::builder()
                .method(method)
                .uri(target)
                .header("host", format!("localhost:{}", client.address.port()));
            for (name, value) in &client.headers {
                request = request.header(name, value);
            }
            if !body.is_empty() {
                request = request.header("content-type", media);
            }
            let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
            let response = sender.as_mut().unwrap().send_request(request).await;
            let (head, body) = response.unwrap_or_else(|error| panic!("{target}: {error}")).into_parts();
            #[expect(clippy::disallowed_methods, reason = "bounded by `Limited`")]
            let bytes = Limited::new(body, MAX_ANSWER)
                .collect()
                .await
                .unwrap_or_else(|error| panic!("{target}: {error}"))
                .to_bytes();
            Answer { status: head.status, headers: head.headers, bytes, whole: true }
        })
    }
}

async fn connect(client: &Client) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(client.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(client_tls(&client.ca, &[b"http/1.1"]));
    let stream = connector.connect(name, stream).await.unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}
