//! Distinct people: who opens one after the other, who pulls lists, who guesses, and who restarts the gateway.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, Setup, World};

/// A rule and its limits.
fn rule(name: &str, whom: &str, limits: &str) -> String {
    format!("\n[[budget.rule]]\nname = \"{name}\"\nper = \"day\"\n{whom}\n{limits}\n")
}

fn agents(limits: &str) -> Setup {
    Setup::new().append(&rule("agents", "roles = [\"agent\"]", limits))
}

fn supervisors(limits: &str) -> Setup {
    Setup::new().append(&rule("leads", "roles = [\"supervisor\"]", limits))
}

fn customer(number: usize) -> String {
    format!("/api/v1/customers/C-{}", 1_001 + number)
}

/// Whether the name of the one record in `answer` is the value itself.
fn is_revealed(answer: &Answer) -> bool {
    assert_eq!(answer.status, 200, "{}", answer.text());
    !answer.json()["name"].as_str().unwrap().contains('\u{2022}')
}

/// The ids of `list` whose name is the value itself.
fn revealed(list: &Value) -> Vec<String> {
    let shown = |item: &&Value| !item["name"].as_str().unwrap().contains('\u{2022}');
    list["items"].as_array().unwrap().iter().filter(shown).map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn stopped(answer: &Answer, rule: &str) {
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (429, "budget_exceeded"), "{}", answer.text());
    assert_eq!(answer.json()["budget"], rule);
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=97 * 900).contains(&seconds), "{seconds}");
}

#[test]
fn one_more_customer_at_a_time_is_masked_and_then_refused_at_the_configured_numbers() {
    let world = agents("mask_after = 3\nstop_after = 5").start();
    let agent = world.agent();
    let seen: Vec<bool> = (0..5).map(|number| is_revealed(&agent.get(&customer(number)))).collect();
    assert_eq!(seen, [true, true, true, false, false]);
    stopped(&agent.get(&customer(5)), "agents");
    stopped(&agent.get(&customer(6)), "agents");
    assert!(is_revealed(&agent.get(&customer(1))), "the customer it works with stays");
    assert!(!is_revealed(&agent.get(&customer(4))));
    assert!(is_revealed(&world.supervisor().get(&customer(5))), "the rule is not about supervisors");

    let denied = world.wait_for("access.deny", 2);
    assert_eq!(denied[0]["decision"]["why"], "budget_exceeded");
    assert_eq!(denied[0]["decision"]["rules"], json!(["budget:agents"]));
    let shown = world.wait_for("access.reveal", 8);
    let capped: Vec<bool> = shown.iter().map(|record| record["subjects"][0]["capped"].is_array()).collect();
    assert_eq!(capped, [false, false, false, true, true, false, true, false]);
    let fourth = &shown[3]["subjects"][0];
    assert!(fourth["reveal"].is_null(), "{fourth}");
    assert_eq!(fourth["capped"], json!(["name", "free_text"]));

    let metrics = world.admin("/metrics");
    for line in [
        "fieldgate_budget_principals{rule=\"agents\",state=\"stopping\"} 1",
        "fieldgate_budget_masked_total 3",
        "fieldgate_budget_refused_total 2",
        "fieldgate_refusals_total{code=\"budget_exceeded\"} 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} missing in\n{metrics}");
    }
}

#[test]
fn a_restart_does_not_start_the_count_anew() {
    let mut world = agents("mask_after = 2\nstop_after = 4").spawn();
    world.ready().unwrap();
    let seen: Vec<bool> = (0..3).map(|number| is_revealed(&world.agent().get(&customer(number)))).collect();
    assert_eq!(seen, [true, true, false]);
    world.kill();
    world.spawn();
    world.ready().unwrap();
    assert!(!is_revealed(&world.agent().get(&customer(3))), "two were shown before");
    stopped(&world.agent().get(&customer(4)), "agents");
    assert!(is_revealed(&world.agent().get(&customer(0))));
    world.stop();
    world.verify();
}

