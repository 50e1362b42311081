//! `POST /world/hubspot/contacts/search`: contacts by `filterGroups` (any of the groups, all filters of a group).

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::World;
use super::super::fault::Fault;
use super::super::table::Row;
use super::compare::{Wild, fold, like, literal};
use crate::sandbox::call::Call;
use crate::sandbox::reply::Reply;

pub(in super::super) fn search(world: &World, call: &Call) -> Result<Reply, Fault> {
    let body = String::from_utf8_lossy(&call.body);
    let Ok(Value::Object(body)) = serde_json::from_str(&body) else {
        return Err(Fault::bad("JSON_PARSER_ERROR", format!("not a JSON object: {body}")));
    };
    let query = Query::read(&body)?;
    let found = find(world, &query);
    let shown: Vec<Value> = found.iter().skip(query.after).take(query.limit).map(|row| show(row, &query)).collect();
    let after = query.after + shown.len();
    let mut body = json!({ "total": found.len(), "results": shown });
    if let Some(body) = body.as_object_mut().filter(|_| after < found.len() && !shown.is_empty()) {
        body.insert("paging".to_owned(), json!({ "next": { "after": after.to_string() } }));
    }
    Ok(Reply::json(StatusCode::OK, &body))
}

/// A search.
#[derive(Debug)]
pub(super) struct Query {
    groups: Vec<Vec<Filter>>,
    /// Words that occur in any property.
    text: Option<String>,
    properties: Vec<&'static str>,
    sort: Option<(&'static str, Direction)>,
    limit: usize,
    after: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Ascending,
    Descending,
}

#[derive(Debug)]
struct Filter {
    column: &'static str,
    operator: Operator,
}

#[derive(Debug)]
enum Operator {
    Equal(String),
    NotEqual(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    Known,
    Unknown,
    Token(Vec<Wild>),
    NotToken(Vec<Wild>),
    Less(String),
    LessOrEqual(String),
    Greater(String),
    GreaterOrEqual(String),
    Between(String, String),
}

impl Query {
    pub(super) fn read(body: &Map<String, Value>) -> Result<Self, Fault> {
        if let Some(name) = body.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(Fault::query(format!("unknown member: {name}")));
        }
        let groups: Vec<Vec<Filter>> = list(body, "filterGroups")?.iter().map(group).collect::<Result<_, _>>()?;
        let filters: usize = groups.iter().map(Vec::len).sum();
        if groups.len() > MAX_GROUPS || filters > MAX_FILTERS || groups.iter().any(|g| g.len() > MAX_GROUP) {
            let limits = format!("at most {MAX_GROUPS} groups, {MAX_GROUP} filters in one and {MAX_FILTERS} in all");
            return Err(Fault::query(format!("too many filters: {limits}")));
        }
        let mut properties = Vec::from(DEFAULTS);
        for name in list(body, "properties")? {
            properties.push(property(name.as_str().unwrap_or_default())?.0);
        }
        properties.dedup();
        let sort = list(body, "sorts")?.first().map(sort).transpose()?;
        let whole = |name: &str, default: usize, limit: usize| match body.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                super::super::route::number(name, &text, 0, limit)
            }
        };
        Ok(Self {
            groups,
            text: body.get("query").and_then(Value::as_str).filter(|text| !text.is_empty()).map(fold),
            properties,
            sort,
            limit: whole("limit", 10, MAX_PAGE)?,
            after: whole("after", 0, MAX_RESULTS)?,
        })
    }

    fn admits(&self, row: &Row) -> bool {
        let in_groups = self.groups.is_empty() || self.groups.iter().any(|g| g.iter().all(|filter| filter.admits(row)));
        let texts = || PROPERTIES.iter().filter_map(|(_, column)| row.get(column)).map(fold);
        in_groups && self.text.as_ref().is_none_or(|wanted| texts().any(|text| text.contains(wanted.as_str())))
    }
}

impl Filter {
    /// Only `NOT_HAS_PROPERTY` finds a record that has no value.
    fn admits(&self, row: &Row) -> bool {
        let Some(held) = row.get(self.column).map(fold) else { return matches!(self.operator, Operator::Unknown) };
        match &self.operator {
            Operator::Equal(value) => held == *value,
            Operator::NotEqual(value) => held != *value,
            // Compared as they were asked for: a value with a capital letter is in no list.
            Operator::In(values) => values.contains(&held),
            Operator::NotIn(values) => !values.contains(&held),
            Operator::Known => true,
            Operator::Unknown => false,
            Operator::Token(pattern) => has_token(&held, pattern),
            Operator::NotToken(pattern) => !has_token(&held, pattern),
            Operator::Less(value) => held < *value,
            Operator::LessOrEqual(value) => held <= *value,
            Operator::Greater(value) => held > *value,
            Operator::GreaterOrEqual(value) => held >= *value,
            Operator::Between(low, high) => (low..=high).contains(&&held),
        }
    }
}

fn has_token(held: &str, pattern: &[Wild]) -> bool {
    like(held, pattern) || held.split_whitespace().any(|token| like(token, pattern))
}

fn list<'v>(body: &'v Map<String, Value>, name: &str) -> Result<&'v [Value], Fault> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(Fault::query(format!("{name} is not an array: {other}"))),
    }
}

