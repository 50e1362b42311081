//! Closed objects: what a map does not know of them is withheld, counted, and not written either.

use fieldgate::{
    model::View,
    rewrite::{ResponseView, RewriteError, WriteBack, guard_request},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::rewriter::{Fixture, fields};

/// Contacts in a list, each with its account.
fn contacts() -> Fixture {
    fields(&[("$.records[*].Email", "email"), ("$.records[*].Account.Name", "name")])
        .closed(&["$.records[*]"], &["$.records[*].Id", "$.records[*].tags[*]", "$.records[*].attributes.*"])
        .see("email", View::Reveal)
        .see("name", View::Mask)
}

/// What is shown of `text` in chunks of `size`, and what was counted.
fn shown(fixture: &Fixture, text: &str, size: usize) -> (String, u64) {
    let mut view = ResponseView::new(fixture.plan());
    let mut out = Vec::new();
    for chunk in text.as_bytes().chunks(size.max(1)) {
        view.push(chunk, &mut out).unwrap();
    }
    let drift = view.take_drift();
    view.finish(&mut out).unwrap();
    (String::from_utf8(out).unwrap(), drift)
}

fn of(fixture: &Fixture, record: &Value) -> (Value, u64) {
    let (text, drift) = shown(fixture, &json!({ "records": [record], "outside": "as it is" }).to_string(), 1 << 20);
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["outside"], "as it is");
    (body["records"][0].clone(), drift)
}

#[test]
fn what_a_closed_object_does_not_know_keeps_its_type_and_is_counted() {
    let record = json!({
        "Id": "1", "Email": "a@example.com", "tags": ["x", 5], "attributes": { "type": "Contact" },
        "Secret__c": "s3cret", "Score": 71.5, "Vip": true, "Gone": null, "Empty": "", "List": ["s3cret", { "x": "s3cret" }],
        "Account": { "Name": "Acme", "Secret__c": "s3cret", "Email": "b@s3cret.example" },
    });
    let (seen, drift) = of(&contacts(), &record);
    let hidden = "[unmapped •••]";
    let expected = json!({
        "Id": "1", "Email": "a@example.com", "tags": ["x", 5], "attributes": { "type": "Contact" },
        "Secret__c": hidden, "Score": 0, "Vip": false, "Gone": null, "Empty": "", "List": [hidden, { "x": hidden }],
        "Account": { "Name": seen["Account"]["Name"], "Secret__c": hidden, "Email": hidden },
    });
    assert_eq!((seen, drift), (expected, 7));
}

