//! CRMs on loopback: one that answers HTTP/1.1 by script, one that speaks HTTP/2.

use std::{collections::VecDeque, net::SocketAddr, sync::Mutex};

use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::super::*;
use crate::{
    tls::{self, ClientAuthMode, MinVersion, ServerSettings, testing::Pki},
    upstream::Settings,
};

/// What a connection does when a request head has come.
#[derive(Clone, Copy)]
pub(super) enum Reply {
    /// Answers and stays.
    Say(&'static str),
    /// Answers and closes.
    Last(&'static str),
    /// Answers, and closes later without a word, when the test says so.
    Die(&'static str),
    /// Answers and closes at once without a word.
    Drop(&'static str),
    /// Closes without an answer.
    Hang,
    /// Never answers.
    Silent,
}

/// What a CRM saw: one entry per request, `connection: request line + body`.
pub(super) type Seen = Arc<Mutex<Vec<String>>>;

pub(super) struct Crm {
    pub(super) address: SocketAddr,
    pub(super) seen: Seen,
    pub(super) die: Arc<Notify>,
    pub(super) _task: JoinHandle<()>,
}

/// What the connections of a CRM share.
#[derive(Clone, Default)]
pub(super) struct Told {
    pub(super) seen: Seen,
    pub(super) die: Arc<Notify>,
}

/// Each connection follows its own script.
pub(super) async fn crm(pki: &Pki, scripts: Vec<Vec<Reply>>) -> Crm {
    let settings = ServerSettings {
        certificates: vec![pki.server("crm", &["localhost", "crm.internal"])],
        client_auth: ClientAuthMode::None,
        client_ca: None,
        min_version: MinVersion::Tls12,
    };
    let tls = tls::server_config(&settings, &pki.resolve(), "crm").unwrap();
    let mut config = (*tls.config).clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let told = Told::default();
    let (seen, die) = (Arc::clone(&told.seen), Arc::clone(&told.die));
    let mut scripts: VecDeque<_> = scripts.into();
    let task = tokio::spawn(async move {
        let mut number = 0;
        while let Ok((socket, _)) = listener.accept().await {
            let script = scripts.pop_front().unwrap_or_default();
            let (acceptor, told) = (acceptor.clone(), told.clone());
            number += 1;
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(socket).await {
                    follow(stream, number, script, told).await;
                }
            });
        }
    });
    Crm { address, seen, die, _task: task }
}

/// The same on a thread of its own, which ends with the process.
pub(super) fn crm_apart(pki: &Arc<Pki>, scripts: Vec<Vec<Reply>>) -> Crm {
    let (send, receive) = std::sync::mpsc::channel();
    let pki = Arc::clone(pki);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            send.send(crm(&pki, scripts).await).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receive.recv().unwrap()
}

async fn follow(mut stream: TlsStream<TcpStream>, number: usize, script: Vec<Reply>, crm: Told) {
    for reply in script {
        let Some(request) = request(&mut stream).await else { return };
        crm.seen.lock().unwrap().push(format!("{number}: {request}"));
        match reply {
            Reply::Say(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Reply::Last(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                let _ = stream.shutdown().await;
                return;
            }
            Reply::Die(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                crm.die.notified().await;
                return;
            }
            Reply::Drop(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                return;
            }
            Reply::Hang => return,
            Reply::Silent => std::future::pending().await,
        }
    }
    // Keeps the connection until the other side closes it.
    let closed = stream.read(&mut [0; 64]).await;
    crm.seen.lock().unwrap().push(format!("{number}: closed {}", closed.is_ok_and(|count| count == 0)));
}

async fn request(stream: &mut TlsStream<TcpStream>) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(format!("{} [{body}]", head.lines().next().unwrap()));
            }
        }
    }
}

pub(crate) fn settings(address: SocketAddr) -> Settings {
    Settings {
        name: "crm".into(),
        url: format!("https://localhost:{}", address.port()),
        map: "map.toml".into(),
        ca: Some("ca.pem".into()),
        client_certificate: None,
        client_key: None,
        server_name: None,
        http2: false,
        aliases: vec![],
        credential_header: None,
        credential_file: None,
        pass_authorization: false,
        pass_cookies: false,
        idle_seconds: 60,
        lifetime_seconds: 600,
        connect_seconds: 5,
        response_seconds: 60,
        read_seconds: 60,
        max_connections: 4,
    }
}

/// A CRM that speaks HTTP/2 and answers with what it was asked; counts its connections.
pub(super) async fn multiplexing_crm(pki: &Pki) -> (SocketAddr, Arc<Mutex<usize>>) {
    let settings = ServerSettings {
        certificates: vec![pki.server("crm", &["localhost"])],
        client_auth: ClientAuthMode::None,
        client_ca: None,
        min_version: MinVersion::Tls12,
    };
    let tls = tls::server_config(&settings, &pki.resolve(), "crm").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            *counted.lock().unwrap() += 1;
            let stream = TlsAcceptor::from(Arc::clone(&tls.config)).accept(socket).await.unwrap();
            let service = hyper::service::service_fn(|request: Request<Incoming>| async move {
                let host = request.headers().contains_key(header::HOST);
                let text = format!("{:?} {} host={host}", request.version(), request.uri());
                Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(text))))
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, connections)
}
