//! `GET /world/zendesk/search?query=`: contacts as users, cases as tickets, in Zendesk's search syntax.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::super::World;
use super::super::fault::Fault;
use super::super::object::Object;
use super::super::route::{BASE, number};
use super::super::table::Row;
use super::compare::{Wild, fold, like, literal, same};
use crate::sandbox::call::{Call, escape};
use crate::sandbox::reply::Reply;

pub(in super::super) fn search(world: &World, call: &Call) -> Result<Reply, Fault> {
    let (mut text, mut page, mut per_page) = (None, 1, PAGE);
    for (name, value) in call.query() {
        match name.as_str() {
            "query" => text = Some(value),
            "page" => page = number(&name, &value, 1, 1_000_000)?,
            "per_page" => per_page = number(&name, &value, 1, PAGE)?,
            _ => return Err(Fault::query(format!("unknown parameter: {name}={value}"))),
        }
    }
    let text =
        text.filter(|text| !text.trim().is_empty()).ok_or_else(|| Fault::query("query is missing".to_owned()))?;
    let found = find(world, &Query::parse(&text)?);
    let skip = (page - 1).saturating_mul(per_page);
    if skip >= MAX_RESULTS {
        let message = format!("results beyond the first {MAX_RESULTS} of {text}");
        return Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "SEARCH_RESPONSE_LIMIT", message));
    }
    let shown: Vec<Json> =
        found.iter().skip(skip).take(per_page).map(|(object, row)| show(world, call, *object, row)).collect();
    // The links keep the query, personal or not: that is what Zendesk does.
    let link = |page: usize| {
        format!("{}{BASE}/zendesk/search?page={page}&per_page={per_page}&query={}", call.origin, escape(&text))
    };
    let next = (skip + shown.len() < found.len() && !shown.is_empty()).then(|| link(page + 1));
    let previous = (page > 1).then(|| link(page - 1));
    let body = json!({ "results": shown, "count": found.len(), "next_page": next, "previous_page": previous });
    Ok(Reply::json(StatusCode::OK, &body))
}

/// A query: terms of one property are alternatives; words without a property, and different properties, have to hold
/// together.
#[derive(Debug, Default)]
pub(super) struct Query {
    types: Vec<Object>,
    wanted: BTreeMap<Property, Vec<Value>>,
    unwanted: Vec<(Property, Value)>,
}

/// What a term asks for.
#[derive(Debug)]
enum Value {
    /// `none`: no value.
    None,
    /// This text, as it stands: words, or a phrase in quotes.
    Text(String),
    /// A bare word with `*` in it.
    Wild(Vec<Wild>),
}

impl Value {
    /// Nothing for an empty one.
    fn read(text: &str) -> Option<Self> {
        let quoted = text.contains('"');
        let plain = text.replace('"', "");
        match plain.as_str() {
            "" => None,
            "none" if !quoted => Some(Self::None),
            _ if plain.contains('*') && !quoted => {
                let wild = |wild| if wild == Wild::Char('*') { Wild::Any } else { wild };
                Some(Self::Wild(literal(&plain).map(wild).collect()))
            }
            _ => Some(Self::Text(plain)),
        }
    }

    /// Whether `held` is this.
    fn is(&self, held: Option<&str>) -> bool {
        match (self, held) {
            (Self::None, held) => held.is_none(),
            (_, None) => false,
            (Self::Text(text), Some(held)) => same(held, text),
            (Self::Wild(pattern), Some(held)) => like(held, pattern),
        }
    }

    /// Whether this stands in `held`; a wildcard fits one word of it.
    fn stands_in(&self, held: Option<&str>) -> bool {
        match (self, held) {
            (Self::Text(text), Some(held)) => fold(held).contains(&fold(text)),
            (Self::Wild(pattern), Some(held)) => held.split_whitespace().any(|word| like(word, pattern)),
            (value, held) => value.is(held),
        }
    }
}

/// What a term looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Property {
    /// No property named: every text.
    Text,
    Email,
    Phone,
    Name,
    Card,
    Iban,
    Notes,
    ExternalId,
    Subject,
    Status,
    Description,
    Requester,
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let mut query = Self::default();
        for term in terms(text)? {
            let (negative, term) = match term.strip_prefix('-') {
                Some(rest) => (true, rest),
                None => (false, term.as_str()),
            };
            let (property, value) = match term.split_once(':').filter(|(name, _)| !name.contains('"')) {
                None => (Property::Text, term),
                Some(("type", value)) => {
                    let object = TYPES.iter().find(|(name, _)| *name == value).map(|(_, object)| *object);
                    let object = object.filter(|_| !negative);
                    query.types.push(object.ok_or_else(|| Fault::query(format!("unknown type: {term}")))?);
                    continue;
                }
                Some((name, value)) => {
                    let property = PROPERTIES.iter().find(|(own, _)| *own == name).map(|(_, property)| *property);
                    let unknown = || Fault::query(format!("unknown property: {term}"));
                    (property.ok_or_else(unknown)?, value)
                }
            };
            let value = Value::read(value).ok_or_else(|| Fault::query(format!("a term without a value: {term}")))?;
            match negative {
                true => query.unwanted.push((property, value)),
                false => query.wanted.entry(property).or_default().push(value),
            }
        }
        Ok(query)
    }

    fn admits(&self, world: &World, object: Object, row: &Row) -> bool {
        let hit = |property: Property, value: &Value| property.hits(world, object, row, value);
        (self.types.is_empty() || self.types.contains(&object))
            && self.unwanted.iter().all(|(property, value)| !hit(*property, value))
            && self.wanted.iter().all(|(property, values)| match property {
                Property::Text => values.iter().all(|value| hit(*property, value)),
                _ => values.iter().any(|value| hit(*property, value)),
            })
    }
}

