//! A migration as an operator does it, over real HTTP: probe, count, pilot, run, verify, use it, rotate, and back.

use std::{collections::BTreeSet, time::Duration};

use fieldgate::sandbox::{Crm, World as Records};
use serde_json::Value;

use crate::{
    harness::{Said, Setup, World, fieldgate},
    world::same_records,
};

const CONTACTS: usize = 40;

const FIELDS: &[&str] = &["/FirstName", "/LastName", "/Email", "/Phone", "/Card__c", "/IBAN__c", "/Note__c"];

fn records() -> Records {
    Records::generate(41, CONTACTS).dumping().with_plain_notes()
}

/// The CRM, a configuration that stores five classes in other forms, keys and an empty vault; no gateway yet.
fn world(records: Records) -> World {
    let classes = [
        ("name", "token"),
        ("email", "token:email"),
        ("phone", "token:phone"),
        ("card_number", "seal"),
        ("iban", "seal:indexed"),
    ];
    Setup::of(Crm::generate(7, 0).with_world(records)).map("world.toml").storing(&classes, "mixed").provided()
}

fn run(world: &World, verb: &[&str], more: &[&str]) -> Said {
    let config = world.made.config.to_str().unwrap();
    fieldgate(verb.iter().chain(&["--config", config]).chain(more))
}

fn sweep(world: &World, verb: &str, more: &[&str]) -> Said {
    run(world, &[verb], &[&["--resource", "customer"], more].concat())
}

fn report(world: &World, verb: &str, more: &[&str]) -> Value {
    let file = world.dir.path().join("report.json");
    let said = sweep(world, verb, &[more, &["--report", file.to_str().unwrap()]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap()
}

/// Every value of every contact, as a thief of the database would have them; not what the CRM counts and stamps itself.
fn dump(world: &World) -> BTreeSet<String> {
    let text = String::from_utf8(world.crm.dump()).unwrap();
    let own =
        |line: &&str| line.starts_with("Contact\t") && !line.contains("\tUpdatedAt\t") && !line.contains("\tVersion\t");
    text.lines().filter(own).map(str::to_owned).collect()
}

#[test]
fn a_crm_is_protected_used_rotated_and_brought_back() {
    let mut world = world(records().throttled(60, Duration::from_millis(400)));
    let before = dump(&world);
    let secrets: Vec<String> = {
        let protected = ["name", "email", "phone", "card_number", "iban"];
        let all = world.crm.secrets().into_iter().filter(|(class, _)| protected.contains(class));
        all.map(|(_, value)| format!("\t{value}"))
            .filter(|value| before.iter().any(|line| line.ends_with(value)))
            .collect()
    };
    assert!(secrets.len() > CONTACTS * 4, "{}", secrets.len());

    let counted = report(&world, "protect", &[]);
    assert_eq!(counted["records"], CONTACTS);
    assert_eq!(counted["classes"]["email"]["clear"], counted["classes"]["email"]["to_do"]);
    assert_eq!(dump(&world), before, "counting changes nothing");
    assert_eq!(sweep(&world, "protect", &["--verify"]).code, 65, "clear values are left");

    let pilot = report(&world, "protect", &["--pilot", "5"]);
    assert_eq!(pilot["checked"]["damaged"], 0);
    let all = report(&world, "protect", &["--run"]);
    assert_eq!((&all["ended"], &all["checked"]["damaged"]), (&"finished".into(), &0.into()), "{all}");
    let stolen = dump(&world);
    for secret in &secrets {
        assert!(!stolen.iter().any(|line| line.ends_with(secret)), "a clear value is left");
    }
    let verified = sweep(&world, "protect", &["--verify"]);
    assert!(verified.code == 0 && verified.out.contains("`phase = \"enforced\"` can be set"), "{verified:?}");
    let again = report(&world, "protect", &["--run"]);
    assert_eq!(again["values"], serde_json::json!({}), "nothing is protected twice");
    assert_eq!(dump(&world), stolen);

    used(&mut world);
    rotated(&world);

    let back = report(&world, "unprotect", &["--run"]);
    assert_eq!(back["checked"]["damaged"], 0);
    assert_eq!(dump(&world), before, "every value is what it was");
}

/// A supervisor sees through the gateway what a twin holds that nobody protected.
fn used(world: &mut World) {
    let twin = Setup::of(Crm::generate(7, 0).with_world(records())).map("world.toml").start();
    world.start();
    let caller = world.supervisor().with("fieldgate-purpose", "fraud_investigation").with("fieldgate-case", "C-1");
    let items = |answer: crate::harness::Answer| {
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["items"].as_array().unwrap().clone()
    };
    let all = "/world/contacts?per_page=100";
    // The world's throttle counts the gateway's calls too.
    std::thread::sleep(Duration::from_millis(500));
    same_records(&items(caller.get(all)), &items(twin.direct().get(all)), "Id", FIELDS);
    world.stop();
}

/// After a rotation nothing is left under the old key of IBANs, so that it can be retired.
fn rotated(world: &World) {
    let listed = |world: &World| run(world, &["keys", "list"], &[]).out;
    let id = |text: &str, state: &str| {
        let line = text.lines().find(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.len() > 3 && words[1] == "seal" && words[2] == "iban" && words[3] == state
        });
        line.and_then(|line| line.split_whitespace().next()).map(str::to_owned)
    };
    let old = id(&listed(world), "active").unwrap();
    assert_eq!(run(world, &["keys", "rotate"], &["--class", "iban", "--purpose", "seal"]).code, 0);
    let new = id(&listed(world), "pending").unwrap();
    assert_eq!(run(world, &["keys", "promote"], &[&new, "--confirmed"]).code, 0);
    let done = report(world, "rewrap", &["--run"]);
    let keys = done["checked"]["inventory"]["keys"].as_object().unwrap();
    assert!(keys.contains_key(&new) && !keys.contains_key(&old), "{keys:?}");
    assert_eq!(run(world, &["keys", "retire"], &[&old, "--residual", "0"]).code, 0);
}

#[test]
fn a_probe_learns_the_columns_and_leaves_nothing_behind() {
    let world = world(records().folding_emails().trimming());
    let before = dump(&world);
    let said = sweep(&world, "probe", &[]);
    assert_eq!(said.code, 0, "{said:?}");
    for line in [
        "\"$.Email\" = { class = \"email\", max_chars = 80 }",
        "\"$.FirstName\" = { class = \"name\", max_chars = 40 }",
        "\"$.Card__c\" = { class = \"card_number\", max_chars = 255 }",
        "  blanks at the ends: blanks removed",
        "  sealed value: refused",
    ] {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
    let phone = said.out.split("$.Phone (phone)").nth(1).unwrap().split("$.").next().unwrap();
    assert!(phone.contains("fits: token:phone"), "{phone}");
    assert_eq!(dump(&world), before, "the scratch record is gone");
}

#[test]
fn mistakes_are_said_in_two_lines() {
    let world = world(records());
    for (verb, more, code, what) in [
        ("protect", &["--resource", "order"][..], 64, "does not say how `order` is swept"),
        ("protect", &["--resource", "customer", "--class", "ssn"], 64, "has no field of class `ssn`"),
        ("rewrap", &["--resource", "customer", "--upstream", "x"], 64, "there is no upstream `x`"),
        ("probe", &["--resource", "customer", "--credential", "/nowhere"], 78, "cannot be read"),
    ] {
        let said = run(&world, &[verb], more);
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.err.contains(what) && said.err.contains("help: "), "{said:?}");
    }
}
