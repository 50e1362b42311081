//! Messages of the Model Context Protocol (2025-06-18: JSON-RPC 2.0) in; what a request asks for, and what a caller may see of an
//! answer out. Sans-I/O; a message is complete when it comes here.

mod reply;
mod request;

pub use reply::{Answered, Expected, Reply, Seen};
pub use request::{Kind, Message};

use super::RewriteError;
use crate::formats::FormatError;

/// Why a message does not pass.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum MessageError {
    /// Its JSON, or what stands in it.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// An array of messages; the protocol has none since 2025-06-18.
    #[error("a batch of messages; send them one by one")]
    Batch,
    /// Not a JSON-RPC 2.0 request, notification or response.
    #[error("not a JSON-RPC 2.0 message")]
    NotRpc,
    /// Not the answer to a GraphQL request.
    #[error("not the answer to a GraphQL request")]
    NotGraphQl,
    /// The two sides could take different ones for the right one.
    #[error("a member name stands twice in one object")]
    Twice,
    /// `tools/call` without a name, or with arguments that are no object.
    #[error("`tools/call` takes `name`, a text, and `arguments`, an object")]
    BadCall,
}

impl From<FormatError> for MessageError {
    fn from(error: FormatError) -> Self {
        Self::Rewrite(error.into())
    }
}
