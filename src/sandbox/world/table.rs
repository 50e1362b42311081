//! Rows of one object by id, their versions, and how they look in JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::column::Check;
use super::object::Object;

/// The rows of one object in order of creation (ids have a fixed width).
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) rows: BTreeMap<String, Row>,
    last: u64,
}

/// One record; absent values are null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: String,
    /// Counts the changes, from 1.
    pub(super) version: u64,
    pub(super) values: BTreeMap<&'static str, String>,
}

impl Table {
    /// The id of the next record.
    pub(super) fn next_id(&mut self, object: Object) -> String {
        self.last += 1;
        format!("{}{:012}", object.prefix(), self.last)
    }

    pub(super) fn insert(&mut self, row: Row) {
        self.rows.insert(row.id.clone(), row);
    }
}

impl Row {
    /// The value of `field` (`Id` among them), spelled as in [`Object::field`].
    pub(super) fn get(&self, field: &str) -> Option<&str> {
        if field == "Id" { Some(&self.id) } else { self.values.get(field).map(String::as_str) }
    }

    /// Every column, null where there is no value, with `Id` and `Version`.
    pub(super) fn show(&self, object: Object) -> Map<String, Value> {
        let mut shown = Map::from_iter([("Id".to_owned(), Value::from(self.id.as_str()))]);
        for column in object.columns() {
            shown.insert(column.name.to_owned(), self.get(column.name).into());
        }
        shown.insert("Version".to_owned(), self.version.into());
        shown
    }

    /// What a client sends to make such a record.
    pub(super) fn written(&self, object: Object) -> Value {
        let columns = object.columns().iter().filter(|column| column.check != Check::ReadOnly);
        columns.filter_map(|column| Some((column.name.to_owned(), Value::from(self.get(column.name)?)))).collect()
    }

    /// The entity tag of this version.
    pub(super) fn tag(&self) -> String {
        format!("\"{}\"", self.version)
    }
}
