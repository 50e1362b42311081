//! The connections of one worker to one CRM.
//!
//! An HTTP/1.1 connection serves one exchange at a time and rests in between; an HTTP/2 connection is shared. A permit
//! per exchange bounds both. A request is sent again only when a rested connection turned out to be closed before a byte
//! of the request was written, and only once.

use std::{
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version, header};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{
    Body, Upstream, UpstreamError,
    body::Release,
    connect::{Protocol, connect},
};
use crate::policy::Permit;

/// A pool; clones share their connections. `B` is the body of the requests.
#[derive(Debug)]
pub struct Pool<B> {
    shared: Arc<Shared<B>>,
}

impl<B> Clone for Pool<B> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

#[derive(Debug)]
struct Shared<B> {
    upstream: Arc<Upstream>,
    exchanges: Arc<Semaphore>,
    connections: Mutex<Connections<B>>,
}

#[derive(Debug)]
struct Connections<B> {
    /// Rested HTTP/1.1 connections, the one used last at the end.
    rested: Vec<Rested<B>>,
    multiplexed: Option<Multiplexed<B>>,
    has_reaper: bool,
}

#[derive(Debug)]
struct Rested<B> {
    sender: http1::SendRequest<B>,
    born: Instant,
    since: Instant,
}

#[derive(Debug)]
struct Multiplexed<B> {
    sender: http2::SendRequest<B>,
    born: Instant,
    used: Instant,
}

/// A connection that an exchange holds.
#[derive(Debug)]
struct Lease<B> {
    sender: Sender<B>,
    born: Instant,
    shared: Arc<Shared<B>>,
    permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Sender<B> {
    Http1(http1::SendRequest<B>),
    Http2(http2::SendRequest<B>),
}

impl<B> Pool<B>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// An empty pool for `upstream`.
    #[must_use]
    pub fn new(upstream: Arc<Upstream>) -> Self {
        let connections = Connections { rested: Vec::new(), multiplexed: None, has_reaper: false };
        let exchanges = Arc::new(Semaphore::new(upstream.max_connections));
        Self { shared: Arc::new(Shared { upstream, exchanges, connections: Mutex::new(connections) }) }
    }

    /// The CRM behind the pool.
    #[must_use]
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.shared.upstream
    }

    /// Sends `request`, whose URI came from [`Upstream::uri`] and whose headers from
    /// [`super::headers::prepare_request`]; returns the final response. Informational ones (RFC 9110 §15.2) are dropped,
    /// 101 is refused.
    ///
    /// # Errors
    /// When there is no connection, no response, or one that is not valid HTTP.
    pub async fn send(&self, _permit: &Permit, request: Request<B>) -> Result<Response<Body>, UpstreamError> {
        self.exchange(request).await
    }

    async fn exchange(&self, mut request: Request<B>) -> Result<Response<Body>, UpstreamError> {
        let permit = self.permit().await?;
        let times = self.shared.upstream.times;
        let (mut lease, mut is_fresh) = match self.awake().await {
            Some((sender, born)) => (self.lease(sender, born, permit), false),
            None => (Box::pin(self.open(permit)).await?, true),
        };
        let response = loop {
            adapt(&mut request, &lease.sender, &self.shared.upstream);
            let sent = tokio::time::timeout(times.response, lease.sender.send(request)).await;
            match sent.map_err(|_| UpstreamError::ResponseTimeout)? {
                Ok(response) => break response,
                Err(mut failed) => {
                    let unsent = failed.take_message();
                    match unsent {
                        // Given back whole: not a byte of it was written.
                        Some(unsent) if !is_fresh => {
                            request = unsent;
                            is_fresh = true;
                            lease = Box::pin(self.open(lease.permit)).await?;
                        }
                        _ => return Err(failure(failed.error())),
                    }
                }
            }
        };
        check(response.status(), response.headers())?;
        Ok(response.map(|body| Body::new(body, Box::new(lease), times.read)))
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, UpstreamError> {
        let exchanges = Arc::clone(&self.shared.exchanges);
        if let Ok(permit) = Arc::clone(&exchanges).try_acquire_owned() {
            return Ok(permit);
        }
        match tokio::time::timeout(self.shared.upstream.times.connect, exchanges.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(UpstreamError::Busy),
        }
    }

    /// A rested connection that is not known to be closed.
    ///
    /// One that rested for a while may have been closed by the CRM without its task having run since. Yielding lets the
    /// runtime look at the sockets once, which is cheaper than a request that fails.
    async fn awake(&self) -> Option<(Sender<B>, Instant)> {
        loop {
            let (sender, born, since) = self.rested()?;
            if since.elapsed() < self.shared.upstream.times.stale {
                return Some((sender, born));
            }
            tokio::task::yield_now().await;
            if !sender.is_closed() {
                return Some((sender, born));
            }
        }
    }

    /// A usable connection that is open already: when it was made, and since when it rests.
    fn rested(&self) -> Option<(Sender<B>, Instant, Instant)> {
        let now = Instant::now();
        let times = self.shared.upstream.times;
        let mut connections = self.shared.lock();
        if let Some(multiplexed) = &mut connections.multiplexed {
            if multiplexed.sender.is_closed() || now - multiplexed.born >= times.lifetime {
                connections.multiplexed = None;
            } else {
                let since = std::mem::replace(&mut multiplexed.used, now);
                return Some((Sender::Http2(multiplexed.sender.clone()), multiplexed.born, since));
            }
        }
        connections.sweep(now, times.idle, times.lifetime);
        // The one used last is the least likely to be closed by the other side. One that is still sending the rest of
        // a request nobody waits for is not ready.
        if let Some(index) = connections.rested.iter().rposition(|rested| rested.sender.is_ready()) {
            let rested = connections.rested.remove(index);
            return Some((Sender::Http1(rested.sender), rested.born, rested.since));
        }
        // What rests and is not ready makes room for a new one: open connections never exceed the permits.
        if connections.rested.len() + self.in_use() > self.shared.upstream.max_connections {
            connections.rested.pop();
        }
        None
    }

    fn in_use(&self) -> usize {
        self.shared.upstream.max_connections.saturating_sub(self.shared.exchanges.available_permits())
    }

    fn lease(&self, sender: Sender<B>, born: Instant, permit: OwnedSemaphorePermit) -> Lease<B> {
        Lease { sender, born, shared: Arc::clone(&self.shared), permit }
    }

    async fn open(&self, permit: OwnedSemaphorePermit) -> Result<Lease<B>, UpstreamError> {
        let shared = &self.shared;
        let (stream, protocol) = connect(&shared.upstream).await?;
        let io = TokioIo::new(stream);
        let born = Instant::now();
        let sender = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1_builder().handshake(io).await.map_err(|_| UpstreamError::Protocol)?;
                tokio::spawn(log(connection, Arc::clone(shared.upstream.name())));
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let shake = http2_builder().handshake(io);
                let shaken = tokio::time::timeout(shared.upstream.times.connect, shake).await;
                let (sender, connection) =
                    shaken.map_err(|_| UpstreamError::ConnectTimeout)?.map_err(|_| UpstreamError::Protocol)?;
                tokio::spawn(log(connection, Arc::clone(shared.upstream.name())));
                shared.lock().multiplexed = Some(Multiplexed { sender: sender.clone(), born, used: born });
                Sender::Http2(sender)
            }
        };
        shared.start_reaper();
        Ok(self.lease(sender, born, permit))
    }
}

