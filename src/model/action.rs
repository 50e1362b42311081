//! What a caller asks to do with a resource.

use std::{fmt, str::FromStr};

/// The verbs policy speaks; an API map gives one to each route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// One record is read.
    Read,
    /// A page of records is read, or a search is run.
    List,
    /// A record is made.
    Create,
    /// A record is changed.
    Update,
    /// A record is removed.
    Delete,
    /// Records leave in bulk.
    Export,
}

impl Action {
    /// Every action, in the order of the policy schema.
    pub const ALL: [Self; 6] = [Self::Read, Self::List, Self::Create, Self::Update, Self::Delete, Self::Export];

    /// The name used in maps, policies and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Export => "export",
        }
    }

    /// Whether the CRM changes: such an action is recorded before it is forwarded.
    #[must_use]
    pub fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not an action.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown action; one of `read`, `list`, `create`, `update`, `delete`, `export` is expected")]
pub struct UnknownAction;

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        Self::ALL.into_iter().find(|action| action.as_str() == text).ok_or(UnknownAction)
    }
}
