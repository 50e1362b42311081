//! Records: create, read, change, batch, page, conditions, limits, dumps.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::super::World;
use super::{crm, get, json as send_json, send};

const FIRST: &str = "/world/contacts/003000000000001";

#[test]
fn a_record_is_created_read_merged_replaced_and_deleted() {
    let crm = crm(World::empty());
    let made = send_json(&crm, Method::POST, "/world/contacts", &json!({ "LastName": "Doe", "Email": "a@b.example" }));
    assert_eq!((made.status, made.header("location")), (201, "https://crm.example/world/contacts/003000000000001"));
    assert_eq!(made.json(), json!({ "id": "003000000000001", "success": true, "errors": [] }));
    let merged = send_json(&crm, Method::PATCH, FIRST, &json!({ "Phone": "12345", "Email": null }));
    assert_eq!((merged.status, merged.header("etag")), (204, "\"2\""));
    let read = get(&crm, FIRST);
    assert_eq!((read.status, read.header("etag")), (200, "\"2\""));
    let record = read.json();
    assert_eq!(
        (&record["Email"], &record["Phone"], &record["LastName"]),
        (&Value::Null, &json!("12345"), &json!("Doe"))
    );
    let mut whole = record.clone();
    whole["Note__c"] = "n".into();
    whole["Phone"] = "".into();
    let replaced = send_json(&crm, Method::PUT, FIRST, &whole).json();
    assert_eq!(
        (&replaced["Phone"], &replaced["Note__c"], &replaced["Version"]),
        (&Value::Null, &json!("n"), &json!(3))
    );
    assert_eq!(replaced["CreatedAt"], record["CreatedAt"]);
    let bare = send_json(&crm, Method::PUT, FIRST, &json!({ "LastName": "Roe" })).json();
    assert_eq!((&bare["Note__c"], &bare["LastName"]), (&Value::Null, &json!("Roe")));
    assert_eq!(send(&crm, Method::DELETE, FIRST, &[], "").status, 204);
    assert_eq!(get(&crm, FIRST).status, 404);
}

#[test]
fn a_form_creates_a_record() {
    let crm = crm(World::empty());
    let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let made = send(&crm, Method::POST, "/world/contacts", &form, "LastName=O%27Brien+Co&Email=a%2Bb%40c.example");
    assert_eq!(made.status, 201);
    let record = get(&crm, FIRST).json();
    assert_eq!((&record["LastName"], &record["Email"]), (&json!("O'Brien Co"), &json!("a+b@c.example")));
    assert_eq!(send(&crm, Method::POST, "/world/forms/contacts", &form, "LastName=Doe").status, 201);
    assert_eq!(get(&crm, "/world/forms/contacts").status, 405);
}

#[test]
fn a_refused_record_is_not_stored_and_its_value_comes_back() {
    let crm = crm(World::empty());
    let long = "x".repeat(41);
    for (body, code, echoed) in [
        (json!({ "LastName": "a", "FirstName": long }), "STRING_TOO_LONG", long.as_str()),
        (json!({ "LastName": "a", "Email": "nobody" }), "INVALID_EMAIL_ADDRESS", "nobody"),
        (json!({ "LastName": "a", "Phone": "call me" }), "INVALID_PHONE", "call me"),
        (json!({ "FirstName": "a" }), "REQUIRED_FIELD_MISSING", "LastName"),
        (json!({ "LastName": "a", "Nope": "b" }), "INVALID_FIELD", "Nope"),
        (json!({ "LastName": 7 }), "JSON_PARSER_ERROR", "7"),
    ] {
        let refused = send_json(&crm, Method::POST, "/world/contacts", &body);
        assert_eq!((refused.status, refused.code()), (400, code.to_owned()), "{body}");
        assert!(refused.body.contains(echoed), "{}", refused.body);
    }
    assert_eq!(get(&crm, "/world/contacts").json()["total"], 0);
    let orphan = json!({ "Subject": "x", "ContactId": "003000000000009" });
    assert_eq!(send_json(&crm, Method::POST, "/world/cases", &orphan).code(), "INVALID_CROSS_REFERENCE_KEY");
    assert_eq!(send(&crm, Method::POST, "/world/contacts", &[("content-type", "text/csv")], "a").status, 415);
    assert_eq!(send(&crm, Method::POST, "/world/contacts", &[], "[").code(), "JSON_PARSER_ERROR");
}

