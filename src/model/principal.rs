//! Who makes a request, as policy and records see it.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use super::time::Timestamp;

/// What kind of actor a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Kind {
    /// A person.
    #[default]
    Human,
    /// A program that acts for itself.
    Service,
    /// An AI agent; must act on behalf of a human.
    Ai,
}

impl Kind {
    /// The name used in configuration, claims, policies and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Service => "service",
            Self::Ai => "ai",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a kind of principal.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown kind of principal; one of `human`, `service`, `ai` is expected")]
pub struct UnknownKind;

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        [Self::Human, Self::Service, Self::Ai].into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}

/// How the principal proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A verified client certificate, named by the first 16 hex digits of its SHA-256.
    Certificate(Arc<str>),
    /// A JWT of the configured issuer with this name.
    Jwt(Arc<str>),
    /// The API key with this id (never the key).
    ApiKey(Arc<str>),
    /// Configured, not authenticated: the human an AI agent acts for, when looked up by name.
    Configured,
}

/// A course and until when it is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Training {
    /// The course's code.
    pub course: String,
    /// The end of validity; absent means that it does not expire.
    pub valid_until: Option<Timestamp>,
}

/// An identified caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The stable name (`sub`, SAN, key owner): 1–256 bytes, no control characters.
    pub id: Arc<str>,
    /// Human, service or AI.
    pub kind: Kind,
    /// Role names, sorted, without duplicates.
    pub roles: Vec<Arc<str>>,
    /// The team, if any.
    pub team: Option<Arc<str>>,
    /// Further attributes from claims or configuration.
    pub attributes: BTreeMap<String, String>,
    /// Courses passed.
    pub training: Vec<Training>,
    /// How it proved who it is.
    pub via: Via,
    /// A session id (`sid` or `jti` claim), if any.
    pub session: Option<Arc<str>>,
    /// The human an AI agent acts for.
    pub on_behalf_of: Option<Arc<Principal>>,
    /// When the proof ends (token or certificate expiry).
    pub expires: Option<Timestamp>,
}

impl Principal {
    /// The courses valid at `now`.
    pub fn valid_courses(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        self.training
            .iter()
            .filter(move |training| training.valid_until.is_none_or(|until| now < until))
            .map(|training| training.course.as_str())
    }
}
