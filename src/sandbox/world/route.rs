//! The paths below `/world`: a request in, an answer out.

use std::ops::Bound;
use std::time::Instant;

use http::header::{ETAG, LOCATION};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::fault::Fault;
use super::object::Object;
use super::record::{Change, members};
use super::table::Row;
use super::{DumpRoute, World, batch, search};
use crate::sandbox::Crm;
use crate::sandbox::call::{Call, escape};
use crate::sandbox::reply::Reply;

/// Where the surface starts.
pub(in crate::sandbox) const BASE: &str = "/world";

/// Answers `call`, whose path is below [`BASE`]; `now` is what calls are counted by.
pub(in crate::sandbox) fn answer(crm: &Crm, call: &Call, now: Instant) -> Reply {
    let segments = call.below(BASE).unwrap_or_default();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    if path == ["__dump"] && crm.world().dump == DumpRoute::Open {
        return Reply::text(StatusCode::OK, "text/plain; charset=utf-8", crm.dump());
    }
    let mut world = crm.world();
    let throttled = world.throttle.as_mut().map_or(Ok(()), |throttle| throttle.call(now));
    throttled.and_then(|()| route(&mut world, call, &path)).unwrap_or_else(Fault::reply)
}

fn route(world: &mut World, call: &Call, path: &[&str]) -> Result<Reply, Fault> {
    match path {
        ["query"] => only(call, &Method::GET, "GET, HEAD").and_then(|()| search::soql(world, call)),
        ["odata", entity] => search::odata(world, call, entity),
        ["zendesk", "search"] => only(call, &Method::GET, "GET, HEAD").and_then(|()| search::zendesk(world, call)),
        ["hubspot", "contacts", "search"] => {
            only(call, &Method::POST, "POST").and_then(|()| search::hubspot(world, call))
        }
        ["forms", object] => {
            only(call, &Method::POST, "POST")?;
            collection(world, call, Object::at(object).ok_or_else(|| Fault::missing(call.path()))?)
        }
        ["rt", "tickets"] => only(call, &Method::GET, "GET, HEAD").and_then(|()| search::ticket_sql(world, call)),
        [object, rest @ ..] => {
            let object = Object::at(object).ok_or_else(|| Fault::missing(call.path()))?;
            match rest {
                [] => collection(world, call, object),
                ["batch"] => batch::answer(world, call, object),
                ["by", field, value] => keyed(world, call, object, field, value),
                [id] => one(world, call, object, id),
                _ => Err(Fault::missing(call.path())),
            }
        }
        [] => Err(Fault::missing(call.path())),
    }
}

fn only(call: &Call, method: &Method, allow: &'static str) -> Result<(), Fault> {
    if call.method == *method { Ok(()) } else { Err(Fault::method(allow)) }
}

/// `GET` and `POST /contacts`.
fn collection(world: &mut World, call: &Call, object: Object) -> Result<Reply, Fault> {
    match call.method {
        Method::GET => list(world, call, object),
        Method::POST => {
            let id = world.create(object, &members(call)?)?;
            Ok(created(call, object, &id, None))
        }
        _ => Err(Fault::method("GET, HEAD, POST")),
    }
}

/// `GET`, `PATCH`, `PUT` and `DELETE /contacts/{id}`, conditional with `If-Match`.
fn one(world: &mut World, call: &Call, object: Object, id: &str) -> Result<Reply, Fault> {
    let condition = call.header("if-match");
    match call.method {
        Method::GET => {
            let row = world.row(object, id)?;
            Ok(shown(call, object, row))
        }
        Method::PATCH => {
            let row = world.update(object, id, &members(call)?, Change::Merge, condition)?;
            Ok(Reply::empty().with(ETAG, &row.tag()))
        }
        Method::PUT => {
            let row = world.update(object, id, &members(call)?, Change::Replace, condition)?;
            Ok(shown(call, object, row))
        }
        Method::DELETE => world.delete(object, id, condition).map(|()| Reply::empty()),
        _ => Err(Fault::method("GET, HEAD, PATCH, PUT, DELETE")),
    }
}

/// `GET` and `PATCH` (upsert) `/contacts/by/{field}/{value}`.
fn keyed(world: &mut World, call: &Call, object: Object, field: &str, value: &str) -> Result<Reply, Fault> {
    let field = object.field(field).ok_or_else(|| Fault::field(field))?;
    by_key(world, call, object, &[(field, value.to_owned())])
}

