//! TLS in, hyper in the middle, [`super::api`] behind it: reads requests, records them, and plays the answers with their quirks.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HOST, IF_NONE_MATCH, TRAILER, VARY};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::call::Call;
use super::coding::{Coding, Encoder, encode};
use super::export::Export;
use super::quirk::Quirk;
use super::received::Received;
use super::reply::{Content, Failure, Reply};
use super::sheet::Sheet;
use super::wire::{AnswerBody, Orders, Piece, Wire};
use super::{Crm, api};

/// Serves `crm` over TLS (HTTP/2 when ALPN chooses `h2`, HTTP/1.1 otherwise) until `shutdown` turns true or its sender goes.
///
/// Runs on any tokio runtime with time and I/O; requests in flight get five seconds to end.
///
/// # Errors
/// When `listener` cannot be used by the runtime. Errors of single connections end those only.
pub async fn serve(
    listener: std::net::TcpListener,
    tls: Arc<ServerConfig>,
    crm: Arc<Crm>,
    mut shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let acceptor = TlsAcceptor::from(tls);
    let mut connections = JoinSet::new();
    let stopping = shutdown.clone();
    let mut stopped = pin!(stopped(&mut shutdown));
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, acceptor.clone(), crm.clone(), stopping.clone()));
                }
                // Out of file descriptors, say: wait for some to come back.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    // What is still running after the time is dropped with the set.
    tokio::time::timeout(DRAIN, drained).await.ok();
    Ok(())
}

/// Returns when `shutdown` is true or its sender is gone; holds no lock of the channel afterwards.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    shutdown.wait_for(|stop| *stop).await.ok();
}

/// One connection from handshake to close; its errors are the peer's business.
async fn connection(stream: TcpStream, acceptor: TlsAcceptor, crm: Arc<Crm>, mut shutdown: watch::Receiver<bool>) {
    stream.set_nodelay(true).ok();
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let orders = Arc::new(Orders::default());
    let service = {
        let orders = orders.clone();
        service_fn(move |request| {
            let (crm, orders) = (crm.clone(), orders.clone());
            Box::pin(async move { Ok::<_, Infallible>(handle(&crm, request, orders).await) })
        })
    };
    let io = TokioIo::new(Wire::new(stream, orders.clone()));
    let mut stopped = pin!(stopped(&mut shutdown));
    if h2 {
        let mut connection =
            pin!(http2::Builder::new(TokioExecutor::new()).timer(TokioTimer::new()).serve_connection(io, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = &mut stopped => connection.as_mut().graceful_shutdown(),
        }
        connection.await.ok();
        return;
    }
    let mut connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(io, service);
    let running = tokio::select! {
        _ = poll_fn(|cx| connection.poll_without_shutdown(cx)) => false,
        _ = &mut stopped => true,
    };
    if running {
        Pin::new(&mut connection).graceful_shutdown();
        poll_fn(|cx| connection.poll_without_shutdown(cx)).await.ok();
    }
    // Closed here and not by hyper, so that a truncated answer ends with a proper TLS close: only its length is wrong.
    let mut io = connection.into_parts().io.into_inner();
    if !orders.is_reset() {
        tokio::time::timeout(HANDSHAKE, io.shutdown()).await.ok();
    }
}

async fn handle(crm: &Crm, request: Request<Incoming>, orders: Arc<Orders>) -> Response<AnswerBody> {
    let (mut head, body) = request.into_parts();
    if let (false, Some(authority)) = (head.headers.contains_key(HOST), head.uri.authority()) {
        head.headers.extend(HeaderValue::from_str(authority.as_str()).map(|host| (HOST, host)));
    }
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let body = read(body).await;
    let received = Received {
        method: head.method.clone(),
        target: target.clone(),
        headers: head.headers.clone(),
        body: body.clone().unwrap_or_default(),
    };
    crm.log().push(received);
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let origin = crm.public_origin.clone().unwrap_or_else(|| format!("https://{host}"));
    let without_body = head.method == Method::HEAD;
    let method = if without_body { Method::GET } else { head.method };
    let too_large = body.is_none();
    let call = Call { method, target, headers: head.headers, body: body.unwrap_or_default(), origin };
    let (reply, quirks) = match Quirk::wanted(&call) {
        _ if too_large => (Failure::too_large(MAX_BODY).reply(), Vec::new()),
        Ok(quirks) => (api::answer(crm, &call), quirks),
        Err(name) => (Failure::bad_request(format!("no quirk named {name}"), json!({})).reply(), Vec::new()),
    };
    let answer = Answer { crm, call: &call, quirks: &quirks, without_body, version: head.version, orders };
    answer.build(reply).unwrap_or_else(|_| {
        let mut failed = Response::new(AnswerBody::new(VecDeque::new(), Arc::default()));
        *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}

/// The body; nothing when it is larger than [`MAX_BODY`] or breaks off.
async fn read(mut body: Incoming) -> Option<Bytes> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            if all.len() + data.len() > MAX_BODY {
                return None;
            }
            all.extend_from_slice(&data);
        }
    }
    Some(all.freeze())
}

/// Everything that decides how a reply goes on the wire.
struct Answer<'a> {
    crm: &'a Crm,
    call: &'a Call,
    quirks: &'a [Quirk],
    without_body: bool,
    version: Version,
    orders: Arc<Orders>,
}

