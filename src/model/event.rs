//! What the access log is told. Values never appear here: classes, counts, keyed references made by `audit` and names do.

use std::{net::IpAddr, sync::Arc};

use super::{
    action::Action,
    class::{ClassSet, ClassTable},
    principal::Principal,
    sensitive::Sensitive,
    time::Timestamp,
};

/// The CRM's id of a record: personal by itself, so it is held as [`Sensitive`] and only its keyed reference is written.
pub type SubjectId = Sensitive<String>;

/// What one part of a body showed of one record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sighting {
    /// The record's id where the body (or the path) names it.
    pub subject: Option<SubjectId>,
    /// Classes shown as they are.
    pub reveal: ClassSet,
    /// Classes shown masked.
    pub mask: ClassSet,
    /// Classes shown as a pseudonym.
    pub pseudonym: ClassSet,
    /// Classes withheld.
    pub redact: ClassSet,
    /// Classes of `mask` that policy would have revealed: a budget was used up.
    pub capped: ClassSet,
}

/// A subject in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The resource name of the map (`ticket`).
    pub kind: Arc<str>,
    /// What was seen of it.
    pub seen: Sighting,
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The identified caller; absent when identification failed.
    pub principal: Option<Arc<Principal>>,
    /// The client's address.
    pub address: IpAddr,
}

/// Why, as the caller claims.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Purpose {
    /// A configured purpose code.
    pub code: Option<Arc<str>>,
    /// The case it is for, as the caller names it; written as a keyed reference.
    pub case: Option<SubjectId>,
}

/// What is asked for. The route **template**, never the raw path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Operation {
    /// The action; absent when no route matched.
    pub action: Option<Action>,
    /// The route's name.
    pub route: Option<Arc<str>>,
    /// Method and template as the map spells them: `GET /tickets/{id}`.
    pub template: Option<Arc<str>>,
    /// The upstream's name.
    pub upstream: Option<Arc<str>>,
    /// HTTP method when it is a registered one, else `other`.
    pub method: &'static str,
}

/// What policy (or the gateway) decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Everything asked for is shown.
    Permit,
    /// Permitted with masks, pseudonyms or redactions.
    PermitProtected,
    /// Refused.
    Deny,
}

/// The decision of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDecision {
    /// What was decided.
    pub effect: Effect,
    /// The policies that decided, by id.
    pub rules: Arc<[Arc<str>]>,
    /// `sha256:…` of the policy bundle.
    pub policy: Arc<str>,
    /// Why it was refused or withheld: a problem code such as `unmapped_route`; never text from the caller.
    pub why: Option<&'static str>,
    /// Choices to pass that the configuration made (fail-closed by name): `pass_authorization`, …
    pub notes: Vec<&'static str>,
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Status sent to the caller; absent when none was.
    pub status: Option<u16>,
    /// Status of the CRM; absent when it was not reached.
    pub upstream_status: Option<u16>,
    /// Whether the last byte was handed to the socket.
    pub released: bool,
    /// Body bytes handed over.
    pub bytes: u64,
    /// Milliseconds from the request's head to the end.
    pub millis: u64,
    /// Members that the CRM sent, that the API map does not know, and that were withheld.
    pub drift: u64,
    /// Whether the caller went away first.
    pub client_abort: bool,
    /// A problem code when the gateway ended it.
    pub why: Option<&'static str>,
}

/// What a comparison came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The value is the one of the field.
    Match,
    /// It is not, or there is none.
    NoMatch,
}

/// The kind of an access record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessKind {
    /// Before a write reaches the CRM.
    Intent,
    /// Before a shown byte reaches the caller; part `n`, counted from 1.
    Reveal {
        /// Which part of the body.
        part: u32,
    },
    /// Before the answer whether a value is the one of a record's field.
    Verify(Verified),
    /// A refusal.
    Deny,
    /// The end; exactly one per exchange.
    Outcome(Outcome),
}

/// One `access.*` record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessEvent {
    /// Its kind.
    pub kind: AccessKind,
    /// Wall clock.
    pub at: Timestamp,
    /// UUIDv7 of the exchange, as 128 bits.
    pub request: u128,
    /// Which call of a batch it is about, counted from 1; absent for the exchange as a whole.
    pub call: Option<u32>,
    /// W3C trace id.
    pub trace: Option<[u8; 16]>,
    /// Who.
    pub actor: Arc<Actor>,
    /// Why.
    pub purpose: Arc<Purpose>,
    /// What.
    pub operation: Arc<Operation>,
    /// Of whom.
    pub subjects: Vec<Subject>,
    /// Classes the caller wrote (`access.intent`).
    pub written: ClassSet,
    /// Classes the caller searched by or compared with.
    pub searched: ClassSet,
    /// Decided how.
    pub decision: Arc<EventDecision>,
    /// Names for the class sets above.
    pub classes: Arc<ClassTable>,
}

/// A record that is not about one access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lifecycle {
    /// A policy bundle came into force: `policy.load`.
    PolicyLoaded {
        /// `sha256:…` of the bundle.
        policy: String,
    },
    /// A configuration was refused or taken: `admin.reload`.
    Reloaded {
        /// `applied` or `refused`.
        outcome: &'static str,
        /// `sha256:…` of the configuration that is now in force.
        config: String,
    },
    /// Somebody read the log: `review.query`.
    Reviewed {
        /// Who (operating-system user for the CLI).
        reviewer: String,
        /// Which verb (`query`, `show`).
        verb: &'static str,
    },
}

/// Anything the log is asked to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `access.*`.
    Access(AccessEvent),
    /// `policy.*`, `admin.*`, `review.*`.
    Lifecycle {
        /// Wall clock.
        at: Timestamp,
        /// What happened.
        what: Lifecycle,
    },
}
