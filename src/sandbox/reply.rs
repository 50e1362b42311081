//! One answer before quirks and content coding: status, header fields, JSON body; and the errors that echo their input.

use std::hash::{DefaultHasher, Hasher};

use http::header::{ALLOW, CONTENT_TYPE, ETAG, HeaderName, LINK, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::call::{Call, escape};
use super::sheet::Sheet;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Content,
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Content {
    /// All of it.
    Whole(Vec<u8>),
    /// This many customers in this format, rendered while they are sent.
    Export(Sheet, u64),
}

impl Reply {
    /// A JSON answer.
    pub(super) fn json(status: StatusCode, body: &Value) -> Self {
        Self::text(status, "application/json", body.to_string().into_bytes())
    }

    /// An answer of any media type.
    pub(super) fn text(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        Self { status, headers, body: Content::Whole(body) }
    }

    /// 204.
    pub(super) fn empty() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Content::Whole(Vec::new()) }
    }

    /// 201 with the place of the new record.
    pub(super) fn created(location: &str, body: &Value) -> Self {
        Self::json(StatusCode::CREATED, body).with(LOCATION, location)
    }

    /// Adds a header field; a value that cannot stand in a header is left out.
    #[must_use]
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }

    /// Adds the entity tag of the body, unless the answer has one.
    pub(super) fn tag(&mut self) {
        if self.headers.contains_key(ETAG) {
            return;
        }
        if let Content::Whole(body) = &self.body {
            let mut hasher = DefaultHasher::new();
            hasher.write(body);
            // Weak, because the content coding does not change it (RFC 9110 §8.8.1).
            if let Ok(tag) = HeaderValue::from_str(&format!("W/\"{:016x}\"", hasher.finish())) {
                self.headers.insert(ETAG, tag);
            }
        }
    }
}

/// One page of `items` in the list shape, with its neighbours as absolute links in the body and in `Link` (RFC 8288).
///
/// # Errors
/// 400 when `page` or `per_page` is not a number in range.
pub(super) fn page(call: &Call, items: &[Value]) -> Result<Reply, Failure> {
    let page = paging(call, "page", 1, 1_000_000)?;
    let per_page = paging(call, "per_page", 25, 100)?;
    let first = (page - 1).saturating_mul(per_page);
    let shown: Vec<Value> = items.iter().skip(first).take(per_page).cloned().collect();
    let next = (first + shown.len() < items.len() && !shown.is_empty()).then(|| page_link(call, page + 1, per_page));
    let previous = (page > 1).then(|| page_link(call, page - 1, per_page));
    let relations: Vec<String> = [(&next, "next"), (&previous, "prev")]
        .into_iter()
        .filter_map(|(link, relation)| Some(format!("<{}>; rel=\"{relation}\"", link.as_ref()?)))
        .collect();
    let body = json!({ "items": shown, "total": items.len(), "next": next, "previous": previous });
    let reply = Reply::json(StatusCode::OK, &body);
    Ok(if relations.is_empty() { reply } else { reply.with(LINK, &relations.join(", ")) })
}

fn paging(call: &Call, name: &str, default: usize, limit: usize) -> Result<usize, Failure> {
    let Some(text) = call.parameter(name) else { return Ok(default) };
    match text.parse() {
        Ok(number) if (1..=limit).contains(&number) => Ok(number),
        _ => Err(Failure::bad_request(
            format!("{name} is not a number from 1 to {limit}: {text}"),
            Value::Object(Map::from_iter([(name.into(), Value::from(text))])),
        )),
    }
}

/// The link keeps the filters of the request, personal or not: that is what CRMs do.
fn page_link(call: &Call, page: usize, per_page: usize) -> String {
    let mut link = format!("{}{}?page={page}&per_page={per_page}", call.origin, call.path());
    for (name, value) in call.query() {
        if name != "page" && name != "per_page" {
            link.push_str(&format!("&{}={}", escape(&name), escape(&value)));
        }
    }
    link
}

/// A refusal; its answer repeats what the client sent, as real CRMs do.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    input: Box<Value>,
    allow: Option<&'static str>,
}

impl Failure {
    pub(super) fn bad_request(message: String, input: Value) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "bad_request", message, input: input.into(), allow: None }
    }

    pub(super) fn unauthorized() -> Self {
        let message = String::from("the header X-Api-Token is missing or wrong");
        Self { status: StatusCode::UNAUTHORIZED, code: "unauthorized", message, input: json!({}).into(), allow: None }
    }

    pub(super) fn not_found(message: String, input: Value) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "not_found", message, input: input.into(), allow: None }
    }

    /// 404 for one record.
    pub(super) fn no(what: &str, id: &str) -> Self {
        Self::not_found(format!("no {what} with id {id}"), json!({ "id": id }))
    }

    pub(super) fn method(call: &Call, allow: &'static str) -> Self {
        let message = format!("{} is not possible here", call.method);
        let input = json!({ "method": call.method.as_str(), "path": call.path() });
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self { status, code: "method_not_allowed", message, input: input.into(), allow: Some(allow) }
    }

    pub(super) fn duplicate(message: String, input: Value) -> Self {
        Self { status: StatusCode::CONFLICT, code: "duplicate", message, input: input.into(), allow: None }
    }

    pub(super) fn invalid(message: String, input: Value) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, code: "invalid", message, input: input.into(), allow: None }
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("the body has more than {limit} bytes");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self { status, code: "too_large", message, input: json!({}).into(), allow: None }
    }

    pub(super) fn reply(self) -> Reply {
        let body = json!({ "error": { "code": self.code, "message": self.message, "input": self.input } });
        let reply = Reply::json(self.status, &body);
        match self.allow {
            Some(allow) => reply.with(ALLOW, allow),
            None => reply,
        }
    }
}
