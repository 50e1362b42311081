//! What changes the CRM's stored values outside of an exchange: `protect`, its reverse `unprotect`, `rewrap` after a
//! rotation, and `probe`, which learns what the CRM's columns take.
//!
//! The engine knows the CRM as [`Records`] and the stored forms as [`Change`]; it never looks into a body or a key.
//! No write leaves before a durable line of the [`Journal`] names it.

mod budget;
mod canary;
mod change;
mod clock;
mod concurrent;
mod document;
mod engine;
mod entry;
mod http;
mod inventory;
mod journal;
mod probe;
mod progress;
mod records;
mod report;
mod secrets;
mod select;
mod settings;
mod stored;
#[cfg(test)]
mod tests;
mod verify;
mod write;

pub use budget::{Budget, Jitter, Pace};
pub use canary::{Canary, Fate};
pub use change::{Ask, Change, Form, Outcome, Reading, Seen, Unavailable, Wants, Why};
pub use clock::{Clock, SystemClock};
pub use engine::{Crm, Ended, Stop, Sweep, SweepError};
pub use entry::{Begin, Secrets, State, Tag, Verb};
pub use http::CrmRecords;
pub use inventory::{Inventory, Tally};
pub use journal::{Journal, JournalError, JournalReader, Resume};
pub use probe::{Length, Probe, Profile, Restored};
pub use progress::{Progress, Stage, Watch};
pub use records::{Cursor, Edit, Fault, Field, Page, Record, RecordId, Records, Shown, Value, Version};
pub use report::Report;
pub use secrets::JournalKeys;
pub use settings::{Extent, Settings};
pub use stored::StoredForms;
pub use verify::{Checked, Index};
