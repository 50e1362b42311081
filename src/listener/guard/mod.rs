//! Stands between TLS and the HTTP/1.1 parser and lets only unambiguous messages through.
//!
//! Raw bytes flow in; the same bytes flow out, once a request head is complete and checked. A head that is refused is
//! replaced by [`SYNTHETIC`] and nothing after it is read as HTTP, so that two parsers never see it differently. The
//! refusal is told to the service through [`Live`], by the number of the request on its connection.

mod chunked;
mod head;
mod scan;

pub(crate) use head::{is_authority, same_authority};

use std::{
    error::Error,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::{
    chunked::Chunks,
    head::Framing,
    scan::{Found, Scan},
};
use super::{Limits, Refusal, live::Live, refusal, stall::Patience};

/// What takes the place of a refused request.
const SYNTHETIC: &[u8] = b"GET / HTTP/1.1\r\nhost: refused.invalid\r\nconnection: close\r\n\r\n";
/// How long, and for how many bytes, a client may go on sending after the last response: closing at once would make its
/// kernel throw the response away (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 256 * 1024;

/// Why a request body ends before its end; travels as the source of the body's error.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum BodyFault {
    /// A chunk size that is not hex digits and CR LF, or too large.
    #[error("a chunk size is malformed")]
    ChunkSize,
    /// Chunk extensions with control characters, or too long.
    #[error("chunk extensions are malformed or too long")]
    ChunkExtension,
    /// Chunk data that CR LF does not follow.
    #[error("a chunk is longer than its size")]
    ChunkEnd,
    /// A malformed, oversized or forbidden trailer.
    #[error("the trailer section is malformed or too large")]
    Trailer,
    /// The sender paused for too long.
    #[error("the request body did not arrive in time")]
    Timeout,
}

impl BodyFault {
    /// Stable name for records and problem bodies.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::ChunkSize => "chunk_size",
            Self::ChunkExtension => "chunk_extension",
            Self::ChunkEnd => "chunk_end",
            Self::Trailer => "bad_trailer",
            Self::Timeout => "body_timeout",
        }
    }
}

/// The fault behind an error of a request body, if the body was refused here. Answer 408 for a timeout, else 400.
#[must_use]
pub fn body_fault(error: &(dyn Error + 'static)) -> Option<BodyFault> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(fault) = inner.and_then(|inner| inner.downcast_ref::<BodyFault>()) {
            return Some(*fault);
        }
        next = error.source();
    }
    None
}

/// What the next byte belongs to.
#[derive(Debug)]
enum State {
    Head(Scan),
    Length(u64),
    Chunked(Chunks),
    Trailers(Scan),
    Refused,
    Faulty(BodyFault),
}

/// A byte stream whose reads are checked.
#[derive(Debug)]
pub(crate) struct Guard<T> {
    inner: T,
    live: Arc<Live>,
    limits: Arc<Limits>,
    state: State,
    /// Bytes read from `inner` and not yet handed on; the first `ready` of them are checked.
    held: Vec<u8>,
    ready: usize,
    heads: u64,
    patience: Patience,
    header_patience: Patience,
    linger: Option<(Patience, usize)>,
}

impl<T> Guard<T> {
    pub(crate) fn new(inner: T, live: Arc<Live>, limits: Arc<Limits>) -> Self {
        Self {
            inner,
            live,
            state: State::Head(Scan::default()),
            held: Vec::new(),
            ready: 0,
            heads: 0,
            patience: Patience::new(limits.stall),
            header_patience: Patience::new(limits.header),
            limits,
            linger: None,
        }
    }

