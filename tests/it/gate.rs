//! Bodies of people of whom some may not be seen in full any more: what goes out is record by record what its own plan says.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use fieldgate::{
    model::{BodyFormat, Delimiter, Sighting, SubjectId, View},
    rewrite::{Admission, Gate, Plan, ResponseView, RewriteError},
};
use proptest::prelude::*;

use super::rewriter::{Fixture, fields, view};

/// Lets some ids pass, masks others, and ends the body at the rest; keeps whom it was asked about.
#[derive(Debug, Default)]
struct Fixed {
    masked: BTreeSet<String>,
    refused: BTreeSet<String>,
    asked: Mutex<Vec<Option<String>>>,
}

impl Gate for Fixed {
    fn reveals(&self, subject: Option<&SubjectId>) -> Admission {
        let id = subject.map(|id| id.expose().clone());
        self.asked.lock().unwrap().push(id.clone());
        let is_in = |set: &BTreeSet<String>| set.contains(&id.clone().unwrap_or_default());
        match (is_in(&self.refused), is_in(&self.masked)) {
            (true, _) => Admission::Refused,
            (_, true) => Admission::Mask,
            _ => Admission::Reveal,
        }
    }

    fn finds(&self, subject: &SubjectId) -> Admission {
        if self.refused.contains(subject.expose()) { Admission::Refused } else { Admission::Reveal }
    }
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// The output, cut into chunks of `step` bytes and taken as it becomes releasable, and the sightings.
fn gated(
    plan: &Arc<Plan>,
    gate: &Arc<Fixed>,
    text: &str,
    step: usize,
) -> Result<(String, Vec<Sighting>), RewriteError> {
    let mut view = ResponseView::new(Arc::clone(plan)).gated(Arc::clone(gate) as Arc<dyn Gate>);
    let (mut out, mut released, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for chunk in text.as_bytes().chunks(step) {
        view.push(chunk, &mut out)?;
        let ready = usize::try_from(view.releasable()).unwrap() - released.len();
        seen.extend(view.take_sightings());
        released.extend(out.drain(..ready));
    }
    seen.extend(view.finish(&mut out)?);
    released.extend(out);
    Ok((String::from_utf8(released).unwrap(), seen))
}

fn fixture() -> Fixture {
    fields(&[
        ("$.items[*].name", "name"),
        ("$.items[*].mail", "email"),
        ("$.items[*].note", "free_text"),
        ("$.items[*].n", "note"),
    ])
    .records("$.items[*]", "$.id")
    .see("name", View::Reveal)
    .see("note", View::Reveal)
    .see("email", View::Mask)
}

fn masked(fixture: Fixture) -> Fixture {
    fixture.see("name", View::Mask).see("note", View::Mask).see("free_text", View::Mask)
}

#[test]
fn an_id_that_comes_last_masks_what_was_written_before_it() {
    let fixture = fixture();
    let text = r#"{"items":[{"name":"Jane \u00e9 Doe","n":12,"note":"hi","id":"a"},{"name":"Max Muster","n":true,"note":"a@b.example","id":"b"},{"id":"c","name":"Eve Long"}]}"#;
    let gate = Arc::new(Fixed { masked: set(&["b", "c"]), ..Fixed::default() });
    let (shown, seen) = gated(&fixture.plan(), &gate, text, text.len()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&value["items"][0]["name"], &value["items"][0]["n"]), (&"Jane é Doe".into(), &12.into()));
    for at in [1, 2] {
        assert!(value["items"][at]["name"].as_str().unwrap().contains('\u{2022}'), "{shown}");
    }
    assert!(!shown.contains("Muster") && !shown.contains("Long") && !shown.contains("true") && !shown.contains("a@b"));
    let of =
        |id: &str| seen.iter().find(|one| one.subject.as_ref().is_some_and(|subject| subject.expose() == id)).unwrap();
    assert!(of("a").capped.is_empty() && of("a").reveal.contains(fixture.class("name")));
    for id in ["b", "c"] {
        assert!(of(id).reveal.is_empty() && of(id).capped.contains(fixture.class("name")), "{id}");
        assert!(of(id).mask.contains(fixture.class("name")));
    }
    assert_eq!(*gate.asked.lock().unwrap(), ["a", "b", "c"].map(|id| Some(id.to_owned())), "each once");
}

#[test]
fn the_body_ends_at_who_may_not_be_seen_at_all() {
    let plan = fixture().plan();
    let gate = Arc::new(Fixed { refused: set(&["b"]), ..Fixed::default() });
    for body in [
        r#"{"items":[{"id":"a","name":"Jane"},{"id":"b","name":"Max"}]}"#,
        r#"{"items":[{"id":"a","name":"Jane"},{"name":"Max","id":"b"}]}"#,
        r#"{"items":[{"id":"a","name":"Jane","id":"b"}]}"#,
    ] {
        for step in [1, 7, body.len()] {
            assert_eq!(gated(&plan, &gate, body, step).unwrap_err(), RewriteError::OverBudget, "{body}");
        }
    }
    let nothing_of_them = r#"{"items":[{"id":"b","mail":"x@y.example"},{"id":"b","name":null},{"id":"b","name":""}]}"#;
    assert!(gated(&plan, &gate, nothing_of_them, 5).is_ok(), "who is not revealed is not asked about");
}

#[test]
fn a_second_id_cannot_pass_under_the_first_one() {
    let plan = fixture().plan();
    let gate = Arc::new(Fixed { masked: set(&["b"]), ..Fixed::default() });
    let late = r#"{"items":[{"id":"a","name":"Jane","id":"b"}]}"#;
    assert_eq!(gated(&plan, &gate, late, 9).unwrap_err(), RewriteError::OverBudget);
    let early = r#"{"items":[{"id":"a","id":"b","name":"Jane Doe"}]}"#;
    assert!(!gated(&plan, &gate, early, 9).unwrap().0.contains("Jane"));
}

#[test]
fn records_without_an_id_are_the_paths_or_nobodys() {
    let text = r#"{"items":[{"name":"Jane Doe"},{"name":"Max Muster"}]}"#;
    let gate = Arc::new(Fixed { masked: set(&["path"]), ..Fixed::default() });
    let path = fixture().path_subject("path");
    assert!(!gated(&path.plan(), &gate, text, 11).unwrap().0.contains("Jane"));
    let gate = Arc::new(Fixed { masked: set(&[""]), ..Fixed::default() });
    assert!(!gated(&fixture().plan(), &gate, text, 11).unwrap().0.contains("Muster"));
    assert_eq!(*gate.asked.lock().unwrap(), [None, None], "each is somebody of its own");
    let single = fields(&[("$.name", "name")]).see("name", View::Reveal).path_subject("path");
    let gate = Arc::new(Fixed { masked: set(&["path"]), ..Fixed::default() });
    assert!(!gated(&single.plan(), &gate, r#"{"name":"Jane Doe"}"#, 4).unwrap().0.contains("Jane"));
}

#[test]
fn a_search_sees_whom_it_finds_also_without_a_protected_field() {
    let plan = fixture().plan();
    let body = r#"{"items":[{"id":"a"},{"id":"b","x":1}]}"#;
    let mut view = ResponseView::new(Arc::clone(&plan)).finding();
    let mut out = Vec::new();
    view.push(body.as_bytes(), &mut out).unwrap();
    let seen = view.finish(&mut out).unwrap();
    assert_eq!(seen.len(), 2);
    let gate = Arc::new(Fixed { refused: set(&["b"]), ..Fixed::default() });
    let mut view = ResponseView::new(plan).finding().gated(gate);
    assert_eq!(view.push(body.as_bytes(), &mut out).unwrap_err(), RewriteError::OverBudget);
}

prop_compose! {
    /// A record's members, in any order; an id is at a random place, if there is one.
    fn record()(
        id in proptest::option::of(0..6_u8),
        name in "[a-z]{1,9} [A-Zé\"\\\\]{1,6}",
        note in "[ -~]{0,20}",
        n in prop_oneof![Just("true".to_owned()), Just("-1.5e3".to_owned()), Just("null".to_owned()), Just("[\"x\",{\"y\":7}]".to_owned())],
        order in Just([0_usize, 1, 2, 3, 4]).prop_shuffle(),
    ) -> (Option<u8>, String) {
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        let members = [
            id.map(|id| format!("\"id\":\"{id}\"")),
            Some(format!("\"name\":{}", quote(&name))),
            Some(format!("\"note\":{}", quote(&note))),
            Some(format!("\"n\":{n}")),
            Some("\"mail\":\"jane@example.com\"".to_owned()),
        ];
        let ordered: Vec<_> = order.iter().filter_map(|at| members[*at].clone()).collect();
        (id, format!("{{{}}}", ordered.join(",")))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_record_goes_out_as_its_own_plan_says_in_every_chunking(
        records in proptest::collection::vec(record(), 0..8),
        hidden in proptest::collection::btree_set(0..6_u8, 0..5),
        step in 1..40_usize,
    ) {
        let (open, closed) = (fixture().plan(), masked(fixture()).plan());
        let gate = Arc::new(Fixed { masked: hidden.iter().map(u8::to_string).collect(), ..Fixed::default() });
        let body = |items: &[String]| format!("{{\"items\":[{}]}}", items.join(","));
        let text = body(&records.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>());
        let (shown, seen) = gated(&open, &gate, &text, step).unwrap();
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        for (at, (id, text)) in records.iter().enumerate() {
            let plan = if id.is_some_and(|id| hidden.contains(&id)) { &closed } else { &open };
            let (alone, _) = view(plan, [body(std::slice::from_ref(text)).as_bytes()]).unwrap();
            let alone: serde_json::Value = serde_json::from_slice(&alone).unwrap();
            prop_assert_eq!(&shown["items"][at], &alone["items"][0]);
        }
        for one in &seen {
            let is_hidden = one.subject.as_ref().is_some_and(|id| hidden.contains(&id.expose().parse().unwrap()));
            prop_assert!(!is_hidden || one.reveal.is_empty());
            prop_assert!(is_hidden || one.capped.is_empty());
        }
    }
}

#[test]
fn rows_lines_and_elements_whose_id_comes_last_are_masked_too() {
    let csv = "name,mail,id\n\"Jane, Doe\",a@b.example,a\nMax Muster,\"c,@d.example\",b\n";
    let lines = "{\"name\":\"Jane, Doe\",\"mail\":\"a@b.example\",\"id\":\"a\"}\n{\"name\":\"Max Muster\",\"mail\":\"x\",\"id\":\"b\"}\n";
    let xml = "<l><r name='Jane &amp; Doe'><mail>a@b.example</mail><id>a</id></r><r name='Max &lt; Muster'><id>b</id></r></l>";
    for (format, text, prefix, name, revealed, hidden) in [
        (BodyFormat::Csv(Delimiter::Auto), csv, "$", "$.name", "\"Jane, Doe\"", "Muster"),
        (BodyFormat::Ndjson, lines, "$", "$.name", "\"Jane, Doe\"", "Muster"),
        (BodyFormat::Xml, xml, "$.l.r", "$.l.r['@name']", "'Jane &amp; Doe'", "Muster"),
    ] {
        let record = if format == BodyFormat::Xml { prefix } else { "" };
        let mail = format!("{prefix}.mail");
        let mut fixture = fields(&[(name, "name"), (mail.as_str(), "email")]).records(record, "$.id");
        fixture.map.format = format;
        let fixture = fixture.see("name", View::Reveal).see("email", View::Mask);
        let gate = Arc::new(Fixed { masked: set(&["b"]), ..Fixed::default() });
        let (whole, seen) = gated(&fixture.plan(), &gate, text, text.len()).unwrap();
        assert!(whole.contains(revealed) && !whole.contains(hidden) && !whole.contains("a@b.example"), "{whole}");
        let ids: Vec<_> = seen.iter().filter_map(|one| one.subject.as_ref()).map(|id| id.expose().as_str()).collect();
        assert_eq!(ids, ["a", "b"], "{whole}");
        for step in 1..text.len() {
            let (shown, parts) = gated(&fixture.plan(), &gate, text, step).unwrap();
            assert_eq!((&shown, parts.len()), (&whole, seen.len()), "steps of {step}");
        }
    }
}
