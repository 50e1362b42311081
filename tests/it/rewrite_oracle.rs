//! The streaming rewriter against a slow one over parsed documents.

use std::{collections::BTreeMap, sync::Arc};

use fieldgate::{
    model::{Leaf, Selector, Sighting, Step, View},
    protect::Shown,
    rewrite::Plan,
};
use proptest::prelude::*;
use serde_json::Value;

use super::rewriter::{Fixture, fields, view};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Name(String),
    Index(usize),
}

pub(crate) type Place = Vec<Key>;

pub(crate) fn children(value: &Value) -> Vec<(Key, &Value)> {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (Key::Name(name.clone()), value)).collect(),
        Value::Array(elements) => elements.iter().enumerate().map(|(at, value)| (Key::Index(at), value)).collect(),
        _ => vec![],
    }
}

fn select(place: &Place, value: &Value, steps: &[Step], found: &mut Vec<Place>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(place.clone());
        return;
    };
    for (key, child) in children(value) {
        let mut below = place.clone();
        below.push(key.clone());
        let mut step = step;
        if let Step::Descendant(inner) = step {
            select(&below, child, steps, found);
            step = inner;
        }
        let passes = match (step, &key) {
            (Step::Wildcard, _) => true,
            (Step::Name(wanted), Key::Name(name)) => wanted == name,
            (Step::Index(wanted), Key::Index(index)) => *wanted == *index as u64,
            (Step::WhereEquals { member, value }, _) => {
                child.as_object().and_then(|object| object.get(member)).and_then(Value::as_str) == Some(value)
            }
            _ => false,
        };
        if passes {
            select(&below, child, rest, found);
        }
    }
}

pub(crate) fn places(selector: &Selector, value: &Value) -> Vec<Place> {
    let mut found = vec![];
    select(&vec![], value, selector.steps(), &mut found);
    found
}

struct Oracle<'a> {
    fixture: &'a Fixture,
    plan: &'a Plan,
    rules: Vec<Vec<Place>>,
    records: Vec<(Place, Option<String>)>,
    seen: BTreeMap<Option<String>, Sighting>,
}

impl Oracle<'_> {
    fn rewrite(&mut self, place: &Place, value: &Value) -> Value {
        let below = |key: &Key| {
            let mut place = place.clone();
            place.push(key.clone());
            place
        };
        match value {
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| {
                    (name.clone(), self.rewrite(&below(&Key::Name(name.clone())), value))
                };
                Value::Object(members.iter().map(member).collect())
            }
            Value::Array(elements) => {
                let element = |(at, value): (usize, &Value)| self.rewrite(&below(&Key::Index(at)), value);
                Value::Array(elements.iter().enumerate().map(element).collect())
            }
            leaf => self.leaf(place, leaf),
        }
    }

    fn leaf(&mut self, place: &Place, value: &Value) -> Value {
        let matching = self.rules.iter().zip(&self.fixture.map.fields);
        let matching = matching.filter(|(places, _)| places.iter().any(|selected| place.starts_with(selected)));
        let classes: Vec<_> = matching.map(|(_, rule)| rule.class).collect();
        let Some(class) = classes.iter().copied().min_by_key(|class| self.plan.views.get(*class)) else {
            return value.clone();
        };
        let number = value.to_string();
        let leaf = match value {
            Value::String(text) => Leaf::Text(text),
            Value::Number(_) => Leaf::Number(&number),
            Value::Bool(bool) => Leaf::Bool(*bool),
            _ => Leaf::Null,
        };
        if matches!(leaf, Leaf::Null | Leaf::Text("")) {
            return value.clone();
        }
        let chosen = self.plan.views.get(class);
        self.note(place, class, chosen);
        let tools = &self.plan.tools;
        let mut shown = String::new();
        let searched = match (leaf, chosen) {
            (Leaf::Text(text) | Leaf::Number(text), View::Reveal) => Some(text),
            _ => None,
        };
        if let Some(text) = searched {
            if !classes.contains(&self.fixture.class("free_text")) {
                return value.clone();
            }
            let (mut findings, mut kept) = (vec![], 0);
            tools.detector.scan(text, &mut findings);
            for finding in findings {
                let id = tools.classes.of_entity(finding.entity).unwrap();
                let view = self.plan.views.get(id);
                self.note(place, id, view);
                shown.push_str(&text[kept..finding.start]);
                let found = &text[finding.start..finding.end];
                self.plan.tools.protector.span(tools.classes.get(id).unwrap(), view, found, &mut shown);
                kept = finding.end;
            }
            shown.push_str(&text[kept..]);
            return match value {
                Value::Number(_) if shown == number => value.clone(),
                // An account number without quotes is one still.
                Value::Number(_) => Value::from(0),
                _ => Value::String(shown),
            };
        }
        match tools.protector.leaf(tools.classes.get(class).unwrap(), chosen, leaf, &mut shown) {
            Shown::Kept => value.clone(),
            Shown::Text => Value::String(shown),
            Shown::Zero => Value::from(0),
            Shown::False => Value::Bool(false),
            Shown::Null => Value::Null,
        }
    }

    fn note(&mut self, place: &Place, class: fieldgate::model::ClassId, view: View) {
        let record = self.records.iter().filter(|(record, _)| place.starts_with(record)).max_by_key(|(at, _)| at.len());
        let subject = record.and_then(|(_, id)| id.clone());
        let seen = self.seen.entry(subject).or_default();
        match view {
            View::Reveal => seen.reveal.insert(class),
            View::Mask => seen.mask.insert(class),
            View::Pseudonym => seen.pseudonym.insert(class),
            View::Redact => seen.redact.insert(class),
        }
    }
}

