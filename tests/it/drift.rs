//! What a CRM may do to a map from one day to the next, 200 times: a new field, a column under another name, a field renamed,
//! something in a list, a second spelling for people, a member keyed by an address, an error that quotes. Nothing of it is
//! shown to anybody, and everything that was withheld is counted, exactly.

use std::collections::BTreeMap;

use fieldgate::{
    detect::Detector,
    model::{BodyFormat, BodyMap},
};
use serde_json::{Map, Value, json};

use crate::{
    harness::{Canary, Line, Recorded},
    maps::{Stage, leaked, said},
    questions::Rng,
    rewrite_oracle::{Key, Place, children, places},
};

/// Drifts per world; there are five.
const PER_WORLD: usize = 40;

const KINDS: [Kind; 7] = [Kind::New, Kind::Alias, Kind::Renamed, Kind::Listed, Kind::Twin, Kind::Keyed, Kind::Error];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    New,
    Alias,
    Renamed,
    Listed,
    Twin,
    Keyed,
    Error,
}

/// A world that has drifted.
struct Drifted {
    recorded: Recorded,
    /// What nobody may see.
    secrets: Vec<Canary>,
    /// How many leaves and names the map does not know.
    unknown: u64,
}

fn at<'v>(value: &'v mut Value, place: &[Key]) -> &'v mut Value {
    place.iter().fold(value, |value, key| match key {
        Key::Name(name) => value.get_mut(name).unwrap(),
        Key::Index(index) => value.get_mut(*index).unwrap(),
    })
}

fn every(value: &Value, place: &mut Place, visit: &mut impl FnMut(&Place, &Value)) {
    visit(place, value);
    for (key, child) in children(value) {
        place.push(key);
        every(child, place, visit);
        place.pop();
    }
}

/// What a map selects of a body, found the slow way.
struct Selected {
    fields: Vec<Place>,
    known: Vec<Place>,
    closed: Vec<Place>,
    /// Places whose names stand in a selector.
    spelled: Vec<Place>,
    named_fields: Vec<Place>,
}

impl Selected {
    fn of(map: &BodyMap, body: &Value) -> Self {
        let all = |selectors: &[fieldgate::model::Selector]| -> Vec<Place> {
            selectors.iter().flat_map(|selector| places(selector, body)).collect()
        };
        let named = |selectors: Vec<&fieldgate::model::Selector>| -> Vec<Place> {
            let named = selectors.into_iter().filter(|selector| selector.last_name().is_some());
            named.flat_map(|selector| places(selector, body)).collect()
        };
        let mut known = all(&map.links);
        if let Some(subject) = &map.subject {
            let records = map.record.as_ref().map_or(vec![Place::new()], |record| places(record, body));
            for record in records {
                let mut inside = body.clone();
                let inside = at(&mut inside, &record);
                known.extend(places(subject, inside).into_iter().map(|place| [record.clone(), place].concat()));
            }
        }
        let spelled = [known.clone(), named(map.plain.iter().collect())].concat();
        known.extend(all(&map.plain));
        let fields = map.fields.iter().flat_map(|rule| places(&rule.selector, body)).collect();
        let named_fields = named(map.fields.iter().map(|rule| &rule.selector).collect());
        Self { fields, known, closed: all(&map.closed), spelled, named_fields }
    }

    /// Whether a selector says the name of what is at `place`, or of the protected object around it.
    fn spells(&self, place: &Place) -> bool {
        self.spelled.contains(place) || self.named_fields.iter().any(|field| place.starts_with(field))
    }

    fn knows(&self, place: &Place) -> bool {
        self.fields.iter().any(|field| place.starts_with(field)) || self.known.contains(place)
    }

    fn is_closed(&self, place: &Place) -> bool {
        self.closed.iter().any(|closed| place.starts_with(closed))
    }

    /// Leaves that hold something and are in a closed object that does not know them, and names of such that a detector finds
    /// something in.
    fn unknown(&self, body: &Value) -> u64 {
        let (mut count, detector) = (0, Detector::new());
        every(body, &mut Place::new(), &mut |place, value| {
            let leaf = !matches!(value, Value::Object(_) | Value::Array(_) | Value::Null) && *value != json!("");
            let unknown = self.is_closed(place) && !self.knows(place);
            count += u64::from(leaf && unknown);
            // A name that only a wildcard takes is looked at as well, whatever is known of its value.
            let strange = self.is_closed(place) && !self.spells(place);
            if let (Some(Key::Name(name)), true) = (place.last(), strange) {
                let mut found = Vec::new();
                detector.scan(name, &mut found);
                count += u64::from(!found.is_empty());
            }
        });
        count
    }
}

