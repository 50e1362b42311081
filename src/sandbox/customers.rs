//! Customers and their orders: list, read, create, replace, merge, delete.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::call::Call;
use super::records::number;
use super::reply::{Failure, Reply, page};
use super::store::{Store, merge, only_digits, text};

/// `GET` and `POST /customers`.
pub(super) fn collection(store: &mut Store, call: &Call) -> Result<Reply, Failure> {
    match call.method {
        Method::GET => list(store, call),
        Method::POST => create(store, call),
        _ => Err(Failure::method(call, "GET, HEAD, POST")),
    }
}

/// `GET`, `PUT`, `PATCH` and `DELETE /customers/{id}`.
pub(super) fn one(store: &mut Store, call: &Call, id: &str) -> Result<Reply, Failure> {
    let key = number(id, 'C').filter(|key| store.records.customers.contains_key(key));
    let key = key.ok_or_else(|| Failure::no("customer", id))?;
    match call.method {
        Method::GET => {}
        Method::PUT | Method::PATCH => change(store, call, key)?,
        Method::DELETE => {
            delete(store, key, id);
            return Ok(Reply::empty());
        }
        _ => return Err(Failure::method(call, "GET, HEAD, PUT, PATCH, DELETE")),
    }
    let record = store.records.customers.get(&key).ok_or_else(|| Failure::no("customer", id))?;
    Ok(Reply::json(StatusCode::OK, &show(call, record)))
}

/// `GET /customers/{id}/orders`.
pub(super) fn orders_of(store: &Store, call: &Call, id: &str) -> Result<Reply, Failure> {
    if call.method != Method::GET {
        return Err(Failure::method(call, "GET, HEAD"));
    }
    if !number(id, 'C').is_some_and(|key| store.records.customers.contains_key(&key)) {
        return Err(Failure::no("customer", id));
    }
    orders_where(store, call, Some(id))
}

/// `GET /orders`, all or those of `?customer_id=`.
pub(super) fn orders(store: &Store, call: &Call) -> Result<Reply, Failure> {
    if call.method != Method::GET {
        return Err(Failure::method(call, "GET, HEAD"));
    }
    orders_where(store, call, call.parameter("customer_id").as_deref())
}

/// `GET /orders/{id}`.
pub(super) fn order(store: &Store, call: &Call, id: &str) -> Result<Reply, Failure> {
    if call.method != Method::GET {
        return Err(Failure::method(call, "GET, HEAD"));
    }
    let record = number(id, 'O').and_then(|key| store.records.orders.get(&key));
    let record = record.ok_or_else(|| Failure::no("order", id))?;
    Ok(Reply::json(StatusCode::OK, &Value::Object(record.clone())))
}

/// The record with its link.
pub(super) fn show(call: &Call, record: &Map<String, Value>) -> Value {
    let mut shown = record.clone();
    shown.insert("self".into(), call.link(&format!("/customers/{}", text(record, "id"))).into());
    Value::Object(shown)
}

fn orders_where(store: &Store, call: &Call, customer: Option<&str>) -> Result<Reply, Failure> {
    let matching =
        store.records.orders.values().filter(|order| customer.is_none_or(|id| text(order, "customer_id") == id));
    page(call, &matching.cloned().map(Value::Object).collect::<Vec<_>>())
}

fn list(store: &Store, call: &Call) -> Result<Reply, Failure> {
    let emails: Vec<String> = call.parameters("email").iter().map(|email| email.to_lowercase()).collect();
    let phones: Vec<String> = call.parameters("phone").iter().map(|phone| only_digits(phone)).collect();
    let name = call.parameter("name").map(|name| name.to_lowercase());
    let matching = store.records.customers.values().filter(|record| {
        let phone = only_digits(text(record, "phone"));
        (emails.is_empty() || emails.contains(&text(record, "email").to_lowercase()))
            && (phones.is_empty() || !phone.is_empty() && phones.contains(&phone))
            && name.as_ref().is_none_or(|name| text(record, "name").to_lowercase().contains(name))
    });
    page(call, &matching.map(|record| show(call, record)).collect::<Vec<_>>())
}

fn create(store: &mut Store, call: &Call) -> Result<Reply, Failure> {
    let input = call.object()?;
    let mut record = shape(input.clone());
    check(store, &record, None, &input)?;
    let key = store.customer_number();
    let id = format!("C-{key}");
    record.insert("id".into(), id.clone().into());
    record.insert("created_at".into(), store.moment().into());
    let shown = show(call, &record);
    store.records.customers.insert(key, record);
    Ok(Reply::created(&call.link(&format!("/customers/{id}")), &shown))
}

