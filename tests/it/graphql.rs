//! GraphQL through the gateway: what is shown does not depend on how a document is written.

use std::sync::{Arc, LazyLock};

use fieldgate::{
    crm::{
        Api,
        graphql::{Request, resolve},
    },
    model::View,
    rewrite::{
        Answers,
        graphql::{Answer, Shown},
    },
    sandbox::Crm,
};
use http::Method;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{
    harness::{Answer as Reply, Client, Setup, World},
    rewriter::{self, Fixture},
};

fn world() -> World {
    Setup::of(Crm::canary(13, 12)).start()
}

fn ask(client: &Client, query: &str, variables: &Value) -> Reply {
    client.send(Method::POST, "/graphql", &json!({ "query": query, "variables": variables }))
}

#[track_caller]
fn data(answer: &Reply) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].clone()
}

/// The personal values of a customer.
fn secrets(world: &World, id: &str) -> Vec<String> {
    let record = world.crm.stored(id).unwrap();
    let pointers =
        ["/name", "/email", "/phone", "/birth_date", "/card/number", "/card/holder", "/iban", "/address/street"];
    pointers.iter().map(|at| record.pointer(at).and_then(Value::as_str).unwrap().to_owned()).collect()
}

#[track_caller]
fn shows_none(answer: &Reply, secrets: &[String]) {
    let text = answer.text();
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "`{secret}` is shown: {text}");
    }
}

#[test]
fn aliases_and_fragments_make_no_difference_to_what_is_shown() {
    let world = world();
    let (agent, secrets) = (world.agent(), secrets(&world, "C-1001"));
    let name = secrets[0].clone();
    let hidden: Vec<String> = secrets[1..].iter().filter(|secret| !secret.contains(&name)).cloned().collect();
    let plain = ask(
        &agent,
        "{ customer(id: \"C-1001\") { id name email card { number } loyalty_points created_at } }",
        &Value::Null,
    );
    let shown = data(&plain)["customer"].clone();
    assert_eq!(shown["name"], name.as_str(), "agents see names");
    assert!(shown["email"].as_str().unwrap().contains('•') && shown["card"]["number"].as_str().unwrap().contains('•'));
    let written = r#"query Q($id: ID) { x: customer(id: $id) { ...P __typename a: loyalty_points name: email } }
        fragment P on Customer { id: created_at created_at: name ... on Customer { c: card { id: number } } b: id }"#;
    let aliased = ask(&agent, written, &json!({ "id": "C-1001" }));
    let expected = json!({ "id": shown["created_at"], "created_at": shown["name"], "c": { "id": shown["card"]["number"] },
        "b": "C-1001", "__typename": "Object", "a": shown["loyalty_points"], "name": shown["email"] });
    assert_eq!(data(&aliased)["x"], expected);
    for answer in [&plain, &aliased] {
        shows_none(answer, &hidden);
    }
    let reveals = world.wait_for("access.reveal", 2);
    assert_eq!(reveals[0]["op"]["route"], "graphql/customer");
    assert_eq!(reveals[0]["subjects"][0]["ref"], reveals[1]["subjects"][0]["ref"]);
    world.verify();
}

#[test]
fn a_value_that_comes_twice_is_protected_twice_and_what_no_map_knows_is_withheld() {
    let world = world();
    let query = "{ uiapi { query { Contact(first: 3) { totalCount edges { cursor node { Id Name { value displayValue } Email { value d: displayValue } Score { value } Account { Name { value } } } } } } } }";
    let answer = ask(&world.ai(), query, &Value::Null);
    let contacts = data(&answer)["uiapi"]["query"]["Contact"].clone();
    for (at, id) in ["C-1001", "C-1002", "C-1003"].into_iter().enumerate() {
        shows_none(&answer, &secrets(&world, id));
        let node = &contacts["edges"][at]["node"];
        assert_eq!((&node["Id"], &contacts["edges"][at]["cursor"]), (&json!(id), &json!(id)));
        assert_eq!(node["Email"]["value"], node["Email"]["d"]);
        assert!(node["Email"]["value"].as_str().unwrap().ends_with("@pseudonym.invalid"), "{node}");
        assert_eq!(node["Score"]["value"], 0, "nobody mapped it");
        assert_eq!(node["Account"]["Name"]["value"], node["Name"]["value"]);
    }
    assert_eq!(contacts["totalCount"], 3);
}