/// A drift of `kind` somewhere in the answer of `recorded`; none where it would not be one.
fn drift(kind: Kind, number: usize, rng: &mut Rng, recorded: &Recorded, map: &BodyMap) -> Option<Drifted> {
    let mut body: Value = serde_json::from_str(&recorded.body).ok()?;
    let secret = |what: &str| Canary { class: what.to_owned(), value: format!("{what}-drift{number}-unseen") };
    let email = Canary { class: "email".to_owned(), value: format!("drift.{number}@customers.example.org") };
    if kind == Kind::Error {
        let error = json!({ "message": format!("no record of {}", email.value), "errorCode": "DRIFT" });
        let recorded = Recorded { status: 422, body: error.to_string(), ..recorded.clone() };
        return Some(Drifted { recorded, secrets: vec![email], unknown: 0 });
    }
    let selected = Selected::of(map, &body);
    let mut objects = Vec::new();
    every(&body, &mut Place::new(), &mut |place, value| {
        let below = |name: &str| [place.clone(), vec![Key::Name(name.to_owned())]].concat();
        let members = value.as_object().into_iter().flatten();
        let mut fields = members.filter(|(name, value)| value.is_string() && selected.knows(&below(name)));
        let named = fields.by_ref().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        // A leaf of a protected object is that object's, whatever it is called.
        if value.is_object() && selected.is_closed(place) && !selected.knows(place) {
            objects.push((place.clone(), named));
        }
    });
    let (place, named) = objects.get(rng.below(objects.len().max(1)))?.clone();
    let object: &mut Map<String, Value> = at(&mut body, &place).as_object_mut()?;
    let picked = named.get(rng.below(named.len().max(1))).cloned();
    let mut secrets = vec![secret("value")];
    let text = secrets[0].value.clone();
    match kind {
        Kind::New => {
            let account = 770_000_000 + number;
            secrets.push(Canary { class: "number".to_owned(), value: account.to_string() });
            let values = [json!(text), json!(account), json!({ "a": text, "b": { "c": account, "vip": true } })];
            object.insert(format!("drifted_{number}"), values[rng.below(3)].clone());
        }
        Kind::Alias => {
            secrets.push(email.clone());
            object.insert(["expr0", "n", "primary_mail", "Alias"][rng.below(4)].to_owned(), json!(email.value));
        }
        Kind::Renamed => {
            let name = picked?;
            object.remove(&name)?;
            object.insert(format!("{name}__new"), json!(text));
        }
        Kind::Listed => {
            object.insert(
                "drifted_list".to_owned(),
                json!([text, [email.value], { "Email2": text, "x": [null, { "y": text }] }]),
            );
            secrets.push(email);
        }
        Kind::Twin => {
            let name = picked?;
            let suffix = ["@formatted", "_display", "DisplayValue", "Label", "_html"][rng.below(5)];
            object.insert(format!("{name}{suffix}"), json!({ "displayValue": text, "value": email.value }));
            secrets.push(email);
        }
        Kind::Keyed => {
            object.insert(email.value.clone(), json!({ "note": text }));
            secrets.push(email);
        }
        Kind::Error => {}
    }
    let selected = Selected::of(map, &body);
    // A wildcard of the map may well know the new member: then it is none.
    let mut unknown_secret = false;
    every(&body, &mut Place::new(), &mut |place, value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let holds = secrets.iter().any(|secret| secret.value == text);
        unknown_secret |= holds && selected.knows(place);
    });
    if unknown_secret {
        return None;
    }
    let unknown = selected.unknown(&body);
    Some(Drifted { recorded: Recorded { body: body.to_string(), ..recorded.clone() }, secrets, unknown })
}

/// The metric over all routes.
fn counted(metrics: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with("fieldgate_schema_drift_total{"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// Plays [`PER_WORLD`] drifts of the world `name` to every caller.
pub(crate) fn leaks_nothing(name: &str, stage: &Stage, seed: u64) {
    let recorded_before = drift_of_records(stage);
    let fixtures = stage.world.fixtures.as_ref().unwrap();
    let usable = |one: &&Recorded| {
        let map = stage.response_map(one);
        one.status == 200 && map.format == BodyFormat::Json && !map.closed.is_empty() && !one.body.is_empty()
    };
    let all = fixtures.all();
    let recorded: Vec<&Recorded> = all.iter().filter(usable).collect();
    let (mut rng, mut lines) = (Rng(seed), BTreeMap::<&str, Line>::new());
    let (mut made, mut total, mut kinds) = (0, 0, BTreeMap::<String, usize>::new());
    let mut number = 0;
    while made < PER_WORLD {
        number += 1;
        assert!(number < 40 * PER_WORLD, "{name}: only {made} drifts could be made");
        let kind = KINDS[made % KINDS.len()];
        let original = recorded[rng.below(recorded.len())];
        let Some(drifted) = drift(kind, number, &mut rng, original, &stage.response_map(original)) else { continue };
        made += 1;
        *kinds.entry(format!("{kind:?}")).or_default() += 1;
        let place = all.iter().position(|one| std::ptr::eq(one, original)).unwrap();
        fixtures.exchanges.write().unwrap()[place] = drifted.recorded.clone();
        for caller in &stage.callers {
            let before = counted(&stage.world.admin("/metrics"));
            let answer = stage.ask(caller, &drifted.recorded, &mut lines);
            let what = format!(
                "{name}: {kind:?} in {} {} by {}: {}",
                original.method, original.target, caller.name, drifted.recorded.body
            );
            let permitted = stage.views(caller, original).is_some();
            let status = if permitted { drifted.recorded.status } else { 403 };
            assert_eq!(answer.status, status, "{what}: {}", answer.text());
            let said = said(&answer);
            for secret in &drifted.secrets {
                assert_eq!(leaked(&said, secret), None, "{what}\nis answered {said}");
            }
            let expected = if permitted { drifted.unknown } else { 0 };
            // The outcome is counted when the exchange ends, a moment after its last byte.
            let mut count = 0;
            for _ in 0..200 {
                count = counted(&stage.world.admin("/metrics")) - before;
                if count >= expected {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            assert_eq!(count, expected, "{what}\nis answered {}", answer.text());
            total += expected;
        }
        fixtures.exchanges.write().unwrap()[place] = original.clone();
    }
    assert_eq!(kinds.len(), KINDS.len(), "{kinds:?}");
    // Outcomes are appended, not waited for.
    for _ in 0..100 {
        if drift_of_records(stage) - recorded_before == total {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(drift_of_records(stage) - recorded_before, total, "{name}: what the records say");
    println!("{name}: {made} drifts {kinds:?}, {total} members withheld");
}

fn drift_of_records(stage: &Stage) -> u64 {
    stage.world.records().iter().filter_map(|record| record["outcome"]["drift"].as_u64()).sum()
}
