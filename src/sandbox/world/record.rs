//! Changes of records: create, merge, replace, delete, find by key; each checked by the columns' rules first.

use std::collections::BTreeMap;

use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::World;
use super::column::Check;
use super::fault::Fault;
use super::object::Object;
use super::route::has;
use super::table::Row;
use crate::sandbox::call::Call;

/// What happens to columns that the client does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// They stay.
    Merge,
    /// They become null.
    Replace,
}

/// Checked values by column; absent ones are not named by the client, empty ones are null.
type Draft = BTreeMap<&'static str, Option<String>>;

/// The members of a JSON object or of a form.
///
/// # Errors
/// Neither of the two.
pub(super) fn members(call: &Call) -> Result<Map<String, Value>, Fault> {
    let media_type = call.header("content-type").unwrap_or("application/json");
    match media_type.split(';').next().unwrap_or_default().trim() {
        "application/x-www-form-urlencoded" => Ok(form(&String::from_utf8_lossy(&call.body))),
        "application/json" => match serde_json::from_slice(&call.body) {
            Ok(Value::Object(members)) => Ok(members),
            _ => {
                let body = String::from_utf8_lossy(&call.body);
                Err(Fault::bad("JSON_PARSER_ERROR", format!("not a JSON object: {body}")))
            }
        },
        other => {
            let message = format!("content type is not supported: {other}");
            Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message))
        }
    }
}

fn form(body: &str) -> Map<String, Value> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = body.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decode(name), Value::from(decode(value)))).collect()
}

impl World {
    pub(super) fn row(&self, object: Object, id: &str) -> Result<&Row, Fault> {
        self.table(object).rows.get(id).ok_or_else(|| Fault::missing(id))
    }

    /// The id of the one record that has all of `keys`.
    ///
    /// # Errors
    /// Several have them.
    pub(super) fn find(&self, object: Object, keys: &[(&'static str, String)]) -> Result<Option<String>, Fault> {
        let mut found = self.table(object).rows.values().filter(|row| has(row, keys));
        let first = found.next().map(|row| row.id.clone());
        if found.next().is_some() {
            let shown: Vec<String> = keys.iter().map(|(field, value)| format!("{field}={value}")).collect();
            let message = format!("more than one record has {}", shown.join(", "));
            return Err(Fault::new(StatusCode::CONFLICT, "DUPLICATE_VALUE", message));
        }
        Ok(first)
    }

    /// Adds a record and gives its id.
    pub(super) fn create(&mut self, object: Object, members: &Map<String, Value>) -> Result<String, Fault> {
        let mut values: BTreeMap<&'static str, String> = BTreeMap::new();
        values.extend(self.draft(object, members)?.into_iter().filter_map(|(name, value)| Some((name, value?))));
        complete(object, &values)?;
        let moment = self.moment();
        values.extend([("CreatedAt", moment.clone()), ("UpdatedAt", moment)]);
        let id = self.table_mut(object).next_id(object);
        self.table_mut(object).insert(Row { id: id.clone(), version: 1, values });
        Ok(id)
    }

    /// Changes the record `id` if `condition` (`If-Match`) holds.
    pub(super) fn update(
        &mut self,
        object: Object,
        id: &str,
        members: &Map<String, Value>,
        change: Change,
        condition: Option<&str>,
    ) -> Result<&Row, Fault> {
        let row = self.row(object, id)?;
        matches(row, condition)?;
        let mut values = row.values.clone();
        if change == Change::Replace {
            values.retain(|name, _| *name == "CreatedAt");
        }
        for (name, value) in self.draft(object, members)? {
            match value {
                Some(value) => drop(values.insert(name, value)),
                None => drop(values.remove(name)),
            }
        }
        complete(object, &values)?;
        values.insert("UpdatedAt", self.moment());
        let row = self.table_mut(object).rows.get_mut(id).ok_or_else(|| Fault::missing(id))?;
        row.version += 1;
        row.values = values;
        Ok(row)
    }

    /// Removes the record `id` if `condition` holds, and a contact's cases with it.
    pub(super) fn delete(&mut self, object: Object, id: &str, condition: Option<&str>) -> Result<(), Fault> {
        matches(self.row(object, id)?, condition)?;
        self.table_mut(object).rows.remove(id);
        if object == Object::Contact {
            self.cases.rows.retain(|_, case| case.get("ContactId") != Some(id));
        }
        Ok(())
    }

    fn draft(&self, object: Object, members: &Map<String, Value>) -> Result<Draft, Fault> {
        let mut draft = Draft::new();
        for (name, value) in members {
            if OWN.contains(&name.as_str()) {
                continue;
            }
            let column = object.column(name).filter(|column| column.name == name);
            let column = column.ok_or_else(|| Fault::field(name))?;
            if column.check == Check::ReadOnly {
                continue;
            }
            let stored = match value {
                Value::Null => None,
                Value::String(text) => column.store(text, self.rules)?,
                other => {
                    let message = format!("{name}: not a text: {other}");
                    return Err(Fault::bad("JSON_PARSER_ERROR", message).on(name));
                }
            };
            if let (Check::Contact, Some(contact)) = (&column.check, &stored)
                && !self.contacts.rows.contains_key(contact)
            {
                let message = format!("{name}: no such contact: {contact}");
                return Err(Fault::bad("INVALID_CROSS_REFERENCE_KEY", message).on(name));
            }
            draft.insert(column.name, stored);
        }
        Ok(draft)
    }
}

/// Refuses a record without the column it needs.
fn complete(object: Object, values: &BTreeMap<&'static str, String>) -> Result<(), Fault> {
    let name = object.required();
    if values.contains_key(name) {
        return Ok(());
    }
    Err(Fault::bad("REQUIRED_FIELD_MISSING", format!("required fields are missing: [{name}]")).on(name))
}

/// `If-Match` (RFC 9110 §13.1.1); weak tags count like strong ones, as in Dataverse.
fn matches(row: &Row, condition: Option<&str>) -> Result<(), Fault> {
    let Some(condition) = condition else { return Ok(()) };
    let own = row.tag();
    let mut tags = condition.split(',').map(str::trim);
    if tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == own) {
        return Ok(());
    }
    let message = format!("the record has changed; its version is {own} and not {condition}");
    Err(Fault::new(StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED", message))
}

/// Members of an answer that clients send back with the rest.
const OWN: [&str; 3] = ["Id", "Version", "self"];
