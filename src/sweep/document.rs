//! A record as the CRM spells it: JSON in, mapped leaves out; edits in, the body of an update out.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Edit, Fault, Field, Record, RecordId, Shown, Value as Leaf, Version,
    select::{self, Part, Path, first, leaves, place, put, set},
};
use crate::{
    crm::{Members, SweepRule, VersionSource},
    model::{FieldRule, Sensitive, Step},
};

/// How documents of one resource are read and written.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    rule: SweepRule,
    /// The fields of a record, relative to it.
    fields: Vec<FieldRule>,
}

impl Shape {
    /// `fields` are those of the body of one record.
    pub(super) fn new(rule: SweepRule, fields: &[FieldRule]) -> Self {
        let inside = fields.iter().filter(|field| !field.base64).filter_map(|field| {
            let steps = field.selector.steps();
            let text = field.selector.as_str();
            if rule.record.is_empty() || matches!(steps.first(), Some(Step::Descendant(_))) {
                return Some(field.clone());
            }
            let leads = rule.record.iter().zip(steps).all(|(name, step)| *step == Step::Name(name.clone()));
            let rest = steps.get(rule.record.len()..).filter(|rest| leads && !rest.is_empty())?;
            // The text of a selector is not cut: a selector of the remaining steps has the same meaning.
            let selector = tail(text, rest)?;
            Some(FieldRule { selector, ..field.clone() })
        });
        Self { fields: inside.collect(), rule }
    }

    /// The record in the body of one record.
    pub(super) fn inside<'a>(&self, body: &'a Value) -> Option<&'a Value> {
        let inner = self.rule.record.iter().try_fold(body, |value, name| value.get(name.as_str()));
        inner.filter(|value| value.is_object())
    }

    /// The id of `document`, as a page shows it.
    pub(super) fn id(&self, document: &Value) -> Option<RecordId> {
        match first(document, self.rule.id.steps())? {
            Value::String(text) if !text.is_empty() => Some(Sensitive::new(text.clone())),
            Value::Number(number) => Some(Sensitive::new(number.to_string())),
            _ => None,
        }
    }

    /// The record `document`.
    pub(super) fn record(&self, id: RecordId, document: Value, etag: Option<String>) -> Record {
        let version = match &self.rule.version {
            VersionSource::None => None,
            VersionSource::Etag => etag,
            VersionSource::Member(selector) => match first(&document, selector.steps()) {
                Some(Value::String(text)) => Some(text.clone()),
                Some(Value::Number(number)) => Some(number.to_string()),
                _ => None,
            },
        };
        let fields = self.leaves(&document).into_iter().map(|(path, value, rule)| Field {
            place: place(&path).into(),
            class: rule.class,
            column: rule.column,
            value: match value {
                Value::String(text) if !text.is_empty() => Leaf::Text(Sensitive::new(text.clone())),
                Value::String(_) | Value::Null => Leaf::Empty,
                _ => Leaf::NotText,
            },
        });
        let fields = fields.collect();
        Record { id, version: version.map(Version), fields, document: Some(Arc::new(document)), shown: Shown::Whole }
    }

    /// Each mapped leaf once, under the first rule that selects it.
    fn leaves<'d>(&self, document: &'d Value) -> Vec<(Path, &'d Value, &FieldRule)> {
        let mut found: Vec<(Path, &Value, &FieldRule)> = Vec::new();
        for rule in &self.fields {
            for (path, value) in select::select(document, rule.selector.steps()) {
                let mut inside = Vec::new();
                leaves(path, value, &mut inside);
                for (path, leaf) in inside {
                    if !found.iter().any(|(known, ..)| *known == path) {
                        found.push((path, leaf, rule));
                    }
                }
            }
        }
        found
    }

    /// The body that makes `edits` of `record`.
    pub(super) fn body(&self, record: &Record, edits: &[Edit<'_>]) -> Result<Value, Fault> {
        let document = record.document.as_deref().ok_or(Fault::Broken("a record without its document"))?;
        let mut changed = document.clone();
        let (mut paths, known) = (Vec::new(), self.leaves(document));
        for edit in edits {
            let leaf = known.iter().find(|(path, ..)| place(path) == edit.place);
            let (path, ..) = leaf.ok_or(Fault::Broken("a changed value that the record does not have"))?;
            if !set(&mut changed, path, edit.text) {
                return Err(Fault::Broken("a changed value that the record does not have"));
            }
            paths.push(path.clone());
        }
        let mut body = Value::Object(serde_json::Map::new());
        for path in &paths {
            self.carry(&changed, path, &mut body)?;
        }
        let mut wrapped = Value::Null;
        put(&mut wrapped, &self.rule.record, body);
        Ok(wrapped)
    }

    /// Takes what has to be written for the leaf at `path` over into `body`.
    fn carry(&self, changed: &Value, path: &Path, body: &mut Value) -> Result<(), Fault> {
        for (from, to) in &self.rule.write {
            let selected = select::select(changed, from.steps());
            if selected.iter().any(|(inside, _)| inside == path) {
                let mut values: Vec<Value> = selected.into_iter().map(|(_, value)| value.clone()).collect();
                let value = if values.len() == 1 { values.pop().unwrap_or_default() } else { Value::Array(values) };
                put(body, to, value);
                return Ok(());
            }
        }
        let mut names = path.iter().map_while(|part| match part {
            Part::Member(name) => Some(name.clone()),
            Part::Element(_) => None,
        });
        let names: Vec<String> = match self.rule.members {
            Members::Whole => names.next().into_iter().collect(),
            Members::Merged => names.collect(),
        };
        let value = names.iter().try_fold(changed, |value, name| value.get(name.as_str()));
        let value = value.filter(|_| !names.is_empty()).ok_or(Fault::Broken("a record that is no object"))?;
        if !is_exact(value) {
            return Err(Fault::Broken("a number that cannot be written back exactly stands beside a changed value"));
        }
        put(body, &names, value.clone());
        Ok(())
    }
}

