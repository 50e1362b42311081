//! HubSpot's search bodies: `filterGroups`, `sorts`, `query`, `properties`.
//!
//! Several forms become `IN` or `NOT_IN` in the filter that was there, so the budget of groups and filters is never eaten.
//! Nulls: every operator but `NOT_HAS_PROPERTY` leaves records without the property out, so `NEQ` and `NOT_IN` agree.

mod json;
#[cfg(test)]
mod tests;

use super::{
    SearchError,
    fields::Field,
    free::{FREE, INSTEAD, Looks},
    predicate::{Condition, Found, Item, Predicate, Test},
};
use json::{Is, Node};

/// Groups of a search (HubSpot, since August 2024).
pub const MAX_GROUPS: usize = 5;
/// Filters of a group.
pub const MAX_GROUP_FILTERS: usize = 10;
/// Filters of a search.
pub const MAX_FILTERS: usize = 25;
/// Values of `IN` and `NOT_IN`.
pub const MAX_VALUES: usize = 100;

/// Parses a whole body.
pub(super) fn parse(text: &str, found: &mut Found<'_>) -> Result<(), SearchError> {
    let body = json::read(text)?;
    let Is::Object(members) = &body.is else { return Err(at(&body, "an object is expected")) };
    let (mut groups, mut filters) = (0, 0);
    for (name, node) in members {
        match name.as_str() {
            "filterGroups" => {
                for group in array(node)? {
                    groups += 1;
                    let [(_, inner)] = object(group, &["filters"])? else {
                        return Err(at(group, "`filters` is expected"));
                    };
                    filters += group_filters(inner, found)?;
                }
            }
            "filters" => {
                groups += 1;
                filters += group_filters(node, found)?;
            }
            "sorts" => array(node)?.iter().try_for_each(|sort| sorted(sort, found))?,
            "query" => words(node, found)?,
            "properties" | "limit" | "after" => {}
            _ => return Err(at(node, "this member of a search is not known")),
        }
    }
    let over = |count, limit, what| if count > limit { Err(SearchError::TooLarge { what, limit }) } else { Ok(()) };
    over(groups, MAX_GROUPS, "filter groups")?;
    over(filters, MAX_FILTERS, "filters")
}

/// The filters of one group; gives how many there are.
fn group_filters(node: &Node, found: &mut Found<'_>) -> Result<usize, SearchError> {
    let filters = array(node)?;
    if filters.len() > MAX_GROUP_FILTERS {
        return Err(SearchError::TooLarge { what: "filters in a group", limit: MAX_GROUP_FILTERS });
    }
    filters.iter().try_for_each(|node| filter(node, found))?;
    Ok(filters.len())
}

fn filter(node: &Node, found: &mut Found<'_>) -> Result<(), SearchError> {
    let members = object(node, &["propertyName", "operator", "value", "values", "highValue"])?;
    let member = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, node)| node);
    let (Some(property), Some(operator)) = (member("propertyName"), member("operator")) else {
        return Err(at(node, "`propertyName` and `operator` are expected"));
    };
    let (name, word) = (text(property)?, text(operator)?);
    let field = found.fields.of_path(&[name.to_lowercase()]);
    let test = match word {
        "EQ" => Test::Equal,
        "NEQ" => Test::NotEqual,
        "IN" => Test::In,
        "NOT_IN" => Test::NotIn,
        "HAS_PROPERTY" | "NOT_HAS_PROPERTY" => return Ok(()),
        "LT" | "LTE" | "GT" | "GTE" | "BETWEEN" => return found.needs_clear(field, "a range"),
        "CONTAINS_TOKEN" | "NOT_CONTAINS_TOKEN" => return found.needs_clear(field, "CONTAINS_TOKEN"),
        _ => return Err(at(operator, "this operator is not known")),
    };
    let Some(field) = field else { return Ok(()) };
    let values = match (test, member("value"), member("values"), member("highValue")) {
        (Test::Equal | Test::NotEqual, Some(value), None, None) => std::slice::from_ref(value),
        (Test::In | Test::NotIn, None, Some(values), None) => array(values)?,
        _ => return Err(at(node, "this operator takes another value")),
    };
    let items = values.iter().map(|value| item(value, field, found)).collect::<Result<Vec<_>, _>>()?;
    let (span, subject, name) = (node.span.clone(), property.span.clone(), field.name.clone());
    found.push(Predicate { span, subject, name, test, items });
    Ok(())
}

