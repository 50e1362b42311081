//! Stored values through a running gateway: what the CRM holds, who finds it, and what each caller sees of it.

use http::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Setup, World},
    mcp,
};

const CUSTOMERS: &str = "/api/v1/customers";

/// A gateway whose e-mail addresses and phone numbers are tokens, and whose cards, IBANs and names are sealed.
pub(crate) fn world() -> World {
    of(Setup::new())
}

fn of(setup: Setup) -> World {
    let classes = [
        ("email", "token:email"),
        ("phone", "token:phone"),
        ("card_number", "seal"),
        ("iban", "seal:indexed"),
        ("ssn", "seal:class"),
        ("birth_date", "seal"),
    ];
    setup.storing(&classes, "mixed").stored()
}

pub(crate) fn jane() -> Value {
    json!({
        "name": "Jane Sample", "email": "Jane.Sample@Example.com", "phone": "+14155550188", "birth_date": "1984-03-09",
        "card": { "number": "4111111111111111", "expiry": "12/29", "holder": "Jane Sample" },
        "iban": "DE89370400440532013000", "ssn": "219-09-9999", "notes": "likes tea"
    })
}

fn create(world: &World, body: &Value) -> String {
    let made = world.supervisor().send(Method::POST, CUSTOMERS, body);
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["id"].as_str().unwrap().to_owned()
}

#[test]
fn the_crm_holds_no_clear_value_and_the_supervisor_sees_what_an_unprotected_twin_shows() {
    let world = world();
    let id = create(&world, &jane());
    let target = format!("{CUSTOMERS}/{id}");
    let held = world.direct().get(&target).json();
    assert!(held["email"].as_str().unwrap().ends_with("@fg.example.com"), "{held}");
    assert!(held["phone"].as_str().unwrap().starts_with("+999"), "{held}");
    for pointer in ["/card/number", "/iban", "/ssn", "/birth_date"] {
        assert!(held.pointer(pointer).and_then(Value::as_str).unwrap().starts_with("fg1_"), "{pointer} {held}");
    }
    let twin = Setup::new().start();
    let twin_id = create(&twin, &jane());
    let (shown, unprotected) =
        (world.supervisor().get(&target).json(), twin.supervisor().get(&format!("{CUSTOMERS}/{twin_id}")).json());
    for pointer in ["/email", "/phone", "/card/number", "/iban", "/ssn", "/birth_date", "/name", "/notes"] {
        assert_eq!(shown.pointer(pointer), unprotected.pointer(pointer), "{pointer}");
    }
    let agent = world.agent().get(&target).json();
    assert_eq!(agent["email"], "J•••@Example.com");
    assert!(agent["card"]["number"].as_str().unwrap().ends_with("1111"));
    world.verify();
}

#[test]
fn a_masked_agent_finds_the_customer_by_the_address_she_was_told() {
    let world = world();
    let id = create(&world, &jane());
    for email in ["Jane.Sample@Example.com", "jane.sample@example.com"] {
        let found = world.agent().get(&format!("{CUSTOMERS}?email={}", email.replace('@', "%40"))).json();
        assert_eq!(found["items"][0]["id"], id.as_str(), "{email}: {found}");
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
    }
    let nobody = world.agent().get(&format!("{CUSTOMERS}?email=nobody%40example.com")).json();
    assert_eq!(nobody["items"].as_array().unwrap().len(), 0);
    let masked = world.agent().get(&format!("{CUSTOMERS}?email=J%E2%80%A2%E2%80%A2%E2%80%A2%40Example.com"));
    assert_eq!((masked.status.as_u16(), masked.code().as_str()), (409, "masked_value"));
}

#[test]
fn a_patch_of_one_field_leaves_the_others_stored_as_they_are() {
    let world = world();
    let id = create(&world, &jane());
    let target = format!("{CUSTOMERS}/{id}");
    let before = world.direct().get(&target).json();
    let seen = world.agent().get(&target).json();
    let mut back =
        json!({ "email": seen["email"], "card": seen["card"], "iban": seen["iban"], "notes": "likes coffee" });
    back["phone"] = json!("+14155550199");
    let patched = world.agent().send(Method::PATCH, &target, &back);
    assert!(patched.status.is_success(), "{}", patched.text());
    let after = world.direct().get(&target).json();
    for pointer in ["/email", "/card/number", "/iban", "/ssn"] {
        assert_eq!(after.pointer(pointer), before.pointer(pointer), "{pointer}");
    }
    assert_ne!(after["phone"], before["phone"]);
    assert_eq!(world.supervisor().get(&target).json()["phone"], "+14155550199");
}

