//! Accounts of many principals, and what a log says of them.

use serde_json::{Value, json};

use super::{MAX_PRINCIPALS, account::Room, account_tests::rule, *};
use crate::crypto::{Purpose, RootKey};

fn budgets() -> Budgets {
    Budgets::new(RootKey::generate().unwrap().derive(Purpose::SubjectRef, "").unwrap())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_795_500_000 + seconds)
}

fn name(number: usize) -> Arc<str> {
    format!("p{number}").into()
}

#[test]
fn a_rule_keeps_so_many_principals_and_forgets_none_that_is_near_a_limit() {
    let (budgets, rule) = (budgets(), rule("per = \"hour\"\nstop_after = 2"));
    for number in 0..MAX_PRINCIPALS {
        let tally = budgets.tally(&rule, &name(number), at(0)).unwrap();
        // All but the last have seen one of the two people that they may see: half, which is near.
        if number + 1 < MAX_PRINCIPALS {
            account_tests::show(&mut lock(&tally), 1, at(0));
        }
    }
    assert!(budgets.tally(&rule, &name(MAX_PRINCIPALS), at(1)).is_some(), "the idle one gave way");
    let full = budgets.tally(&rule, &name(MAX_PRINCIPALS), at(1)).unwrap();
    account_tests::show(&mut lock(&full), 1, at(1));
    assert!(budgets.tally(&rule, &name(MAX_PRINCIPALS + 1), at(61)).is_none());
    let first = budgets.tally(&rule, &name(0), at(61)).unwrap();
    account_tests::show(&mut lock(&first), 2, at(61));
    assert_eq!(account_tests::show(&mut lock(&first), 3, at(61)), Room::None, "its first is remembered");
    assert!(budgets.tally(&rule, &name(MAX_PRINCIPALS + 1), at(3_900)).is_some(), "an hour later there is room");
}

#[test]
fn a_window_that_a_reload_changes_starts_anew() {
    let (budgets, hour, day) =
        (budgets(), rule("per = \"hour\"\nstop_after = 1"), rule("per = \"day\"\nstop_after = 1"));
    account_tests::show(&mut lock(&budgets.tally(&hour, &name(1), at(0)).unwrap()), 1, at(0));
    assert_eq!(lock(&budgets.tally(&hour, &name(1), at(0)).unwrap()).state(at(0)), State::Stopping);
    assert_eq!(lock(&budgets.tally(&day, &name(1), at(0)).unwrap()).state(at(0)), State::Empty);
}

/// A log of these records, as far as a start reads it.
fn log(records: &[Value]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let day = dir.path().join("seg/2026-11-24");
    std::fs::create_dir_all(&day).unwrap();
    let lines: String = records
        .iter()
        .map(|record| {
            // The kind and the time come first in a line, which a map sorts otherwise.
            let rest = record.to_string();
            let (kind, ts) = (record["kind"].as_str().unwrap(), record["ts"].as_str().unwrap());
            format!("{{\"v\":1,\"kind\":\"{kind}\",\"ts\":\"{ts}\",{}\n", &rest[1..])
        })
        .collect();
    std::fs::write(day.join("00000000000000.jsonl"), lines).unwrap();
    dir
}

fn reference(number: u8) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    format!("s1:{}", BASE64_URL_SAFE_NO_PAD.encode([number; 16]))
}

#[test]
fn what_the_log_says_of_the_window_is_counted_for_both_parties() {
    let agents = Arc::new(rule("per = \"hour\"\nmask_after = 2\nstop_after = 4\nguess_after = 2\nroles = [\"agent\"]"));
    let shown = |seconds: i64, person: u8, view: &str| {
        json!({
            "kind": "access.reveal", "ts": at(seconds).to_string(), "req": uuid::Uuid::nil().to_string(), "part": {"n": 1},
            "actor": {"sub": "bot", "kind": "ai", "roles": ["ai"], "on_behalf_of": {"sub": "anna", "roles": ["agent"]}},
            "subjects": [{"ref": reference(person), "type": "customer", view: ["name"]}],
        })
    };
    let miss = json!({
        "kind": "access.verify", "ts": at(3_590).to_string(), "match": false, "searched": ["email"],
        "actor": {"sub": "anna", "kind": "human", "roles": ["agent"]}, "subjects": [{"ref": reference(1), "type": "customer"}],
    });
    let found_nobody = json!({
        "kind": "access.reveal", "ts": at(3_591).to_string(), "part": {"n": 1}, "searched": ["email"],
        "actor": {"sub": "anna", "kind": "human", "roles": ["agent"]},
    });
    let dir = log(&[
        shown(-9_000, 9, "reveal"),
        shown(100, 1, "reveal"),
        shown(200, 1, "reveal"),
        shown(300, 2, "reveal"),
        shown(400, 3, "capped"),
        shown(500, 4, "mask"),
        miss,
        found_nobody,
    ]);
    let budgets = budgets();
    let settings = BudgetSettings { rules: vec![(*agents).clone()] };
    budgets.restore(&Rules::new(&settings), dir.path(), at(3_600));
    let anna = budgets.tally(&agents, &"anna".into(), at(3_600)).unwrap();
    let mut anna = lock(&anna);
    let rooms: Vec<Room> = [1, 2, 3, 4].map(|person| anna.room(&[person; 16], at(3_600))).to_vec();
    assert_eq!(rooms, [Room::Full, Room::Full, Room::Mask, Room::Mask]);
    assert_eq!(account_tests::show(&mut anna, 77, at(3_600)), Room::Mask, "three are counted");
    assert_eq!(account_tests::show(&mut anna, 78, at(3_600)), Room::None, "and a masked one by policy is not");
    assert_eq!(anna.guess(at(3_600)), Room::None, "two guesses");
    drop(anna);
    let bot = budgets.tally(&agents, &"bot".into(), at(3_600)).unwrap();
    assert_eq!(lock(&bot).state(at(3_600)), State::Empty, "the rule is about agents");
}
