//! The sample CRM's second surface through the gateway, compared record by record with a twin that nothing protects.

use std::collections::BTreeMap;

use fieldgate::sandbox::{Crm, World as Records};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, Setup, World};

/// Contacts of each world.
const CONTACTS: usize = 40;

fn records() -> Records {
    Records::generate(41, CONTACTS).dumping()
}

/// A world behind a gateway, storage in clear.
fn world() -> World {
    Setup::of(Crm::generate(7, 0).with_world(records())).map("world.toml").start()
}

/// The twin: the same records, and no gateway in front that would matter.
fn twin() -> World {
    Setup::of(Crm::generate(7, 0).with_world(records())).map("world.toml").start()
}

/// A supervisor who may see everything.
fn seeing(world: &World) -> Client {
    world.supervisor().with("fieldgate-purpose", "fraud_investigation").with("fieldgate-case", "C-1")
}

/// Asserts that both sets hold the same records: matched by `id`, equal in every one of `fields` (JSON pointers).
#[track_caller]
pub fn same_records(seen: &[Value], truth: &[Value], id: &str, fields: &[&str]) {
    let by_id = |records: &[Value]| {
        let row = |record: &Value| {
            let values: Vec<Value> =
                fields.iter().map(|field| record.pointer(field).cloned().unwrap_or(Value::Null)).collect();
            (record[id].as_str().unwrap_or_else(|| panic!("no `{id}` in {record}")).to_owned(), values)
        };
        let rows: BTreeMap<String, Vec<Value>> = records.iter().map(row).collect();
        assert_eq!(rows.len(), records.len(), "a record comes twice");
        rows
    };
    let (seen, truth) = (by_id(seen), by_id(truth));
    assert_eq!(seen.keys().collect::<Vec<_>>(), truth.keys().collect::<Vec<_>>(), "other records");
    for (id, values) in &truth {
        assert_eq!(&seen[id], values, "{id}");
    }
}

fn list(answer: &Answer, name: &str) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()[name].as_array().unwrap_or_else(|| panic!("no {name}: {}", answer.text())).clone()
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The fields of a contact that have a class.
pub const CONTACT: &[&str] = &["/FirstName", "/LastName", "/Email", "/Phone", "/Card__c", "/IBAN__c", "/Note__c"];

/// One search in a dialect: method, target, body; where its records stand, their id and fields.
struct Search {
    method: Method,
    target: String,
    body: Option<Value>,
    list: &'static str,
    id: &'static str,
    fields: &'static [&'static str],
}

impl Search {
    fn get(target: String, list: &'static str, id: &'static str, fields: &'static [&'static str]) -> Self {
        Self { method: Method::GET, target, body: None, list, id, fields }
    }

    fn run(&self, client: &Client) -> Vec<Value> {
        list(&client.call(self.method.clone(), &self.target, self.body.as_ref().map(Value::to_string)), self.list)
    }
}

/// Searches for `email` in every dialect.
fn searches(email: &str) -> Vec<Search> {
    let quoted = email.replace('\'', "\\'");
    let doubled = email.replace('\'', "''");
    let soql = format!("SELECT FIELDS(ALL) FROM Contact WHERE Email = '{quoted}' OR Email IN ('x@y.example')");
    let filter = json!({ "propertyName": "email", "operator": "EQ", "value": email });
    vec![
        Search::get(format!("/world/contacts?Email={}", encoded(email)), "items", "Id", CONTACT),
        Search::get(format!("/world/query?q={}", encoded(&soql)), "records", "Id", CONTACT),
        Search::get(
            format!("/world/odata/contacts?$filter={}", encoded(&format!("Email eq '{doubled}'"))),
            "value",
            "Id",
            CONTACT,
        ),
        Search::get(
            format!("/world/zendesk/search?query={}", encoded(&format!("type:user email:\"{email}\""))),
            "results",
            "id",
            &["/name", "/email", "/phone", "/notes", "/user_fields/card", "/user_fields/iban"],
        ),
        Search {
            method: Method::POST,
            target: "/world/hubspot/contacts/search".to_owned(),
            body: Some(json!({ "filterGroups": [{ "filters": [filter] }], "properties": ["phone", "card", "iban"] })),
            list: "results",
            id: "id",
            fields: &["/properties/email", "/properties/lastname", "/properties/phone", "/properties/card"],
        },
        Search::get(
            format!("/world/rt/tickets?query={}", encoded(&format!("Requestor.EmailAddress = '{quoted}'"))),
            "items",
            "id",
            &["/Subject", "/Requestor/0/id", "/CustomFields/0/values", "/CustomFields/1/values"],
        ),
    ]
}