#[test]
fn several_roots_of_one_document_are_calls_of_their_own_on_one_record() {
    let world = world();
    let query = "{ a: customer(id: \"C-1001\") { id email } b: customer(id: \"C-1002\") { id email } customers(first: 1) { id name } }";
    let answer = ask(&world.agent(), query, &Value::Null);
    let shown = data(&answer);
    assert_ne!(shown["a"]["email"], shown["b"]["email"]);
    assert_eq!(shown["customers"].as_array().unwrap().len(), 1);
    let reveals = world.wait_for("access.reveal", 1);
    assert_eq!(reveals[0]["subjects"].as_array().unwrap().len(), 3);
    assert_eq!(reveals[0]["op"]["route"], "graphql");
}

#[test]
fn what_the_map_does_not_name_never_reaches_the_crm() {
    let world = world();
    let agent = world.agent();
    for (query, status, code) in [
        ("{ orders { id } }", 404, "unmapped_root"),
        ("{ customer(id: \"C-1001\") { email } orders { id } }", 404, "unmapped_root"),
        ("{ __schema { types { name } } }", 404, "unmapped_root"),
        ("subscription { customer(id: \"C-1001\") { email } }", 400, "unsupported_operation"),
        ("{ customer(id: \"C-1001\") { email ", 400, "invalid_document"),
        ("{ customers(orderBy: \"email\") { id } }", 400, "unmapped_argument"),
        ("{ customers { orders(email: \"x\") { id } } }", 400, "unmapped_argument"),
        ("{ customers(email: \"p-0123456789abcdef@pseudonym.invalid\") { id } }", 409, "masked_value"),
        ("{ customers(email: \"j\u{2022}\u{2022}\u{2022}@example.com\") { id } }", 409, "masked_value"),
    ] {
        let answer = ask(&agent, query, &Value::Null);
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{query}: {}", answer.text());
    }
    for (body, code) in [
        (json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": "00" } } }), "unknown_document"),
        (json!([{ "query": "{ customer(id: \"C-1001\") { email } }" }]), "invalid_document"),
        (json!({ "query": "{ customer(id: \"C-1001\") { email } }", "id": "x" }), "invalid_document"),
        (json!({ "query": "{ customer(id: \"C-1001\") { email } }", "variables": [] }), "invalid_document"),
    ] {
        assert_eq!(agent.send(Method::POST, "/graphql", &body).code(), code, "{body}");
    }
    let twice = r#"{"query":"{ customers { id } }","query":"{ orders { id } }"}"#;
    assert_eq!(agent.call(Method::POST, "/graphql", Some(twice.to_owned())).code(), "invalid_document");
    assert_eq!(agent.get("/graphql?query=%7B%20customers%20%7B%20id%20%7D%20%7D").status, 404);
    assert_eq!(world.crm.received().iter().filter(|one| one.target.starts_with("/graphql")).count(), 0);
}

#[test]
fn a_mutation_is_recorded_before_it_is_sent_and_policy_decides_about_it() {
    let world = world();
    let change = "mutation($c: Changes) { updateCustomer(id: \"C-1004\", changes: $c) { id phone } }";
    let variables = json!({ "c": { "phone": "+1 202 555 0147" } });
    let refused = ask(&world.ai(), change, &variables);
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "forbidden"));
    let answer = ask(&world.agent(), change, &variables);
    assert_eq!(data(&answer)["updateCustomer"]["id"], "C-1004");
    shows_none(&answer, &["202 555 0147".to_owned()]);
    assert_eq!(world.crm.stored("C-1004").unwrap()["phone"], "+1 202 555 0147");
    let intents = world.wait_for("access.intent", 1);
    assert_eq!(intents[0]["op"]["route"], "graphql/updateCustomer");
    world.verify();
}

#[test]
fn a_search_by_a_stored_class_is_refused_and_one_by_a_clear_class_is_on_record() {
    let world = world();
    let email = world.crm.stored("C-1005").unwrap()["email"].as_str().unwrap().to_owned();
    for query in [
        "query($m: String) { customers(email: $m) { id } }",
        "query($m: String) { uiapi { query { Contact(where: { Email: { eq: $m } }) { edges { node { Id } } } } } }",
    ] {
        let answer = ask(&world.agent(), query, &json!({ "m": email }));
        assert!(answer.text().contains("C-1005"), "{}", answer.text());
        shows_none(&answer, std::slice::from_ref(&email));
    }
    let reveals = world.wait_for("access.reveal", 2);
    assert!(reveals.iter().all(|record| record["searched"] == json!(["email"])), "{reveals:?}");
}