fn group(value: &Value) -> Result<Vec<Filter>, Fault> {
    let filters = value.get("filters").and_then(Value::as_array).filter(|filters| !filters.is_empty());
    let filters = filters.ok_or_else(|| Fault::query(format!("a group without filters: {value}")))?;
    filters.iter().map(one).collect()
}

fn one(filter: &Value) -> Result<Filter, Fault> {
    let text = |name: &str| filter.get(name).and_then(Value::as_str).unwrap_or_default();
    let needed = |name: &str| match text(name) {
        "" => Err(Fault::query(format!("{name} is missing: {filter}"))),
        value => Ok(value.to_owned()),
    };
    let folded = |name: &str| needed(name).map(|value| fold(&value));
    let values = || {
        let values = filter.get("values").and_then(Value::as_array).filter(|values| !values.is_empty());
        let values = values.ok_or_else(|| Fault::query(format!("values is missing: {filter}")))?;
        let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
        texts.collect::<Option<Vec<_>>>().ok_or_else(|| Fault::query(format!("values are texts: {filter}")))
    };
    let token = || {
        let wild = |wild| if wild == Wild::Char('*') { Wild::Any } else { wild };
        needed("value").map(|value| literal(&value).map(wild).collect())
    };
    let (column, _) = property(text("propertyName"))?;
    let operator = match text("operator") {
        "EQ" => Operator::Equal(folded("value")?),
        "NEQ" => Operator::NotEqual(folded("value")?),
        "IN" => Operator::In(values()?),
        "NOT_IN" => Operator::NotIn(values()?),
        "HAS_PROPERTY" => Operator::Known,
        "NOT_HAS_PROPERTY" => Operator::Unknown,
        "CONTAINS_TOKEN" => Operator::Token(token()?),
        "NOT_CONTAINS_TOKEN" => Operator::NotToken(token()?),
        "LT" => Operator::Less(folded("value")?),
        "LTE" => Operator::LessOrEqual(folded("value")?),
        "GT" => Operator::Greater(folded("value")?),
        "GTE" => Operator::GreaterOrEqual(folded("value")?),
        "BETWEEN" => Operator::Between(folded("value")?, folded("highValue")?),
        _ => return Err(Fault::query(format!("unknown operator: {filter}"))),
    };
    Ok(Filter { column, operator })
}

/// The column of a property, and the property's name.
fn property(name: &str) -> Result<(&'static str, &'static str), Fault> {
    let found = PROPERTIES.iter().find(|(own, _)| *own == name);
    found.map(|(own, column)| (*column, *own)).ok_or_else(|| Fault::field(name))
}

fn sort(value: &Value) -> Result<(&'static str, Direction), Fault> {
    let name = value.get("propertyName").and_then(Value::as_str).unwrap_or_default();
    let direction = match value.get("direction").and_then(Value::as_str) {
        Some("DESCENDING") => Direction::Descending,
        _ => Direction::Ascending,
    };
    Ok((property(name)?.0, direction))
}

/// The rows of `query`, in its order (by id where it has none).
pub(super) fn find<'w>(world: &'w World, query: &Query) -> Vec<&'w Row> {
    let mut rows: Vec<&Row> = world.contacts.rows.values().filter(|row| query.admits(row)).collect();
    if let Some((column, direction)) = query.sort {
        rows.sort_by(|a, b| {
            let (a, b) = (a.get(column).map(fold), b.get(column).map(fold));
            if direction == Direction::Descending { b.cmp(&a) } else { a.cmp(&b) }
        });
    }
    rows
}

/// The properties asked for, and those that always come.
fn show(row: &Row, query: &Query) -> Value {
    let shown = PROPERTIES.iter().filter(|(_, column)| query.properties.contains(column));
    let properties: Map<String, Value> =
        shown.map(|(name, column)| ((*name).to_owned(), row.get(column).into())).collect();
    let (created, updated) = (row.get("CreatedAt"), row.get("UpdatedAt"));
    json!({ "id": row.id, "properties": properties, "createdAt": created, "updatedAt": updated, "archived": false })
}

const MEMBERS: [&str; 6] = ["filterGroups", "query", "properties", "sorts", "limit", "after"];

const PROPERTIES: [(&str, &str); 10] = [
    ("hs_object_id", "Id"),
    ("firstname", "FirstName"),
    ("lastname", "LastName"),
    ("email", "Email"),
    ("phone", "Phone"),
    ("card", "Card__c"),
    ("iban", "IBAN__c"),
    ("notes", "Note__c"),
    ("external_id", "ExternalId__c"),
    ("createdate", "CreatedAt"),
];

/// Columns that come even if nobody asks for them.
const DEFAULTS: [&str; 5] = ["Id", "FirstName", "LastName", "Email", "CreatedAt"];

/// Groups, filters of one group, filters in all (HubSpot since August 2024).
const MAX_GROUPS: usize = 5;
const MAX_GROUP: usize = 10;
const MAX_FILTERS: usize = 25;
/// Results of one page, and results that can be paged through.
const MAX_PAGE: usize = 200;
const MAX_RESULTS: usize = 10_000;
