//! Search syntax: a query in, what it asks for in protected fields out; stored forms in, the query for the CRM out.
//!
//! One parser per dialect. What is not about a protected field comes out byte for byte; of a predicate on one, the literal
//! changes, and the operator where one value has several stored forms. What cannot be answered rightly is refused: never an
//! empty or a wrong page. Never knows how a value is stored: the caller answers the asks.

mod cursor;
mod fields;
mod free;
mod hubspot;
pub(super) mod load;
mod odata;
mod predicate;
pub(super) mod rule;
mod soql;
pub(super) mod target;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod ticketsql;
mod zendesk;

use std::fmt;

pub use cursor::MAX_SEARCH_DEPTH;
pub use fields::SearchFields;
pub use free::MIN_FREE_DIGITS;
pub use hubspot::{MAX_FILTERS, MAX_GROUP_FILTERS, MAX_GROUPS, MAX_VALUES};
pub use odata::Clause;
pub use rule::{SearchPlace, SearchRule};
pub use target::TargetSearch;
pub use zendesk::MAX_TERMS;

use crate::model::{ClassId, Sensitive};
use predicate::Found;

/// Bytes per query, before and after rewriting (Salesforce: 100,000 characters per SOQL statement).
pub const MAX_SEARCH_BYTES: usize = 100_000;
/// Literals on protected fields per query.
pub const MAX_ASKS: usize = 500;

/// A search syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Salesforce Object Query Language: a whole `SELECT`.
    Soql,
    /// One system query option, or the key in a path segment, of OData 4.01.
    OData(Clause),
    /// Request Tracker's ticket search.
    TicketSql,
    /// Zendesk's search terms.
    Zendesk,
    /// HubSpot's search body (JSON).
    HubSpot,
}

/// How a value that a query asks for is stored.
#[derive(Clone, PartialEq, Eq)]
pub enum Pattern {
    /// The stored text is this.
    Equals(String),
    /// The stored text starts with this.
    StartsWith(String),
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(text) => write!(f, "Equals(<{} bytes>)", text.len()),
            Self::StartsWith(text) => write!(f, "StartsWith(<{} bytes>)", text.len()),
        }
    }
}

/// A value of a class that a query looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Its class.
    pub class: ClassId,
    /// The value in clear, unquoted.
    pub value: Sensitive<String>,
}

/// Why a query is not forwarded. Fields are named as the map names them; nothing of the query's text is repeated.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum SearchError {
    /// Stored values cannot answer this (422 `unsupported_on_protected`).
    #[error("{operator} does not work on the protected field `{field}`; {instead}")]
    Unsupported {
        /// The field.
        field: String,
        /// The operator, function or clause.
        operator: &'static str,
        /// What works.
        instead: &'static str,
    },
    /// The field would come back under a name that no selector of the answer knows (422).
    #[error("the protected field `{field}` would come back under another name; select it by its own name")]
    Aliased {
        /// The field.
        field: String,
    },
    /// Not understood, so not known to be harmless (400).
    #[error("the query is not understood at byte {at}: {what}")]
    Syntax {
        /// The byte, from 0, of the decoded query.
        at: usize,
        /// What was expected.
        what: &'static str,
    },
    /// Past a limit of the gateway or of the dialect (422).
    #[error("the query has more than {limit} {what}; split it")]
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The value has several stored forms at present, and this place takes one (422).
    #[error("values of `{field}` have several stored forms at present and cannot be looked up here; search for them")]
    Ambiguous {
        /// The field.
        field: String,
    },
    /// The caller of [`Query::rewrite`] did not answer each ask with at least one pattern (500).
    #[error("an ask of the query was not answered")]
    Unanswered,
}

impl SearchError {
    /// The problem code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unsupported { .. } => "unsupported_on_protected",
            Self::Aliased { .. } => "aliased",
            Self::Syntax { .. } => "bad_search",
            Self::TooLarge { .. } => "search_too_large",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Unanswered => "internal",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        match self {
            Self::Syntax { .. } => http::StatusCode::BAD_REQUEST,
            Self::Unanswered => http::StatusCode::INTERNAL_SERVER_ERROR,
            _ => http::StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// A parsed query: its source and where its predicates on protected fields stand.
#[derive(Debug, Clone)]
pub struct Query {
    dialect: Dialect,
    text: Sensitive<String>,
    asks: Vec<Ask>,
    predicates: Vec<predicate::Predicate>,
}

impl Query {
    /// Parses `text`, decoded, in `dialect`.
    ///
    /// # Errors
    /// It is not understood, asks something of a protected field that stored values cannot answer, or is too large.
    pub fn parse(dialect: Dialect, fields: &SearchFields, text: &str) -> Result<Self, SearchError> {
        within(text.len())?;
        let mut found = Found::new(fields, dialect);
        match dialect {
            Dialect::Soql => soql::parse(text, &mut found),
            Dialect::OData(clause) => odata::parse(clause, text, &mut found),
            Dialect::TicketSql => ticketsql::parse(text, &mut found),
            Dialect::Zendesk => zendesk::parse(text, &mut found),
            Dialect::HubSpot => hubspot::parse(text, &mut found),
        }?;
        let (asks, predicates) = found.finish();
        Ok(Self { dialect, text: Sensitive::new(text.to_owned()), asks, predicates })
    }

    /// The values it looks for in protected fields, in order.
    #[must_use]
    pub fn asks(&self) -> &[Ask] {
        &self.asks
    }

    /// The query for the CRM: `answers` has the stored forms of each ask, at least one (a value that was never stored is
    /// answered with a form that cannot be stored, so that the rest of the query keeps its meaning).
    ///
    /// # Errors
    /// An ask is not answered, the dialect cannot express the forms, or the query grows past a limit.
    pub fn rewrite(&self, answers: &[Vec<Pattern>]) -> Result<String, SearchError> {
        if answers.len() != self.asks.len() || answers.iter().any(Vec::is_empty) {
            return Err(SearchError::Unanswered);
        }
        let out = predicate::rewrite(self.dialect, self.text.expose(), &self.predicates, &self.asks, answers)?;
        within(out.len())?;
        Ok(out)
    }
}

fn within(bytes: usize) -> Result<(), SearchError> {
    if bytes > MAX_SEARCH_BYTES {
        return Err(SearchError::TooLarge { what: "bytes", limit: MAX_SEARCH_BYTES });
    }
    Ok(())
}
