//! The whole database as lines of text: what somebody who steals a backup can search.

use std::collections::BTreeSet;

use serde_json::Value;

use super::World;
use super::object::Object;

impl World {
    /// Appends `object<TAB>id<TAB>column<TAB>value` for every value, unescaped.
    pub(in crate::sandbox) fn dump(&self, out: &mut String) {
        for object in [Object::Contact, Object::Case] {
            for row in self.table(object).rows.values() {
                for (column, value) in &row.values {
                    line(out, object.name(), &row.id, column, value);
                }
            }
        }
    }
}

impl World {
    /// Every personal value with its class, each pair once; values under four bytes are left out.
    pub(in crate::sandbox) fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut found = BTreeSet::new();
        for object in [Object::Contact, Object::Case] {
            for row in self.table(object).rows.values() {
                let classed = row.values.iter().filter_map(|(column, value)| Some((class(column)?, value.clone())));
                found.extend(classed.filter(|(_, value)| value.len() >= 4));
            }
        }
        found.into_iter().collect()
    }
}

fn class(column: &str) -> Option<&'static str> {
    match column {
        "FirstName" | "LastName" | "SuppliedName" => Some("name"),
        "Email" | "SuppliedEmail" => Some("email"),
        "Phone" | "SuppliedPhone" => Some("phone"),
        "Card__c" => Some("card_number"),
        "IBAN__c" => Some("iban"),
        "Note__c" | "Subject" | "Description" => Some("free_text"),
        _ => None,
    }
}

/// Appends every leaf of `record` like a column.
pub(in crate::sandbox) fn record(out: &mut String, table: &str, id: &str, path: &str, record: &Value) {
    match record {
        Value::Null => {}
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                self::record(out, table, id, &path, member);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| self::record(out, table, id, path, item)),
        Value::String(text) => line(out, table, id, path, text),
        other => line(out, table, id, path, &other.to_string()),
    }
}

fn line(out: &mut String, table: &str, id: &str, column: &str, value: &str) {
    for (part, end) in [(table, '\t'), (id, '\t'), (column, '\t'), (value, '\n')] {
        out.push_str(part);
        out.push(end);
    }
}