#[test]
fn a_ciphertext_copied_past_the_gateway_never_shows_more_than_its_class_allows() {
    let world = world();
    let (jane, joe) = (create(&world, &jane()), create(&world, &json!({ "name": "Joe", "email": "joe@example.com" })));
    let stolen = world.direct().get(&format!("{CUSTOMERS}/{jane}")).json();
    let copied = json!({ "notes": stolen["iban"], "name": stolen["card"]["number"] });
    assert!(world.direct().send(Method::PATCH, &format!("{CUSTOMERS}/{joe}"), &copied).status.is_success());
    let shown = world.agent().get(&format!("{CUSTOMERS}/{joe}")).text();
    for value in ["DE89370400440532013000", "4111111111111111", "fg1_"] {
        assert!(!shown.contains(value), "{shown}");
    }
    let injected = world.agent().send(Method::PATCH, &format!("{CUSTOMERS}/{joe}"), &json!({ "iban": stolen["iban"] }));
    assert_eq!((injected.status.as_u16(), injected.code().as_str()), (422, "injected_value"));
}

#[test]
fn a_mixed_crm_shows_old_clear_values_and_finds_them() {
    let world = world();
    let old = world.direct().get(&format!("{CUSTOMERS}/C-1001")).json();
    let shown = world.supervisor().get(&format!("{CUSTOMERS}/C-1001")).json();
    assert_eq!(shown["email"], old["email"]);
    let email = old["email"].as_str().unwrap().replace('@', "%40").replace('+', "%2B");
    let found = world.agent().get(&format!("{CUSTOMERS}?email={email}")).json();
    assert!(found["items"].as_array().unwrap().iter().any(|item| item["id"] == "C-1001"), "{found}");
    let metrics = world.admin("/metrics");
    assert!(metrics.contains("fieldgate_legacy_plaintext_seen_total{class=\"email\"}"), "{metrics}");
}

#[test]
fn an_agent_sees_pseudonyms_of_stored_values_and_what_it_writes_back_is_stored_again() {
    let world = of(Setup::new().file("policies/ai_assistant.cedar", &mcp::policy()));
    let id = create(&world, &jane());
    let agent = mcp::agent(&world);
    let answer = mcp::call(&agent, "get_customer", &json!({ "id": id }));
    let record = mcp::result(&answer)["structuredContent"].clone();
    let held = world.crm.stored(&id).unwrap();
    for value in ["Jane", "Sample", "4111", "1984", "DE89", "219-09"] {
        assert!(!answer.text().contains(value), "{value}: {}", answer.text());
    }
    for pointer in ["/email", "/phone", "/card/number", "/iban"] {
        let stored = held.pointer(pointer).and_then(Value::as_str).unwrap();
        assert!(!answer.text().contains(stored), "a stored form is shown: {}", answer.text());
    }
    assert!(
        record["email"].as_str().unwrap().ends_with("@pseudonym.invalid")
            && record["iban"].as_str().unwrap().starts_with("XX00")
    );
    let changes = json!({ "email": record["email"], "iban": record["iban"], "phone": record["phone"] });
    let answer = mcp::call(&agent, "update_customer", &json!({ "id": id, "changes": changes }));
    assert_eq!(mcp::result(&answer)["structuredContent"]["email"], record["email"]);
    let after = world.crm.stored(&id).unwrap();
    assert_eq!(
        (&after["email"], &after["phone"]),
        (&held["email"], &held["phone"]),
        "the same value has the same token"
    );
    assert!(after["iban"].as_str().unwrap().starts_with("fg1_") && after["iban"] != held["iban"], "sealed anew");
    let shown = world.supervisor().get(&format!("{CUSTOMERS}/{id}")).json();
    assert_eq!((&shown["email"], &shown["iban"]), (&jane()["email"], &jane()["iban"]));
}

#[test]
fn graphql_opens_stored_values_and_refuses_arguments_that_would_have_to_be_stored() {
    let world = world();
    let id = create(&world, &jane());
    let ask = |query: &str, variables: Value| {
        world.supervisor().send(Method::POST, "/graphql", &json!({ "query": query, "variables": variables }))
    };
    let answer = ask("query($id: ID) { customer(id: $id) { x: email iban card { number } } }", json!({ "id": id }));
    let shown = &answer.json()["data"]["customer"];
    assert_eq!((&shown["x"], &shown["iban"]), (&jane()["email"], &jane()["iban"]), "{}", answer.text());
    for (query, variables) in [
        ("query($m: String) { customers(email: $m) { id } }", json!({ "m": "jane.sample@example.com" })),
        ("{ customers(email: \"jane.sample@example.com\") { id } }", json!({})),
        ("{ customers(query: \"mail jane.sample@example.com\") { id } }", json!({})),
        (
            "mutation($c: C) { updateCustomer(id: \"C-1001\", changes: $c) { id } }",
            json!({ "c": { "iban": "DE89370400440532013000" } }),
        ),
    ] {
        let answer = ask(query, variables);
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (422, "unsupported_on_protected"), "{query}");
    }
}
