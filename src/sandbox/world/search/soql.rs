//! `GET /world/query?q=`: SOQL over contacts and cases.

use std::cmp::Ordering;
use std::convert::Infallible;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::World;
use super::super::fault::Fault;
use super::super::object::Object;
use super::super::route::BASE;
use super::super::table::Row;
use super::compare::{Test, fold};
use super::soql_query::{Condition, Direction, Field, Inner, NullsAt, Query, Select};
use super::tree::{Tree, Truth};
use crate::sandbox::call::Call;
use crate::sandbox::reply::Reply;

pub(in super::super) fn search(world: &World, call: &Call) -> Result<Reply, Fault> {
    let text = call.parameter("q").ok_or_else(|| Fault::query("q is missing".to_owned()))?;
    let query = Query::parse(&text)?;
    let rows = find(world, &query);
    let body = match &query.select {
        Select::Count => json!({ "totalSize": rows.len(), "done": true, "records": [] }),
        Select::Fields(fields) => {
            let records: Vec<Value> = rows.iter().map(|row| show(world, call, query.object, row, fields)).collect();
            json!({ "totalSize": records.len(), "done": true, "records": records })
        }
    };
    Ok(Reply::json(StatusCode::OK, &body))
}

/// The rows of `query`, in its order (by id where it has none).
pub(super) fn find<'w>(world: &'w World, query: &Query) -> Vec<&'w Row> {
    let condition = resolve(world, query.condition.clone());
    let mut rows: Vec<&Row> = matching(world, query.object, &condition).collect();
    rows.sort_by(|a, b| {
        let compared = query.order.iter().map(|(field, direction, nulls)| {
            order(value(world, a, *field), value(world, b, *field), *direction, *nulls)
        });
        compared.fold(Ordering::Equal, Ordering::then)
    });
    rows.into_iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX)).collect()
}

fn order(a: Option<&str>, b: Option<&str>, direction: Direction, nulls: NullsAt) -> Ordering {
    let by_text = match direction {
        Direction::Ascending => a.map(fold).cmp(&b.map(fold)),
        Direction::Descending => b.map(fold).cmp(&a.map(fold)),
    };
    match (a.is_some(), b.is_some(), nulls) {
        (true, false, NullsAt::First) | (false, true, NullsAt::Last) => Ordering::Greater,
        (false, true, NullsAt::First) | (true, false, NullsAt::Last) => Ordering::Less,
        _ => by_text,
    }
}

fn matching<'w>(world: &'w World, object: Object, condition: &Tree<(Field, Test)>) -> impl Iterator<Item = &'w Row> {
    let holds = move |row: &&Row| {
        let truth = condition.truth(&|(field, test)| test.of(value(world, row, *field), world.nulls));
        truth == Truth::True
    };
    world.table(object).rows.values().filter(holds)
}

/// Replaces semi-joins by the values they give.
fn resolve(world: &World, condition: Tree<Condition>) -> Tree<(Field, Test)> {
    let resolved = condition.map(&|leaf| {
        let leaf = match leaf {
            Condition::Test(field, test) => (field, test),
            Condition::Within(field, inner) => (field, Test::Among(values(world, *inner))),
        };
        Ok::<_, Infallible>(Tree::Leaf(leaf))
    });
    match resolved {
        Ok(tree) => tree,
    }
}

/// Null among the values of a semi-join never matches anything, and it makes no difference to NOT IN.
fn values(world: &World, inner: Inner) -> Vec<Option<String>> {
    let condition = resolve(world, inner.condition);
    let rows = matching(world, inner.object, &condition);
    rows.filter_map(|row| value(world, row, inner.field)).map(|value| Some(value.to_owned())).collect()
}

fn value<'w>(world: &'w World, row: &'w Row, field: Field) -> Option<&'w str> {
    match field {
        Field::Own(name) => row.get(name),
        Field::Contact(name) => parent(world, row)?.get(name),
    }
}

fn parent<'w>(world: &'w World, row: &Row) -> Option<&'w Row> {
    world.contacts.rows.get(row.get("ContactId")?)
}

fn show(world: &World, call: &Call, object: Object, row: &Row, fields: &[Field]) -> Value {
    let mut shown = attributes(call, object, row);
    for field in fields {
        match field {
            Field::Own(name) => drop(shown.insert((*name).to_owned(), row.get(name).into())),
            Field::Contact(name) => {
                let held = parent(world, row);
                let slot = shown.entry("Contact").or_insert_with(|| {
                    held.map_or(Value::Null, |held| Value::Object(attributes(call, Object::Contact, held)))
                });
                if let (Value::Object(slot), Some(held)) = (slot, held) {
                    slot.insert((*name).to_owned(), held.get(name).into());
                }
            }
        }
    }
    Value::Object(shown)
}

fn attributes(call: &Call, object: Object, row: &Row) -> Map<String, Value> {
    let url = format!("{}{BASE}/{}/{}", call.origin, object.path(), row.id);
    Map::from_iter([("attributes".to_owned(), json!({ "type": object.name(), "url": url }))])
}
