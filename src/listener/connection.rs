//! One connection from accept to close: handshake, protocol, requests, idle time, drain.

use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ProtocolVersion;
use tokio::{net::TcpStream, sync::watch, time::Instant};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    BodyError, Counted, Handler, Incoming, Limits, Settings,
    guard::Guard,
    http2 as h2,
    live::{Live, Verdict},
    serve::drained,
    stall::Stall,
    wire::Count,
    wire::Slot,
};
use crate::{
    model::{Peer, Protocol},
    tls,
};

/// Serves `socket` until either side is done. `slot` is held as long as the connection is.
pub(crate) async fn serve<H: Handler>(
    socket: TcpStream,
    address: SocketAddr,
    slot: Slot,
    settings: Settings,
    handler: H,
    shutdown: watch::Receiver<bool>,
) {
    let _slot = slot;
    let limits = settings.limits.load_full();
    let live = Arc::new(Live::new());
    let tls = settings.tls.load_full();
    let accepting = TlsAcceptor::from(Arc::clone(&tls.config)).accept(socket);
    let stream = match tokio::time::timeout(limits.handshake, accepting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            settings.wire.count(Count::HandshakeFailure);
            tracing::debug!(client.ip = %address.ip(), %error, "tls handshake failed");
            return;
        }
        Err(_) => {
            settings.wire.count(Count::HandshakeTimeout);
            return;
        }
    };
    let peer = match peer(&settings, address, &stream, tls.asks_certificate) {
        Ok(peer) => Arc::new(peer),
        Err(error) => {
            settings.wire.count(Count::HandshakeFailure);
            tracing::warn!(client.ip = %address.ip(), %error, "client certificate refused");
            return;
        }
    };
    let protocol = peer.protocol;
    let (live_here, limits_here) = (Arc::clone(&live), Arc::clone(&limits));
    let context = Arc::new(Context { settings, handler, peer, live: live_here, limits: limits_here });
    let stream = Stall::new(stream, limits.stall);
    let result = match protocol {
        Protocol::Http1 => {
            let io = TokioIo::new(Guard::new(stream, Arc::clone(&live), Arc::clone(&limits)));
            let service = service_fn(move |request| Arc::clone(&context).answer(request));
            drive(http1_builder(&limits).serve_connection(io, service), &live, &limits, shutdown).await
        }
        Protocol::Http2 => {
            let service = service_fn(move |request| Arc::clone(&context).answer(request));
            let connection = http2_builder(&limits).serve_connection(TokioIo::new(stream), service);
            drive(connection, &live, &limits, shutdown).await
        }
    };
    if let Err(error) = result {
        tracing::debug!(client.ip = %address.ip(), %error, "connection ended early");
    }
}

/// What every request of a connection needs.
struct Context<H> {
    settings: Settings,
    handler: H,
    peer: Arc<Peer>,
    live: Arc<Live>,
    limits: Arc<Limits>,
}

impl<H: Handler> Context<H> {
    async fn answer(
        self: Arc<Self>,
        request: Request<hyper::body::Incoming>,
    ) -> Result<Response<Counted<H::Body>>, Infallible> {
        let (in_flight, replaced) = self.live.begin();
        self.settings.wire.count(Count::Request);
        let (mut parts, body) = request.into_parts();
        let refusal = match self.peer.protocol {
            Protocol::Http1 => replaced,
            Protocol::Http2 => h2::check(&parts, &self.limits).err(),
        };
        if refusal.is_some() {
            self.settings.wire.count(Count::Refusal);
            parts = nothing(&parts);
        }
        let incoming = Incoming { peer: Arc::clone(&self.peer), request: Request::from_parts(parts, body), refusal };
        let response = self.handler.call(incoming).await;
        Ok(response.map(|body| Counted::new(body, in_flight)))
    }
}

/// `GET /` of the same version: what a handler sees of a refused request.
fn nothing(parts: &Parts) -> Parts {
    let (mut empty, ()) = Request::new(()).into_parts();
    empty.version = parts.version;
    empty
}

fn peer(
    settings: &Settings,
    address: SocketAddr,
    stream: &TlsStream<TcpStream>,
    asks_certificate: bool,
) -> Result<Peer, tls::CertificateError> {
    let (_, session) = stream.get_ref();
    Ok(Peer {
        address,
        listener: Arc::clone(&settings.name),
        sni: session.server_name().map(Into::into),
        tls_version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "1.3",
            _ => "1.2",
        },
        protocol: match session.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        },
        client_auth: tls::client_auth(session, asks_certificate)?,
    })
}

pub(super) fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // The guard has enforced the limits already and replaces what breaks them; the parser's own are only a second net.
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(limits.headers + 1)
        .max_buf_size((limits.header_bytes * 2).max(64 * 1024))
        .half_close(false);
    builder
}

fn http2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .max_pending_accept_reset_streams(limits.h2_resets)
        .max_local_error_reset_streams(limits.h2_resets)
        // Twice the limit, so that what is a little past it is refused by `check` and recorded.
        .max_header_list_size(u32::try_from(limits.header_bytes.saturating_mul(2)).unwrap_or(u32::MAX))
        .max_send_buf_size(64 * 1024)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .keep_alive_interval(limits.idle.min(std::time::Duration::from_secs(20)))
        .keep_alive_timeout(limits.stall);
    builder
}

/// A hyper connection of either protocol.
trait Connection: Future<Output = hyper::Result<()>> {
    /// Finishes what is in flight and takes nothing new.
    fn wind_down(self: Pin<&mut Self>);
}

impl<I, B, S> Connection for http1::Connection<I, S>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<BodyError>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: Body + 'static,
    B::Error: Into<BodyError>,
{
    fn wind_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, B, S, E> Connection for http2::Connection<I, S, E>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<BodyError>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BodyError>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn wind_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Runs a connection; winds it down when it is idle for too long or the listener drains.
async fn drive(
    connection: impl Connection,
    live: &Live,
    limits: &Limits,
    mut shutdown: watch::Receiver<bool>,
) -> hyper::Result<()> {
    let mut connection = std::pin::pin!(connection);
    let mut idle = std::pin::pin!(tokio::time::sleep(limits.header));
    let mut closing = false;
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => return result,
            () = drained(&mut shutdown), if !closing => {
                connection.as_mut().wind_down();
                closing = true;
            }
            () = idle.as_mut(), if !closing => {
                match live.verdict(Instant::now(), limits) {
                    Verdict::Stay(until) => idle.as_mut().reset(until),
                    Verdict::WindDown => {
                        connection.as_mut().wind_down();
                        closing = true;
                    }
                    // What is in flight is dropped with the connection.
                    Verdict::Abandon => return Ok(()),
                }
            }
        }
    }
}
