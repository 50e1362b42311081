//! Documents are resolved to roots, arguments and names, or refused with a reason.

use serde_json::{Map, Value, json};

use super::*;
use crate::crm::{Api, tests::classes};

const MAP: &str = r#"
[map]
name = "m"
[[route]]
name = "graphql"
match = "POST /graphql"
resource = "api"
action = "read"
request.format = "graphql"
[[route.root]]
name = "contact"
resource = "contact"
action = "read"
result.fields = { "$.email" = "email" }
[[route.root]]
name = "uiapi.query.Contact"
resource = "contact"
action = "list"
result.fields = {}
[[route.root]]
name = "contact"
resource = "contact"
action = "update"
result.fields = {}
"#;

fn calls() -> Vec<Call> {
    Api::parse("m.toml", MAP, &classes()).unwrap().routes()[0].calls.clone()
}

fn resolved(query: &str, variables: &Value) -> Result<Resolved, GraphQlError> {
    let variables = variables.as_object().cloned().unwrap_or_default();
    resolve(&Request { query, operation: None, variables: &variables }, &calls())
}

fn found(query: &str) -> Resolved {
    resolved(query, &Value::Null).unwrap_or_else(|error| panic!("{query}: {error}"))
}

#[track_caller]
fn refused(query: &str) -> GraphQlError {
    resolved(query, &Value::Null).expect_err(query)
}

#[test]
fn roots_are_found_behind_aliases_fragments_and_containers() {
    let plain = found("{ contact { email } }");
    assert_eq!(plain.roots, [Root { call: 0, keys: vec!["contact".into()], arguments: vec![json!({})] }]);
    let deep = "query Q { a: uiapi { ...F } __typename } fragment F on U { query { __typename ... on Q { x: Contact(first: 2) { edges { node { Id } } } } } }";
    let deep = found(deep);
    assert_eq!(deep.roots[0].keys, ["a", "query", "x"]);
    assert_eq!((deep.roots[0].call, &deep.roots[0].arguments), (1, &vec![json!({ "first": 2 })]));
    assert_eq!(deep.selection.keys["a"].inner.keys["query"].inner.keys["x"].field, "Contact");
    let mutation = found("mutation { contact { email } }");
    assert_eq!(mutation.roots[0].call, 2, "a mutation is a root of its own");
}

#[test]
fn arguments_are_values_wherever_they_stand() {
    let query = r#"query Q($mail: String = "a@b.example", $n: Int, $none: X) {
        contact(where: { mail: { eq: $mail }, list: [1, $n, true, null, ENUM] }, text: """
            two
              lines
            """, other: $none) { email tags(of: "\u{1F600}\u0041\n") { x: cases(id: "7") { id } } }
    }"#;
    let resolved = resolved(query, &json!({ "n": 5, "unused": "x" })).unwrap();
    assert_eq!(
        resolved.roots[0].arguments,
        [
            json!({ "where": { "mail": { "eq": "a@b.example" }, "list": [1, 5, true, null, "ENUM"] },
            "text": "two\n  lines", "other": null }),
            json!({ ".tags": { "of": "😀A\n" } }),
            json!({ ".tags.cases": { "id": "7" } }),
        ]
    );
}