#[test]
fn a_supervisor_sees_what_the_twin_holds() {
    let (world, twin) = (world(), twin());
    let (caller, direct) = (seeing(&world), twin.direct());
    let all = "/world/contacts?per_page=100";
    let truth = list(&direct.get(all), "items");
    let (status, asked) = twin.crm.ask(Method::GET, all, "");
    let asked: Value = serde_json::from_slice(&asked).unwrap();
    assert_eq!(status, 200);
    same_records(asked["items"].as_array().unwrap(), &truth, "Id", CONTACT);
    assert_eq!(truth.len(), CONTACTS);
    same_records(&list(&caller.get(all), "items"), &truth, "Id", CONTACT);
    let case: &[&str] = &["/Subject", "/Status", "/SuppliedEmail", "/SuppliedName", "/Card__c", "/ContactId"];
    let cases = "/world/cases?per_page=100";
    same_records(&list(&caller.get(cases), "items"), &list(&direct.get(cases), "items"), "Id", case);
    let email = truth[1]["Email"].as_str().unwrap();
    let mut found = 0;
    for search in searches(email) {
        let expected = search.run(&direct);
        found += expected.len();
        same_records(&search.run(&caller), &expected, search.id, search.fields);
    }
    assert!(found >= 6, "every dialect finds somebody: {found}");
    let key = format!("/world/odata/contacts(Email='{}')", email.to_uppercase().replace('\'', "''"));
    same_records(&[caller.get(&key).json()], &[direct.get(&key).json()], "Id", CONTACT);
}

#[test]
fn an_agent_finds_the_same_records_and_sees_no_address() {
    let (world, twin) = (world(), twin());
    let truth = list(&twin.direct().get("/world/contacts?per_page=100"), "items");
    let email = truth[1]["Email"].as_str().unwrap();
    for search in searches(email) {
        let (seen, expected) = (search.run(&world.agent()), search.run(&twin.direct()));
        same_records(&seen, &expected, search.id, &[]);
        assert!(!seen.is_empty() && !json!(seen).to_string().contains(email), "{}", search.target);
    }
}

#[test]
fn writes_through_the_gateway_leave_both_twins_alike() {
    let (world, twin) = (world(), twin());
    let (caller, direct) = (seeing(&world), twin.direct());
    let contact = "/world/contacts/003000000000002";
    let new = json!({ "LastName": "Neu", "Email": "neu@example.com", "Card__c": "4000000000000002" });
    let batch = json!([{ "LastName": "A", "Phone": "+4930231000000" }, { "LastName": "B", "Email": "not one" }]);
    for (method, target, body, status) in [
        (Method::POST, "/world/contacts", &new, 201),
        (Method::POST, "/world/contacts/batch", &batch, 200),
        (Method::PATCH, contact, &json!({ "Email": "changed@example.com", "FirstName": null }), 204),
        (Method::PUT, "/world/contacts/003000000000003", &json!({ "LastName": "Only" }), 200),
        (Method::PATCH, "/world/contacts/by/ExternalId__c/ext-9", &json!({ "LastName": "Up" }), 201),
        (Method::PATCH, "/world/contacts/by/Email/neu%40example.com", &json!({ "Phone": "12345" }), 200),
        (Method::POST, "/world/contacts", &json!({ "LastName": "x".repeat(81) }), 400),
    ] {
        let (seen, truth) = (caller.send(method.clone(), target, body), direct.send(method, target, body));
        assert_eq!((seen.status.as_u16(), truth.status.as_u16()), (status, status), "{target}: {}", seen.text());
    }
    for client in [&caller, &direct] {
        let form = client.clone().with("content-type", "application/x-www-form-urlencoded");
        let made =
            form.call(Method::POST, "/world/forms/contacts", Some("LastName=F+orm&Email=f%40b.example".to_owned()));
        assert_eq!(made.status, 201, "{}", made.text());
    }
    let deleted = caller.call(Method::DELETE, "/world/contacts/003000000000004", None);
    assert_eq!(
        (deleted.status, direct.call(Method::DELETE, "/world/contacts/003000000000004", None).status),
        (204.try_into().unwrap(), deleted.status)
    );
    assert_eq!(String::from_utf8_lossy(&world.crm.dump()), String::from_utf8_lossy(&twin.crm.dump()));
    assert!(world.direct().get("/world/__dump").text().contains("\tEmail\tchanged@example.com\n"));
    world.verify();
}

#[test]
fn a_version_of_the_gateway_guards_a_write() {
    let world = world();
    let target = "/world/contacts/003000000000005";
    let tag = world.agent().get(target).header("etag");
    assert!(tag.starts_with("\"1"), "{tag}");
    let caller = world.agent().with("if-match", &tag);
    assert_eq!(caller.send(Method::PATCH, target, &json!({ "FirstName": "Once" })).status, 204);
    assert_eq!(caller.send(Method::PATCH, target, &json!({ "FirstName": "Twice" })).status, 412);
    assert_eq!(world.direct().get(target).json()["FirstName"], "Once");
}
