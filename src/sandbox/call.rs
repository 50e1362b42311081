//! One request as the API reads it: path segments, query parameters and the JSON body.

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::reply::Failure;

/// A request whose body has arrived.
pub(super) struct Call {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What absolute links start with (`https://crm.example`).
    pub(super) origin: String,
}

impl Call {
    pub(super) fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The decoded path segments below `/api/v1`; nothing for a path elsewhere.
    pub(super) fn segments(&self) -> Option<Vec<String>> {
        self.below(BASE)
    }

    /// The decoded path segments below `base`; nothing for a path elsewhere.
    pub(super) fn below(&self, base: &str) -> Option<Vec<String>> {
        let rest = self.path().strip_prefix(base)?.strip_prefix('/')?;
        Some(rest.split('/').map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned()).collect())
    }

    /// The decoded query parameters in order (`application/x-www-form-urlencoded`).
    pub(super) fn query(&self) -> Vec<(String, String)> {
        let Some((_, query)) = self.target.split_once('?') else { return Vec::new() };
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect()
    }

    /// The first query parameter `name` that is not empty.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        self.query().into_iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value)
    }

    /// Every value of the query parameter `name` that is not empty: whoever repeats it means any of them.
    pub(super) fn parameters(&self, name: &str) -> Vec<String> {
        let values = self.query().into_iter().filter(|(key, value)| key == name && !value.is_empty());
        values.map(|(_, value)| value).collect()
    }

    /// The text of header `name`.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    /// 400 with the body echoed when it is not JSON, 422 when it is not an object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Failure> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(other) => Err(Failure::invalid("the body is not an object".into(), other)),
            Err(_) => {
                let body = String::from_utf8_lossy(&self.body);
                Err(Failure::bad_request(format!("not JSON: {body}"), json!({ "body": body })))
            }
        }
    }

    /// An absolute link to `path` (starts with a slash, below the base path).
    pub(super) fn link(&self, path: &str) -> String {
        format!("{}{BASE}{path}", self.origin)
    }
}

/// `text` for a place inside a query parameter.
pub(super) fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Where the API starts.
pub(super) const BASE: &str = "/api/v1";

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    fn call(target: &str) -> Call {
        Call {
            method: Method::GET,
            target: target.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            origin: "https://crm.example".into(),
        }
    }

    #[test]
    fn segments_and_parameters_are_decoded() {
        let call = call("/api/v1/customers/C%2D1?email=j%2Bx%40example.com&name=Zo%C3%AB+O%27Brien&empty=");
        assert_eq!(call.segments().unwrap(), ["customers", "C-1"]);
        assert_eq!(call.parameter("email").unwrap(), "j+x@example.com");
        assert_eq!(call.parameter("name").unwrap(), "Zoë O'Brien");
        assert_eq!(call.parameter("empty"), None);
    }

    #[test]
    fn a_path_outside_the_base_has_no_segments() {
        assert!(call("/api/v10/customers").segments().is_none());
        assert!(call("/").segments().is_none());
    }

    #[test]
    fn escaping_is_undone_by_reading() {
        let text = "Zoë & O'Brien=+%";
        assert_eq!(call(&format!("/api/v1/x?q={}", escape(text))).parameter("q").unwrap(), text);
    }
}
