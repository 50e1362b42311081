//! A body that leaves piece by piece, each recorded first: parts of a document, or events of a stream.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    budget::Meter,
    ending::Ending,
    mcp::Events,
    parts::{PartError, Parts},
};
use crate::listener::BodyError;

/// The next piece of a body and what comes after it.
pub(super) type Next = Pin<Box<dyn Future<Output = (Box<Flow>, Result<Option<Bytes>, BodyError>)> + Send>>;

/// A body on its way, with the outcome it will leave.
pub(super) struct Flow {
    pub(super) source: Source,
    pub(super) ending: Ending,
    pub(super) until: Instant,
}

/// What it is made of.
pub(super) enum Source {
    /// The first part is recorded, the others will be.
    Parts(Box<Parts>),
    /// One by one.
    Events(Box<Events>),
}

impl Flow {
    /// The next piece; `None` at the end.
    pub(super) async fn next(mut self: Box<Self>) -> (Box<Self>, Result<Option<Bytes>, BodyError>) {
        let piece = tokio::time::timeout_at(self.until, self.source.next(&mut self.ending)).await;
        if let Ok(Err(error)) = &piece
            && error.is_over_budget()
            && let Some(meter) = self.source.meter()
        {
            meter.record(&mut self.ending).await;
        }
        let piece = piece.unwrap_or(Err(PartError::Late)).map_err(|error| {
            tracing::warn!(error = %error, code = error.code(), "exchange ended");
            self.ending.why = Some(error.code());
            BodyError::from(error.to_string())
        });
        (self, piece)
    }
}

impl Source {
    async fn next(&mut self, ending: &mut Ending) -> Result<Option<Bytes>, PartError> {
        match self {
            Self::Parts(parts) => parts.part(ending).await,
            Self::Events(events) => events.event(ending).await,
        }
    }

    fn meter(&self) -> Option<Arc<Meter>> {
        match self {
            Self::Parts(parts) => parts.meter().cloned(),
            Self::Events(events) => events.meter().cloned(),
        }
    }
}
