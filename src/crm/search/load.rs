//! `search = { in = "query.q", dialect = "soql", fields = { … } }` of a route in, search rules or every mistake of them out.

use std::collections::BTreeMap;

use toml::{Spanned, de::DeValue};

use super::{
    super::{
        document::{Report, Section, Text, text},
        fields::{FieldSets, class},
    },
    Clause, Dialect, SearchFields,
    rule::{SearchPlace, SearchRule},
};
use crate::model::{BodyFormat, BodyMap, ClassTable};

const HELP_PLACE: &str = "write in = \"query.q\", \"path.key\" or \"body\"";
const HELP_FIELDS: &str =
    "write fields = { \"Email\" = \"email\" }; `false` excepts a longer name: { \"Owner.Email\" = false }";
const HELP_DIALECT: &str = "write soql, odata, zendesk, ticketsql or hubspot";

/// What rules are read against.
pub(in super::super) struct Surroundings<'a> {
    /// The variables of the template, in order.
    pub(in super::super) variables: &'a [&'a str],
    pub(in super::super) request: BodyFormat,
    pub(in super::super) response: &'a BodyMap,
    pub(in super::super) classes: &'a ClassTable,
    pub(in super::super) sets: &'a FieldSets<'a>,
}

/// Reads `search`: a table, or an array of tables.
pub(in super::super) fn rules(
    value: &Spanned<DeValue<'_>>,
    around: &Surroundings<'_>,
    report: &mut Report<'_>,
) -> Vec<SearchRule> {
    let mut rules = Vec::new();
    let tables = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    };
    for table in tables {
        match table.get_ref() {
            DeValue::Table(inner) => rule(Section::new(inner, table.span().start), around, &mut rules, report),
            _ => report.at(table.span().start, "a search rule is not a table", HELP_PLACE),
        }
    }
    rules
}

fn rule(mut section: Section<'_, '_>, around: &Surroundings<'_>, rules: &mut Vec<SearchRule>, report: &mut Report<'_>) {
    let start = section.start;
    let places = match section.value("in") {
        None => {
            report.at(start, "`in` is missing", HELP_PLACE);
            Vec::new()
        }
        Some(value) => match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(|item| text(item, "in", report)).collect(),
            _ => text(value, "in", report).into_iter().collect(),
        },
    };
    let dialect = section.required("dialect", HELP_DIALECT, report);
    let mut fields = SearchFields::default();
    let table = section.section("fields", report);
    if let Some(table) = &table {
        named(table, &mut fields, around.classes, report);
    }
    let sets = section.texts("include", report);
    sets.iter().for_each(|set| included(set, &mut fields, around, report));
    if table.is_some() || !sets.is_empty() {
        meant(&mut fields, around.response);
        // A key in the path renames nothing.
        let asks = places.iter().any(|place| !place.value.starts_with("path."));
        if let Some(dialect) = dialect.as_ref().filter(|_| asks) {
            let place = table.as_ref().map_or(start, |table| table.start);
            covered(place, dialect.value, &fields, around.response, report);
        }
    } else if section.value("free").is_none() {
        report.at(start, "`fields` is missing", HELP_FIELDS);
    }
    for name in section.texts("free", report) {
        if let Some(class) = class(&name, around.classes, report) {
            fields.insert_free(class, around.classes);
        }
    }
    section.close(report);
    let Some(dialect) = dialect else { return };
    for text in places {
        let Some(place) = place(&text, around, report) else { continue };
        if rules.iter().any(|rule| rule.place == place) {
            report.inside(text.span.clone(), 0, "this place has a search rule already", "keep one of them");
        } else if let Some(dialect) = dialect_at(&dialect, &text, &place, report) {
            if dialect == Dialect::OData(Clause::Key) && fields.sets().next().is_none() {
                let help = "write fields = { \"contacts.emailaddress1\" = \"email\" }: other sets are refused here";
                report.inside(text.span.clone(), 0, "no field names its entity set", help);
            }
            rules.push(SearchRule { place, dialect, fields: fields.clone() });
        }
    }
}

fn named(table: &Section<'_, '_>, fields: &mut SearchFields, classes: &ClassTable, report: &mut Report<'_>) {
    for (name, value) in table.entries() {
        if name.value.is_empty() || fields.lists(name.value) {
            report.at(name.span.start, "this field stands twice, or has no name", HELP_FIELDS);
            continue;
        }
        match value.get_ref() {
            DeValue::Boolean(false) => fields.insert(name.value, None, classes),
            DeValue::Boolean(true) => report.at(value.span().start, "`true` is no class", HELP_FIELDS),
            _ => {
                let class = text(value, "class", report).and_then(|text| class(&text, classes, report));
                fields.insert(name.value, class, classes);
            }
        }
    }
}

