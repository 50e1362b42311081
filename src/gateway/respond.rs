//! The one place where a refusal becomes HTTP: RFC 9457 problem details that say what to do and repeat nothing.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

/// A refused exchange: what the caller is told and what the record says.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The problem code, also the record's `why`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    /// What is wrong and what to do; never text of the caller or the CRM.
    pub detail: String,
    /// Further members of the problem (`fields`, `purposes`).
    pub members: Map<String, Value>,
    /// Further headers (`WWW-Authenticate`, `Retry-After`).
    pub headers: HeaderMap,
    /// Policies that decided, when policy refused.
    pub rules: Vec<std::sync::Arc<str>>,
    /// The call of a batch that it is about, counted from 1, and what was asked for there.
    pub call: Option<(u32, std::sync::Arc<crate::model::Operation>)>,
    /// Whether the connection has to end, because its framing cannot be trusted any more.
    pub closes: bool,
}

impl Refusal {
    /// A refusal with `code` and `status`.
    pub fn new(code: &'static str, status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            status,
            detail: detail.into(),
            members: Map::new(),
            headers: HeaderMap::new(),
            rules: Vec::new(),
            call: None,
            closes: false,
        }
    }

    /// The record cannot be made durable (audit-log.md §4.1 P4).
    pub fn audit_unavailable() -> Self {
        let detail = "the access record could not be made durable, so nothing is shown; try again later";
        Self::new("audit_unavailable", StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(5)
    }

    /// Too much is under way.
    pub fn overloaded() -> Self {
        let detail = "the gateway has as many exchanges under way as it may; try again later";
        Self::new("overloaded", StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
    }

    /// The CRM's answer cannot be shown.
    pub fn blocked(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(code, StatusCode::BAD_GATEWAY, detail)
    }

    /// Adds a member.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The problem as a response; `request` is the exchange's id.
    pub(super) fn into_response(self, request: &str) -> (http::response::Parts, Bytes) {
        let title = self.status.canonical_reason().unwrap_or("Refused");
        let mut problem = json!({
            "type": format!("urn:fieldgate:problem:{}", self.code),
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
            "request": request,
        });
        if let Some(object) = problem.as_object_mut() {
            object.extend(self.members);
        }
        let body = Bytes::from(format!("{problem}\n"));
        let mut response = Response::new(());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.closes {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        (response.into_parts().0, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_problem_document_with_its_members_and_headers() {
        let refusal = Refusal::overloaded().member("limit", 7);
        let (parts, body) = refusal.into_response("r-1");
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(parts.status, 503);
        assert_eq!(parts.headers["retry-after"], "1");
        assert_eq!(parts.headers["content-type"], "application/problem+json");
        assert_eq!((problem["code"].as_str(), problem["limit"].as_u64()), (Some("overloaded"), Some(7)));
    }
}
