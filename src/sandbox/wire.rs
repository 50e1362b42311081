//! The connection below hyper, where the quirks live that no well-behaved server can do: a reset in the middle of an answer and
//! bytes in front of one; and the answer body that plays them.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

use super::coding::Encoder;
use super::export::Export;

/// What an answer orders the connection to do.
#[derive(Debug, Default)]
pub(super) struct Orders {
    reset: AtomicBool,
    interim: Mutex<Vec<u8>>,
}

impl Orders {
    /// Writes `bytes` in front of what hyper writes next.
    pub(super) fn send_first(&self, bytes: Vec<u8>) {
        *self.interim.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
    }

    pub(super) fn is_reset(&self) -> bool {
        self.reset.load(Ordering::Relaxed)
    }

    fn take_first(&self) -> Vec<u8> {
        std::mem::take(&mut *self.interim.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A TLS connection that obeys [`Orders`].
pub(super) struct Wire {
    stream: TlsStream<TcpStream>,
    orders: Arc<Orders>,
    first: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TlsStream<TcpStream>, orders: Arc<Orders>) -> Self {
        Self { stream, orders, first: Vec::new() }
    }

    fn live(&self) -> io::Result<()> {
        if self.orders.is_reset() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    /// Writes what must go first.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.live()?;
        self.first.extend(self.orders.take_first());
        while !self.first.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.first))?;
            self.first.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        wire.live()?;
        Pin::new(&mut wire.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        ready!(wire.poll_first(cx))?;
        Pin::new(&mut wire.stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        wire.live()?;
        Pin::new(&mut wire.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        wire.live()?;
        Pin::new(&mut wire.stream).poll_shutdown(cx)
    }
}

impl Drop for Wire {
    /// With a zero linger time the close that follows sends RST instead of FIN.
    fn drop(&mut self) {
        if self.orders.is_reset() {
            // A socket that is already gone needs no reset.
            self.stream.get_ref().0.set_zero_linger().ok();
        }
    }
}

/// One step of an answer body.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    Pause(Duration),
    Trailers(HeaderMap),
    /// The body fails; with `reset` the whole connection does.
    Break {
        reset: bool,
    },
}

/// An answer body: an export first if there is one, then the pieces in order.
pub(super) struct AnswerBody {
    export: Option<(Export, Encoder)>,
    /// Chunks of the export to send before it breaks off; none = all.
    export_chunks: Option<usize>,
    pieces: VecDeque<Piece>,
    sleep: Option<Pin<Box<Sleep>>>,
    orders: Arc<Orders>,
}

impl AnswerBody {
    pub(super) fn new(pieces: VecDeque<Piece>, orders: Arc<Orders>) -> Self {
        Self { export: None, export_chunks: None, pieces, sleep: None, orders }
    }

    /// Puts an export in front of the pieces, broken off after `chunks` if given.
    pub(super) fn with_export(mut self, export: Export, encoder: Encoder, chunks: Option<usize>) -> Self {
        self.export = Some((export, encoder));
        self.export_chunks = chunks;
        self
    }

    /// The next bytes of the export; nothing at its end.
    fn export(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.export_chunks == Some(0) {
            self.export = None;
        }
        while let Some((mut export, mut encoder)) = self.export.take() {
            let bytes = match export.chunk() {
                Some(chunk) => {
                    let bytes = encoder.push(chunk)?;
                    self.export = Some((export, encoder));
                    bytes
                }
                None => encoder.finish()?,
            };
            if !bytes.is_empty() {
                self.export_chunks = self.export_chunks.map(|left| left.saturating_sub(1));
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let body = self.get_mut();
        if let Some(bytes) = body.export()? {
            return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
        }
        loop {
            if let Some(sleep) = &mut body.sleep {
                ready!(sleep.as_mut().poll(cx));
                body.sleep = None;
            }
            match body.pieces.pop_front() {
                None => return Poll::Ready(None),
                Some(Piece::Data(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Piece::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Some(Piece::Pause(time)) => body.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Piece::Break { reset }) => {
                    body.orders.reset.fetch_or(reset, Ordering::Relaxed);
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.export.is_none() && self.pieces.is_empty() && self.sleep.is_none()
    }
}