fn item(value: &Node, field: &Field, found: &mut Found<'_>) -> Result<Item, SearchError> {
    let ask = found.ask(field, text(value)?.to_owned())?;
    Ok(Item { span: value.span.clone(), ask: Some(ask) })
}

/// `{ "propertyName": "email", "direction": … }`, or `"-email"`.
fn sorted(node: &Node, found: &Found<'_>) -> Result<(), SearchError> {
    let name = match &node.is {
        Is::Text(name) => name.trim_start_matches('-'),
        _ => {
            let members = object(node, &["propertyName", "direction"])?;
            let name = members.iter().find(|(known, _)| known == "propertyName");
            text(name.map(|(_, name)| name).ok_or_else(|| at(node, "`propertyName` is expected"))?)?
        }
    };
    found.needs_clear(found.fields.of_path(&[name.to_lowercase()]), "sorts")
}

/// `query`: words that stand in any property.
fn words(node: &Node, found: &mut Found<'_>) -> Result<(), SearchError> {
    let words = text(node)?;
    match found.fields.free_term(words) {
        Looks::Harmless => Ok(()),
        Looks::Unclear => {
            Err(SearchError::Unsupported { field: FREE.to_owned(), operator: "a free search term", instead: INSTEAD })
        }
        Looks::Like(field) => {
            let items = vec![item(node, field, found)?];
            let (span, name) = (node.span.clone(), field.name.clone());
            found.push(Predicate { subject: span.clone(), span, name, test: Test::Key, items });
            Ok(())
        }
    }
}

fn array(node: &Node) -> Result<&[Node], SearchError> {
    match &node.is {
        Is::Array(items) => Ok(items),
        _ => Err(at(node, "an array is expected")),
    }
}

/// The members of an object that has no others than `known`.
fn object<'n>(node: &'n Node, known: &[&str]) -> Result<&'n [(String, Node)], SearchError> {
    let Is::Object(members) = &node.is else { return Err(at(node, "an object is expected")) };
    match members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((_, other)) => Err(at(other, "this member is not known")),
        None => Ok(members),
    }
}

fn text(node: &Node) -> Result<&str, SearchError> {
    match &node.is {
        Is::Text(text) => Ok(text),
        _ => Err(at(node, "a string is expected")),
    }
}

fn at(node: &Node, what: &'static str) -> SearchError {
    SearchError::Syntax { at: node.span.start, what }
}

/// The filter with all forms; `name` is the field as the map spells it.
pub(super) fn write(condition: &Condition<'_>, name: &str) -> Result<String, SearchError> {
    if !condition.prefixes.is_empty() {
        let instead = "HubSpot has no search by prefix: store the class as `token` or `det`";
        return Err(SearchError::Unsupported { field: name.to_owned(), operator: "an indexed form", instead });
    }
    if condition.equals.len() > MAX_VALUES {
        return Err(SearchError::TooLarge { what: "values in a filter", limit: MAX_VALUES });
    }
    let operator = if condition.test.is_negative() { "NOT_IN" } else { "IN" };
    let values = condition.equals.join(",");
    Ok(format!("{{\"propertyName\":{},\"operator\":\"{operator}\",\"values\":[{values}]}}", condition.field))
}

/// `text` as a JSON string in lower case: `IN` compares what it is given with the lower case of what is stored, `EQ` folds both.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text.to_lowercase()).to_string()
}
