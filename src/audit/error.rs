//! What can go wrong with the log. No message holds a value of a record.

use std::{io, path::PathBuf};

use super::{checkpoint::NoteError, segment::Damage};
use crate::crypto::NoRandomness;

/// Why a record is not durable, or why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// As many records wait as may wait: try again later.
    #[error("too many records wait to be written")]
    Full,
    /// The record was not durable in time; it may become so later.
    #[error("the record was not durable in time")]
    Slow,
    /// The log failed earlier and takes no record until the gateway is started again.
    #[error("the log has failed: {0}")]
    Failed(&'static str),
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// One record would be longer than a line may be.
    #[error("the record is longer than 65,535 bytes")]
    TooLong,
    /// No nonce for the record.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// Another process has the log open.
    #[error("another process writes to the log in `{0}`")]
    Locked(PathBuf),
    /// Something is there already.
    #[error("`{0}` exists already; a log is only made in an empty folder")]
    Exists(PathBuf),
    /// Not a log, or not one of this version.
    #[error("`{path}`: {what}")]
    NotALog {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The folder lies where a write is not known to be durable.
    #[error("`{path}` lies on {filesystem}, where a record is not known to be durable; {help}")]
    Filesystem {
        /// The folder.
        path: PathBuf,
        /// What kind it is.
        filesystem: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// A file operation failed.
    #[error("`{path}`: {what}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// How it failed.
        source: io::Error,
    },
    /// The log was changed after it was written.
    #[error("the log is damaged: {0}")]
    Damaged(Damage),
    /// The log ends before what was signed.
    #[error(
        "the log was cut or rolled back: {signed} records were signed, {found} are there; restore the missing ones, or keep this folder as evidence and make a new log"
    )]
    Cut {
        /// Records covered by the checkpoint.
        signed: u64,
        /// Records found.
        found: u64,
    },
    /// The log differs from what was signed.
    #[error(
        "the first {signed} records are not the ones that were signed; restore them, or keep this folder as evidence and make a new log"
    )]
    Forked {
        /// Records covered by the checkpoint.
        signed: u64,
    },
    /// The checkpoint or the key is not the log's.
    #[error("`{path}`: {why}")]
    Trust {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: NoteError,
    },
    /// There is no such record.
    #[error("there is no record {index}; the log has {size}")]
    NoRecord {
        /// The one asked for.
        index: u64,
        /// Records there are.
        size: u64,
    },
}

impl AuditError {
    pub(super) fn io(path: impl Into<PathBuf>, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, what, source }
    }
}
