//! A response body that keeps its connection checked out until it is read to its end.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::UpstreamError;

/// What is done when a body was read to its end; dropping it unread closes the connection instead.
pub(crate) trait Release: Send {
    fn release(self: Box<Self>);
}

/// A body from the CRM.
pub struct Body {
    inner: Incoming,
    lease: Option<Box<dyn Release>>,
    read: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Body {
    /// `read` is the longest pause between two frames.
    pub(crate) fn new(inner: Incoming, lease: Box<dyn Release>, read: Duration) -> Self {
        let mut body = Self { inner, lease: Some(lease), read, timer: None, waiting: false };
        if body.inner.is_end_stream() {
            body.release();
        }
        body
    }

    fn release(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.release();
        }
    }

    /// Counts from the first poll that found nothing.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let read = self.read;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(read)));
        if !self.waiting {
            timer.as_mut().reset(Instant::now() + read);
            self.waiting = true;
        }
        timer.as_mut().poll(cx)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting = false;
                if self.inner.is_end_stream() {
                    self.release();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => {
                self.lease = None;
                Poll::Ready(Some(Err(UpstreamError::Truncated)))
            }
            Poll::Ready(None) => {
                self.release();
                Poll::Ready(None)
            }
            Poll::Pending if self.poll_pause(cx).is_ready() => {
                self.lease = None;
                Poll::Ready(Some(Err(UpstreamError::BodyTimeout)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("size_hint", &self.inner.size_hint()).finish_non_exhaustive()
    }
}