#[test]
fn an_upsert_creates_once_and_then_changes() {
    let crm = crm(World::empty());
    let target = "/world/contacts/by/ExternalId__c/X%2F1";
    let made = send_json(&crm, Method::PATCH, target, &json!({ "LastName": "Doe" }));
    assert_eq!((made.status, &made.json()["created"]), (201, &json!(true)));
    let changed = send_json(&crm, Method::PATCH, target, &json!({ "FirstName": "Jo" }));
    assert_eq!((changed.status, &changed.json()["created"]), (200, &json!(false)));
    assert_eq!(get(&crm, target).json()["FirstName"], "Jo");
    send_json(&crm, Method::POST, "/world/contacts", &json!({ "LastName": "Doe" }));
    assert_eq!(get(&crm, "/world/contacts/by/LastName/doe").code(), "DUPLICATE_VALUE");
    assert_eq!(get(&crm, "/world/contacts/by/LastName/roe").status, 404);
    assert_eq!(get(&crm, "/world/contacts/by/Nope/roe").code(), "INVALID_FIELD");
}

#[test]
fn a_batch_gives_one_result_per_record() {
    let crm = crm(World::empty());
    let made =
        send_json(&crm, Method::POST, "/world/contacts/batch", &json!([{ "LastName": "A" }, {}, { "LastName": "B" }]));
    let results = made.json();
    let successes: Vec<bool> =
        results.as_array().unwrap().iter().map(|one| one["success"].as_bool().unwrap()).collect();
    assert_eq!((made.status, successes), (200, vec![true, false, true]));
    assert_eq!(results[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    let updates = json!([
        { "Id": "003000000000002", "LastName": "C" },
        { "Id": "003000000000009", "LastName": "D" },
        { "LastName": "E" },
    ]);
    let results = send_json(&crm, Method::PATCH, "/world/contacts/batch", &updates).json();
    assert_eq!(
        (&results[0]["success"], &results[1]["success"], &results[2]["success"]),
        (&json!(true), &json!(false), &json!(false))
    );
    assert_eq!(get(&crm, "/world/contacts/003000000000002").json()["LastName"], "C");
    for (count, status) in [(200, 200), (201, 400)] {
        let many = Value::Array(vec![json!({ "LastName": "x" }); count]);
        assert_eq!(send_json(&crm, Method::POST, "/world/contacts/batch", &many).status, status);
    }
}

#[test]
fn pages_follow_absolute_links_and_lose_nothing() {
    let crm = crm(World::generate(5, 25));
    let (mut target, mut ids, mut pages) = ("/world/contacts?per_page=10".to_owned(), Vec::new(), 0);
    loop {
        let page = get(&crm, &target).json();
        assert_eq!(page["total"], 25);
        ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["Id"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        target = next.strip_prefix("https://crm.example").unwrap().to_owned();
    }
    assert_eq!((pages, ids.len()), (3, 25));
    assert!(ids.is_sorted());
    let email = get(&crm, FIRST).json()["Email"].as_str().unwrap().to_uppercase();
    let found = get(&crm, &format!("/world/contacts?Email={email}")).json();
    assert!(found["items"].as_array().unwrap().iter().any(|item| item["Id"] == "003000000000001"));
    assert!(found["total"].as_u64().unwrap() < 25);
    for bad in ["per_page=0", "per_page=501", "nope=1"] {
        assert_eq!(get(&crm, &format!("/world/contacts?{bad}")).status, 400, "{bad}");
    }
    assert_eq!(get(&crm, "/world/contacts?per_page=500").status, 200);
}

#[test]
fn a_write_with_an_old_version_changes_nothing() {
    let crm = crm(World::generate(5, 1));
    let write = |tag: &str, method: Method| {
        let headers = [("content-type", "application/json"), ("if-match", tag)];
        send(&crm, method, FIRST, &headers, r#"{"LastName":"New"}"#).status
    };
    assert_eq!(write("\"9\"", Method::PATCH), 412);
    assert_eq!(write("\"9\"", Method::PUT), 412);
    assert_eq!(write("\"9\"", Method::DELETE), 412);
    assert_eq!(get(&crm, FIRST).header("etag"), "\"1\"");
    assert_eq!(write("\"8\", W/\"1\"", Method::PATCH), 204);
    assert_eq!(write("\"1\"", Method::PATCH), 412);
    assert_eq!(write("*", Method::PATCH), 204);
    assert_eq!(write("\"3\"", Method::DELETE), 204);
}

#[test]
fn calls_beyond_the_window_are_told_when_to_come_back() {
    let crm = crm(World::generate(5, 1).throttled(2, Duration::from_secs(3_600)));
    assert_eq!((get(&crm, FIRST).status, get(&crm, FIRST).status), (200, 200));
    let refused = get(&crm, FIRST);
    assert_eq!((refused.status, refused.code()), (429, "REQUEST_LIMIT_EXCEEDED".to_owned()));
    assert!((3_590..=3_600).contains(&refused.header("retry-after").parse::<u32>().unwrap()));
}

#[test]
fn the_dump_holds_every_value_and_its_route_is_closed_by_default() {
    let closed = crm(World::generate(5, 40));
    assert_eq!(get(&closed, "/world/__dump").status, 404);
    let open = crm(World::generate(5, 40).dumping());
    let dump = get(&open, "/world/__dump");
    assert_eq!(dump.body.as_bytes(), open.dump());
    let secrets = open.secrets();
    assert!(secrets.len() > 150, "{}", secrets.len());
    for (class, value) in secrets {
        assert!(dump.body.contains(&value), "{class} {value}");
    }
    let both = crate::sandbox::Crm::generate(3, 5);
    let text = String::from_utf8(both.dump()).unwrap();
    assert!(both.secrets().iter().all(|(_, value)| text.contains(value.as_str())));
}

#[test]
fn two_worlds_of_one_seed_are_the_same() {
    let all = |seed: u64| get(&crm(World::generate(seed, 300)), "/world/contacts?per_page=500").body;
    assert_eq!(all(5), all(5));
    assert_ne!(all(5), all(6));
    let world = World::generate(5, 300);
    assert_eq!((world.contacts.rows.len(), world.cases.rows.len()), (300, 150), "no generated record was refused");
    let emails: Vec<&str> = world.contacts.rows.values().filter_map(|row| row.get("Email")).collect();
    let unique: std::collections::BTreeSet<&str> = emails.iter().copied().collect();
    assert!(unique.len() < emails.len() && emails.len() < 300, "some addresses are shared and some absent");
}

#[test]
fn what_a_world_says_of_itself_makes_the_same_world_again() {
    let source = World::generate(9, 30).with_plain_notes();
    let copy = crm(World::empty());
    for (target, records) in [("/world/contacts", source.contacts()), ("/world/cases", source.cases())] {
        for record in records {
            assert_eq!(send_json(&copy, Method::POST, target, &record).status, 201, "{record}");
        }
    }
    let source = crm(source);
    for (id, record) in [("003000000000030", "LastName"), ("500000000000015", "Subject")] {
        let (mut a, mut b) = (source.stored(id).unwrap(), copy.stored(id).unwrap());
        assert!(a[record].is_string());
        for own in ["CreatedAt", "UpdatedAt"] {
            (a[own], b[own]) = (Value::Null, Value::Null);
        }
        assert_eq!(a, b);
    }
    let dump = String::from_utf8(source.dump()).unwrap();
    let notes: Vec<&str> = dump.lines().filter(|line| line.contains("\tNote__c\t")).collect();
    assert!(!notes.is_empty() && notes.iter().all(|note| note.ends_with("\tAsked to be called back.")));
}
