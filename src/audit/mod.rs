//! The access log: events in, receipts out. An append-only file whose records are durable before anything they name is
//! shown, and whose RFC 6962 tree heads are signed, so that a change is found without trusting who holds the file.
//!
//! [`Log`] writes, [`verify()`] checks a folder against a public key, [`query()`] and [`show()`] read. No record holds a value, a
//! raw path or a token.

mod bell;
mod checkpoint;
mod disk;
mod error;
mod json;
mod layout;
mod lifecycle;
mod log;
mod manifest;
mod proof;
mod query;
mod record;
mod recovery;
mod reference;
mod report;
mod scan;
mod segment;
mod settings;
mod shared;
mod show;
mod signer;
mod status;
mod summary;
mod tail;
mod ticket;
mod tree;
mod verify;
mod writer;

pub use bell::Bell;
pub use checkpoint::{Checkpoint, NoteError, Trust, verification_key};
pub use error::AuditError;
pub use log::{Log, init};
pub use proof::{check_consistency, check_inclusion, consistency, inclusion};
pub use query::{Query, Row, query};
pub use reference::{case_reference, subject_bits, subject_reference};
pub use report::{Report, Verdict};
pub use segment::{Damage, Fault};
pub use settings::Settings;
pub use show::{Shown, show};
pub use status::LogStatus;
pub use summary::summary;
pub use tail::{Tail, tail};
pub use ticket::{Receipt, Ticket, parse_reference};
pub use tree::{Hash, Tree, leaf_hash, node_hash};
pub use verify::{verify, verify_bytes};

#[cfg(test)]
mod tests;
