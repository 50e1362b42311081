//! A CRM of one function: what it is asked in, what it answers out.

use std::{
    convert::Infallible,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

/// A request as the CRM got it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    pub target: String,
    pub headers: HeaderMap,
    pub body: String,
    /// The body, where it is more than text.
    pub bytes: Bytes,
}

/// Status, media type and body.
pub type Told = (u16, String, Vec<u8>);

type Answerer = dyn Fn(&Asked) -> Told + Send + Sync;

/// The CRM.
pub struct Fake {
    answer: Box<Answerer>,
    coding: Mutex<Option<&'static str>>,
    received: Mutex<Vec<Asked>>,
}

/// Bytes of a request.
const MAX_REQUEST: usize = 64 << 20;

impl Fake {
    pub fn new(answer: impl Fn(&Asked) -> Told + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), coding: Mutex::default(), received: Mutex::default() })
    }

    /// From now on its answers say that they are in this content coding.
    pub fn codes(&self, coding: &'static str) {
        *self.coding.lock().unwrap() = Some(coding);
    }

    /// What it was asked since the last call.
    pub fn received(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.received.lock().unwrap())
    }

    /// Serves until the process ends.
    pub(super) fn serve(self: Arc<Self>, socket: TcpListener, tls: Arc<ServerConfig>) {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                socket.set_nonblocking(true).unwrap();
                let socket = tokio::net::TcpListener::from_std(socket).unwrap();
                // The answers are written as HTTP/1.1.
                let mut tls = (*tls).clone();
                tls.alpn_protocols = vec![b"http/1.1".to_vec()];
                let acceptor = TlsAcceptor::from(Arc::new(tls));
                while let Ok((stream, _)) = socket.accept().await {
                    let (fake, acceptor) = (Arc::clone(&self), acceptor.clone());
                    tokio::spawn(async move {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        let service = service_fn(|request| fake.handle(request));
                        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                    });
                }
            });
        });
    }

    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        #[expect(clippy::disallowed_methods, reason = "bounded by `Limited`")]
        let body = Limited::new(body, MAX_REQUEST).collect().await.unwrap().to_bytes();
        let asked = Asked {
            method: head.method,
            target: head.uri.path_and_query().unwrap().to_string(),
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
            bytes: body,
        };
        let (status, media, body) = (self.answer)(&asked);
        self.received.lock().unwrap().push(asked);
        let mut response = Response::builder().status(status);
        if !media.is_empty() {
            response = response.header("content-type", media);
        }
        if let Some(coding) = *self.coding.lock().unwrap() {
            response = response.header("content-encoding", coding);
        }
        Ok(response.body(Full::new(Bytes::from(body))).unwrap())
    }
}