#[test]
fn errors_repeat_nothing() {
    let world = world();
    let answer = ask(
        &world.agent(),
        "query($m: String) { customers(email: $m, first: 1) { id nothing } }",
        &json!({ "m": "jane.roe@example.net" }),
    );
    shows_none(&answer, &["jane.roe".to_owned()]);
    // The sample CRM puts the whole record into the error's extensions.
    let customer = ask(&world.agent(), "{ customer(id: \"C-1006\") { nothing email } }", &Value::Null);
    assert_eq!(customer.json()["errors"].as_array().unwrap().len(), 1);
    shows_none(&customer, &secrets(&world, "C-1006")[1..]);
}

// A document of a fixed shape, written in many ways.

static MAP: LazyLock<Api> = LazyLock::new(|| {
    let map = "[map]\nname = 'm'\n[[route]]\nname = 'g'\nmatch = 'POST /g'\nresource = 'r'\naction = 'read'\nrequest.format = 'graphql'\n[[route.root]]\nname = 'top.people'\nresource = 'r'\naction = 'read'\nresult.fields = {}\n";
    Api::parse("m.toml", map, &rewriter::fields(&[]).classes).unwrap()
});

fn truth() -> Value {
    let person = |number: usize| {
        json!({ "id": format!("P-{number}"), "name": format!("Canary{number} Person"), "email": format!("canary{number}@example.com"),
            "card": { "number": "4111111111111111", "holder": format!("Holder{number} Person"), "new": format!("Unknown{number}") },
            "friends": [{ "id": "F", "name": format!("Friend{number} Person"), "strange": true }], "secret": number + 7 })
    };
    json!([person(1), person(2), null])
}

fn shown_by() -> Fixture {
    let mut fixture = rewriter::fields(&[
        ("$[*].name", "name"),
        ("$[*].email", "email"),
        ("$[*].card.number", "card_number"),
        ("$[*].card.holder", "name"),
        ("$[*].friends[*].name", "name"),
    ])
    .see("name", View::Pseudonym)
    .see("email", View::Mask)
    .records("$[*]", "$.id");
    fixture.map.closed = vec!["$".parse().unwrap()];
    fixture.map.plain = vec!["$[*].friends[*].id".parse().unwrap()];
    fixture
}

/// How one selection set is written: its fields with their aliases, some of them more than once.
#[derive(Debug, Clone)]
struct Writing {
    text: String,
    fragments: String,
    /// By response key.
    keys: Map<String, Value>,
}

/// So that no two fragments of a document share a name.
static FRAGMENTS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Writes what is selected of `shape` as `random` says.
fn write(shape: &Value, random: &mut impl FnMut(usize) -> usize) -> Writing {
    let mut written = Writing { text: "{".to_owned(), fragments: String::new(), keys: Map::new() };
    let mut fields: Vec<(&String, &Value)> = shape.as_object().unwrap().iter().collect();
    for at in (1..fields.len()).rev() {
        fields.swap(at, random(at + 1));
    }
    for (name, inner) in fields {
        for _ in 0..=usize::from(random(4) == 0) {
            let taken: Vec<String> = written.keys.keys().cloned().collect();
            let names = ["email", "name", "id", "card", "friends", "secret", "a", "b", "c", "d", "e", "f", "g", "h"];
            let alias = match random(3) {
                0 if !taken.contains(name) => None,
                _ => names
                    .iter()
                    .cycle()
                    .skip(random(names.len()))
                    .take(names.len())
                    .find(|key| !taken.contains(&(**key).to_owned())),
            };
            let key = alias.map_or(name.clone(), |alias| (*alias).to_owned());
            if taken.contains(&key) {
                continue;
            }
            let head = if key == *name { name.clone() } else { format!("{key}: {name}") };
            let (mut text, mut keys) = (head.clone(), Map::new());
            if inner.is_object() {
                let one = write(inner, random);
                text = format!("{head} {}", one.text);
                written.fragments.push_str(&one.fragments);
                keys = one.keys;
            }
            let text = match random(4) {
                0 => format!("... {{ {text} }}"),
                1 => format!("... on T @include(if: true) {{ {text} }}"),
                2 => {
                    let number = FRAGMENTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let fragment = format!("F{number}");
                    written.fragments.push_str(&format!(" fragment {fragment} on T {{ {text} }}"));
                    format!("...{fragment}")
                }
                _ => text,
            };
            written.text.push_str(&format!(" {text}"));
            written.keys.insert(key, json!({ "field": name, "keys": keys }));
        }
    }
    written.text.push_str(" }");
    written
}