fn change(store: &mut Store, call: &Call, key: u64) -> Result<(), Failure> {
    let input = call.object()?;
    let before = store.records.customers.get(&key).cloned().unwrap_or_default();
    let mut after = if call.method == Method::PUT {
        shape(input.clone())
    } else {
        let mut merged = before.clone();
        merge(&mut merged, input.clone());
        merged
    };
    for own in OWN {
        after.insert(own.into(), before.get(own).cloned().unwrap_or_default());
    }
    check(store, &after, Some(key), &input)?;
    store.records.customers.insert(key, after);
    Ok(())
}

/// Deleting a customer deletes the orders and tickets too.
fn delete(store: &mut Store, key: u64, id: &str) {
    store.records.customers.remove(&key);
    store.records.orders.retain(|_, order| text(order, "customer_id") != id);
    store.records.tickets.retain(|_, ticket| text(ticket, "customer_id") != id);
}

/// `input` with every documented field in the documented order, `null` where it is absent, unknown fields kept at the end.
fn shape(mut input: Map<String, Value>) -> Map<String, Value> {
    let mut record = Map::new();
    for name in FIELDS {
        let value = input.remove(name).unwrap_or_default();
        record.insert(name.into(), if OWN.contains(&name) { Value::from("") } else { value });
    }
    record.extend(input);
    record
}

fn check(
    store: &Store,
    record: &Map<String, Value>,
    own: Option<u64>,
    input: &Map<String, Value>,
) -> Result<(), Failure> {
    let invalid = |message: String| Err(Failure::invalid(message, Value::Object(input.clone())));
    if text(record, "name").trim().is_empty() {
        return invalid("name is missing".into());
    }
    let email = text(record, "email");
    let parts = email.split_once('@').filter(|(local, domain)| {
        !local.is_empty() && !domain.contains('@') && domain.split('.').all(|label| !label.is_empty())
    });
    if parts.is_none() || email.chars().any(char::is_whitespace) {
        return invalid(format!("not an e-mail address: {email}"));
    }
    for (name, kind, right) in KINDS {
        let value = record.get(name).unwrap_or(&Value::Null);
        if !value.is_null() && !right(value) {
            return invalid(format!("{name} is not {kind}: {value}"));
        }
    }
    let taken = |(key, other): (&u64, &Map<String, Value>)| {
        Some(*key) != own && text(other, "email").to_lowercase() == email.to_lowercase()
    };
    if store.records.customers.iter().any(taken) {
        let message = format!("a customer with email {email} already exists");
        return Err(Failure::duplicate(message, Value::Object(input.clone())));
    }
    Ok(())
}

/// The documented fields in order.
const FIELDS: [&str; 13] = [
    "id",
    "name",
    "email",
    "phone",
    "birth_date",
    "address",
    "card",
    "iban",
    "tags",
    "loyalty_points",
    "notes",
    "self",
    "created_at",
];

/// Fields that only the CRM sets.
const OWN: [&str; 3] = ["id", "self", "created_at"];

type Kind = (&'static str, &'static str, fn(&Value) -> bool);

/// What the optional fields must be.
const KINDS: [Kind; 8] = [
    ("phone", "text", Value::is_string),
    ("birth_date", "text", Value::is_string),
    ("address", "an object", Value::is_object),
    ("card", "an object", Value::is_object),
    ("iban", "text", Value::is_string),
    ("tags", "a list", Value::is_array),
    ("loyalty_points", "a whole number", |value| value.is_u64() || value.is_i64()),
    ("notes", "text", Value::is_string),
];

/// The answer of `POST /search` and `GET /search`: customers first, then tickets.
pub(super) fn results(call: &Call, customers: &[&Map<String, Value>], tickets: &[&Map<String, Value>]) -> Reply {
    let customers = customers.iter().map(|record| json!({ "type": "customer", "customer": show(call, record) }));
    let tickets =
        tickets.iter().map(|record| json!({ "type": "ticket", "ticket": super::tickets::show(call, record) }));
    Reply::json(StatusCode::OK, &json!({ "results": customers.chain(tickets).collect::<Vec<_>>() }))
}
