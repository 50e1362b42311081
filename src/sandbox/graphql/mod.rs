//! The sample CRM's GraphQL API at `/graphql`: customers by themselves, and in the shape of a CRM that gives each value twice
//! (`uiapi { query { Contact { edges { node { Email { value displayValue } } } } } }`). Errors repeat what was sent.

mod document;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    at,
    call::Call,
    records::number,
    reply::Reply,
    store::{Store, mentions, merge, only_digits, text},
};
use document::{Selected, parse};

/// Where it is.
pub(super) const PATH: &str = "/graphql";

/// Answers one HTTP request.
pub(super) fn answer(store: &mut Store, call: &Call) -> Reply {
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&call.body) else {
        let message = format!("not a request: {}", String::from_utf8_lossy(&call.body));
        return Reply::json(StatusCode::BAD_REQUEST, &json!({ "errors": [{ "message": message }] }));
    };
    let variables = body.get("variables").cloned().unwrap_or_default();
    let operation = body.get("operationName").and_then(Value::as_str);
    let parsed = parse(body.get("query").and_then(Value::as_str).unwrap_or_default(), operation, &variables);
    let Some(selected) = parsed else {
        let message = format!("Syntax Error in {}", Value::Object(body));
        return Reply::json(StatusCode::BAD_REQUEST, &json!({ "errors": [{ "message": message }] }));
    };
    let mut errors = Vec::new();
    let data = object(store, "", &Value::Object(Map::new()), &selected, &mut errors);
    let answer = if errors.is_empty() { json!({ "data": data }) } else { json!({ "data": data, "errors": errors }) };
    Reply::json(StatusCode::OK, &answer)
}

fn object(store: &mut Store, path: &str, value: &Value, selected: &[Selected], errors: &mut Vec<Value>) -> Value {
    let mut out = Map::new();
    for field in selected {
        let path = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
        let found = match field.name.as_str() {
            "__typename" => Ok(Value::from("Object")),
            _ => root(store, &path, &field.arguments).unwrap_or_else(|| {
                let known = value.get(&field.name).cloned();
                known.ok_or_else(|| format!("Cannot query field {} with {}", field.name, field.arguments))
            }),
        };
        let shown = match found {
            Ok(found) => below(store, &path, &found, &field.selected, errors),
            Err(message) => {
                errors.push(json!({ "message": message, "path": [field.key], "extensions": { "seen": value } }));
                Value::Null
            }
        };
        out.insert(field.key.clone(), shown);
    }
    Value::Object(out)
}

fn below(store: &mut Store, path: &str, value: &Value, selected: &[Selected], errors: &mut Vec<Value>) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| below(store, path, item, selected, errors)).collect(),
        Value::Object(_) if !selected.is_empty() => object(store, path, value, selected, errors),
        other => other.clone(),
    }
}

/// The value of a field that takes arguments; nothing for one that stands in its object.
fn root(store: &mut Store, path: &str, arguments: &Value) -> Option<Result<Value, String>> {
    let customer = |store: &mut Store| {
        let id = at(arguments, "/id").as_str().unwrap_or_default();
        let record = number(id, 'C').and_then(|number| store.records.customers.get(&number).cloned());
        record.ok_or_else(|| format!("no customer {arguments}"))
    };
    match path {
        "customer" => Some(customer(store).map(Value::Object)),
        "customers" => {
            let wanted = at(arguments, "/email")
                .as_str()
                .or(at(arguments, "/query").as_str())
                .unwrap_or_default()
                .to_lowercase();
            let digits = only_digits(&wanted);
            let hit = |record: &&Map<String, Value>| record.values().any(|value| mentions(value, &wanted, &digits));
            let first = at(arguments, "/first").as_u64().unwrap_or(10);
            let found = store.records.customers.values().filter(hit).take(usize::try_from(first).unwrap_or(10));
            Some(Ok(found.cloned().map(Value::Object).collect()))
        }
        "updateCustomer" => {
            let id = at(arguments, "/id").as_str().unwrap_or_default();
            let changes = at(arguments, "/changes").as_object().cloned().unwrap_or_default();
            let record = number(id, 'C').and_then(|number| store.records.customers.get_mut(&number));
            Some(record.ok_or_else(|| format!("no customer {arguments}")).map(|record| {
                merge(record, changes);
                Value::Object(record.clone())
            }))
        }
        "uiapi" | "uiapi.query" => Some(Ok(json!({}))),
        "uiapi.query.Contact" => {
            let wanted = at(arguments, "/where/Email/eq").as_str();
            let first = usize::try_from(at(arguments, "/first").as_u64().unwrap_or(10)).unwrap_or(10);
            let hit = |record: &&Map<String, Value>| wanted.is_none_or(|wanted| text(record, "email") == wanted);
            let edges: Vec<Value> = store.records.customers.values().filter(hit).take(first).map(contact).collect();
            Some(Ok(json!({ "totalCount": edges.len(), "edges": edges })))
        }
        _ => None,
    }
}

fn contact(record: &Map<String, Value>) -> Value {
    let twice = |value: &Value| json!({ "value": value, "displayValue": value });
    json!({ "cursor": record["id"], "node": {
        "Id": record["id"],
        "Name": twice(&record["name"]),
        "Email": twice(&record["email"]),
        "Phone": twice(&record["phone"]),
        "Note__c": twice(&record["notes"]),
        "Score": twice(&record["loyalty_points"]),
        "Account": { "Name": twice(&record["name"]) },
    } })
}
