//! Generated questions, spelled in each dialect, against a plain evaluation that shares no code with the dialects.

use serde_json::{Value, json};

use super::super::super::World;
use super::super::super::object::Object;
use super::super::super::table::Row;
use super::super::{hubspot, odata, odata_filter, soql, soql_query, ticket_sql, zendesk};
use crate::sandbox::rng::Rng;

/// Questions per dialect.
const RUNS: usize = 400;

#[derive(Clone, Debug)]
enum Ask {
    Is(&'static str, Option<String>),
    IsNot(&'static str, Option<String>),
    In(&'static str, Vec<String>),
    NotIn(&'static str, Vec<String>),
    Contains(&'static str, String),
    And(Box<Ask>, Box<Ask>),
    Or(Box<Ask>, Box<Ask>),
    Not(Box<Ask>),
}

const CONTACT: &[&str] = &["FirstName", "LastName", "Email", "Phone", "Card__c", "IBAN__c"];
const CASE: &[&str] = &["Subject", "Status", "SuppliedEmail", "SuppliedName", "Card__c"];

struct Maker<'w> {
    rng: Rng,
    world: &'w World,
    object: Object,
    fields: &'static [&'static str],
}

impl Maker<'_> {
    fn field(&mut self) -> &'static str {
        self.fields[self.rng.below(self.fields.len() as u64) as usize]
    }

    /// A value that some row has, in one of three spellings, or one that none has.
    fn value(&mut self, field: &str) -> String {
        let rows: Vec<&Row> = self.world.table(self.object).rows.values().collect();
        let held = rows[self.rng.below(rows.len() as u64) as usize].get(field);
        let held = held.unwrap_or("nobody's \\ value").to_owned();
        match self.rng.below(6) {
            0 => held.to_uppercase(),
            1 => held.to_lowercase(),
            2 => format!("{held}x"),
            _ => held,
        }
    }

    fn ask(&mut self, depth: u64, negations: bool) -> Ask {
        if depth > 0 && self.rng.chance(60) {
            let (a, b) = (self.ask(depth - 1, negations), self.ask(depth - 1, negations));
            return match self.rng.below(if negations { 3 } else { 2 }) {
                0 => Ask::And(a.into(), b.into()),
                1 => Ask::Or(a.into(), b.into()),
                _ => Ask::Not(a.into()),
            };
        }
        let field = self.field();
        match self.rng.below(10) {
            0 => Ask::Is(field, None),
            1 => Ask::IsNot(field, None),
            2 | 3 => Ask::IsNot(field, Some(self.value(field))),
            4 => Ask::In(field, vec![self.value(field), self.value(field)]),
            5 => Ask::NotIn(field, vec![self.value(field), self.value(field)]),
            6 => {
                let value = self.value(field);
                Ask::Contains(field, value.chars().skip(1).take(3).filter(|c| c.is_alphanumeric()).collect())
            }
            _ => Ask::Is(field, Some(self.value(field))),
        }
    }
}

/// What null is to a backend.
#[derive(Clone, Copy, PartialEq)]
enum Null {
    /// A value like any other.
    Value,
    /// That, but a function of it is null.
    OData,
    /// Nothing that could be compared.
    Sql,
}

/// True, false or neither.
fn holds(ask: &Ask, row: &Row, null: Null) -> Option<bool> {
    let sql = null == Null::Sql;
    let value = |field: &str| row.get(field).map(str::to_lowercase);
    let compared = |field: &str, compare: &dyn Fn(&str) -> bool, unlike: bool| match value(field) {
        Some(held) => Some(compare(&held) != unlike),
        None if sql => None,
        None => Some(unlike),
    };
    match ask {
        Ask::Is(field, None) => Some(value(field).is_none()),
        Ask::IsNot(field, None) => Some(value(field).is_some()),
        Ask::Is(field, Some(asked)) => compared(field, &|held| held == asked.to_lowercase(), false),
        Ask::IsNot(field, Some(asked)) => compared(field, &|held| held == asked.to_lowercase(), true),
        Ask::In(field, list) => compared(field, &|held| list.iter().any(|one| one.to_lowercase() == held), false),
        Ask::NotIn(field, list) => compared(field, &|held| list.iter().any(|one| one.to_lowercase() == held), true),
        Ask::Contains(field, _) if null == Null::OData && value(field).is_none() => None,
        Ask::Contains(field, part) => compared(field, &|held| held.contains(&part.to_lowercase()), false),
        Ask::And(a, b) => match (holds(a, row, null), holds(b, row, null)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Ask::Or(a, b) => match (holds(a, row, null), holds(b, row, null)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Ask::Not(a) => holds(a, row, null).map(|truth| !truth),
    }
}

/// How a dialect spells things.
struct Spelling {
    quote: fn(&str) -> String,
    null: &'static str,
    is: [&'static str; 2],
    is_null: [&'static str; 2],
    among: [&'static str; 2],
    and: &'static str,
    or: &'static str,
    not: &'static str,
    contains: fn(&str, &str) -> String,
    name: fn(&str) -> String,
}

fn spell(ask: &Ask, to: &Spelling) -> String {
    let list = |values: &[String]| values.iter().map(|value| (to.quote)(value)).collect::<Vec<_>>().join(", ");
    let name = |field: &str| (to.name)(field);
    match ask {
        Ask::Is(field, None) => format!("{} {} {}", name(field), to.is_null[0], to.null),
        Ask::IsNot(field, None) => format!("{} {} {}", name(field), to.is_null[1], to.null),
        Ask::Is(field, Some(value)) => format!("{} {} {}", name(field), to.is[0], (to.quote)(value)),
        Ask::IsNot(field, Some(value)) => format!("{} {} {}", name(field), to.is[1], (to.quote)(value)),
        Ask::In(field, values) => format!("{} {} ({})", name(field), to.among[0], list(values)),
        Ask::NotIn(field, values) if to.among[1].is_empty() => {
            format!("{} ({} {} ({}))", to.not, name(field), to.among[0], list(values))
        }
        Ask::NotIn(field, values) => format!("{} {} ({})", name(field), to.among[1], list(values)),
        Ask::Contains(field, part) => (to.contains)(&name(field), part),
        Ask::And(a, b) => format!("({}) {} ({})", spell(a, to), to.and, spell(b, to)),
        Ask::Or(a, b) => format!("({}) {} ({})", spell(a, to), to.or, spell(b, to)),
        Ask::Not(a) => format!("{} ({})", to.not, spell(a, to)),
    }
}

fn backslashed(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

const SOQL: Spelling = Spelling {
    quote: backslashed,
    null: "null",
    is: ["=", "!="],
    is_null: ["=", "!="],
    among: ["IN", "NOT IN"],
    and: "AND",
    or: "OR",
    not: "NOT",
    contains: |field, part| format!("{field} LIKE '%{part}%'"),
    name: str::to_owned,
};

const ODATA: Spelling = Spelling {
    quote: |text| format!("'{}'", text.replace('\'', "''")),
    null: "null",
    is: ["eq", "ne"],
    is_null: ["eq", "ne"],
    among: ["in", ""],
    and: "and",
    or: "or",
    not: "not",
    contains: |field, part| format!("contains({field},'{part}')"),
    name: str::to_owned,
};

const TICKET_SQL: Spelling = Spelling {
    quote: backslashed,
    null: "NULL",
    is: ["=", "!="],
    is_null: ["IS", "IS NOT"],
    among: ["IN", "NOT IN"],
    and: "AND",
    or: "OR",
    not: "",
    contains: |field, part| format!("{field} LIKE '{part}'"),
    name: |field| match field {
        "Card__c" => "CF.{Card}".to_owned(),
        "SuppliedEmail" => "'CF.{Customer Email}'".to_owned(),
        "SuppliedName" => "'CustomField.{Customer Name}'".to_owned(),
        other => other.to_owned(),
    },
};

/// Asks [`RUNS`] questions and compares; one answer in four at least has to be something else than nothing
/// or everything.
fn compare(
    object: Object,
    fields: &'static [&'static str],
    negations: bool,
    null: Null,
    find: impl Fn(&World, &Ask) -> Vec<String>,
) {
    let mut world = World::generate(17, 80);
    if null == Null::Sql {
        world = world.with_sql_nulls();
    }
    let mut maker = Maker { rng: Rng::new(23), world: &world, object, fields };
    let mut telling = 0;
    for _ in 0..RUNS {
        let ask = maker.ask(3, negations);
        let rows = &world.table(object).rows;
        let expected: Vec<String> =
            rows.values().filter(|row| holds(&ask, row, null) == Some(true)).map(|row| row.id.clone()).collect();
        telling += usize::from(!expected.is_empty() && expected.len() < rows.len());
        assert_eq!(find(&world, &ask), expected, "{ask:?}");
    }
    assert!(telling > RUNS / 4, "only {telling} of {RUNS} questions tell rows apart");
}

fn ids(rows: &[&Row]) -> Vec<String> {
    rows.iter().map(|row| row.id.clone()).collect()
}

#[test]
fn soql_finds_what_a_plain_evaluation_finds() {
    for (object, fields, null) in [
        (Object::Contact, CONTACT, Null::Value),
        (Object::Contact, CONTACT, Null::Sql),
        (Object::Case, CASE, Null::Value),
    ] {
        compare(object, fields, true, null, |world, ask| {
            let text = format!("SELECT Id FROM {} WHERE {}", object.name(), spell(ask, &SOQL));
            ids(&soql::find(world, &soql_query::Query::parse(&text).unwrap()))
        });
    }
}

#[test]
fn odata_finds_what_a_plain_evaluation_finds() {
    for null in [Null::OData, Null::Sql] {
        compare(Object::Contact, CONTACT, true, null, |world, ask| {
            let filter = odata_filter::filter(&spell(ask, &ODATA), Object::Contact).unwrap();
            ids(&odata::find(world, Object::Contact, &filter))
        });
    }
}

#[test]
fn ticket_sql_finds_what_a_plain_evaluation_finds() {
    for null in [Null::Value, Null::Sql] {
        compare(Object::Case, CASE, false, null, |world, ask| {
            ids(&ticket_sql::find(world, &ticket_sql::parse(&spell(ask, &TICKET_SQL)).unwrap()))
        });
    }
}

#[test]
fn hubspot_finds_what_a_plain_evaluation_finds() {
    let world = World::generate(17, 80);
    let mut maker = Maker { rng: Rng::new(29), world: &world, object: Object::Contact, fields: CONTACT };
    let mut telling = 0;
    for _ in 0..RUNS {
        let (groups, filters) = (maker.rng.between(1, 3), maker.rng.between(1, 2));
        let asks: Vec<Vec<Ask>> = (0..groups).map(|_| (0..filters).map(|_| maker.ask(0, false)).collect()).collect();
        let asks: Vec<Vec<Ask>> = asks.into_iter().map(|group| group.into_iter().map(lowered).collect()).collect();
        let body: Vec<Value> =
            asks.iter().map(|group| json!({ "filters": group.iter().map(filter).collect::<Vec<_>>() })).collect();
        let query = hubspot::Query::read(json!({ "filterGroups": body }).as_object().unwrap()).unwrap();
        // No filter finds a record without a value, but the one that asks for that.
        let hit = |row: &Row| asks.iter().any(|group| group.iter().all(|ask| holds(ask, row, Null::Sql) == Some(true)));
        let expected: Vec<String> =
            world.contacts.rows.values().filter(|row| hit(row)).map(|row| row.id.clone()).collect();
        telling += usize::from(!expected.is_empty() && expected.len() < 80);
        assert_eq!(ids(&hubspot::find(&world, &query)), expected, "{asks:?}");
    }
    assert!(telling > RUNS / 4, "{telling}");
}

/// HubSpot's lists are asked for in lower case.
fn lowered(ask: Ask) -> Ask {
    let lower = |values: Vec<String>| values.iter().map(|value| value.to_lowercase()).collect();
    match ask {
        Ask::In(field, values) => Ask::In(field, lower(values)),
        Ask::NotIn(field, values) => Ask::NotIn(field, lower(values)),
        other => other,
    }
}

fn filter(ask: &Ask) -> Value {
    let name = |field: &str| field.trim_end_matches("__c").to_lowercase();
    let one = |field: &str, operator: &str, value: &str| json!({ "propertyName": name(field), "operator": operator, "value": value });
    let many = |field: &str, operator: &str, values: &[String]| json!({ "propertyName": name(field), "operator": operator, "values": values });
    match ask {
        Ask::Is(field, Some(value)) => one(field, "EQ", value),
        Ask::IsNot(field, Some(value)) => one(field, "NEQ", value),
        Ask::Is(field, None) => one(field, "NOT_HAS_PROPERTY", ""),
        Ask::IsNot(field, None) => one(field, "HAS_PROPERTY", ""),
        Ask::In(field, values) => many(field, "IN", values),
        Ask::NotIn(field, values) => many(field, "NOT_IN", values),
        Ask::Contains(field, part) => one(field, "CONTAINS_TOKEN", &format!("*{part}*")),
        other => panic!("not a filter: {other:?}"),
    }
}

#[test]
fn zendesk_finds_what_a_plain_evaluation_finds() {
    let world = World::generate(17, 80);
    let fields: &'static [&'static str] = &["Email", "Phone", "Card__c", "IBAN__c"];
    let mut maker = Maker { rng: Rng::new(31), world: &world, object: Object::Contact, fields };
    let mut telling = 0;
    for _ in 0..RUNS {
        let mut terms = Vec::new();
        for _ in 0..maker.rng.between(1, 3) {
            let field = maker.field();
            terms.push((maker.rng.chance(30), field, maker.value(field)));
        }
        let text: Vec<String> = terms
            .iter()
            .map(|(negative, field, value)| {
                let sign = if *negative { "-" } else { "" };
                format!("{sign}{}:\"{value}\"", field.trim_end_matches("__c").to_lowercase())
            })
            .collect();
        let query = zendesk::Query::parse(&format!("type:user {}", text.join(" "))).unwrap();
        let equal = |row: &Row, field: &str, value: &str| {
            row.get(field).is_some_and(|held| held.to_lowercase() == value.to_lowercase())
        };
        let hit = |row: &Row| {
            let no = terms.iter().all(|(negative, field, value)| !negative || !equal(row, field, value));
            no && fields.iter().all(|field| {
                let mut wanted = terms.iter().filter(|(negative, own, _)| !negative && own == field).peekable();
                wanted.peek().is_none() || wanted.any(|(_, _, value)| equal(row, field, value))
            })
        };
        let expected: Vec<String> =
            world.contacts.rows.values().filter(|row| hit(row)).map(|row| row.id.clone()).collect();
        telling += usize::from(!expected.is_empty() && expected.len() < 80);
        let found: Vec<String> = zendesk::find(&world, &query).iter().map(|(_, row)| row.id.clone()).collect();
        assert_eq!(found, expected, "{text:?}");
    }
    assert!(telling > RUNS / 4, "{telling}");
}
