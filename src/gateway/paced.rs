//! A body that is passed on as it comes: bounded in bytes, in the pause between two frames, and in time altogether.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, SizeHint};
use tokio::time::{Instant, Sleep};

/// What bounds a body on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// The longest pause between two frames.
    pub(super) patience: Duration,
    /// The end of the exchange: a body that dribbles forever is cut.
    pub(super) until: Option<Instant>,
    /// Bytes that may come.
    pub(super) bytes: u64,
}

/// Why a body ends early.
#[derive(Debug)]
pub(super) enum Cut<E> {
    /// Its sender failed.
    Sender(E),
    /// It paused for too long.
    Stalled,
    /// It took too long altogether.
    Late,
    /// It has more bytes than may come.
    TooLarge,
}

/// A body within its [`Reach`]. Trailers end here: nothing has looked at them.
#[derive(Debug)]
pub(super) struct Paced<B> {
    body: B,
    reach: Reach,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<B: HttpBody<Data = Bytes> + Unpin> Paced<B> {
    pub(super) fn new(body: B, reach: Reach) -> Self {
        Self { body, reach, waiting: None }
    }

    /// The next bytes. After a cut the body is not to be polled again.
    pub(super) fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut<B::Error>>>> {
        loop {
            if self.is_late() {
                return Poll::Ready(Some(Err(Cut::Late)));
            }
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.waiting = None;
                    let Ok(data) = frame.into_data() else { continue };
                    let left = self.reach.bytes.checked_sub(data.len() as u64);
                    self.reach.bytes = left.unwrap_or(0);
                    return Poll::Ready(Some(if left.is_some() { Ok(data) } else { Err(Cut::TooLarge) }));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(Cut::Sender(error)))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let Reach { patience, until, .. } = self.reach;
                    let waiting = self.waiting.get_or_insert_with(|| {
                        let pause = Instant::now() + patience;
                        Box::pin(tokio::time::sleep_until(until.map_or(pause, |until| until.min(pause))))
                    });
                    ready!(waiting.as_mut().poll(context));
                    return Poll::Ready(Some(Err(if self.is_late() { Cut::Late } else { Cut::Stalled })));
                }
            }
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn is_late(&self) -> bool {
        self.reach.until.is_some_and(|until| Instant::now() >= until)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn first(
        body: &'static str,
        bytes: u64,
        until: Option<Instant>,
    ) -> Poll<Option<Result<Bytes, Cut<std::convert::Infallible>>>> {
        let reach = Reach { patience: Duration::from_secs(60), until, bytes };
        let mut paced = Paced::new(Full::new(Bytes::from_static(body.as_bytes())), reach);
        paced.poll_data(&mut Context::from_waker(std::task::Waker::noop()))
    }

    #[test]
    fn a_body_has_as_many_bytes_as_it_may_and_not_one_more() {
        assert!(matches!(first("12345", 5, None), Poll::Ready(Some(Ok(data))) if data == "12345"));
        assert!(matches!(first("123456", 5, None), Poll::Ready(Some(Err(Cut::TooLarge)))));
    }

    #[test]
    fn a_body_of_an_exchange_that_is_over_is_cut() {
        assert!(matches!(first("1", 5, Some(Instant::now())), Poll::Ready(Some(Err(Cut::Late)))));
    }
}
