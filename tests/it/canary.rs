//! Unique values in every field of the CRM; after everything that callers do, none is found where it must not be.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use fieldgate::sandbox::Crm;
use http::Method;
use serde_json::json;

use crate::harness::{Setup, World, walk};

/// Every spelling a value could hide in.
pub fn spellings(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let percent = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
    let json = serde_json::to_string(value).unwrap().trim_matches('"').to_owned();
    let mut all = vec![
        value.to_owned(),
        json,
        hex.to_uppercase(),
        hex,
        percent.to_lowercase(),
        percent,
        BASE64_STANDARD.encode(bytes),
        BASE64_STANDARD_NO_PAD.encode(bytes),
        BASE64_URL_SAFE_NO_PAD.encode(bytes),
    ];
    all.sort();
    all.dedup();
    all
}

/// Everything that callers may do, by everybody, with success and without; gives the bodies of all problems.
fn exercise(world: &World) -> Vec<String> {
    let ids = world.crm.customer_ids();
    let id = ids.first().unwrap();
    let target = format!("/api/v1/customers/{id}");
    let truth = world.direct().get(&target).json();
    let email = truth["email"].as_str().unwrap();
    let query = percent_encoding::utf8_percent_encode(email, percent_encoding::NON_ALPHANUMERIC).to_string();
    let mut problems = Vec::new();
    let supervisor =
        world.supervisor().with("fieldgate-purpose", "fraud_investigation").with("fieldgate-case", "CASE-1");
    for client in [world.agent(), world.supervisor(), supervisor, world.ai(), world.stranger(), world.agent().h2()] {
        for target in [
            target.clone(),
            "/api/v1/customers?per_page=50".to_owned(),
            format!("/api/v1/customers?email={query}"),
            "/api/v1/orders".to_owned(),
            "/api/v1/tickets".to_owned(),
            format!("/api/v1/search?q={query}"),
            format!("{target}/orders"),
            format!("/api/v1/unmapped/{query}"),
            format!("/api/v1/customers/{query}"),
            "/api/v1/export/customers?count=50".to_owned(),
            "/api/v1/health".to_owned(),
        ] {
            let answer = client.get(&target);
            if answer.header("content-type") == "application/problem+json" {
                problems.push(answer.text());
            }
        }
        for quirk in [
            "truncated",
            "not-json",
            "html-error",
            "echo-error",
            "error-500",
            "partial",
            "text-plain",
            "lone-surrogate",
        ] {
            let client = client.clone().with("x-sandbox-quirk", quirk);
            for answer in
                [client.get(&target), client.send(Method::PATCH, &target, &json!({"email": email, "notes": email}))]
            {
                if answer.header("content-type") == "application/problem+json" {
                    problems.push(answer.text());
                }
            }
        }
        for body in [json!({"email": email}).to_string(), format!("{{\"email\": \"{email}\""), email.to_owned()] {
            let answer = client.call(Method::PUT, &target, Some(body));
            if answer.header("content-type") == "application/problem+json" {
                problems.push(answer.text());
            }
        }
    }
    problems.push(world.raw(format!("GET /{query} HTTP/1.1\r\nHost : {email}\r\n\r\n").as_bytes()));
    problems
}

#[test]
fn no_value_of_the_crm_is_found_in_logs_metrics_problems_or_records() {
    let mut world = Setup::of(Crm::canary(11, 40)).append("\n[log]\nlevel = \"trace\"\n").spawn();
    world.ready().unwrap();
    let problems = exercise(&world);
    assert!(problems.len() > 30, "only {} problems were seen", problems.len());
    let metrics = world.admin("/metrics");
    assert!(metrics.contains("fieldgate_exchanges_total"), "{metrics}");
    world.stop();
    world.verify();
    let mut places: Vec<(String, Vec<u8>)> = vec![
        ("standard error".to_owned(), world.stderr().into_bytes()),
        ("metrics".to_owned(), metrics.into_bytes()),
        ("problems".to_owned(), problems.join("\n").into_bytes()),
    ];
    for path in walk(&world.made.audit) {
        places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    let secrets = world.crm.secrets();
    assert!(secrets.len() > 300, "only {} canaries", secrets.len());
    let mut needles: Vec<(&str, String)> = Vec::new();
    for (class, value) in &secrets {
        needles.extend(spellings(value).into_iter().filter(|needle| needle.len() >= 6).map(|needle| (*class, needle)));
    }
    for (place, bytes) in &places {
        let found = needles.iter().find(|(_, needle)| memchr::memmem::find(bytes, needle.as_bytes()).is_some());
        assert!(found.is_none(), "{found:?} is found in {place}");
    }
    let key = world.made.callers.first().unwrap().1.expose().clone();
    let secret = key.rsplit('_').next().unwrap();
    for (place, bytes) in &places {
        assert!(memchr::memmem::find(bytes, secret.as_bytes()).is_none(), "an API key is found in {place}");
    }
}

#[test]
fn the_search_for_canaries_finds_one_that_is_there() {
    assert!(spellings("jane@example.com").contains(&"jane%40example%2Ecom".to_owned()));
    assert!(spellings("jane@example.com").contains(&"amFuZUBleGFtcGxlLmNvbQ==".to_owned()));
}
