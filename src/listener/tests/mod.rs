//! A listener on loopback, a handler that says what it got, and clients that write raw bytes over real TLS.

mod certificates;
mod exchange;
mod limits;

use std::{path::Path, sync::Mutex, time::Duration};

use arc_swap::ArcSwap;
use http::StatusCode;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::{
    model::{ClientAuth, Protocol},
    tls::{self, CertificateFiles, ClientAuthMode, ClientSettings, MinVersion, ServerSettings, testing::Pki},
};

/// Says what it got; keeps what it was told.
#[derive(Clone, Default)]
struct Teller {
    told: Arc<Mutex<Vec<String>>>,
}

impl Handler for Teller {
    type Body = UnsyncBoxBody<Bytes, BodyError>;

    async fn call(&self, incoming: Incoming) -> Response<Self::Body> {
        let Incoming { peer, request, refusal } = incoming;
        let path = request.uri().path().to_owned();
        let (status, text) = match refusal {
            Some(refusal) => {
                assert!(request.headers().is_empty() && path == "/");
                (refusal.status, refusal.code.to_owned())
            }
            None => match path.as_str() {
                "/ignore" => (StatusCode::OK, "ignored".to_owned()),
                "/slow" => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    (StatusCode::OK, "slow".to_owned())
                }
                "/who" => (StatusCode::OK, who(&peer)),
                "/break" => {
                    let pause = Box::pin(tokio::time::sleep(Duration::from_millis(20)));
                    return Response::new(Broken { sent: false, pause }.boxed_unsync());
                }
                "/large" => {
                    let frames = std::iter::repeat_n(Bytes::from(vec![b'x'; 65_536]), 1_024);
                    let frames = frames.map(|chunk| Ok(http_body::Frame::data(chunk)));
                    return Response::new(Frames(frames).boxed_unsync());
                }
                _ => read(request).await,
            },
        };
        self.told.lock().unwrap().push(format!("{path} {} {text}", status.as_u16()));
        let body = http_body_util::Full::new(Bytes::from(text)).map_err(|never| match never {});
        Response::builder().status(status).body(body.boxed_unsync()).unwrap()
    }
}

async fn read(request: Request<hyper::body::Incoming>) -> (StatusCode, String) {
    let path = request.uri().path().to_owned();
    let (mut length, mut trailers, mut body) = (0, 0, request.into_body());
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                length += frame.data_ref().map_or(0, Bytes::len);
                trailers += frame.trailers_ref().map_or(0, http::HeaderMap::len);
            }
            Err(error) => {
                let code = body_fault(&error).map_or("gone", BodyFault::code);
                return (StatusCode::BAD_REQUEST, code.to_owned());
            }
        }
    }
    (StatusCode::OK, format!("{path} {length}+{trailers}"))
}

fn who(peer: &Peer) -> String {
    let protocol = if peer.protocol == Protocol::Http2 { "h2" } else { "h1" };
    let client = match &peer.client_auth {
        ClientAuth::Verified(certificate) => certificate.uris.join(","),
        ClientAuth::None(absence) => format!("{absence:?}"),
    };
    format!("{} {} {protocol} {} {client}", peer.listener, peer.sni.as_deref().unwrap_or("-"), peer.tls_version)
}

/// Frames as a body that is always ready.
struct Frames<I>(I);

type Frame = http_body::Frame<Bytes>;

impl<I: Iterator<Item = Result<Frame, BodyError>> + Unpin> http_body::Body for Frames<I> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame, BodyError>>> {
        std::task::Poll::Ready(self.0.next())
    }
}

/// A body that fails after its first frame went out.
struct Broken {
    sent: bool,
    pause: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame, BodyError>>> {
        if !std::mem::replace(&mut self.sent, true) {
            return std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"half")))));
        }
        self.pause.as_mut().poll(cx).map(|()| Some(Err("broken".into())))
    }
}

/// What a test may choose.
struct Options {
    limits: Limits,
    certificates: Vec<CertificateFiles>,
    client_auth: ClientAuthMode,
    min_version: MinVersion,
}

struct Server {
    address: std::net::SocketAddr,
    told: Arc<Mutex<Vec<String>>>,
    wire: Arc<Wire>,
    drain: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

fn options(pki: &Pki) -> Options {
    Options {
        limits: LimitSettings::default().limits("l").unwrap(),
        certificates: vec![pki.server("server", &["localhost", "127.0.0.1"])],
        client_auth: ClientAuthMode::None,
        min_version: MinVersion::Tls12,
    }
}

fn start(pki: &Pki, options: Options) -> Server {
    let settings = ServerSettings {
        certificates: options.certificates,
        client_auth: options.client_auth,
        client_ca: (options.client_auth != ClientAuthMode::None).then(|| "ca.pem".into()),
        min_version: options.min_version,
    };
    let tls = tls::server_config(&settings, &pki.resolve(), "listener.tls").unwrap();
    let wire = Arc::new(Wire::new("main".into()));
    let settings = Settings {
        name: "main".into(),
        tls: Arc::new(ArcSwap::new(tls)),
        limits: Arc::new(ArcSwap::from_pointee(options.limits)),
        wire: Arc::clone(&wire),
    };
    let listener = bind("127.0.0.1:0".parse().unwrap(), true).unwrap();
    let address = listener.local_addr().unwrap();
    let (drain, shutdown) = watch::channel(false);
    let handler = Teller::default();
    let told = Arc::clone(&handler.told);
    let task = tokio::spawn(serve(listener, settings, handler, shutdown));
    Server { address, told, wire, drain, task }
}

type Client = TlsStream<TcpStream>;

impl Server {
    async fn connect_as(&self, config: Arc<ClientConfig>, name: &'static str) -> std::io::Result<Client> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        TlsConnector::from(config).connect(ServerName::try_from(name).unwrap(), socket).await
    }

    async fn connect(&self, pki: &Pki) -> Client {
        self.connect_as(pki.connector(None, false), "localhost").await.unwrap()
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

/// Everything until the server closes.
async fn rest(client: &mut Client) -> String {
    let mut bytes = Vec::new();
    // A reset after the close_notify does not matter here.
    let _ = client.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends one request on a kept connection and reads a response with `Content-Length`.
async fn ask(client: &mut Client, request: &str) -> String {
    client.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    loop {
        let mut buffer = [0; 4096];
        let count = client.read(&mut buffer).await.unwrap();
        assert!(count > 0, "closed after {response:?}");
        response.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        if let Some((head, body)) = response.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.is_some_and(|length| body.len() >= length.parse().unwrap()) {
                return response;
            }
        }
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}