/// The selector of `steps`, which end the selector `text`.
fn tail(text: &str, steps: &[Step]) -> Option<crate::model::Selector> {
    let starts = text.char_indices().filter(|(_, c)| matches!(c, '.' | '[')).map(|(at, _)| at);
    let mut candidates = starts.filter_map(|at| format!("${}", text.get(at..)?).parse::<crate::model::Selector>().ok());
    candidates.find(|candidate| candidate.steps() == steps)
}

/// Whether every number of `value` is written as it was read: whole numbers of 64 bits and fractions of 53.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64() || number.as_f64().is_some_and(|number| number.abs() < EXACT),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// 2^53: beyond it a whole number that was read as a fraction has lost digits (RFC 8259 §6).
const EXACT: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        crm::Api,
        model::{Class, ClassTable, MaskStyle, Storage},
    };

    fn shape(extra: &str, fields: &str) -> Shape {
        let class = |name: &str| Class {
            name: name.into(),
            mask: MaskStyle::Full,
            storage: Storage::CLEAR,
            detects: Vec::new(),
        };
        let classes = ClassTable::new(vec![class("email"), class("card")]).unwrap();
        let text = format!(
            "[map]\nname = 'm'\n[map.sweep.a]\nlist = 'l'\nread = 'r'\nupdate = 'u'\n\
             records = '$.items[*]'\nid = '$.id'\n{extra}\n\
             [[route]]\nname = 'l'\nmatch = 'GET /a'\nresource = 'a'\naction = 'list'\nresponse.fields = {{}}\n\
             [[route]]\nname = 'r'\nmatch = 'GET /a/{{id}}'\nresource = 'a'\naction = 'read'\nsubject = '{{id}}'\n\
             response.fields = {{ {fields} }}\n\
             [[route]]\nname = 'u'\nmatch = 'PATCH /a/{{id}}'\nresource = 'a'\naction = 'update'\nsubject = '{{id}}'\n\
             request.fields = {{}}\nresponse.fields = {{}}\n"
        );
        let api = Api::parse("m.toml", &text, &classes).unwrap_or_else(|found| panic!("{}", found[0]));
        let rule = api.sweep("a").unwrap().clone();
        let fields = &api.routes()[rule.read.index].response.fields;
        Shape::new(rule, fields)
    }

    fn body(shape: &Shape, document: Value, edits: &[(&str, &str)]) -> Result<Value, Fault> {
        let record = shape.record(Sensitive::new("1".to_owned()), document, None);
        let edits: Vec<Edit<'_>> = edits.iter().map(|(place, text)| Edit { place, text }).collect();
        shape.body(&record, &edits)
    }

    #[test]
    fn a_records_leaves_are_found_with_what_they_are() {
        let shape = shape("version = '$.v'", "'$.email' = 'email', '$.card' = 'card', '$..number' = 'email'");
        let document = json!({ "id": 7, "v": 3, "email": "", "card": { "number": "4111", "limit": 5, "open": null } });
        assert_eq!(shape.id(&document).unwrap().expose(), "7");
        let record = shape.record(Sensitive::new("7".to_owned()), document, Some("x".to_owned()));
        assert_eq!(record.version, Some(Version("3".to_owned())));
        let shown: Vec<_> =
            record.fields.iter().map(|field| (&*field.place, field.class.index(), &field.value)).collect();
        let text = Leaf::Text(Sensitive::new("4111".to_owned()));
        assert_eq!(
            shown,
            [
                ("$.email", 0, &Leaf::Empty),
                ("$.card.number", 1, &text),
                ("$.card.limit", 1, &Leaf::NotText),
                ("$.card.open", 1, &Leaf::Empty)
            ]
        );
    }

    #[test]
    fn an_update_carries_whole_members_or_merges() {
        let document =
            json!({ "id": 1, "email": "a", "other": 2, "card": { "number": "1", "limit": 5 }, "tags": ["x", "y"] });
        let fields = "'$.email' = 'email', '$.card.number' = 'card', '$.tags[*]' = 'email'";
        let edits = [("$.card.number", "S"), ("$.tags[1]", "T")];
        let whole = body(&shape("", fields), document.clone(), &edits).unwrap();
        assert_eq!(whole, json!({ "card": { "number": "S", "limit": 5 }, "tags": ["x", "T"] }));
        let merged = body(&shape("members = 'merged'", fields), document.clone(), &edits).unwrap();
        assert_eq!(merged, json!({ "card": { "number": "S" }, "tags": ["x", "T"] }));
        assert!(body(&shape("", fields), document, &[("$.phone", "x")]).is_err());
    }

    #[test]
    fn a_record_inside_its_body_is_read_and_written_there() {
        let shape = shape("record = '$.data.a'", "'$.data.a.email' = 'email', '$.data.b.email' = 'card'");
        let answer = json!({ "data": { "a": { "id": 1, "email": "x" } } });
        let document = shape.inside(&answer).unwrap().clone();
        assert!(shape.inside(&json!({ "data": [] })).is_none());
        assert_eq!(body(&shape, document, &[("$.email", "S")]).unwrap(), json!({ "data": { "a": { "email": "S" } } }));
    }

    #[test]
    fn name_and_value_pairs_are_written_by_name() {
        let extra = "write = { \"$.cf[?@.name == 'Card'].values[*]\" = '$.CustomFields.Card' }";
        let shape = shape(extra, "\"$.cf[?@.name == 'Card'].values[*]\" = 'card'");
        let document = |values: Value| json!({ "id": 1, "cf": [{ "name": "Card", "values": values }] });
        let one = body(&shape, document(json!(["1"])), &[("$.cf[0].values[0]", "S")]).unwrap();
        assert_eq!(one, json!({ "CustomFields": { "Card": "S" } }));
        let two = body(&shape, document(json!(["1", "2"])), &[("$.cf[0].values[0]", "S")]).unwrap();
        assert_eq!(two, json!({ "CustomFields": { "Card": ["S", "2"] } }));
    }

    #[test]
    fn numbers_are_written_back_exactly_or_not_at_all() {
        let shape = shape("", "'$.card.number' = 'card'");
        let edit = [("$.card.number", "S")];
        let card = |limit: &str| {
            serde_json::from_str(&format!(r#"{{"id":1,"card":{{"number":"1","limit":{limit}}}}}"#)).unwrap()
        };
        for exact in ["18446744073709551615", "-9223372036854775808", "0.1", "9007199254740991.0"] {
            assert!(body(&shape, card(exact), &edit).is_ok(), "{exact}");
        }
        for lost in ["18446744073709551616", "9007199254740992.0", "1e300"] {
            assert!(matches!(body(&shape, card(lost), &edit), Err(Fault::Broken(_))), "{lost}");
        }
    }
}
