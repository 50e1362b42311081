//! Tickets and their comments: list, read, create, merge.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::call::Call;
use super::records::number;
use super::reply::{Failure, Reply, page};
use super::store::{Store, merge, text};
use super::words;

/// `GET` and `POST /tickets`; the list takes `?customer_id=`, `?status=` and `?email=` (of the requester).
pub(super) fn collection(store: &mut Store, call: &Call) -> Result<Reply, Failure> {
    match call.method {
        Method::GET => list(store, call),
        Method::POST => create(store, call),
        _ => Err(Failure::method(call, "GET, HEAD, POST")),
    }
}

/// `GET` and `PATCH /tickets/{id}`.
pub(super) fn one(store: &mut Store, call: &Call, id: &str) -> Result<Reply, Failure> {
    let record = number(id, 'T').and_then(|key| store.records.tickets.get_mut(&key));
    let record = record.ok_or_else(|| Failure::no("ticket", id))?;
    match call.method {
        Method::GET => {}
        Method::PATCH => {
            let input = call.object()?;
            let mut after = record.clone();
            merge(&mut after, input.clone());
            for own in OWN {
                after.insert(own.into(), record.get(own).cloned().unwrap_or_default());
            }
            check(&after, &input)?;
            *record = after;
        }
        _ => return Err(Failure::method(call, "GET, HEAD, PATCH")),
    }
    Ok(Reply::json(StatusCode::OK, &show(call, record)))
}

/// `GET` and `POST /tickets/{id}/comments`.
pub(super) fn comments(store: &mut Store, call: &Call, id: &str) -> Result<Reply, Failure> {
    let key = number(id, 'T').filter(|key| store.records.tickets.contains_key(key));
    let key = key.ok_or_else(|| Failure::no("ticket", id))?;
    match call.method {
        Method::GET => {
            let comments = store.records.tickets.get(&key).and_then(|ticket| ticket.get("comments"));
            page(call, comments.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default())
        }
        Method::POST => {
            let input = call.object()?;
            let body = text(&input, "body");
            if body.trim().is_empty() {
                return Err(Failure::invalid("body is missing".into(), Value::Object(input)));
            }
            let author = input.get("author").cloned().unwrap_or_else(|| "Support Desk".into());
            let number = store.comment_number();
            let comment =
                json!({ "id": format!("M-{number}"), "author": author, "body": body, "created_at": store.moment() });
            let ticket = store.records.tickets.get_mut(&key);
            if let Some(Value::Array(comments)) = ticket.and_then(|ticket| ticket.get_mut("comments")) {
                comments.push(comment.clone());
            }
            Ok(Reply::created(&call.link(&format!("/tickets/{id}/comments")), &comment))
        }
        _ => Err(Failure::method(call, "GET, HEAD, POST")),
    }
}

/// The record with its link.
pub(super) fn show(call: &Call, record: &Map<String, Value>) -> Value {
    let mut shown = record.clone();
    shown.insert("self".into(), call.link(&format!("/tickets/{}", text(record, "id"))).into());
    Value::Object(shown)
}

fn list(store: &Store, call: &Call) -> Result<Reply, Failure> {
    let (customer, status) = (call.parameter("customer_id"), call.parameter("status"));
    let emails: Vec<String> = call.parameters("email").iter().map(|email| email.to_lowercase()).collect();
    let matching = store.records.tickets.values().filter(|ticket| {
        let requester = ticket.get("requester").and_then(|requester| requester.get("email")).and_then(Value::as_str);
        customer.as_ref().is_none_or(|id| text(ticket, "customer_id") == id)
            && status.as_ref().is_none_or(|status| text(ticket, "status") == status)
            && (emails.is_empty() || requester.is_some_and(|it| emails.contains(&it.to_lowercase())))
    });
    page(call, &matching.map(|ticket| show(call, ticket)).collect::<Vec<_>>())
}

fn create(store: &mut Store, call: &Call) -> Result<Reply, Failure> {
    let mut input = call.object()?;
    let echo = input.clone();
    let id = text(&input, "customer_id");
    let Some(customer) = number(id, 'C').and_then(|key| store.records.customers.get(&key)) else {
        return Err(Failure::invalid(format!("no customer with id {id}"), Value::Object(echo)));
    };
    let requester = json!({ "name": customer.get("name"), "email": customer.get("email") });
    let mut record = Map::new();
    for (name, default) in [
        ("id", Value::from("")),
        ("customer_id", Value::Null),
        ("subject", Value::Null),
        ("status", "open".into()),
        ("priority", "normal".into()),
        ("requester", requester),
        ("description", "".into()),
        ("comments", json!([])),
        ("self", "".into()),
    ] {
        record.insert(name.into(), input.remove(name).unwrap_or(default));
    }
    record.extend(input);
    record.insert("comments".into(), json!([]));
    check(&record, &echo)?;
    let key = store.ticket_number();
    record.insert("id".into(), format!("T-{key}").into());
    record.insert("self".into(), "".into());
    let shown = show(call, &record);
    store.records.tickets.insert(key, record);
    Ok(Reply::created(&call.link(&format!("/tickets/T-{key}")), &shown))
}

fn check(record: &Map<String, Value>, input: &Map<String, Value>) -> Result<(), Failure> {
    let invalid = |message: String| Err(Failure::invalid(message, Value::Object(input.clone())));
    if text(record, "subject").trim().is_empty() {
        return invalid("subject is missing".into());
    }
    for (name, allowed) in [("status", words::STATUSES), ("priority", words::PRIORITIES)] {
        if !allowed.contains(&text(record, name)) {
            return invalid(format!("{name} is not one of {}: {}", allowed.join(", "), text(record, name)));
        }
    }
    for (name, kind, right) in KINDS {
        let value = record.get(name).unwrap_or(&Value::Null);
        if !value.is_null() && !right(value) {
            return invalid(format!("{name} is not {kind}: {value}"));
        }
    }
    Ok(())
}

/// Fields that a change of a ticket leaves alone; comments have their own path.
const OWN: [&str; 4] = ["id", "customer_id", "comments", "self"];

type Kind = (&'static str, &'static str, fn(&Value) -> bool);

/// What the optional fields must be.
const KINDS: [Kind; 2] = [("requester", "an object", Value::is_object), ("description", "text", Value::is_string)];