/// The record that has all of `keys`, read or upserted.
pub(super) fn by_key(
    world: &mut World,
    call: &Call,
    object: Object,
    keys: &[(&'static str, String)],
) -> Result<Reply, Fault> {
    let found = world.find(object, keys)?;
    match (&call.method, found) {
        (&Method::GET, Some(id)) => Ok(shown(call, object, world.row(object, &id)?)),
        (&Method::GET, None) => Err(Fault::missing(call.path())),
        (&Method::PATCH, Some(id)) => {
            world.update(object, &id, &members(call)?, Change::Merge, call.header("if-match"))?;
            Ok(Reply::json(StatusCode::OK, &json!({ "id": id, "success": true, "errors": [], "created": false })))
        }
        (&Method::PATCH, None) => {
            let mut members = members(call)?;
            members.extend(keys.iter().map(|(field, value)| ((*field).to_owned(), Value::from(value.as_str()))));
            let id = world.create(object, &members)?;
            Ok(created(call, object, &id, Some(Value::Bool(true))))
        }
        _ => Err(Fault::method("GET, HEAD, PATCH")),
    }
}

fn created(call: &Call, object: Object, id: &str, was_created: Option<Value>) -> Reply {
    let mut body = json!({ "id": id, "success": true, "errors": [] });
    if let (Some(members), Some(was_created)) = (body.as_object_mut(), was_created) {
        members.insert("created".to_owned(), was_created);
    }
    Reply::json(StatusCode::CREATED, &body).with(LOCATION, &place(call, object, id))
}

/// One record with its link and its tag.
fn shown(call: &Call, object: Object, row: &Row) -> Reply {
    Reply::json(StatusCode::OK, &with_link(call, object, row)).with(ETAG, &row.tag())
}

fn with_link(call: &Call, object: Object, row: &Row) -> Value {
    let mut shown = row.show(object);
    shown.insert("self".to_owned(), place(call, object, &row.id).into());
    Value::Object(shown)
}

fn place(call: &Call, object: Object, id: &str) -> String {
    format!("{}{BASE}/{}/{id}", call.origin, object.path())
}

/// `GET /contacts?after=&per_page=&Email=…`: records in order of creation; every column name is a filter by equality.
fn list(world: &World, call: &Call, object: Object) -> Result<Reply, Fault> {
    let (mut after, mut per_page, mut filters) = (String::new(), DEFAULT_PAGE, Vec::new());
    for (name, value) in call.query() {
        match name.as_str() {
            "after" => after = value,
            "per_page" => per_page = number(&name, &value, 1, MAX_PAGE)?,
            _ => filters.push((object.field(&name).ok_or_else(|| Fault::field(&name))?, value)),
        }
    }
    let rows = &world.table(object).rows;
    let total = match filters.is_empty() {
        true => rows.len(),
        false => rows.values().filter(|row| has(row, &filters)).count(),
    };
    let behind = (Bound::Excluded(after.as_str()), Bound::Unbounded);
    let mut rest = rows.range::<str, _>(behind).map(|(_, row)| row).filter(|row| has(row, &filters));
    let shown: Vec<&Row> = rest.by_ref().take(per_page).collect();
    let next = shown.last().filter(|_| rest.next().is_some()).map(|last| {
        let mut link = format!("{}{BASE}/{}?after={}&per_page={per_page}", call.origin, object.path(), last.id);
        for (name, value) in &filters {
            link.push_str(&format!("&{name}={}", escape(value)));
        }
        link
    });
    let items: Vec<Value> = shown.into_iter().map(|row| with_link(call, object, row)).collect();
    Ok(Reply::json(StatusCode::OK, &json!({ "items": items, "total": total, "next": next })))
}

/// Whether the row has all these values, in any case.
pub(super) fn has(row: &Row, wanted: &[(&'static str, String)]) -> bool {
    wanted.iter().all(|(field, value)| row.get(field).is_some_and(|held| search::same(held, value)))
}

/// The whole number `text` from `low` to `high`.
pub(super) fn number(name: &str, text: &str, low: usize, high: usize) -> Result<usize, Fault> {
    let number = text.parse().ok().filter(|number| (low..=high).contains(number));
    number.ok_or_else(|| Fault::bad("INVALID_NUMBER", format!("{name} is not a number from {low} to {high}: {text}")))
}

const DEFAULT_PAGE: usize = 100;
/// Records of one page.
const MAX_PAGE: usize = 500;
