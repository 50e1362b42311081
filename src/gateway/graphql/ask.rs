//! A request of a GraphQL route: its document, and what the arguments of each root look for or write.

use http::StatusCode;
use serde_json::{Map, Value};

use super::{invalid, malformed, unresolved};
use crate::{
    crm::graphql::{Request, Resolved, Root, resolve},
    gateway::{
        exchange::{Exchange, Stage},
        plan::Plan,
        request,
        respond::Refusal,
        search,
        snapshot::RoutePlan,
    },
    model::{ClassSet, Sensitive, SubjectId},
    rewrite::{self, RewriteError, WriteBack},
};

/// What a document asks for.
pub(super) struct Asked {
    pub(super) resolved: Resolved,
}

/// The arguments of a root.
#[derive(Default)]
pub(super) struct Guarded {
    pub(super) subject: Option<SubjectId>,
    pub(super) written: ClassSet,
    pub(super) known: Vec<Sensitive<String>>,
}

impl Asked {
    /// Reads the body of a request. A document that is not sent with it cannot be looked into, so it is refused.
    pub(super) fn parse(exchange: &Exchange<'_>, route: &RoutePlan, bytes: &[u8]) -> Stage<Self> {
        let stand_ins =
            rewrite::stand_ins(bytes, exchange.snapshot.rewrite_limits()).map_err(|error| malformed(&error))?;
        if !stand_ins.is_empty() {
            let detail = "the request carries masks or pseudonyms; leave these fields out, or search with values";
            let refusal = Refusal::new("masked_value", StatusCode::CONFLICT, detail).member("fields", stand_ins);
            return Err(Box::new(refusal));
        }
        const MEMBERS: [&str; 4] = ["query", "variables", "operationName", "extensions"];
        let body: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|_| invalid("send one request: an object with `query`, `variables` and `operationName`"))?;
        if body.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(invalid("a request has the members `query`, `variables`, `operationName` and `extensions`"));
        }
        let Some(query) = body.get("query").and_then(Value::as_str).filter(|query| !query.trim().is_empty()) else {
            let detail = "send the document itself as `query`: one that the server remembers cannot be looked into";
            return Err(Box::new(Refusal::new("unknown_document", StatusCode::BAD_REQUEST, detail)));
        };
        let none = Map::new();
        let variables = match body.get("variables") {
            None | Some(Value::Null) => &none,
            Some(Value::Object(variables)) => variables,
            Some(_) => return Err(invalid("`variables` is an object")),
        };
        let operation = match body.get("operationName") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name.as_str()),
            Some(_) => return Err(invalid("`operationName` is a text")),
        };
        let calls: Vec<_> = route.calls.iter().map(|call| call.call.clone()).collect();
        let resolved = resolve(&Request { query, operation, variables }, &calls).map_err(|error| unresolved(&error))?;
        Ok(Self { resolved })
    }
}

/// Checks what the arguments of `root` carry: what the map does not know is refused, and so is a value of a class that the CRM
/// stores in another form, because the document goes to it as it was written.
pub(super) fn guarded(exchange: &Exchange<'_>, route: &RoutePlan, plan: &Plan, root: &Root) -> Stage<Guarded> {
    let view = exchange.snapshot.request_view(route, plan);
    let mut all = Guarded::default();
    for arguments in &root.arguments {
        let text = arguments.to_string();
        let refused = |error: RewriteError| Box::new(refused(&error));
        let guarded = rewrite::guard_request(&view, text.as_bytes(), WriteBack::Refuse).map_err(refused)?;
        let subject = rewrite::subject(&view, text.as_bytes()).map_err(refused)?;
        all.subject = all.subject.or(subject);
        all.written = all.written.union(guarded.written);
        all.known.extend(guarded.known);
    }
    let stored = |class| exchange.snapshot.classes.get(class).is_some_and(|class| class.storage.is_protected());
    // A field that is selected and not given says nothing.
    if !all.known.is_empty() && all.written.iter().any(stored) {
        let detail = "an argument holds a value that the CRM does not store in clear; use a route that seals and searches \
                      such values, or ask by another field";
        return Err(Box::new(Refusal::new("unsupported_on_protected", StatusCode::UNPROCESSABLE_ENTITY, detail)));
    }
    search::plain(&exchange.snapshot, &all.known)?;
    Ok(all)
}

fn refused(error: &RewriteError) -> Refusal {
    match error {
        RewriteError::Unmapped { fields } => {
            let detail = "the API map does not know these arguments of the root; leave them out";
            Refusal::new("unmapped_argument", StatusCode::BAD_REQUEST, detail).member("fields", fields.clone())
        }
        RewriteError::TooManySubjects => {
            let detail = "the arguments name more than one record; ask for them one by one";
            Refusal::new("invalid_document", StatusCode::BAD_REQUEST, detail)
        }
        other => request::refused(other),
    }
}
