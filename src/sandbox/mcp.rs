//! The sample CRM as an MCP server (streamable HTTP, 2025-06-18) at `/mcp`: tools over the customers, whose results repeat each value
//! in every place that the protocol has for it.

use http::{HeaderName, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    at,
    call::Call,
    records::number,
    reply::Reply,
    shape::grouped,
    store::{Store, mentions, merge, only_digits, text},
};

/// Where it is.
pub(super) const PATH: &str = "/mcp";

/// Answers one HTTP request.
pub(super) fn answer(store: &mut Store, call: &Call) -> Reply {
    match call.method {
        Method::POST => {}
        // A session ends; nothing of it is kept.
        Method::DELETE => return Reply::text(StatusCode::OK, "text/plain", Vec::new()),
        _ => return Reply::text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", b"no stream is offered".to_vec()),
    }
    let Ok(message) = serde_json::from_slice::<Value>(&call.body) else {
        let body = String::from_utf8_lossy(&call.body).into_owned();
        return Reply::json(StatusCode::BAD_REQUEST, &error(&Value::Null, -32_700, &format!("not JSON: {body}")));
    };
    let (id, method) = (at(&message, "/id"), at(&message, "/method").as_str().unwrap_or_default());
    if id.is_null() || method.is_empty() {
        return Reply::text(StatusCode::ACCEPTED, "text/plain", Vec::new());
    }
    let begins = method == "initialize";
    if !begins && call.header("mcp-session-id").is_none() {
        let refused = error(id, -32_600, "the header Mcp-Session-Id is missing");
        return Reply::json(StatusCode::BAD_REQUEST, &refused);
    }
    let params = at(&message, "/params");
    let outcome = match method {
        "initialize" => Ok(json!({
            "protocolVersion": at(params, "/protocolVersion").as_str().unwrap_or("2025-06-18"),
            "capabilities": { "tools": {}, "logging": {} },
            "serverInfo": { "name": "sandbox-crm", "version": "1.0" },
            "instructions": "Look customers up before you change them.",
        })),
        "ping" | "logging/setLevel" => Ok(json!({})),
        "tools/list" => Ok(json!({ "tools": tools() })),
        "tools/call" => called(store, call, params),
        other => Err((-32_601, format!("no method {other}"))),
    };
    let answer = match outcome {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err((code, message)) => error(id, code, &message),
    };
    let streams = !at(params, "/_meta/progressToken").is_null() || call.header("x-sandbox-stream").is_some();
    let reply = if streams {
        Reply::text(StatusCode::OK, "text/event-stream", events(params, &answer).into_bytes())
    } else {
        Reply::json(StatusCode::OK, &answer)
    };
    if begins { reply.with(HeaderName::from_static("mcp-session-id"), "4111-1111-1111-1111") } else { reply }
}

fn error(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message, "data": { "seen": message } } })
}

/// The answer as a stream, after what a server says on the way.
fn events(params: &Value, answer: &Value) -> String {
    let person = at(answer, "/result/structuredContent");
    let email = at(person, "/email").as_str().unwrap_or("nobody");
    let token = at(params, "/_meta/progressToken");
    let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": {
        "progressToken": token, "progress": 1, "total": 2, "message": format!("found {email}"),
    } });
    let log = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": {
        "level": "info", "data": { "mail": email, "call": at(params, "/name") },
    } });
    let mut out = String::from(": open\n\n");
    let said = if token.is_null() { vec![log] } else { vec![progress, log] };
    for (number, message) in said.iter().enumerate() {
        out.push_str(&format!("event: message\nid: {number}\ndata: {message}\n\n"));
    }
    // Pretty, so that the data takes many lines.
    out.push_str("event: message\nid: last\n");
    for line in serde_json::to_string_pretty(answer).unwrap_or_default().lines() {
        out.push_str(&format!("data: {line}\n"));
    }
    out.push('\n');
    out
}

type Outcome = Result<Value, (i64, String)>;

fn called(store: &mut Store, call: &Call, params: &Value) -> Outcome {
    let (name, arguments) = (at(params, "/name").as_str().unwrap_or_default(), at(params, "/arguments"));
    match name {
        "get_customer" => one(store, arguments).map(|record| shown(call, record, "Found")),
        "update_customer" => {
            let changes = at(arguments, "/changes").as_object().cloned().unwrap_or_default();
            let record = one(store, arguments)?;
            merge(record, changes);
            Ok(shown(call, record, "Updated"))
        }
        "add_note" => {
            let note = at(arguments, "/text").clone();
            let record = one(store, arguments)?;
            record.insert("notes".to_owned(), note.clone());
            let told = format!("noted: {}", note.as_str().unwrap_or_default());
            Ok(json!({ "content": [{ "type": "text", "text": told }], "structuredContent": { "id": record["id"] } }))
        }
        "search_customers" => Ok(found(store, call, at(arguments, "/query").as_str().unwrap_or_default())),
        "fail" => {
            let told = format!("cannot serve {arguments}");
            Ok(json!({ "content": [{ "type": "text", "text": told }], "isError": true }))
        }
        other => Err((-32_602, format!("no tool {other}, asked with {arguments}"))),
    }
}