fn lookup<'a>(value: &'a Value, place: &Place) -> &'a Value {
    place.iter().fold(value, |value, key| match key {
        Key::Name(name) => &value[name.as_str()],
        Key::Index(index) => &value[*index],
    })
}

fn expected(fixture: &Fixture, plan: &Plan, value: &Value) -> (Value, BTreeMap<Option<String>, Sighting>) {
    let rules = fixture.map.fields.iter().map(|rule| places(&rule.selector, value)).collect();
    let mut records = vec![];
    if let Some(record) = &fixture.map.record {
        for place in places(record, value)
            .into_iter()
            .filter(|place| lookup(value, place).is_object() || lookup(value, place).is_array())
        {
            let id = match lookup(value, &place).get("id") {
                Some(Value::String(id)) => Some(id.clone()),
                Some(Value::Number(id)) => Some(id.to_string()),
                _ => None,
            };
            records.push((place, id));
        }
    }
    let mut oracle = Oracle { fixture, plan, rules, records, seen: BTreeMap::new() };
    let shown = oracle.rewrite(&vec![], value);
    (shown, oracle.seen)
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "id", "kind", "é x", ""]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "Card",
        "x",
        "",
        "jane@example.com",
        "see jane@example.com, or bob@b.org now",
        "é•😀",
        "a\"b\\c\n\u{1}/",
        "plain words",
    ])
    .prop_map(str::to_owned)
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        text().prop_map(Value::String),
        // Longer numbers can be card numbers, which the slow one does not look for.
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map(name(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn selector() -> impl Strategy<Value = String> {
    let quoted = |name: String| format!("['{name}']");
    let step = prop_oneof![
        4 => name().prop_map(quoted),
        1 => (0..3).prop_map(|index| format!("[{index}]")),
        2 => Just("[*]".to_owned()),
        2 => name().prop_map(move |name| format!("..{}", quoted(name))),
        1 => Just("..*".to_owned()),
        1 => prop::sample::select(vec!["[?@.kind == 'Card']", "[?@.kind == 'x']", "[?@['a'] == 'x']", "..[?@.kind == 'Card']"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(step, 0..4).prop_map(|steps| format!("${}", steps.concat()))
}

/// `value` with the spelling that `style` makes of it.
fn spell(value: &Value, style: &mut impl FnMut() -> u8, out: &mut String) {
    let blank = |style: &mut dyn FnMut() -> u8, out: &mut String| {
        out.push_str(["", "", "", " ", "\n  ", "\t"][usize::from(style() % 6)]);
    };
    let string = |text: &str, style: &mut dyn FnMut() -> u8, out: &mut String| {
        out.push('"');
        for c in text.chars() {
            if c < ' ' || c == '"' || c == '\\' || style().is_multiple_of(8) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    *out += &format!("\\u{unit:04x}");
                }
            } else {
                out.push(c);
            }
        }
        out.push('"');
    };
    blank(style, out);
    match value {
        Value::String(text) => string(text, style, out),
        Value::Array(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                spell(element, style, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            // Some in reverse, so that an id or a filter's member comes late.
            let mut members: Vec<_> = members.iter().collect();
            if style().is_multiple_of(2) {
                members.reverse();
            }
            out.push('{');
            for (at, (name, member)) in members.into_iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                blank(style, out);
                string(name, style, out);
                blank(style, out);
                out.push(':');
                spell(member, style, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
    blank(style, out);
}

fn chunks<'a>(mut text: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = vec![];
    for size in sizes.iter().cycle() {
        if text.is_empty() {
            return chunks;
        }
        let (chunk, rest) = text.split_at((*size).min(text.len()));
        chunks.push(chunk);
        text = rest;
    }
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn the_streaming_rewriter_is_the_slow_one(
        value in document(),
        selectors in prop::collection::vec((selector(), prop::sample::select(vec!["name", "email", "card_number", "note", "free_text"])), 0..5),
        views in prop::collection::vec(prop::sample::select(View::LADDER.to_vec()), 5),
        records in any::<bool>(),
        style in prop::collection::vec(any::<u8>(), 1..50),
        sizes in prop::collection::vec(1_usize..30, 1..10),
    ) {
        let rules: Vec<(&str, &str)> = selectors.iter().map(|(selector, class)| (selector.as_str(), *class)).collect();
        let mut fixture = fields(&rules);
        for ((id, _), view) in fixture.classes.clone().iter().zip(views) {
            fixture.views.set(id, view);
        }
        if records {
            fixture = fixture.records("$..[*]", "$.id");
        }
        let mut styles = style.iter().copied().cycle();
        let mut spelled = String::new();
        spell(&value, &mut || styles.next().unwrap_or(0), &mut spelled);
        let plan = fixture.plan();
        let (out, seen) = view(&plan, [spelled.as_bytes()]).unwrap();
        if rules.is_empty() {
            prop_assert_eq!(&out, spelled.as_bytes());
        }
        let (wanted, sightings) = expected(&fixture, &plan, &value);
        prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), wanted, "{}", spelled);
        let got: BTreeMap<_, _> = seen.iter().map(|one| (one.subject.as_ref().map(|id| id.expose().clone()), Sighting { subject: None, ..one.clone() })).collect();
        prop_assert_eq!(got, sightings, "{}", spelled);
        let parts = view(&plan, chunks(spelled.as_bytes(), &sizes)).unwrap();
        prop_assert_eq!(parts, (out, seen));
    }

    #[test]
    fn taking_early_loses_no_sighting(value in document(), sizes in prop::collection::vec(1_usize..40, 1..5)) {
        let fixture = fields(&[("$..a", "email"), ("$..b", "name")]).records("$..[*]", "$.id");
        let plan = fixture.plan();
        let text = value.to_string();
        let (_, whole) = view(&plan, [text.as_bytes()]).unwrap();
        let mut rewriting = fieldgate::rewrite::ResponseView::new(Arc::clone(&plan));
        let (mut out, mut parts, mut released) = (vec![], vec![], 0);
        for chunk in chunks(text.as_bytes(), &sizes) {
            rewriting.push(chunk, &mut out).unwrap();
            prop_assert!(rewriting.releasable() >= released);
            released = rewriting.releasable();
            parts.extend(rewriting.take_sightings());
        }
        parts.extend(rewriting.finish(&mut out).unwrap());
        let mut merged: BTreeMap<Option<String>, Sighting> = BTreeMap::new();
        for part in parts {
            let one = merged.entry(part.subject.as_ref().map(|id| id.expose().clone())).or_insert_with(|| Sighting { subject: part.subject.clone(), ..Sighting::default() });
            one.redact = one.redact.union(part.redact);
        }
        prop_assert_eq!(merged.into_values().collect::<Vec<_>>(), whole);
    }
}
