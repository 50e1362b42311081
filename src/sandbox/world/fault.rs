//! Refusals of the second surface: `[{"errorCode":…,"message":…,"fields":[…]}]`; messages repeat what the client sent.

use http::StatusCode;
use http::header::{ALLOW, RETRY_AFTER};
use serde_json::{Value, json};

use super::super::reply::Reply;

/// A refusal.
#[derive(Debug)]
pub(super) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    message: String,
    fields: Vec<String>,
    allow: Option<&'static str>,
    retry_after: Option<u64>,
}

impl Fault {
    pub(super) fn new(status: StatusCode, code: &'static str, message: String) -> Self {
        Self(Box::new(Inner { status, code, message, fields: Vec::new(), allow: None, retry_after: None }))
    }

    /// 400.
    pub(super) fn bad(code: &'static str, message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 400 for a query that the dialect does not have.
    pub(super) fn query(message: String) -> Self {
        Self::bad("MALFORMED_QUERY", message)
    }

    /// 400 for a field that does not exist.
    pub(super) fn field(name: &str) -> Self {
        Self::bad("INVALID_FIELD", format!("no such column: {name}")).on(name)
    }

    /// 404.
    pub(super) fn missing(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("the requested resource does not exist: {what}"))
    }

    /// 405.
    pub(super) fn method(allow: &'static str) -> Self {
        let message = format!("the methods here are {allow}");
        let mut fault = Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message);
        fault.0.allow = Some(allow);
        fault
    }

    /// 429.
    pub(super) fn too_many(seconds: u64) -> Self {
        let message = "too many calls in this window".to_owned();
        let mut fault = Self::new(StatusCode::TOO_MANY_REQUESTS, "REQUEST_LIMIT_EXCEEDED", message);
        fault.0.retry_after = Some(seconds);
        fault
    }

    /// Names a field the refusal is about.
    #[must_use]
    pub(super) fn on(mut self, field: &str) -> Self {
        self.0.fields.push(field.to_owned());
        self
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> &'static str {
        self.0.code
    }

    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.0.message
    }

    /// The refusal as one entry of a batch's result.
    pub(super) fn entry(&self) -> Value {
        json!({ "statusCode": self.0.code, "message": self.0.message, "fields": self.0.fields })
    }

    pub(super) fn reply(self) -> Reply {
        let inner = *self.0;
        let body = json!([{ "errorCode": inner.code, "message": inner.message, "fields": inner.fields }]);
        let mut reply = Reply::json(inner.status, &body);
        if let Some(allow) = inner.allow {
            reply = reply.with(ALLOW, allow);
        }
        if let Some(seconds) = inner.retry_after {
            reply = reply.with(RETRY_AFTER, &seconds.to_string());
        }
        reply
    }
}
