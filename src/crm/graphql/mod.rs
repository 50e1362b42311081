//! GraphQL requests (specification of October 2021): a document, its variables and the roots of a map in; which calls it makes, with
//! which arguments, and which field each name of the answer stands for, out. What is not understood is refused.

mod lex;
mod parse;
mod resolve;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Call;
use crate::model::Selection;

pub use resolve::resolve;

/// Tokens of one document.
pub const MAX_TOKENS: usize = 10_000;

/// Selection sets inside of each other, and lists and objects in a value.
pub const MAX_DEPTH: usize = 32;

/// Fields of one document once its fragments are written out.
pub const MAX_FIELDS: usize = 5_000;

/// Aliases among them.
pub const MAX_ALIASES: usize = 500;

/// A request as it is sent (GraphQL over HTTP).
#[derive(Debug, Clone, PartialEq)]
pub struct Request<'r> {
    /// The document.
    pub query: &'r str,
    /// Which of its operations is meant.
    pub operation: Option<&'r str>,
    /// What its variables are.
    pub variables: &'r Map<String, Value>,
}

/// What a document asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Its calls, in order of the document.
    pub roots: Vec<Root>,
    /// What the answer's names stand for, from `data` on.
    pub selection: Selection,
}

/// A call of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Root {
    /// Its place among the calls of the route.
    pub call: usize,
    /// The response keys that lead to it from `data` on.
    pub keys: Vec<String>,
    /// Its arguments, and those of the fields below it in members with dotted names (`.edges.node.cases`), once for each time
    /// that the field is selected. Variables are filled in, enumerations are texts.
    pub arguments: Vec<Value>,
}

/// Why a document does not pass. Positions are bytes of the document; values are never repeated.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum GraphQlError {
    /// Not GraphQL.
    #[error("not a GraphQL document: {what} at byte {at}")]
    Syntax {
        /// Where.
        at: usize,
        /// What is expected.
        what: &'static str,
    },
    /// Past a limit.
    #[error("the document has more {what} than {limit}; ask for less at once")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// No operation, or it is not said which.
    #[error("say by `operationName` which operation of the document is meant")]
    Operation,
    /// A subscription.
    #[error("subscriptions are not served; ask again with a query")]
    Subscription,
    /// A fragment that is not there, or that spreads itself.
    #[error("a fragment is not defined, or spreads itself")]
    Fragment,
    /// One name of the answer would stand for two fields.
    #[error("`{key}` stands for two fields in one place; give each its own alias")]
    Ambiguous {
        /// The response key.
        key: String,
    },
    /// A directive that changes what an answer looks like.
    #[error("only the directives `@include` and `@skip` are served")]
    Directive,
    /// A root that no map names.
    #[error("the API map has no root `{name}` for this kind of operation")]
    Unmapped {
        /// The field names that lead to it.
        name: String,
    },
    /// A container of roots with arguments.
    #[error("`{name}` leads to the roots of the map and takes no arguments")]
    Container {
        /// The field names that lead to it.
        name: String,
    },
}

impl GraphQlError {
    /// The problem code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unmapped { .. } | Self::Container { .. } => "unmapped_root",
            Self::Limit { .. } => "document_too_large",
            Self::Subscription => "unsupported_operation",
            _ => "invalid_document",
        }
    }
}

/// The calls of a route by name, for one kind of operation.
pub(super) struct Calls<'c> {
    pub(super) calls: &'c [Call],
    pub(super) kind: Kind,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Query,
    Mutation,
}

impl Calls<'_> {
    fn find(&self, name: &str) -> Option<usize> {
        let writes = self.kind == Kind::Mutation;
        self.calls.iter().position(|call| *call.name == *name && call.route.action.is_write() == writes)
    }

    fn leads_to(&self, name: &str) -> bool {
        let writes = self.kind == Kind::Mutation;
        let below = |call: &&Call| call.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        self.calls.iter().filter(|call| call.route.action.is_write() == writes).any(|call| below(&call))
    }
}

/// Names are shared: documents repeat them.
pub(super) type Name = Arc<str>;