#[test]
fn workers_share_the_count() {
    let setup = agents("mask_after = 7\nstop_after = 7").edit("name = \"gw-1\"", "name = \"gw-1\"\nworkers = 2");
    let world = setup.start();
    let open = |agent: Client, numbers: std::ops::Range<usize>| -> usize {
        numbers.map(|number| agent.get(&customer(number)).status).filter(|status| *status == 200).count()
    };
    let shown: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|at| {
                scope.spawn({
                    let agent = world.agent();
                    move || open(agent, at * 5..at * 5 + 5)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(shown, 7);
}

#[test]
fn a_bulk_puller_gets_exactly_the_configured_number_of_people() {
    let world = supervisors("mask_after = 30\nstop_after = 50").start();
    let page =
        |page: usize, size: usize| world.supervisor().get(&format!("/api/v1/customers?page={page}&per_page={size}"));
    let mut people = BTreeSet::new();
    people.extend(revealed(&page(1, 20).json()));
    people.extend(revealed(&page(2, 20).json()));
    assert_eq!(people.len(), 30);
    stopped(&page(3, 20), "leads");
    let last = page(5, 10);
    assert_eq!((last.status.as_u16(), revealed(&last.json())), (200, vec![]), "41 to 50: the last ten, masked");
    stopped(&page(6, 10), "leads");
    stopped(&world.supervisor().get(&customer(200)), "leads");
    assert_eq!(revealed(&page(1, 20).json()).len(), 20, "those it has seen stay");
    assert_eq!(logged(&world, "reveal"), people.len());
}

/// Different people of whom the log says that something was shown in `view`.
fn logged(world: &World, view: &str) -> usize {
    let records = world.records();
    let subjects = records.iter().filter_map(|record| record["subjects"].as_array()).flatten();
    subjects
        .filter(|subject| subject[view].is_array())
        .map(|subject| subject["ref"].to_string())
        .collect::<BTreeSet<_>>()
        .len()
}

#[test]
fn an_export_ends_before_it_shows_one_person_too_many() {
    // More people than the first window can hold, however large the pieces are that the CRM's body comes in.
    let world = Setup::of(fieldgate::sandbox::Crm::generate(7, 3_000))
        .append(&rule("leads", "roles = [\"supervisor\"]", "stop_after = 600"))
        .start();
    let export = |count: usize| {
        let target = format!("/api/v1/export/customers?count={count}");
        world.supervisor().with("fieldgate-purpose", "data_subject_request").get(&target)
    };
    let cut = export(3_000);
    assert_eq!((cut.status.as_u16(), cut.whole), (200, false));
    let ids = |answer: &Answer| -> BTreeSet<String> {
        let text = answer.text();
        text.split("\"id\":\"C-").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let first = ids(&cut);
    assert!(!first.is_empty() && first.len() <= 600, "{}", first.len());
    let denied = world.wait_for("access.deny", 1);
    assert_eq!(denied[0]["decision"]["rules"], json!(["budget:leads"]));
    let outcome = world.wait_for("access.outcome", 1);
    assert_eq!(
        (&outcome[0]["outcome"]["why"], &outcome[0]["outcome"]["released"]),
        (&json!("budget_exceeded"), &json!(false))
    );
    assert!(first.len() <= logged(&world, "reveal") && logged(&world, "reveal") <= 600);

    // What the cut part would have shown was not shown, so it does not count: the rest of the budget is there still.
    let left = 600 - logged(&world, "reveal");
    assert!(left > 0);
    let last = |number: usize| world.supervisor().get(&customer(2_000 + number));
    for number in 0..left {
        assert_eq!(last(number).status, 200, "{number} of {left}");
    }
    stopped(&last(left), "leads");
    assert_eq!(logged(&world, "reveal"), 600);
    // How much of the last recorded window arrives before the cut is the network's affair; who is in it is not.
    let counted: BTreeSet<String> = (1..=600 - left).map(|number| (1_000 + number).to_string()).collect();
    let again = export(3_000);
    assert!(!again.whole && !ids(&again).is_empty());
    assert!(first.is_subset(&counted) && ids(&again).is_subset(&counted), "whom it has seen, and nobody else");
    assert_eq!(logged(&world, "reveal"), 600);
}

#[test]
fn an_agent_of_ai_and_the_human_it_acts_for_are_both_counted() {
    let setup = agents("stop_after = 3").append(&rule("machines", "kinds = [\"ai\"]", "stop_after = 2"));
    let world = setup.start();
    let ai = |number: usize| world.ai().get(&customer(number));
    assert_eq!([ai(0).status, ai(1).status], [200, 200]);
    stopped(&ai(2), "machines");
    assert!(is_revealed(&world.agent().get(&customer(0))), "counted already, when the agent of AI saw them");
    assert!(is_revealed(&world.agent().get(&customer(2))));
    stopped(&world.agent().get(&customer(3)), "agents");
    assert_eq!(ai(0).status, 200);
}

#[test]
fn a_write_is_refused_before_the_crm_changes_and_never_after() {
    let world = agents("mask_after = 1\nstop_after = 1").start();
    assert!(is_revealed(&world.agent().get(&customer(0))));
    let change = json!({"tags": ["changed"]});
    let before = world.direct().get(&customer(1)).json();
    stopped(&world.agent().send(Method::PATCH, &customer(1), &change), "agents");
    assert_eq!(world.direct().get(&customer(1)).json(), before);
    assert_eq!(world.agent().send(Method::PATCH, &customer(0), &change).status, 200);
    let ticket = json!({"customer_id": "C-1002", "subject": "Call back", "description": "Please", "status": "open"});
    let made = world.agent().send(Method::POST, "/api/v1/tickets", &ticket);
    assert!(made.status.is_success(), "what was made is answered, masked: {}", made.text());
    assert!(made.json()["subject"].as_str().unwrap().contains('\u{2022}'), "{}", made.text());
}

#[test]
fn finds_are_recorded_and_those_without_a_hit_are_guesses() {
    let world = agents("guess_after = 3").start();
    let email = world.direct().get(&customer(0)).json()["email"].as_str().unwrap().replace('@', "%40");
    let find = |email: &str| world.agent().get(&format!("/api/v1/customers?email={email}"));
    for _ in 0..5 {
        assert_eq!(find(&email).json()["items"].as_array().unwrap().len(), 1, "a hit is no guess");
    }
    for number in 0..3 {
        let missed = find(&format!("nobody-{number}%40example.com"));
        assert_eq!((missed.status.as_u16(), missed.json()["items"].as_array().unwrap().len()), (200, 0));
        assert!(!missed.header("fieldgate-audit-ref").is_empty(), "that nobody was found is on record first");
    }
    stopped(&find("nobody-3%40example.com"), "agents");
    stopped(&find(&email), "agents");
    assert_eq!(world.agent().get(&customer(0)).status, 200, "opening a record is no find");
    let records = world.records();
    let of = |kind: &str| records.iter().filter(|record| record["kind"] == kind).collect::<Vec<_>>();
    let found = of("access.reveal");
    assert!(found[..8].iter().all(|record| record["searched"] == json!(["email"])), "{}", found[0]);
    assert_eq!(found[..8].iter().filter(|record| record["subjects"].is_array()).count(), 5);
    assert!(of("access.deny").iter().all(|record| record["searched"] == json!(["email"])));
    assert!(!found[8].as_object().unwrap().contains_key("searched"));
    let rows =
        fieldgate::audit::Query { class: Some("email".into()), kind: Some("access.deny".into()), ..Default::default() };
    assert_eq!(fieldgate::audit::query(&world.made.audit, &rows).unwrap().len(), 2);
}

#[test]
fn people_who_are_found_count_even_when_nothing_of_them_is_revealed() {
    let world = agents("stop_after = 2\ncounts = [\"find\"]").start();
    let find = |number: usize| {
        let email = world.direct().get(&customer(number)).json()["email"].as_str().unwrap().replace('@', "%40");
        world.agent().get(&format!("/api/v1/customers?email={email}"))
    };
    assert_eq!([find(0).status, find(1).status, find(0).status], [200, 200, 200]);
    stopped(&find(2), "agents");
    assert!(is_revealed(&world.agent().get(&customer(5))), "reveals do not count here");
}

fn question(number: usize, field: &str, value: &str) -> Value {
    json!({"route": "customer.read", "id": format!("C-{}", 1_001 + number), field.split('=').next().unwrap():
        field.split('=').nth(1).unwrap(), "value": value})
}

#[test]
fn a_value_can_be_compared_by_who_may_not_see_it() {
    let world = Setup::new().start();
    let held = world.direct().get(&customer(0)).json();
    let email = held["email"].as_str().unwrap();
    let ask = |who: &Client, question: &Value| who.send(Method::POST, "/.fieldgate/verify", question);
    let agent = world.agent();
    for (field, value, expected) in [
        ("field=$.email", email.to_uppercase(), true),
        ("class=email", format!(" {email}"), true),
        ("class=email", format!("x{email}"), false),
        ("field=$.card.number", held["card"]["number"].as_str().unwrap().to_owned(), true),
        ("class=iban", held["iban"].as_str().unwrap().to_lowercase(), true),
    ] {
        let answer = ask(&agent, &question(0, field, &value));
        assert_eq!(answer.text(), format!("{{\"match\":{expected}}}\n"), "{field}");
        assert_eq!((answer.status.as_u16(), answer.header("cache-control").as_str()), (200, "no-store"));
        assert!(!answer.header("fieldgate-audit-ref").is_empty());
    }
    let nobody = json!({"route": "customer.read", "id": "C-999999", "class": "email", "value": email});
    assert_eq!(ask(&agent, &nobody).text(), "{\"match\":false}\n");
    let verified = world.wait_for("access.verify", 6);
    let first = &verified[0];
    assert_eq!((&first["op"]["verb"], &first["op"]["route"]), (&json!("verify"), &json!("customer.read")));
    assert_eq!((&first["searched"], &first["match"]), (&json!(["email"]), &json!(true)));
    assert_eq!(verified[2]["match"], false);
    assert!(first["subjects"][0]["ref"].as_str().unwrap().starts_with("s1:"));
    let log = world.records().iter().map(Value::to_string).collect::<String>();
    assert!(!log.contains(email) && !log.contains("C-1001"));

    for (what, question, status, code) in [
        (
            "a route that writes",
            json!({"route": "customer.delete", "id": "C-1001", "class": "email", "value": "x"}),
            400,
            "bad_question",
        ),
        ("a list", json!({"route": "customer.list", "class": "email", "value": "x"}), 400, "bad_question"),
        ("no route", json!({"route": "nothing", "id": "C-1001", "class": "email", "value": "x"}), 400, "bad_question"),
        (
            "another path",
            json!({"route": "customer.read", "id": "C-1001/orders", "class": "email", "value": "x"}),
            400,
            "bad_question",
        ),
        ("no such class", question(0, "class=nothing", "x"), 400, "bad_question"),
        ("free text", question(0, "class=free_text", "x"), 400, "bad_question"),
        (
            "an unknown key",
            json!({"route": "customer.read", "id": "C-1001", "class": "email", "value": "x", "show": "all"}),
            400,
            "bad_question",
        ),
        ("a masked value", question(0, "class=email", "j\u{2022}\u{2022}\u{2022}@example.com"), 409, "masked_value"),
        (
            "a purpose nobody configured",
            json!({"route": "customer.read", "id": "C-1001", "class": "email", "value": "x", "purpose": "fun"}),
            400,
            "unknown_purpose",
        ),
    ] {
        let answer = ask(&agent, &question);
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{what}: {}", answer.text());
    }
    assert_eq!(ask(&world.stranger(), &question(0, "class=email", email)).status, 401);
    assert_eq!(agent.get("/.fieldgate/verify").status, 405);
    let stated = json!({"route": "customer.read", "id": "C-1001", "class": "email", "value": email, "purpose": "fraud_investigation", "case": "F-1"});
    assert_eq!(ask(&agent, &stated).text(), "{\"match\":true}\n");
    let last = world.wait_for("access.verify", 7).pop().unwrap();
    assert_eq!(last["purpose"]["code"], "fraud_investigation");
}

#[test]
fn wrong_values_and_new_people_use_up_the_budget_of_comparisons() {
    let mut world = agents("mask_after = 2\nstop_after = 2\nguess_after = 2").start();
    let ask = |world: &World, number: usize, value: &str| {
        world.agent().send(Method::POST, "/.fieldgate/verify", &question(number, "class=email", value))
    };
    let email = |world: &World, number: usize| {
        world.direct().get(&customer(number)).json()["email"].as_str().unwrap().to_owned()
    };
    for number in [0, 1, 0, 1] {
        assert_eq!(
            ask(&world, number, &email(&world, number)).text(),
            "{\"match\":true}\n",
            "right values are no guesses"
        );
    }
    stopped(&ask(&world, 2, &email(&world, 2)), "agents");
    for _ in 0..2 {
        assert_eq!(ask(&world, 0, "guess@example.com").text(), "{\"match\":false}\n");
    }
    stopped(&ask(&world, 0, &email(&world, 0)), "agents");
    world.stop();
    world.start();
    stopped(&ask(&world, 0, &email(&world, 0)), "agents");
    assert!(is_revealed(&world.agent().get(&customer(1))));
    stopped(&world.agent().get(&customer(2)), "agents");
}

#[test]
fn without_a_rule_a_value_cannot_be_found_by_asking_often_enough() {
    let mut world = Setup::new().start();
    let ask = |world: &World, date: &str| {
        world.agent().send(Method::POST, "/.fieldgate/verify", &question(0, "class=birth_date", date))
    };
    for day in 0..fieldgate::config::BUILT_IN_GUESSES {
        assert_eq!(ask(&world, &format!("1900-01-{day}")).text(), "{\"match\":false}\n");
    }
    stopped(&ask(&world, "1900-02-01"), "built-in");
    world.stop();
    world.start();
    stopped(&ask(&world, "1900-02-01"), "built-in");
    assert!(is_revealed(&world.agent().get(&customer(0))), "nothing else is counted");
    assert_eq!(world.agent().get("/api/v1/customers?email=nobody%40example.com").status, 200);
    let other = question(0, "class=birth_date", "1900-02-01");
    assert_eq!(world.supervisor().send(Method::POST, "/.fieldgate/verify", &other).status, 200);
}

#[test]
fn a_crm_that_fails_is_no_guess() {
    let world = agents("guess_after = 1").start();
    let find = |client: Client| client.get("/api/v1/customers?email=a%40b.example");
    for _ in 0..3 {
        assert_eq!(find(world.agent().with("x-sandbox-quirk", "error-500")).status, 500);
    }
    assert_eq!(find(world.agent()).status, 200);
    stopped(&find(world.agent()), "agents");
}

#[test]
fn a_question_has_a_size() {
    let world = Setup::new().start();
    let ask = |bytes: usize| {
        let head = r#"{"route":"customer.read","id":"C-1001","class":"email","value":""#;
        let body = format!("{head}{}\"}}", "x".repeat(bytes - head.len() - 2));
        assert_eq!(body.len(), bytes);
        world.agent().call(Method::POST, "/.fieldgate/verify", Some(body))
    };
    assert_eq!(ask(16 * 1024).text(), "{\"match\":false}\n");
    let large = ask(16 * 1024 + 1);
    assert_eq!((large.status.as_u16(), large.code().as_str()), (413, "request_too_large"));
}