/// The names of a set, as far as `fields` says nothing else of them.
fn included(name: &Text<'_>, fields: &mut SearchFields, around: &Surroundings<'_>, report: &mut Report<'_>) {
    let Some(set) = around.sets.get(name.value) else {
        let help = format!("define [set.{}], or correct the name", name.value);
        report.inside(name.span.clone(), 0, format!("unknown set `{}`", name.value), help);
        return;
    };
    let mut names = BTreeMap::new();
    for (member, class) in set.names().filter(|(member, _)| !member.contains('@')) {
        if !fields.lists(member) && *names.entry(member).or_insert(class) != class {
            let what = format!("`{member}` has two classes in the set `{}`", name.value);
            report.inside(name.span.clone(), 0, what, "say in `fields` which one the query means");
        }
    }
    names.into_iter().for_each(|(member, class)| fields.insert(member, Some(class), around.classes));
}

/// The names that `answer` knows.
fn meant(fields: &mut SearchFields, answer: &BodyMap) {
    let selected = answer.fields.iter().map(|rule| &rule.selector).chain(&answer.plain).chain(&answer.links);
    for selector in selected.chain(&answer.subject) {
        if let Some(name) = selector.last_name() {
            fields.insert_meant(name);
        }
    }
}

/// Where names of a query are names of the answer, each protected name of the answer has to be known here: the query could
/// rename it, sort by it or compare with it.
fn covered(start: usize, dialect: &str, fields: &SearchFields, answer: &BodyMap, report: &mut Report<'_>) {
    if !matches!(dialect, "soql" | "odata" | "hubspot") {
        return;
    }
    for rule in &answer.fields {
        // An annotation (`name@…`) comes with its member; no query speaks of it.
        let Some(name) = rule.selector.last_name().filter(|name| !name.contains('@')) else { continue };
        if !fields.ends_with(name) {
            let what = format!("`{name}` has a class in the answer and is not listed here");
            report.at(start, what, "add it: a query could rename it or compare with it; `false` where it is harmless");
            return;
        }
    }
}

fn place(text: &Text<'_>, around: &Surroundings<'_>, report: &mut Report<'_>) -> Option<SearchPlace> {
    let (what, offset) = match text.value.split_once('.') {
        Some(("query", name)) if !name.is_empty() => return Some(SearchPlace::Parameter(name.to_owned())),
        Some(("path", name)) => {
            let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
            match around.variables.iter().position(|known| *known == name) {
                Some(at) => return Some(SearchPlace::Variable(at)),
                None => (format!("the template has no variable `{name}`"), 5),
            }
        }
        None if text.value == "body" && around.request == BodyFormat::Json => return Some(SearchPlace::Body),
        None if text.value == "body" => ("a search in a body that is not JSON".to_owned(), 0),
        _ => (format!("`{}` is no place", text.value), 0),
    };
    report.inside(text.span.clone(), offset, what, HELP_PLACE);
    None
}

fn dialect_at(name: &Text<'_>, at: &Text<'_>, place: &SearchPlace, report: &mut Report<'_>) -> Option<Dialect> {
    let dialect = match (name.value, place) {
        ("soql", SearchPlace::Parameter(_)) => Some(Dialect::Soql),
        ("ticketsql", SearchPlace::Parameter(_)) => Some(Dialect::TicketSql),
        ("zendesk", SearchPlace::Parameter(_)) => Some(Dialect::Zendesk),
        ("hubspot", SearchPlace::Body) => Some(Dialect::HubSpot),
        ("odata", SearchPlace::Parameter(parameter)) => Clause::of_parameter(parameter).map(Dialect::OData),
        ("odata", SearchPlace::Variable(_)) => Some(Dialect::OData(Clause::Key)),
        ("soql" | "ticketsql" | "odata" | "zendesk" | "hubspot", _) => None,
        (other, _) => {
            report.inside(name.span.clone(), 0, format!("unknown dialect `{other}`"), HELP_DIALECT);
            return None;
        }
    };
    if dialect.is_none() {
        let what = format!("`{}` has no query in `{}`", name.value, at.value);
        let help = "soql, ticketsql and zendesk: a parameter; odata: $filter, $orderby, $select, $apply or the path; hubspot: body";
        report.inside(at.span.clone(), 0, what, help);
    }
    dialect
}
