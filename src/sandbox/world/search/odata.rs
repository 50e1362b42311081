//! `/world/odata/contacts`: `$filter`, `$select`, `$orderby`, `$top`, `$skip`, `$count`, and alternate keys in the path.

use http::{Method, StatusCode};
use serde_json::{Map, Value};

use super::super::World;
use super::super::fault::Fault;
use super::super::object::Object;
use super::super::route::{BASE, by_key, number};
use super::super::table::Row;
use super::compare::{Test, fold};
use super::odata_filter::{Filter, filter, keys};
use super::tree::{Tree, Truth};
use crate::sandbox::call::{Call, escape};
use crate::sandbox::reply::Reply;

/// Answers `entity`: `contacts`, or `contacts(Email='…')`.
pub(in super::super) fn answer(world: &mut World, call: &Call, entity: &str) -> Result<Reply, Fault> {
    let missing = || Fault::missing(call.path());
    if let Some((name, inside)) = entity.split_once('(') {
        let object = Object::at(name).ok_or_else(missing)?;
        let keys = keys(inside.strip_suffix(')').ok_or_else(missing)?, object)?;
        return by_key(world, call, object, &keys);
    }
    let object = Object::at(entity).ok_or_else(missing)?;
    if call.method != Method::GET {
        return Err(Fault::method("GET, HEAD"));
    }
    list(world, call, object)
}

/// The rows that pass `filter`, by id.
pub(super) fn find<'w>(world: &'w World, object: Object, filter: &Filter) -> Vec<&'w Row> {
    let leaf = |row: &Row, field: &str, test: &Test| match (test, row.get(field)) {
        // A function of null is null (OData 4.01 part 2, §5.1.1), whatever comparisons make of it.
        (Test::Like(_), None) => Truth::Unknown,
        (test, held) => test.of(held, world.nulls),
    };
    let holds = |row: &&Row| filter.truth(&|(field, test)| leaf(row, field, test)) == Truth::True;
    world.table(object).rows.values().filter(holds).collect()
}

fn list(world: &World, call: &Call, object: Object) -> Result<Reply, Fault> {
    let options = Options::read(call, object)?;
    let mut rows = find(world, object, &options.filter);
    let total = rows.len();
    for (field, descending) in options.order.iter().rev() {
        rows.sort_by(|a, b| {
            let (a, b) = (a.get(field).map(fold), b.get(field).map(fold));
            if *descending == Descending::Yes { b.cmp(&a) } else { a.cmp(&b) }
        });
    }
    let wanted = options.top.unwrap_or(usize::MAX);
    let shown: Vec<&Row> = rows.into_iter().skip(options.skip).take(wanted.min(PAGE)).collect();
    let mut body = Map::from_iter([
        ("@odata.context".to_owned(), Value::from(format!("{}{BASE}/odata/$metadata#{}", call.origin, object.path()))),
        ("value".to_owned(), shown.iter().map(|row| show(object, row, &options.select)).collect()),
    ]);
    if options.count == Counted::Yes {
        body.insert("@odata.count".to_owned(), total.into());
    }
    let after = options.skip + shown.len();
    if shown.len() < wanted && after < total {
        body.insert("@odata.nextLink".to_owned(), next(call, object, after, wanted - shown.len()).into());
    }
    Ok(Reply::json(StatusCode::OK, &Value::Object(body)))
}

/// The link keeps the filter of the request, personal or not: that is what Dataverse does.
fn next(call: &Call, object: Object, skip: usize, left: usize) -> String {
    let mut link = format!("{}{BASE}/odata/{}?$skip={skip}", call.origin, object.path());
    for (name, value) in call.query() {
        match name.as_str() {
            "$skip" => {}
            "$top" => link.push_str(&format!("&$top={left}")),
            _ => link.push_str(&format!("&{name}={}", escape(&value))),
        }
    }
    link
}

fn show(object: Object, row: &Row, select: &[&'static str]) -> Value {
    let mut shown = row.show(object);
    if !select.is_empty() {
        // The primary key is always there.
        shown.retain(|name, _| name == "Id" || select.contains(&name.as_str()));
    }
    shown.insert("@odata.etag".to_owned(), row.tag().into());
    Value::Object(shown)
}

/// The query options of a request.
struct Options {
    filter: Filter,
    select: Vec<&'static str>,
    order: Vec<(&'static str, Descending)>,
    top: Option<usize>,
    skip: usize,
    count: Counted,
}

#[derive(PartialEq, Eq)]
enum Descending {
    Yes,
    No,
}

#[derive(PartialEq, Eq)]
enum Counted {
    Yes,
    No,
}

impl Options {
    fn read(call: &Call, object: Object) -> Result<Self, Fault> {
        let mut options = Self {
            filter: Tree::All(Vec::new()),
            select: Vec::new(),
            order: Vec::new(),
            top: None,
            skip: 0,
            count: Counted::No,
        };
        let field = |name: &str| object.field(name).ok_or_else(|| Fault::field(name));
        for (name, value) in call.query() {
            match name.as_str() {
                "$filter" => options.filter = filter(&value, object)?,
                "$select" => {
                    options.select = value.split(',').map(|name| field(name.trim())).collect::<Result<_, _>>()?;
                }
                "$orderby" => {
                    for part in value.split(',') {
                        let (name, rest) = part.trim().split_once(' ').unwrap_or((part.trim(), "asc"));
                        let descending = if rest.trim() == "desc" { Descending::Yes } else { Descending::No };
                        options.order.push((field(name)?, descending));
                    }
                }
                "$top" => options.top = Some(number(&name, &value, 0, 5_000)?),
                "$skip" => options.skip = number(&name, &value, 0, 1_000_000)?,
                "$count" => options.count = if value == "true" { Counted::Yes } else { Counted::No },
                _ => return Err(Fault::query(format!("unknown query option: {name}={value}"))),
            }
        }
        Ok(options)
    }
}

/// Records of one page.
const PAGE: usize = 100;
