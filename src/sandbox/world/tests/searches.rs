//! The shapes of search answers and their pages; what they find is tested with the dialects.

use http::Method;
use serde_json::{Value, json};

use super::super::World;
use super::{crm, get, json as send_json};

/// The members of an object in alphabetical order.
fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A target's percent-encoded parameter.
fn with(target: &str, text: &str) -> String {
    format!("{target}{}", crate::sandbox::call::escape(text))
}

#[test]
fn soql_gives_the_fields_asked_for() {
    let crm = crm(World::generate(5, 4));
    let target =
        with("/world/query?q=", "SELECT Id, Contact.Email, Contact.LastName FROM Case WHERE Status != 'x' LIMIT 1");
    let body = get(&crm, &target).json();
    let record = &body["records"][0];
    assert_eq!((&body["totalSize"], &body["done"]), (&json!(1), &json!(true)));
    assert_eq!(record["attributes"]["url"], "https://crm.example/world/cases/500000000000001");
    assert_eq!(record["Contact"]["attributes"]["type"], "Contact");
    assert!(record["Contact"]["LastName"].is_string() && record.get("Subject").is_none());
    let counted = get(&crm, &with("/world/query?q=", "SELECT COUNT() FROM Contact")).json();
    assert_eq!((&counted["totalSize"], &counted["records"]), (&json!(4), &json!([])));
    assert_eq!(get(&crm, "/world/query").code(), "MALFORMED_QUERY");
    assert_eq!(send_json(&crm, Method::POST, "/world/query", &json!({})).status, 405);
}

#[test]
fn odata_pages_selects_and_reads_by_key() {
    let crm = crm(World::generate(5, 230));
    let (mut target, mut seen) = ("/world/odata/contacts?$count=true&$select=Email&$top=205".to_owned(), 0);
    loop {
        let page = get(&crm, &target).json();
        assert_eq!(page["@odata.count"], 230);
        let rows = page["value"].as_array().unwrap();
        seen += rows.len();
        assert_eq!(names(&rows[0]), ["@odata.etag", "Email", "Id"]);
        let Some(next) = page["@odata.nextLink"].as_str() else { break };
        target = next.strip_prefix("https://crm.example").unwrap().to_owned();
    }
    assert_eq!(seen, 205);
    let sorted = get(&crm, "/world/odata/contacts?$orderby=LastName%20desc,Id&$top=50").json();
    let names: Vec<String> = sorted["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["LastName"].as_str().unwrap().to_lowercase())
        .collect();
    assert!(names.iter().rev().is_sorted());
    let key = get(&crm, "/world/odata/contacts(ExternalId__c='nobody''s')");
    assert_eq!(key.status, 404);
    let made =
        send_json(&crm, Method::PATCH, "/world/odata/contacts(Email='New%40Example.com')", &json!({ "LastName": "N" }));
    assert_eq!(made.status, 201);
    assert_eq!(get(&crm, "/world/odata/contacts(Email='new%40example.com')").json()["LastName"], "N");
    assert_eq!(get(&crm, "/world/odata/contacts(003000000000001)").json()["Id"], "003000000000001");
    assert_eq!(get(&crm, "/world/odata/contacts?$apply=x").code(), "MALFORMED_QUERY");
}

#[test]
fn zendesk_pages_up_to_a_thousand() {
    let crm = crm(World::generate(5, 1_050));
    let first = get(&crm, "/world/zendesk/search?query=type%3Auser").json();
    assert_eq!((&first["count"], first["results"].as_array().unwrap().len()), (&json!(1_050), 100));
    assert_eq!(first["next_page"], "https://crm.example/world/zendesk/search?page=2&per_page=100&query=type%3Auser");
    assert_eq!(get(&crm, "/world/zendesk/search?query=type%3Auser&page=10").status, 200);
    assert_eq!(get(&crm, "/world/zendesk/search?query=type%3Auser&page=11").status, 422);
    let user = &first["results"][0];
    assert!(user["user_fields"].get("card").is_some() && user["result_type"] == "user");
    assert_eq!(get(&crm, "/world/zendesk/search?query=").code(), "MALFORMED_QUERY");
}

#[test]
fn hubspot_pages_with_a_cursor_and_gives_default_properties() {
    let crm = crm(World::generate(5, 25));
    let page = |after: &str| {
        let body = json!({ "limit": 20, "after": after, "properties": ["card"] });
        send_json(&crm, Method::POST, "/world/hubspot/contacts/search", &body).json()
    };
    let first = page("0");
    assert_eq!((&first["total"], &first["paging"]["next"]["after"]), (&json!(25), &json!("20")));
    assert_eq!(
        names(&first["results"][0]["properties"]),
        ["card", "createdate", "email", "firstname", "hs_object_id", "lastname"]
    );
    let last = page("20");
    assert_eq!((last["results"].as_array().unwrap().len(), last.get("paging")), (5, None));
}

#[test]
fn request_tracker_answers_like_rest2() {
    let crm = crm(World::generate(5, 100));
    let body = get(&crm, &with("/world/rt/tickets?query=", "Status != 'nothing'")).json();
    assert_eq!((&body["total"], &body["count"], &body["pages"]), (&json!(50), &json!(20), &json!(3)));
    assert!(body["next_page"].as_str().unwrap().starts_with("https://crm.example/world/rt/tickets?page=2&"));
    let item = &body["items"][0];
    assert_eq!((&item["id"], &item["type"]), (&json!("1"), &json!("ticket")));
    let names: Vec<&Value> = item["CustomFields"].as_array().unwrap().iter().map(|field| &field["name"]).collect();
    assert_eq!(names, ["Card", "Customer Email", "Customer Phone", "Customer Name"]);
    assert_eq!(get(&crm, "/world/rt/tickets").code(), "MALFORMED_QUERY");
}