fn one<'s>(store: &'s mut Store, arguments: &Value) -> Result<&'s mut Map<String, Value>, (i64, String)> {
    let id = at(arguments, "/id").as_str().unwrap_or_default();
    let record = number(id, 'C').and_then(|number| store.records.customers.get_mut(&number));
    record.ok_or_else(|| (-32_000, format!("no customer {arguments}")))
}

/// A customer as a tool shows it; the member `household` came with the last release.
fn seen(call: &Call, record: &Map<String, Value>) -> Value {
    let mut seen = record.clone();
    seen.insert("self".to_owned(), call.link(&format!("/customers/{}", text(record, "id"))).into());
    seen.insert("household".to_owned(), json!({ "head": record["name"], "size": 3 }));
    Value::Object(seen)
}

/// One customer in every place of a result.
fn shown(call: &Call, record: &Map<String, Value>, verb: &str) -> Value {
    let seen = seen(call, record);
    let (id, name, email) = (text(record, "id"), text(record, "name"), text(record, "email"));
    let address = |part: &str| at(&seen, &format!("/address/{part}")).as_str().unwrap_or_default();
    let card = grouped(&only_digits(at(&seen, "/card/number").as_str().unwrap_or_default()), ' ');
    let prose = format!(
        "{verb} {name} <{email}>, {}, {}, born {}; pays with {card}. {} is a good customer.",
        address("street"),
        address("city"),
        text(record, "birth_date"),
        name.split(' ').next().unwrap_or_default(),
    );
    json!({
        "content": [
            { "type": "text", "text": serde_json::to_string_pretty(&seen).unwrap_or_default() },
            { "type": "text", "text": prose, "annotations": { "audience": ["assistant"] } },
            { "type": "resource", "resource": {
                "uri": format!("crm://customers/{id}"), "mimeType": "application/json", "text": seen.to_string(),
            } },
            { "type": "resource", "resource": { "uri": format!("crm://scans/{id}"), "blob": PICTURE } },
            { "type": "resource_link", "uri": format!("crm://customers?email={}", super::call::escape(email)),
                "name": format!("Record of {name}"), "mimeType": "application/json" },
            { "type": "image", "data": PICTURE, "mimeType": "image/png" },
        ],
        "structuredContent": seen,
        "_meta": { "cachedFor": name },
    })
}

/// The customers who mention `query`, as a list and as one text for each.
fn found(store: &Store, call: &Call, query: &str) -> Value {
    let (wanted, digits) = (query.to_lowercase(), only_digits(query));
    let hits = store
        .records
        .customers
        .values()
        .filter(|record| record.values().any(|value| mentions(value, &wanted, &digits)));
    let items: Vec<Value> = hits.take(MAX_HITS).map(|record| seen(call, record)).collect();
    let content: Vec<Value> = items.iter().map(|item| json!({ "type": "text", "text": item.to_string() })).collect();
    json!({ "content": content, "structuredContent": { "items": items } })
}

fn tools() -> Value {
    let tool = |name: &str, about: &str, properties: Value, required: &[&str]| {
        json!({ "name": name, "description": about,
            "inputSchema": { "type": "object", "properties": properties, "required": required } })
    };
    let id = json!({ "type": "string" });
    let mut get =
        tool("get_customer", "One customer; ask jane.roe@example.net if in doubt", json!({ "id": id }), &["id"]);
    let schema = json!({ "type": "object", "required": ["id", "name", "email"], "properties": {
        "id": id, "name": id, "email": { "type": "string", "format": "email" }, "loyalty_points": { "type": "integer" },
        "card": { "type": "object", "properties": { "number": id } },
    } });
    if let Value::Object(get) = &mut get {
        get.insert("outputSchema".to_owned(), schema);
    }
    json!([
        get,
        tool("search_customers", "Customers who mention a word", json!({ "query": id }), &["query"]),
        tool(
            "update_customer",
            "Change fields of a customer",
            json!({ "id": id, "changes": { "type": "object" } }),
            &["id", "changes"]
        ),
        tool("add_note", "Replace the notes of a customer", json!({ "id": id, "text": id }), &["id", "text"]),
        tool("fail", "Always fails", json!({}), &[]),
        tool("drop_database", "Not in any map", json!({}), &[]),
    ])
}

/// A picture of one pixel.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// Customers in one answer.
const MAX_HITS: usize = 20;