    /// Checks `bytes`, which start where the last call's unchecked rest started; returns how many may be handed on.
    fn check(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match &mut self.state {
                State::Head(scan) => match head_end(scan, rest, &self.limits) {
                    Ok(None) => return at,
                    Ok(Some((end, framing))) => {
                        at += end;
                        self.heads += 1;
                        self.header_patience.reset();
                        self.state = match framing {
                            Framing::Length(0) => State::Head(Scan::default()),
                            Framing::Length(length) => State::Length(length),
                            Framing::Chunked => State::Chunked(Chunks::new()),
                        };
                    }
                    Err(why) => {
                        self.refuse(why);
                        return at;
                    }
                },
                State::Length(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    at += taken;
                    *left -= taken as u64;
                    if *left == 0 {
                        self.state = State::Head(Scan::default());
                    }
                }
                State::Chunked(chunks) => {
                    let (taken, last) = chunks.advance(rest);
                    at += taken;
                    match last {
                        Ok(false) => {}
                        Ok(true) => self.state = State::Trailers(Scan::default()),
                        Err(fault) => self.state = State::Faulty(fault),
                    }
                }
                State::Trailers(scan) => match trailers_end(scan, rest, &self.limits) {
                    Ok(None) => return at,
                    Ok(Some(end)) => {
                        at += end;
                        self.state = State::Head(Scan::default());
                    }
                    Err(_) => self.state = State::Faulty(BodyFault::Trailer),
                },
                State::Refused | State::Faulty(_) => return at,
            }
        }
        at
    }

    fn refuse(&mut self, why: Refusal) {
        self.live.refuse(self.heads, why);
        self.state = State::Refused;
    }

    /// Puts the substitute behind what is still to be handed on.
    fn substitute(&mut self) {
        self.held.truncate(self.ready);
        self.held.extend_from_slice(SYNTHETIC);
        self.ready = self.held.len();
    }

    /// Hands on checked bytes, if there are any.
    fn hand_on(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let count = self.ready.min(buf.remaining());
        let Some(bytes) = self.held.get(..count).filter(|bytes| !bytes.is_empty()) else { return false };
        buf.put_slice(bytes);
        self.held.drain(..count);
        self.ready -= count;
        true
    }

    /// Whether the client is in the middle of something that will not be read.
    fn is_unfinished(&self) -> bool {
        !matches!(self.state, State::Head(_)) || !self.held.is_empty()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guard<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.hand_on(buf) {
                return Poll::Ready(Ok(()));
            }
            match this.state {
                // The substitute was handed on; the connection closes after its response.
                State::Refused => return Poll::Pending,
                State::Faulty(fault) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
                }
                State::Head(_) | State::Length(_) | State::Chunked(_) | State::Trailers(_) => {}
            }
            let start = buf.filled().len();
            if Pin::new(&mut this.inner).poll_read(cx, buf)?.is_pending() {
                ready!(this.wait(cx));
                continue;
            }
            this.patience.reset();
            let fresh = buf.filled().get(start..).unwrap_or_default();
            if fresh.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if this.held.is_empty() {
                // The usual case: what arrived is complete, and is handed on where it lies.
                let checked = this.check(fresh);
                let rest = fresh.get(checked..).unwrap_or_default();
                if !rest.is_empty() && !matches!(this.state, State::Refused | State::Faulty(_)) {
                    this.held.extend_from_slice(rest);
                }
                buf.set_filled(start + checked);
                if matches!(this.state, State::Refused) {
                    this.substitute();
                }
                if checked > 0 {
                    return Poll::Ready(Ok(()));
                }
            } else {
                this.held.extend_from_slice(fresh);
                buf.set_filled(start);
                let held = std::mem::take(&mut this.held);
                this.ready = this.check(&held);
                this.held = held;
                if matches!(this.state, State::Refused) {
                    this.substitute();
                }
            }
        }
    }
}

impl<T> Guard<T> {
    /// Nothing to read now: pending, or ready when the sender took too long and the state says so.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.state {
            // Between requests the connection's own timer runs.
            State::Head(_) if self.held.is_empty() => return Poll::Pending,
            State::Head(_) => {
                ready!(self.header_patience.poll(cx));
                self.refuse(refusal::HEADER_TIMEOUT);
                self.substitute();
            }
            _ => {
                ready!(self.patience.poll(cx));
                self.state = State::Faulty(BodyFault::Timeout);
            }
        }
        Poll::Ready(())
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            if !this.is_unfinished() {
                return Poll::Ready(Ok(()));
            }
            this.linger = Some((Patience::new(LINGER), 0));
        }
        let Some((patience, discarded)) = &mut this.linger else { return Poll::Ready(Ok(())) };
        loop {
            if patience.poll(cx).is_ready() || *discarded > LINGER_BYTES {
                return Poll::Ready(Ok(()));
            }
            let mut scratch = [0; 4096];
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.inner).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => *discarded += buf.filled().len(),
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

fn head_end(scan: &mut Scan, bytes: &[u8], limits: &Limits) -> Result<Option<(usize, Framing)>, Refusal> {
    match scan.advance(bytes)? {
        Found::Complete(end) if end <= limits.header_bytes => {
            let framing = head::check(bytes.get(..end).unwrap_or_default(), limits)?;
            Ok(Some((end, framing)))
        }
        Found::Partial if bytes.len() <= limits.header_bytes => Ok(None),
        Found::Complete(_) | Found::Partial => Err(refusal::HEADERS_TOO_LARGE),
    }
}

fn trailers_end(scan: &mut Scan, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Refusal> {
    match scan.advance(bytes)? {
        Found::Complete(end) if end <= limits.header_bytes => {
            head::check_trailers(bytes.get(..end).unwrap_or_default(), limits)?;
            Ok(Some(end))
        }
        Found::Partial if bytes.len() <= limits.header_bytes => Ok(None),
        Found::Complete(_) | Found::Partial => Err(refusal::HEADERS_TOO_LARGE),
    }
}

#[cfg(test)]
mod tests;
