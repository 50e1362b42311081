//! What the log says of an exchange, and that it says it once.

use http::Method;
use serde_json::json;

use crate::harness::Setup;

const CUSTOMER: &str = "/api/v1/customers/C-1001";

#[test]
fn a_read_leaves_a_reveal_that_names_classes_and_one_outcome() {
    let mut world = Setup::new().start();
    let answer = world.agent().get(CUSTOMER);
    let outcome = world.wait_for("access.outcome", 1).remove(0);
    let reveal = world.wait_for("access.reveal", 1).remove(0);
    assert_eq!(reveal["req"], outcome["req"]);
    let text = reveal.to_string();
    for named in ["agent-anna", "customer.read", "card_number", "name"] {
        assert!(text.contains(named), "{named}: {text}");
    }
    assert!(!text.contains("C-1001"), "the subject is a keyed reference: {text}");
    let index = answer.header("fieldgate-audit-ref").rsplit('/').next().unwrap().to_owned();
    assert_eq!(reveal["idx"].to_string(), index);
    assert_eq!(outcome["outcome"]["released"], true);
    world.stop();
    world.verify();
}

#[test]
fn a_write_is_recorded_before_the_crm_changes() {
    let mut world = Setup::new().start();
    let answer = world.supervisor().send(Method::PATCH, CUSTOMER, &json!({"phone": "+49 30 1234567"}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let intent = world.wait_for("access.intent", 1).remove(0);
    let outcome = world.wait_for("access.outcome", 1).remove(0);
    assert!(intent["idx"].as_u64() < outcome["idx"].as_u64());
    assert!(intent.to_string().contains("phone"), "{intent}");
    world.stop();
    world.verify();
}

#[test]
fn a_refusal_is_recorded_with_its_code_and_shows_nothing() {
    let world = Setup::new().start();
    assert_eq!(world.stranger().get(CUSTOMER).status, 401);
    assert_eq!(world.ai().call(Method::DELETE, CUSTOMER, None).status, 403);
    let denied = world.wait_for("access.deny", 2);
    assert!(denied.iter().any(|record| record.to_string().contains("forbidden")), "{denied:?}");
    world.wait_for("access.outcome", 2);
    assert!(world.crm.received().is_empty());
}

#[test]
fn without_a_log_nothing_is_shown() {
    let world = Setup::new().start();
    assert_eq!(world.agent().get(CUSTOMER).status, 200);
    // The segment disappears under the writer: the log is failed for good (audit-log.md §3.7).
    let segment = crate::harness::walk(&world.made.audit)
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .unwrap();
    std::fs::remove_file(segment).unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
    let mut last = world.agent().get(CUSTOMER);
    while last.status == 200 && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(50));
        last = world.agent().get(CUSTOMER);
    }
    assert_eq!((last.status.as_u16(), last.code().as_str()), (503, "audit_unavailable"));
    assert_eq!(last.header("retry-after"), "5");
    let write = world.supervisor().send(Method::PATCH, CUSTOMER, &json!({"tags": ["x"]}));
    assert_eq!(write.status, 503);
    assert_ne!(world.direct().get(CUSTOMER).json()["tags"], json!(["x"]));
    assert!(world.admin("/readyz").starts_with("HTTP/1.1 503"));
}
