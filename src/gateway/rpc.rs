//! A refusal as a JSON-RPC 2.0 error: the problem stands in `data`, so that an agent can read it.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header, response::Parts};
use serde_json::{Value, json};

use super::respond::Refusal;

/// The message that an exchange answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rpc {
    /// As the caller spelled it: a JSON text or number.
    pub(super) id: Option<String>,
}

impl Rpc {
    /// The refusal of the message; `request` is the exchange's id.
    ///
    /// An error that answers a request is an answer like any other, so its status is 200 (MCP 2025-06-18, transports); a
    /// message that cannot be answered, because it has no id, gets the status of the problem.
    pub(super) fn refused(self, refusal: Refusal, request: &str) -> (Parts, Bytes) {
        let code = code(refusal.code);
        let detail = refusal.detail.clone();
        let (mut head, problem) = refusal.into_response(request);
        let problem: Value = serde_json::from_slice(&problem).unwrap_or_default();
        let id = self.id.as_deref().and_then(|id| serde_json::from_str(id).ok()).unwrap_or(Value::Null);
        let message =
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": detail, "data": problem } });
        if self.id.is_some() {
            head.status = StatusCode::OK;
        }
        head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        (head, Bytes::from(format!("{message}\n")))
    }
}

/// JSON-RPC 2.0 §5.1.
fn code(problem: &str) -> i64 {
    match problem {
        "invalid_json" => -32_700,
        "invalid_message" => -32_600,
        "unmapped_method" => -32_601,
        "unmapped_tool" | "masked_value" => -32_602,
        _ => -32_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_answers_its_request_with_the_problem_in_data() {
        let refusal = Refusal::new("unmapped_tool", StatusCode::NOT_FOUND, "no such tool");
        let (head, body) = Rpc { id: Some("\"a\\u0062\"".to_owned()) }.refused(refusal, "r-1");
        let message: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((head.status, &message["id"]), (StatusCode::OK, &json!("ab")));
        assert_eq!((&message["error"]["code"], &message["error"]["data"]["status"]), (&json!(-32_602), &json!(404)));
        assert_eq!(message["error"]["data"]["code"], "unmapped_tool");
    }

    #[test]
    fn a_message_without_an_id_is_refused_with_the_status_of_the_problem() {
        let (head, body) = Rpc { id: None }.refused(Refusal::overloaded(), "r-1");
        let message: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((head.status.as_u16(), &message["id"]), (503, &Value::Null));
        assert_eq!(head.headers["retry-after"], "1");
    }
}
