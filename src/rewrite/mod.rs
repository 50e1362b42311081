//! A plan and a body in, what the caller may see of it and a list of what that was out. Sans-I/O, push style; decides
//! nothing: the views in the plan are `policy`'s.

mod base64;
mod check;
mod collect;
mod gate;
pub mod graphql;
mod guard;
mod layout;
mod leaf;
pub mod mcp;
mod needs;
mod place;
mod plain;
mod reopen;
mod sealing;
mod seen;
mod shown;
mod sightings;
mod standing;
mod stored;
mod twin;
mod view;

use std::sync::Arc;

pub use check::stand_ins;
pub use collect::{Collected, collect};
pub use gate::{Admission, Gate};
pub use guard::{Guarded, WriteBack, guard_request};
pub use layout::{Layout, LayoutError, LeafPlace};
pub use needs::{Collector, Needs};
pub use plain::{carries_personal, classes_in, is_one_finding, text_view};
pub use reopen::{Reopened, WrittenBack, reopen, subject};
pub use sealing::{RecordKeys, SealedBody, TokenAsk, Writes, WrittenRecord, seal, written};
pub use shown::{Hidden, Kept, Known, Pseudonym, kept};
use sightings::merged;
pub use stored::{Learned, Notes};
pub use view::ResponseView;

pub use crate::formats::{
    Limits, form,
    json::{SliceError, elements, members, quote, string},
    multipart,
};
pub use crate::protect::Answers;
use crate::{
    detect::Detector,
    formats::{Fault, FormatError},
    model::{ClassTable, Sensitive, SubjectId, Views},
    protect::{Protector, Store},
};

/// What every body of a snapshot is rewritten with.
#[derive(Debug)]
pub struct Tools {
    /// The classes that layouts and views speak of.
    pub classes: Arc<ClassTable>,
    /// Makes stand-ins.
    pub protector: Protector,
    /// Finds personal data in text.
    pub detector: Detector,
    /// Seals and opens; absent when every class is stored in clear.
    pub store: Option<Store>,
}

/// Where links lead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    /// Origins of the CRM, without a trailing slash: `https://crm.internal:8443`.
    pub upstream: Vec<String>,
    /// The gateway's own base, without a trailing slash.
    pub public: String,
}

/// How one body is rewritten for one caller.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is where.
    pub layout: Arc<Layout>,
    /// How far the caller sees each class.
    pub views: Views,
    /// The tools.
    pub tools: Arc<Tools>,
    /// Where links lead; `None` leaves them.
    pub links: Option<Arc<Links>>,
    /// Values the caller sent in protected places: not echoed by a catch-all layout.
    pub known: Arc<[Sensitive<String>]>,
    /// The record the path names; a body's own subject wins.
    pub subject: Option<SubjectId>,
    /// Bounds.
    pub limits: Limits,
}

/// Why a body does not pass.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum RewriteError {
    /// Not a body of its format that may pass.
    #[error(transparent)]
    Body(#[from] FormatError),
    /// A record holds more than `record_bytes` before its id.
    #[error("a record is longer than the limit before its subject is known")]
    SubjectTooLate,
    /// One record has more different ids than can be recorded for it.
    #[error("a record has more than {} ids", seen::MAX_SUBJECTS)]
    TooManySubjects,
    /// The caller has seen as many people as it may.
    #[error("no further people may be seen")]
    OverBudget,
    /// Members of a closed object that the map does not know: how they would have to be stored is not known either.
    #[error("members that the API map does not know: {}", fields.join(", "))]
    Unmapped {
        /// JSONPath of each.
        fields: Vec<String>,
    },
    /// Masked values written back where they would replace the real ones.
    #[error("masked values in {}", fields.join(", "))]
    MaskedValue {
        /// JSONPath of each field.
        fields: Vec<String>,
    },
    /// A stored form of another field or record, sent in as if it were a value (field-protection.md §9).
    #[error("stored forms that do not belong in {}", fields.join(", "))]
    Injected {
        /// JSONPath of each field.
        fields: Vec<String>,
    },
    /// The stored form is longer than the CRM's column.
    #[error("too long for the CRM's column: {}", fields.join(", "))]
    TooLong {
        /// JSONPath of each field, with its characters and those of the column.
        fields: Vec<String>,
    },
    /// A number or a boolean where the class is stored as text.
    #[error("not a text: {}", fields.join(", "))]
    Unstorable {
        /// JSONPath of each field.
        fields: Vec<String>,
    },
    /// No key is active, or the vault gave none.
    #[error("no key to store a protected value with")]
    NoKey,
}

impl RewriteError {
    /// Whether a limit was reached, rather than a rule of the format broken.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        match self {
            Self::Body(error) => matches!(
                error.fault,
                Fault::TooDeep | Fault::ValueTooLong | Fault::ObjectTooLong | Fault::TooComplex | Fault::TooManyColumns
            ),
            Self::SubjectTooLate | Self::TooManySubjects => true,
            Self::OverBudget
            | Self::Unmapped { .. }
            | Self::MaskedValue { .. }
            | Self::Injected { .. }
            | Self::TooLong { .. }
            | Self::Unstorable { .. }
            | Self::NoKey => false,
        }
    }
}
