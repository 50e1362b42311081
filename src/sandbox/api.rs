//! The routes of the sample API: a request in, an answer out; no sockets.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::call::{BASE, Call};
use super::reply::{Content, Failure, Reply};
use super::sheet::Sheet;
use super::store::{Store, mentions, only_digits, text};
use super::{Crm, customers, graphql, mcp, tickets, world};

/// Answers `call`; `HEAD` is answered like `GET` and loses its body on the wire.
pub(super) fn answer(crm: &Crm, call: &Call) -> Reply {
    let authorised = call.path().strip_prefix(BASE) == Some("/health")
        || crm.token.as_ref().is_none_or(|token| call.header("x-api-token") == Some(token.expose()));
    if authorised && call.below(world::BASE).is_some() {
        return world::answer(crm, call, std::time::Instant::now());
    }
    if authorised && call.path() == mcp::PATH {
        return mcp::answer(&mut crm.store(), call);
    }
    if authorised && call.path() == graphql::PATH {
        return graphql::answer(&mut crm.store(), call);
    }
    let outcome = if authorised { route(&mut crm.store(), call) } else { Err(Failure::unauthorized()) };
    outcome.unwrap_or_else(Failure::reply)
}

fn route(store: &mut Store, call: &Call) -> Result<Reply, Failure> {
    let segments = call.segments().unwrap_or_default();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["health"] => only_get(call, "GET, HEAD").map(|()| Reply::json(StatusCode::OK, &json!({ "status": "ok" }))),
        ["customers"] => customers::collection(store, call),
        ["customers", id] => customers::one(store, call, id),
        ["customers", id, "orders"] => customers::orders_of(store, call, id),
        ["orders"] => customers::orders(store, call),
        ["orders", id] => customers::order(store, call, id),
        ["tickets"] => tickets::collection(store, call),
        ["tickets", id] => tickets::one(store, call, id),
        ["tickets", id, "comments"] => tickets::comments(store, call, id),
        ["search"] if call.method == Method::POST => lookup(store, call),
        ["search"] => search(store, call),
        ["export", "customers"] => export(store, call, Sheet::List),
        ["import", _] => import(call),
        ["feed", name] => match Sheet::named(name) {
            Some(sheet) => export(store, call, sheet),
            None => Err(Failure::not_found(format!("no feed {name}"), json!({ "feed": name }))),
        },
        _ => {
            let path = call.path();
            Err(Failure::not_found(format!("nothing at {path}"), json!({ "path": path, "query": call.query() })))
        }
    }
}

fn only_get(call: &Call, allow: &'static str) -> Result<(), Failure> {
    if call.method == Method::GET { Ok(()) } else { Err(Failure::method(call, allow)) }
}

/// `GET /search?q=`: every customer and ticket whose texts contain `q` (any case; digits also without their separators).
fn search(store: &Store, call: &Call) -> Result<Reply, Failure> {
    only_get(call, "GET, HEAD, POST")?;
    let Some(wanted) = call.parameter("q") else {
        return Err(Failure::bad_request("q is missing".into(), json!({ "q": "" })));
    };
    let (wanted, digits) = (wanted.to_lowercase(), only_digits(&wanted));
    let hit = |record: &&Map<String, Value>| record.values().any(|value| mentions(value, &wanted, &digits));
    let customers: Vec<_> = store.records.customers.values().filter(hit).take(MAX_RESULTS).collect();
    let tickets: Vec<_> = store.records.tickets.values().filter(hit).take(MAX_RESULTS).collect();
    Ok(customers::results(call, &customers, &tickets))
}

/// `POST /search` with `{"field":"email","value":"…"}`: the customers whose field has exactly this value, 404 when none has.
fn lookup(store: &Store, call: &Call) -> Result<Reply, Failure> {
    let input = call.object()?;
    let (field, wanted) = (text(&input, "field"), text(&input, "value"));
    if !SEARCHABLE.contains(&field) {
        let message = format!("field is not one of {}: {field}", SEARCHABLE.join(", "));
        return Err(Failure::invalid(message, Value::Object(input)));
    }
    if wanted.is_empty() {
        return Err(Failure::invalid("value is missing".into(), Value::Object(input)));
    }
    let hit = |record: &&Map<String, Value>| match field {
        "phone" => {
            let digits = only_digits(wanted);
            !digits.is_empty() && only_digits(text(record, "phone")) == digits
        }
        "card_number" => {
            let number = record.get("card").and_then(|card| card.get("number")).and_then(Value::as_str);
            number == Some(only_digits(wanted).as_str())
        }
        _ => text(record, field).to_lowercase() == wanted.to_lowercase(),
    };
    let customers: Vec<_> = store.records.customers.values().filter(hit).take(MAX_RESULTS).collect();
    if customers.is_empty() {
        return Err(Failure::not_found(format!("no customer with {field} {wanted}"), Value::Object(input)));
    }
    Ok(customers::results(call, &customers, &[]))
}

/// `PUT` and `PATCH /import/customers.csv`: takes whatever comes, to be looked at in the log of what was received.
fn import(call: &Call) -> Result<Reply, Failure> {
    if call.method != Method::PUT && call.method != Method::PATCH {
        return Err(Failure::method(call, "PUT, PATCH"));
    }
    Ok(Reply::json(StatusCode::OK, &json!({ "bytes": call.body.len() })))
}

/// `GET /export/customers?count=`, `GET /feed/customers.csv?count=`: as many customers as asked for, all once by default.
fn export(store: &Store, call: &Call, sheet: Sheet) -> Result<Reply, Failure> {
    only_get(call, "GET, HEAD")?;
    let held = store.records.customers.len() as u64;
    let count = match call.parameter("count") {
        None => held,
        Some(text) => text
            .parse()
            .map_err(|_| Failure::bad_request(format!("count is not a number: {text}"), json!({ "count": text })))?,
    };
    let mut reply = Reply::text(StatusCode::OK, sheet.media_type(), Vec::new());
    reply.body = Content::Export(sheet, if held == 0 { 0 } else { count });
    Ok(reply)
}

/// Records of one kind in a search answer.
const MAX_RESULTS: usize = 50;

/// Fields that `POST /search` compares.
const SEARCHABLE: [&str; 6] = ["id", "email", "phone", "name", "iban", "card_number"];