#[test]
fn what_is_not_understood_is_refused() {
    for (query, code) in [
        ("", "invalid_document"),
        ("{}", "invalid_document"),
        ("{ contact { } }", "invalid_document"),
        ("{ contact { email }", "invalid_document"),
        ("{ contact(id: 01) { email } }", "invalid_document"),
        ("{ contact(id: 1x) { email } }", "invalid_document"),
        ("{ contact(id: \"a\nb\") { email } }", "invalid_document"),
        ("{ contact(id: 1, id: 2) { email } }", "invalid_document"),
        ("{ contact(a: { b: 1, b: 2 }) { email } }", "invalid_document"),
        ("{ contact { ...F } }", "invalid_document"),
        ("{ contact { ...F } } fragment F on C { ...F }", "invalid_document"),
        ("{ contact { ...F } } fragment F on C { ...G } fragment G on C { a { ...F } }", "invalid_document"),
        ("{ contact { email } } fragment F on C { a } fragment F on C { b }", "invalid_document"),
        ("query A { contact { email } } query B { contact { id } }", "invalid_document"),
        ("{ contact { x: email x: phone } }", "invalid_document"),
        ("{ contact { email @defer } }", "invalid_document"),
        ("{ contact { ... @stream { email } } }", "invalid_document"),
        ("type Contact { email: String }", "invalid_document"),
        ("subscription { contact { email } }", "unsupported_operation"),
        ("{ account { email } }", "unmapped_root"),
        ("{ __schema { types { name } } }", "unmapped_root"),
        ("{ uiapi { query { Account { id } } } }", "unmapped_root"),
        ("{ uiapi { objectInfos { label } } }", "unmapped_root"),
        ("{ uiapi }", "unmapped_root"),
        ("{ uiapi(x: 1) { query { Contact { id } } } }", "unmapped_root"),
        ("mutation { uiapi { query { Contact { id } } } }", "unmapped_root"),
    ] {
        let error = refused(query);
        assert_eq!(error.code(), code, "{query}: {error}");
    }
    let two = "query A { contact { email } } query B { contact { id } }";
    let none = Map::new();
    let named = |operation| resolve(&Request { query: two, operation: Some(operation), variables: &none }, &calls());
    assert!(named("B").unwrap().selection.keys["contact"].inner.keys.contains_key("id"));
    assert_eq!(named("C"), Err(GraphQlError::Operation));
    assert!(found("{ contact { email @include(if: true) ... @skip(if: $x) { id } } }").roots.len() == 1);
}

#[test]
fn a_document_has_as_much_of_everything_as_the_limit_and_not_more() {
    let fields = |count: usize| format!("{{ contact {{ {} }} }}", "a ".repeat(count));
    assert!(resolved(&fields(MAX_FIELDS - 1), &Value::Null).is_ok());
    assert!(matches!(refused(&fields(MAX_FIELDS)), GraphQlError::Limit { what: "fields", .. }));
    assert!(matches!(refused(&fields(MAX_TOKENS)), GraphQlError::Limit { what: "tokens", .. }));
    let deep = |depth: usize| format!("{{ contact {} }}", "{ a ".repeat(depth) + &"}".repeat(depth));
    assert!(resolved(&deep(MAX_DEPTH - 1), &Value::Null).is_ok());
    assert!(matches!(refused(&deep(MAX_DEPTH)), GraphQlError::Limit { what: "levels", .. }));
    let aliases = |count: usize| {
        let aliased: String = (0..count).map(|number| format!("a{number}: b ")).collect();
        format!("{{ contact {{ {aliased} }} }}")
    };
    assert!(resolved(&aliases(MAX_ALIASES), &Value::Null).is_ok());
    assert!(matches!(refused(&aliases(MAX_ALIASES + 1)), GraphQlError::Limit { what: "aliases", .. }));
    // Thirty fragments, each of them twice the one before: a billion fields.
    let mut bomb = String::from("{ contact { ...F0 } }");
    for number in 0..30 {
        bomb.push_str(&format!(" fragment F{number} on C {{ ...F{} ...F{} }}", number + 1, number + 1));
    }
    bomb.push_str(" fragment F30 on C { email }");
    assert!(matches!(refused(&bomb), GraphQlError::Limit { what: "fields", .. }));
    let value = |depth: usize| format!("{{ contact(a: {}) {{ email }} }}", "[".repeat(depth) + &"]".repeat(depth));
    assert!(resolved(&value(MAX_DEPTH), &Value::Null).is_ok());
    assert!(matches!(refused(&value(MAX_DEPTH + 1)), GraphQlError::Limit { what: "levels", .. }));
}