#[test]
fn a_leaf_where_an_object_is_expected_and_an_object_where_a_leaf_is_are_not_known() {
    let (seen, drift) = of(
        &contacts(),
        &json!({ "Account": "Jane", "Id": { "x": "Jane" }, "tags": "Jane", "attributes": { "a": { "b": "Jane" } } }),
    );
    assert!(!seen.to_string().contains("Jane"), "{seen}");
    assert_eq!(drift, 4);
    let (text, drift) = shown(&contacts(), r#"{"records":["Jane",["Jane"],{"Id":"1"}]}"#, 7);
    assert_eq!((text.contains("Jane"), drift), (false, 2), "{text}");
}

#[test]
fn a_name_that_is_personal_is_withheld_and_one_that_is_not_stays() {
    let (seen, drift) = of(&contacts(), &json!({ "jane.secret@example.com": { "n": null }, "Loyalty__c": null }));
    let text = seen.to_string();
    assert!(!text.contains("secret") && text.contains("Loyalty__c"), "{text}");
    assert_eq!(drift, 1);
}

#[test]
fn what_is_not_closed_is_as_it_was() {
    let open = fields(&[("$.records[*].Email", "email")]);
    let text = r#"{"records":[{"Secret__c":"s","Email":null}]}"#;
    assert_eq!(shown(&open, text, 3), (text.to_owned(), 0));
}

#[test]
fn a_write_of_what_is_not_known_is_refused_and_one_of_what_was_withheld_is_dropped() {
    let fixture = fields(&[("$.Email", "email")]).closed(&["$"], &["$.Status"]);
    let plan = fixture.plan();
    let guard = |body: Value, rule| guard_request(&plan, body.to_string().as_bytes(), rule);
    let refused =
        guard(json!({ "Email": "a@example.com", "Secret__c": "x", "New": { "n": 5 } }), WriteBack::Drop).unwrap_err();
    assert_eq!(refused, RewriteError::Unmapped { fields: vec!["$.Secret__c".into(), "$.New.n".into()] });
    let withheld = json!({ "Secret__c": "[unmapped •••]", "Score": 0, "Vip": false, "Gone": null, "Status": "New" });
    let kept = guard(withheld.clone(), WriteBack::Drop).unwrap().body;
    assert_eq!(serde_json::from_slice::<Value>(&kept).unwrap(), json!({ "Gone": null, "Status": "New" }));
    assert!(matches!(guard(withheld, WriteBack::Refuse), Err(RewriteError::MaskedValue { .. })));
}

/// A record of known and unknown members in any order and nesting.
fn member() -> impl Strategy<Value = (String, Value)> {
    let known = prop_oneof![
        Just(("Id".to_owned(), json!("id-1"))),
        Just(("Email".to_owned(), json!("known@example.com"))),
        Just(("attributes".to_owned(), json!({ "type": "Contact", "url": "/x" }))),
        Just(("Account".to_owned(), json!({ "Name": "Acme", "x": "SECRET" }))),
    ];
    let leaf = prop_oneof![Just(json!("SECRET")), Just(json!(4711)), Just(json!(true)), Just(json!(null))];
    let value = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z_]{1,6}|Email|Id|jane@SECRET\\.example\\.com", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop_oneof![known, ("[a-z_]{3,8}__c|jane\\.SECRET@example\\.com", value)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_unknown_is_shown_and_chunks_make_no_difference(
        records in prop::collection::vec(prop::collection::vec(member(), 0..6), 0..40),
        size in 1_usize..80,
    ) {
        let records: Vec<Value> =
            records.into_iter().map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())).collect();
        let text = json!({ "records": records }).to_string();
        let fixture = contacts();
        let whole = shown(&fixture, &text, text.len());
        prop_assert!(!whole.0.contains("SECRET") && !whole.0.contains("4711"), "{}", whole.0);
        prop_assert!(whole.0.contains("known@example.com") == text.contains("known@example.com"));
        let secrets = text.matches("SECRET").count() + text.matches("4711").count() + text.matches("true").count();
        prop_assert!((whole.1 > 0) == (secrets > 0), "{} of {secrets}", whole.1);
        prop_assert_eq!(shown(&fixture, &text, size), whole);
    }
}

#[test]
fn descendants_of_a_closed_object_are_found_at_any_depth() {
    let names = ["Email", "Phone", "Name", "City"];
    let selectors: Vec<(String, &str)> = names.iter().map(|name| (format!("$..{name}"), "email")).collect();
    let selectors: Vec<(&str, &str)> = selectors.iter().map(|(selector, class)| (selector.as_str(), *class)).collect();
    let fixture = fields(&selectors).closed(&["$"], &["$..Id", "$..attributes.type"]).see("email", View::Redact);
    let text = json!({ "Id": "1", "Owner": { "Email": { "value": "s3cret", "Phone": "s3cret", "Id": "s3cret" }, "Id": "2",
        "attributes": { "type": "User", "url": "s3cret" } }, "Cases": { "records": [{ "Id": "3", "City": ["s3cret"] }] } });
    let (seen, drift) = shown(&fixture, &text.to_string(), 5);
    assert!(!seen.contains("s3cret"), "{seen}");
    for known in ["\"Id\":\"1\"", "\"Id\":\"2\"", "\"Id\":\"3\"", "\"type\":\"User\""] {
        assert!(seen.contains(known), "{known}: {seen}");
    }
    assert_eq!(drift, 1);
}
