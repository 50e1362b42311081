//! The records and the numbers the next ones get; what customers and tickets share.

use serde_json::{Map, Value};

use super::records::{Records, Table, number};
use super::shape;

/// The records of a running CRM.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) records: Records,
    next_customer: u64,
    next_ticket: u64,
    next_comment: u64,
    minutes: u64,
}

impl Store {
    pub(super) fn new(records: Records) -> Self {
        let next = |table: &Table, first: u64| table.last_key_value().map_or(first, |(last, _)| last + 1);
        let comments = records.tickets.values().filter_map(|ticket| ticket.get("comments")?.as_array()).flatten();
        let last_comment = comments.filter_map(|comment| number(comment.get("id")?.as_str()?, 'M')).max();
        Self {
            next_customer: next(&records.customers, super::people::FIRST_CUSTOMER),
            next_ticket: next(&records.tickets, super::people::FIRST_TICKET),
            next_comment: last_comment.map_or(1, |last| last + 1),
            // New records are dated after the initial ones.
            minutes: 200_000,
            records,
        }
    }

    /// The record with this id, whatever kind it is.
    pub(super) fn record(&self, id: &str) -> Option<&Map<String, Value>> {
        let tables = [('C', &self.records.customers), ('O', &self.records.orders), ('T', &self.records.tickets)];
        tables.into_iter().find_map(|(letter, table)| table.get(&number(id, letter)?))
    }

    pub(super) fn customer_number(&mut self) -> u64 {
        take(&mut self.next_customer)
    }

    pub(super) fn ticket_number(&mut self) -> u64 {
        take(&mut self.next_ticket)
    }

    pub(super) fn comment_number(&mut self) -> u64 {
        take(&mut self.next_comment)
    }

    /// When the next change happens: the sample CRM's clock is the count of its changes.
    pub(super) fn moment(&mut self) -> String {
        shape::moment(take(&mut self.minutes))
    }
}

fn take(next: &mut u64) -> u64 {
    let number = *next;
    *next = next.saturating_add(1);
    number
}

/// Applies a merge patch (RFC 7396), except that `null` is stored instead of removing the member.
pub(super) fn merge(record: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match (record.get_mut(&name), value) {
            (Some(Value::Object(inner)), Value::Object(patch)) => merge(inner, patch),
            (Some(slot), value) => *slot = value,
            (None, value) => {
                record.insert(name, value);
            }
        }
    }
}

/// The text at `name`; empty when it is absent or not text.
pub(super) fn text<'a>(record: &'a Map<String, Value>, name: &str) -> &'a str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether any text in `value` contains `wanted` (lower case), or its digits when `wanted` has at least seven of them.
pub(super) fn mentions(value: &Value, wanted: &str, digits: &str) -> bool {
    match value {
        Value::String(text) => {
            text.to_lowercase().contains(wanted) || (digits.len() >= 7 && only_digits(text).contains(digits))
        }
        Value::Array(items) => items.iter().any(|item| mentions(item, wanted, digits)),
        Value::Object(members) => members.values().any(|member| mentions(member, wanted, digits)),
        _ => false,
    }
}

/// The decimal digits of `text`.
pub(super) fn only_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn merging_reaches_into_objects_and_replaces_everything_else() {
        let mut record = object(&json!({ "a": { "b": 1, "c": 2 }, "d": [1, 2], "e": "x" }));
        merge(&mut record, object(&json!({ "a": { "c": null }, "d": [3], "f": true })));
        assert_eq!(Value::Object(record), json!({ "a": { "b": 1, "c": null }, "d": [3], "e": "x", "f": true }));
    }

    #[test]
    fn an_id_is_found_only_in_its_own_spelling() {
        let store = Store::new(super::super::people::generate(1, 3));
        assert!(store.record("C-1001").is_some());
        for wrong in ["C-01001", "c-1001", "C-1004", "O-1001", "C-", "1001", ""] {
            assert!(store.record(wrong).is_none(), "{wrong}");
        }
    }
}