impl Answer<'_> {
    fn build(self, mut reply: Reply) -> io::Result<Response<AnswerBody>> {
        if self.call.method == Method::GET && reply.status == StatusCode::OK {
            reply.tag();
            if self.quirks.is_empty() && self.unchanged(&reply) {
                reply.status = StatusCode::NOT_MODIFIED;
                reply.body = Content::Whole(Vec::new());
            }
        }
        for quirk in self.quirks {
            quirk.apply(self.call, &mut reply);
        }
        if self.has(Quirk::EarlyHints) && self.version == Version::HTTP_11 {
            let hints = b"HTTP/1.1 103 Early Hints\r\nlink: </api/v1/style.css>; rel=preload\r\n\r\n";
            self.orders.send_first(hints.to_vec());
        }
        let mut headers = std::mem::take(&mut reply.headers);
        headers.insert(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
        let coding = self.coding();
        if let Some(name) = coding.name() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        let body = match reply.body {
            Content::Whole(body) => self.whole(reply.status, body, coding, &mut headers)?,
            Content::Export(sheet, count) => self.export(sheet, count, coding)?,
        };
        let mut response = Response::new(body);
        *response.status_mut() = reply.status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    fn whole(
        &self,
        status: StatusCode,
        body: Vec<u8>,
        coding: Coding,
        headers: &mut HeaderMap,
    ) -> io::Result<AnswerBody> {
        if body.is_empty() {
            headers.remove(CONTENT_ENCODING);
            if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
            }
            return Ok(AnswerBody::new(VecDeque::new(), self.orders.clone()));
        }
        let body = if self.has(Quirk::GzipTwice) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip, gzip"));
            encode(Coding::Gzip, encode(Coding::Gzip, body)?)?
        } else if self.has(Quirk::UnknownCoding) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("x-zap"));
            body
        } else {
            encode(coding, body)?
        };
        if self.has(Quirk::Trailers) {
            headers.insert(TRAILER, HeaderValue::from_static("x-sandbox-length"));
        } else {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let pieces = if self.without_body { VecDeque::new() } else { self.pieces(body.into()) };
        Ok(AnswerBody::new(pieces, self.orders.clone()))
    }

    /// The order of events of a whole body.
    fn pieces(&self, mut body: Bytes) -> VecDeque<Piece> {
        let length = body.len();
        if self.has(Quirk::Truncated) || self.has(Quirk::Reset) {
            body.truncate(length / 2);
        }
        let step = if self.has(Quirk::Slow) { length.div_ceil(SLOW_PIECES).max(1) } else { length.max(1) };
        let mut pieces = VecDeque::new();
        while !body.is_empty() {
            if !pieces.is_empty() {
                pieces.push_back(Piece::Pause(SLOW_PAUSE));
            }
            pieces.push_back(Piece::Data(body.split_to(step.min(body.len()))));
        }
        self.end(&mut pieces, length);
        pieces
    }

    /// How the body ends: before a break there is a pause, so that what was sent so far has left.
    fn end(&self, pieces: &mut VecDeque<Piece>, length: usize) {
        if self.has(Quirk::Reset) {
            pieces.extend([Piece::Pause(SLOW_PAUSE), Piece::Break { reset: true }]);
        } else if self.has(Quirk::Truncated) {
            pieces.push_back(Piece::Pause(SLOW_PAUSE));
        } else if self.has(Quirk::Trailers) {
            let length = HeaderValue::from(length);
            pieces.push_back(Piece::Trailers(HeaderMap::from_iter([(TRAILER_NAME, length)])));
        }
    }

    fn export(&self, sheet: Sheet, count: u64, coding: Coding) -> io::Result<AnswerBody> {
        let mut pieces = VecDeque::new();
        if self.has(Quirk::Slow) {
            let mut export = Export::new(self.call, sheet, &self.crm.store().records.customers, count);
            let all: Vec<u8> = std::iter::from_fn(|| export.chunk()).flatten().collect();
            return Ok(AnswerBody::new(self.pieces(encode(coding, all)?.into()), self.orders.clone()));
        }
        if self.without_body {
            return Ok(AnswerBody::new(pieces, self.orders.clone()));
        }
        self.end(&mut pieces, 0);
        let broken = self.has(Quirk::Reset) || self.has(Quirk::Truncated);
        if self.has(Quirk::Truncated) {
            // There is no length to fall short of: the chunked body ends without its last chunk.
            pieces.push_back(Piece::Break { reset: false });
        }
        let export = Export::new(self.call, sheet, &self.crm.store().records.customers, count);
        let body = AnswerBody::new(pieces, self.orders.clone());
        Ok(body.with_export(export, Encoder::new(coding)?, broken.then_some(1)))
    }

    fn coding(&self) -> Coding {
        let forced = self.call.header("x-sandbox-coding").and_then(Coding::named);
        forced.unwrap_or_else(|| Coding::accepted(self.call.header("accept-encoding").unwrap_or_default()))
    }

    /// Whether the client has this body already (weak comparison, RFC 9110 §13.1.2).
    fn unchanged(&self, reply: &Reply) -> bool {
        let own = reply.headers.get(ETAG).and_then(|tag| tag.to_str().ok());
        let own = own.map(|tag| tag.trim_start_matches("W/"));
        let mut held = self.call.headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        own.is_some_and(|own| {
            held.any(|list| list.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == own))
        })
    }

    fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}

/// How long requests in flight may take after shutdown began.
const DRAIN: Duration = Duration::from_secs(5);
/// How long a handshake and a close may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Bytes of a request body.
pub(super) const MAX_BODY: usize = 8 << 20;
/// Pieces of a slow body, and the time between two pieces.
const SLOW_PIECES: usize = 6;
const SLOW_PAUSE: Duration = Duration::from_millis(40);
const TRAILER_NAME: http::HeaderName = http::HeaderName::from_static("x-sandbox-length");
