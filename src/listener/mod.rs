//! Sockets in, `(Peer, Request)` out to a handler: accept, limits, TLS handshake, strict HTTP framing, timeouts, drain.
//! Never decides who a caller is or what it may do.

mod bind;
mod connection;
mod guard;
mod http2;
mod limits;
mod live;
mod refusal;
mod serve;
mod stall;
mod wire;

pub use bind::bind;
pub use guard::{BodyFault, body_fault};
pub use limits::{LimitSettings, Limits};
pub use live::Counted;
pub use refusal::Refusal;
pub use serve::{Settings, serve};
pub use wire::Wire;

use std::{error::Error, future::Future, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};

use crate::model::Peer;

/// Why a response body ends early; the connection (HTTP/1.1) or the stream (HTTP/2) is reset, so that the caller cannot
/// take what it has for the whole.
pub type BodyError = Box<dyn Error + Send + Sync>;

/// One request, or what is left of one that was refused.
#[derive(Debug)]
pub struct Incoming {
    /// Who sent it.
    pub peer: Arc<Peer>,
    /// The request. When `refusal` is set this is `GET /` with no header: nothing of what was refused is passed on.
    pub request: Request<hyper::body::Incoming>,
    /// Why the request must not be served: answer with its status and record it.
    pub refusal: Option<Refusal>,
}

/// Answers requests. One handler serves every connection of a worker; futures run as tasks of that worker's runtime.
pub trait Handler: Clone + Send + Sync + 'static {
    /// The response body; it may stream.
    type Body: http_body::Body<Data = Bytes, Error = BodyError> + Send + 'static;

    /// Answers `incoming`. The future, or the body it returned, is dropped when the client goes away.
    fn call(&self, incoming: Incoming) -> impl Future<Output = Response<Self::Body>> + Send;
}

#[cfg(test)]
mod tests;
