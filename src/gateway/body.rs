//! Response bodies on their way to the caller. A byte that was shown leaves only with the clearance of its record.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::{
    ending::Ending,
    flow::{Flow, Next, Source},
    paced::{Paced, Reach},
    parts::PartError,
};
use crate::{
    audit::{AuditError, Receipt},
    listener::BodyError,
    model::{AccessKind, ClassSet, Subject},
    upstream,
};

/// Rewritten bytes nobody has recorded yet. The only way out is [`Held::release`].
#[derive(Debug)]
pub(super) struct Held(Vec<u8>);

/// Proof that a record names what the bytes show, or that they show nothing.
pub(super) enum Clearance {
    /// The durable record.
    Recorded(Receipt),
    /// Nothing of a protected class is in the bytes.
    NothingShown(NothingShown),
}

/// Minted by [`nothing_shown`] only.
pub(super) struct NothingShown(());

/// Whether there is nothing to record of what bytes show: then no record has to come first.
pub(super) fn nothing_shown<T>(records: &[T]) -> Option<NothingShown> {
    records.is_empty().then_some(NothingShown(()))
}

/// Whether it is recorded that nothing was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nothing {
    /// Yes: that a search found nobody is an answer, too.
    Told,
    /// No.
    Untold,
}

impl Nothing {
    /// What nothing is, when the caller searched for somebody.
    pub(super) fn found(searched: bool) -> Self {
        if searched { Self::Told } else { Self::Untold }
    }
}

impl Clearance {
    /// Makes durable what was shown of `subjects`, as the part of the answer that comes after the `recorded` ones.
    ///
    /// # Errors
    /// When the record is not durable: nothing may be released then.
    pub(super) async fn of(
        ending: &Ending,
        subjects: Vec<Subject>,
        recorded: &mut u32,
        nothing: Nothing,
    ) -> Result<Self, AuditError> {
        match (nothing_shown(&subjects), nothing) {
            (Some(shown), Nothing::Untold) => Ok(Self::NothingShown(shown)),
            _ => {
                *recorded += 1;
                let kind = AccessKind::Reveal { part: *recorded };
                Ok(Self::Recorded(ending.record(kind, subjects, ClassSet::EMPTY).await?))
            }
        }
    }

    /// How the caller may quote the record, when there is one.
    pub(super) fn reference(&self) -> Option<String> {
        match self {
            Self::Recorded(receipt) => Some(receipt.reference()),
            Self::NothingShown(_) => None,
        }
    }
}

impl Held {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, against their clearance.
    pub(super) fn release(self, _clearance: &Clearance) -> Bytes {
        Bytes::from(self.0)
    }
}

/// A response body.
pub(super) struct Body(State);

enum State {
    /// Everything at once.
    Full {
        bytes: Bytes,
        ending: Ending,
    },
    /// Piece by piece, each recorded first.
    Flow(Next),
    /// Straight from the CRM: a body that holds nothing protected.
    Relay(Box<Relay>),
    Done,
}

/// Handed to the connection at once: a slow caller then asks again before its connection counts as stalled.
pub(super) const MAX_FRAME_BYTES: usize = 64 * 1024;

struct Relay {
    body: Paced<upstream::Body>,
    ending: Ending,
}

impl Body {
    pub(super) fn full(bytes: Bytes, mut ending: Ending) -> Self {
        ending.released = bytes.is_empty();
        Self(State::Full { bytes, ending })
    }

    pub(super) fn flow(source: Source, ending: Ending, until: Instant) -> Self {
        Self(State::Flow(Box::pin(Box::new(Flow { source, ending, until }).next())))
    }

    pub(super) fn relay(body: upstream::Body, mut ending: Ending, reach: Reach) -> Self {
        ending.released = body.is_end_stream();
        Self(State::Relay(Box::new(Relay { body: Paced::new(body, reach), ending })))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            State::Full { bytes, ending } => {
                if bytes.is_empty() {
                    return Poll::Ready(None);
                }
                let frame = bytes.split_to(bytes.len().min(MAX_FRAME_BYTES));
                ending.bytes += frame.len() as u64;
                ending.released = bytes.is_empty();
                Poll::Ready(Some(Ok(Frame::data(frame))))
            }
            State::Flow(next) => {
                let (flow, piece) = ready!(next.as_mut().poll(context));
                match piece {
                    Ok(Some(bytes)) => {
                        self.0 = State::Flow(Box::pin(flow.next()));
                        Poll::Ready(Some(Ok(Frame::data(bytes))))
                    }
                    Ok(None) => {
                        self.0 = State::Done;
                        Poll::Ready(None)
                    }
                    Err(error) => {
                        self.0 = State::Done;
                        Poll::Ready(Some(Err(error)))
                    }
                }
            }
            State::Relay(relay) => relay.poll(context),
            State::Done => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            State::Full { bytes, .. } => bytes.is_empty(),
            State::Flow(_) => false,
            State::Relay(relay) => relay.body.is_end_stream(),
            State::Done => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            State::Full { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            State::Flow(_) => SizeHint::default(),
            State::Relay(relay) => relay.body.size_hint(),
            State::Done => SizeHint::with_exact(0),
        }
    }
}

impl Relay {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let fault = match ready!(self.body.poll_data(context)) {
            Some(Ok(data)) => {
                self.ending.bytes += data.len() as u64;
                self.ending.released = self.body.is_end_stream();
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            None => {
                self.ending.released = true;
                return Poll::Ready(None);
            }
            Some(Err(cut)) => PartError::of_cut(&cut),
        };
        self.ending.why = Some(fault.code());
        Poll::Ready(Some(Err(fault.to_string().into())))
    }
}