impl<B> Shared<B> {
    fn lock(&self) -> MutexGuard<'_, Connections<B>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Send + 'static> Shared<B> {
    /// Closes rested connections in time also when no request comes; ends with the pool.
    fn start_reaper(self: &Arc<Self>) {
        if std::mem::replace(&mut self.lock().has_reaper, true) {
            return;
        }
        let times = self.upstream.times;
        let period = (times.idle / 2).max(Duration::from_millis(500));
        let pool: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(period).await;
                let Some(pool) = pool.upgrade() else { return };
                pool.lock().sweep(Instant::now(), times.idle, times.lifetime);
            }
        });
    }
}

impl<B> Connections<B> {
    fn sweep(&mut self, now: Instant, idle: Duration, lifetime: Duration) {
        self.rested
            .retain(|rested| !rested.sender.is_closed() && now - rested.since < idle && now - rested.born < lifetime);
        if self.multiplexed.as_ref().is_some_and(|shared| shared.sender.is_closed() || now - shared.used >= idle) {
            self.multiplexed = None;
        }
    }
}

impl<B: Send + 'static> Release for Lease<B> {
    fn release(self: Box<Self>) {
        let Self { sender, born, shared, permit } = *self;
        if let Sender::Http1(sender) = sender
            && !sender.is_closed()
        {
            shared.lock().rested.push(Rested { sender, born, since: Instant::now() });
        }
        // Last, so that whoever waits for the permit finds the connection.
        drop(permit);
    }
}

impl<B> Sender<B>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    async fn send(&mut self, request: Request<B>) -> Result<Response<Incoming>, TrySendError<Request<B>>> {
        match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}

/// Origin form and `Host` for HTTP/1.1 (RFC 9112 §3.2.1), a whole URI for HTTP/2 (RFC 9113 §8.3.1).
fn adapt<B>(request: &mut Request<B>, sender: &Sender<B>, upstream: &Upstream) {
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
    match sender {
        Sender::Http1(_) => {
            *request.uri_mut() = Uri::from(path);
            *request.version_mut() = Version::HTTP_11;
            request.headers_mut().insert(header::HOST, upstream.host().clone());
        }
        Sender::Http2(_) => {
            *request.uri_mut() = upstream.absolute(path);
            *request.version_mut() = Version::HTTP_2;
            request.headers_mut().remove(header::HOST);
        }
    }
}

/// What hyper lets through and nobody should rely on.
fn check(status: StatusCode, headers: &HeaderMap) -> Result<(), UpstreamError> {
    let both = headers.contains_key(header::TRANSFER_ENCODING) && headers.contains_key(header::CONTENT_LENGTH);
    if status.is_informational() || both || headers.get_all(header::CONTENT_LENGTH).iter().count() > 1 {
        return Err(UpstreamError::Protocol);
    }
    Ok(())
}

fn failure(error: &hyper::Error) -> UpstreamError {
    if error.is_parse() {
        UpstreamError::Protocol
    } else if error.is_user() || error.is_body_write_aborted() {
        UpstreamError::RequestBody
    } else {
        UpstreamError::Closed
    }
}

async fn log(connection: impl Future<Output = hyper::Result<()>>, upstream: Arc<str>) {
    if let Err(error) = connection.await {
        tracing::debug!(upstream.name = %upstream, %error, "upstream connection ended early");
    }
}

fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.max_headers(MAX_HEADERS).max_buf_size(MAX_BUFFER_BYTES);
    builder
}

fn http2_builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(64 * 1024)
        .initial_stream_window_size(512 * 1024)
        .initial_connection_window_size(2 * 1024 * 1024)
        .max_send_buf_size(128 * 1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}

/// Header fields of a response.
const MAX_HEADERS: usize = 200;
/// Read buffer of a connection, which bounds a response head too.
const MAX_BUFFER_BYTES: usize = 256 * 1024;

#[cfg(test)]
pub(super) mod tests;