impl Property {
    fn hits(self, world: &World, object: Object, row: &Row, value: &Value) -> bool {
        let contact = row.get("ContactId").and_then(|id| world.contacts.rows.get(id));
        let whole = |held: Option<&str>| value.is(held);
        let inside = |held: Option<&str>| value.stands_in(held);
        match (object, self) {
            (_, Self::Text) => object.columns().iter().any(|column| inside(row.get(column.name))),
            (Object::Contact, Self::Email) => whole(row.get("Email")),
            (Object::Contact, Self::Phone) => whole(row.get("Phone")),
            (Object::Contact, Self::Name) => inside(Some(&name(row))),
            (_, Self::Card) => whole(row.get("Card__c")),
            (Object::Contact, Self::Iban) => whole(row.get("IBAN__c")),
            (Object::Contact, Self::Notes) => inside(row.get("Note__c")),
            (Object::Contact, Self::ExternalId) => whole(row.get("ExternalId__c")),
            (Object::Case, Self::Subject) => inside(row.get("Subject")),
            (Object::Case, Self::Status) => whole(row.get("Status")),
            (Object::Case, Self::Description) => inside(row.get("Description")),
            (Object::Case, Self::Requester) => whole(contact.and_then(|contact| contact.get("Email"))),
            _ => false,
        }
    }
}

/// Words separated by white space; what stands in double quotes stays together.
fn terms(text: &str) -> Result<Vec<String>, Fault> {
    let (mut terms, mut term, mut quotes) = (Vec::new(), String::new(), 0);
    for c in text.chars() {
        match c {
            c if c.is_whitespace() && quotes % 2 == 0 => {
                terms.push(std::mem::take(&mut term));
                continue;
            }
            '"' => quotes += 1,
            _ => {}
        }
        term.push(c);
    }
    terms.push(term);
    if quotes % 2 == 1 {
        return Err(Fault::query(format!("a quote is not closed: {text}")));
    }
    terms.retain(|term| !term.is_empty());
    Ok(terms)
}

/// The rows of `query`, users first.
pub(super) fn find<'w>(world: &'w World, query: &Query) -> Vec<(Object, &'w Row)> {
    let rows = |object| world.table(object).rows.values().map(move |row| (object, row));
    let all = rows(Object::Contact).chain(rows(Object::Case));
    all.filter(|(object, row)| query.admits(world, *object, row)).collect()
}

fn name(row: &Row) -> String {
    [row.get("FirstName"), row.get("LastName")].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn show(world: &World, call: &Call, object: Object, row: &Row) -> Json {
    let url = format!("{}{BASE}/{}/{}", call.origin, object.path(), row.id);
    match object {
        Object::Contact => json!({
            "result_type": "user", "id": row.id, "url": url, "name": name(row), "email": row.get("Email"),
            "phone": row.get("Phone"), "notes": row.get("Note__c"), "external_id": row.get("ExternalId__c"),
            "user_fields": { "card": row.get("Card__c"), "iban": row.get("IBAN__c") },
            "created_at": row.get("CreatedAt"), "updated_at": row.get("UpdatedAt"),
        }),
        Object::Case => {
            let contact = row.get("ContactId").and_then(|id| world.contacts.rows.get(id));
            json!({
                "result_type": "ticket", "id": row.id, "url": url, "subject": row.get("Subject"),
                "status": row.get("Status"), "description": row.get("Description"),
                "requester": contact.map(|contact| json!({ "name": name(contact), "email": contact.get("Email") })),
                "ticket_fields": { "card": row.get("Card__c") },
                "created_at": row.get("CreatedAt"), "updated_at": row.get("UpdatedAt"),
            })
        }
    }
}

const TYPES: [(&str, Object); 2] = [("user", Object::Contact), ("ticket", Object::Case)];

const PROPERTIES: [(&str, Property); 11] = [
    ("email", Property::Email),
    ("phone", Property::Phone),
    ("name", Property::Name),
    ("card", Property::Card),
    ("iban", Property::Iban),
    ("notes", Property::Notes),
    ("external_id", Property::ExternalId),
    ("subject", Property::Subject),
    ("status", Property::Status),
    ("description", Property::Description),
    ("requester", Property::Requester),
];

/// Results of one page.
const PAGE: usize = 100;
/// Results that can be paged through, as in Zendesk.
const MAX_RESULTS: usize = 1_000;