/// What a server answers to what is written so.
fn answered(value: &Value, keys: &Map<String, Value>) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| answered(item, keys)).collect(),
        Value::Object(object) => {
            let member = |(key, what): (&String, &Value)| {
                (key.clone(), answered(&object[what["field"].as_str().unwrap()], what["keys"].as_object().unwrap()))
            };
            keys.iter().map(member).collect()
        }
        other => other.clone(),
    }
}

fn show(query: &str, answer: &Value, how: &Arc<fieldgate::rewrite::Plan>) -> Value {
    let none = Map::new();
    let calls = &MAP.routes()[0].calls;
    let resolved = resolve(&Request { query, operation: None, variables: &none }, calls)
        .unwrap_or_else(|error| panic!("{query}: {error}"));
    let keys: Vec<Vec<String>> = resolved.roots.iter().map(|root| root.keys.clone()).collect();
    let bytes = serde_json::to_vec(answer).unwrap();
    let reply = Answer::parse(&bytes, how.limits, &keys, &resolved.selection).unwrap();
    let roots: Vec<Shown> = keys
        .iter()
        .map(|_| Shown { plan: Arc::clone(how), answers: Answers::default(), gate: None, finds: false })
        .collect();
    let other = rewriter::catch_all().plan();
    serde_json::from_slice(&reply.show(&roots, &other).unwrap().bytes).unwrap()
}

fn shape() -> Value {
    json!({ "id": null, "name": null, "email": null, "card": { "number": null, "holder": null, "new": null },
        "friends": { "id": null, "name": null, "strange": null }, "secret": null })
}

#[test]
fn however_a_document_is_written_the_same_is_shown() {
    let how = shown_by().plan();
    let plain = "{ top { people { id name email card { number holder new } friends { id name strange } secret } } }";
    let expected =
        show(plain, &json!({ "data": { "top": { "people": truth() } } }), &how)["data"]["top"]["people"].clone();
    assert!(!expected.to_string().contains("Canary") && !expected.to_string().contains("Unknown"), "{expected}");
    assert_eq!((&expected[0]["id"], &expected[0]["friends"][0]["id"]), (&json!("P-1"), &json!("F")));
    let runs = std::env::var("FIELDGATE_GRAPHQL_RUNS").ok().and_then(|count| count.parse().ok()).unwrap_or(192);
    proptest!(ProptestConfig::with_cases(runs), |(choices in proptest::collection::vec(any::<u32>(), 60..200))| {
        let mut next = choices.iter().cycle();
        let mut random = |limit: usize| *next.next().unwrap() as usize % limit.max(1);
        let written = write(&shape(), &mut random);
        let query = format!("query Q {{ t: top {{ p: people {} }} }}{}", written.text, written.fragments);
        let answer = json!({ "data": { "t": { "p": answered(&truth(), &written.keys) } } });
        let shown = show(&query, &answer, &how);
        prop_assert_eq!(&shown["data"]["t"]["p"], &answered(&expected, &written.keys), "{}", query);
    });
}

#[test]
fn what_nobody_asked_for_is_withheld_whatever_it_is_called() {
    let how = shown_by().plan();
    let query = "{ top { people { x: id } } }";
    let answer = json!({ "data": { "top": { "people": [{ "x": "P-1", "id": "canary@example.com", "name": "Canary", "F": 1 }], "more": "Canary" }, "other": { "name": "Canary" } },
        "extensions": { "trace": "canary@example.com" } });
    let shown = show(query, &answer, &how);
    assert!(!shown.to_string().contains("anary"), "{shown}");
    assert_eq!(shown["data"]["top"]["people"][0]["x"], "P-1");
}
