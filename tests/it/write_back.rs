//! What a client read and writes back whole changes no stored value, whatever stands in for it and however it is sent.
//! `FIELDGATE_WRITE_BACK_CASES` is the number of records of each kind.

use std::cell::{Cell, RefCell};

use fieldgate::{
    protect::is_stand_in,
    sandbox::{Crm, World as Records},
};
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Value};

use crate::harness::{Answer, Client, Line, Setup, World};

/// Who sees what: agents masks, agents with a purpose nothing, AI agents pseudonyms, supervisors everything.
const POLICIES: &str = r#"
@id("work")
permit (principal, action in [Action::"read", Action::"list", Action::"create", Action::"update"], resource);
@id("masks")
permit (principal in Role::"agent", action == Action::"mask", resource) unless { context has purpose };
@id("stand-ins")
permit (principal in Role::"ai_assistant", action == Action::"pseudonym", resource);
@id("texts")
permit (principal, action == Action::"reveal", resource == Class::"free_text") unless { context has purpose };
@id("everything")
permit (principal in Role::"supervisor", action == Action::"reveal", resource);
"#;

/// A kind of record: the path of its collection, and its protected columns with their classes.
pub struct Kind {
    pub path: &'static str,
    pub columns: &'static [(&'static str, &'static str)],
}

pub const CONTACT: Kind = Kind {
    path: "contacts",
    columns: &[
        ("FirstName", "nickname"),
        ("LastName", "name"),
        ("Email", "email"),
        ("Phone", "phone"),
        ("Card__c", "card_number"),
        ("IBAN__c", "iban"),
        ("Note__c", "address"),
    ],
};

pub const CASE: Kind = Kind {
    path: "cases",
    columns: &[
        ("Subject", "birth_date"),
        ("Description", "free_text"),
        ("SuppliedName", "ssn"),
        ("Card__c", "card_expiry"),
        ("SuppliedEmail", "email"),
        ("SuppliedPhone", "phone"),
    ],
};

/// Every stored form, each under a mask format of its own. IBANs are not opened on another record than their own.
pub fn setup() -> Setup {
    let classes = [
        ("name", "token"),
        ("email", "token:email"),
        ("phone", "token:phone"),
        ("card_number", "seal"),
        ("iban", "seal:indexed"),
        ("address", "seal:class"),
        ("birth_date", "seal"),
        ("ssn", "det"),
        ("card_expiry", "seal:indexed"),
        ("free_text", "seal"),
    ];
    Setup::of(Crm::generate(7, 0).with_world(Records::empty().without_validators()))
        .map("write-back.toml")
        .storing(&classes, "enforced")
        .edit("name = \"iban\"\n", "name = \"iban\"\nlinkage = \"strict\"\n")
        .append("\n[[class]]\nname = \"nickname\"\nmask = \"keep_first:2\"\nstorage = \"token\"\n")
        .file("policies/agent.cedar", POLICIES)
        .file("policies/ai_assistant.cedar", "")
        .file("policies/auditor.cedar", "")
        .file("policies/supervisor.cedar", "")
}

/// The callers, the one who sees everything last.
pub fn callers(world: &World) -> Vec<(&'static str, Line)> {
    let blind = world.agent().with("fieldgate-purpose", "customer_request");
    let all: [(&'static str, Client); 4] =
        [("agent", world.agent()), ("blind", blind), ("ai", world.ai()), ("supervisor", world.supervisor())];
    all.into_iter().map(|(name, client)| (name, Line::new(client))).collect()
}

/// The record as the CRM holds it.
pub fn held(world: &World, target: &str) -> Value {
    let (status, body) = world.crm.ask(Method::GET, target, "");
    assert_eq!(status, 200, "{target}");
    serde_json::from_slice(&body).unwrap()
}

fn total(world: &World, kind: &Kind) -> u64 {
    held(world, &format!("/world/{}?per_page=1", kind.path))["total"].as_u64().unwrap()
}

pub fn create(line: &mut Line, kind: &Kind, record: &Value) -> String {
    let made = line.call(Method::POST, &format!("/world/{}", kind.path), &record.to_string());
    assert_eq!(made.status, 201, "{record}: {}", made.text());
    made.json()["id"].as_str().unwrap().to_owned()
}

/// A way to write a record back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verb {
    Patch,
    Put,
    Batch,
    UpsertByKey,
    UpsertByEmail,
    Create,
    BatchCreate,
    Form,
}

impl Verb {
    const ALL: [Self; 8] = [
        Self::Patch,
        Self::Put,
        Self::Batch,
        Self::UpsertByKey,
        Self::UpsertByEmail,
        Self::Create,
        Self::BatchCreate,
        Self::Form,
    ];

    /// Whether a stand-in is left out of the write, or the whole write refused.
    fn drops(self) -> bool {
        matches!(self, Self::Patch | Self::Batch | Self::UpsertByKey | Self::UpsertByEmail)
    }

    fn creates(self) -> bool {
        matches!(self, Self::Create | Self::BatchCreate | Self::Form)
    }

    /// Sends `record`, of which the CRM holds `truth`; nothing when the kind has no such way.
    fn send(self, line: &mut Line, kind: &Kind, truth: &Value, record: &Value, spelling: usize) -> Option<Answer> {
        let path = format!("/world/{}", kind.path);
        let one = format!("{path}/{}", truth["Id"].as_str().unwrap());
        let by = |field: &str| {
            // A path with an escaped separator is refused for every caller.
            let plain = |key: &str| key.chars().all(|c| c.is_alphanumeric() || "-._~@+".contains(c));
            let key = truth[field].as_str().filter(|key| !key.is_empty() && kind.path == "contacts" && plain(key))?;
            Some(format!("{path}/by/{field}/{}", encoded(key)))
        };
        let (method, target, body) = match self {
            Self::Patch => (Method::PATCH, one, spelled(record, spelling)),
            Self::Put => (Method::PUT, one, spelled(record, spelling)),
            Self::Batch => (Method::PATCH, format!("{path}/batch"), format!("[{}]", spelled(record, spelling))),
            Self::UpsertByKey => (Method::PATCH, by("ExternalId__c")?, spelled(record, spelling)),
            Self::UpsertByEmail => (Method::PATCH, by("Email")?, spelled(record, spelling)),
            Self::Create => (Method::POST, path, spelled(record, spelling)),
            Self::BatchCreate => (Method::POST, format!("{path}/batch"), format!("[{}]", spelled(record, spelling))),
            Self::Form => {
                let texts = record.as_object().unwrap().iter().filter_map(|(name, text)| Some((name, text.as_str()?)));
                let pairs: Vec<_> = texts.map(|(name, text)| format!("{name}={}", encoded(text))).collect();
                let target = format!("/world/forms/{}", kind.path);
                return Some(line.call_as(
                    "application/x-www-form-urlencoded",
                    Method::POST,
                    &target,
                    &pairs.join("&"),
                ));
            }
        };
        Some(line.call(method, &target, &body))
    }
}

fn encoded(text: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(text, RESERVED).to_string()
}

/// `record` as different clients write JSON: as it comes, with indents, in ASCII, with its members in another order.
fn spelled(record: &Value, how: usize) -> String {
    match how % 4 {
        0 => record.to_string(),
        1 => serde_json::to_string_pretty(record).unwrap(),
        2 => record.to_string().chars().fold(String::new(), |mut text, c| {
            let mut units = [0; 2];
            match c.is_ascii() {
                true => text.push(c),
                false => c.encode_utf16(&mut units).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}"))),
            }
            text
        }),
        _ => {
            let members = record.as_object().unwrap().iter().rev();
            let members: Vec<_> =
                members.map(|(name, value)| format!("{}: {value}", Value::from(name.as_str()))).collect();
            format!("{{{}}}", members.join(" , "))
        }
    }
}

/// Nothing that stands in for a value is in what the CRM holds.
fn assert_no_stand_in(kind: &Kind, record: &Value, what: &dyn Fn() -> String) {
    for (column, _) in kind.columns {
        let text = record[*column].as_str().unwrap_or_default();
        let token = text.starts_with("fg1") || text.starts_with("+999") && text.len() == 16;
        assert!(text.is_empty() || token, "{column} is not stored as it should: {}", what());
    }
}

/// Reads the record as `line` and writes it back in every way; the CRM then holds what it held.
fn write_back(world: &World, line: &mut Line, who: &str, kind: &Kind, truth: &Value, turn: usize) -> usize {
    let target = format!("/world/{}/{}", kind.path, truth["Id"].as_str().unwrap());
    let seen = line.call(Method::GET, &target, "").json();
    let hidden: Vec<&str> =
        kind.columns.iter().map(|(column, _)| *column).filter(|column| seen[*column] != truth[*column]).collect();
    assert!(who != "supervisor" || hidden.is_empty(), "{hidden:?}");
    let mut ways = 0;
    for (at, verb) in Verb::ALL.into_iter().enumerate() {
        if verb.creates() && hidden.is_empty() {
            continue;
        }
        let (before, count) = (held(world, &target), total(world, kind));
        let Some(answer) = verb.send(line, kind, truth, &seen, turn + at) else { continue };
        ways += 1;
        let what = || format!("{who} {verb:?} {seen} {}: {}", answer.status, answer.text());
        let after = held(world, &target);
        assert_no_stand_in(kind, &after, &what);
        assert_eq!(total(world, kind), count, "a record more: {}", what());
        if hidden.is_empty() || verb.drops() {
            assert!(answer.status.is_success(), "{}", what());
            assert!(verb != Verb::Batch || answer.json()[0]["success"] == true, "{}", what());
        } else {
            assert_eq!((answer.status, answer.code().as_str()), (StatusCode::CONFLICT, "masked_value"), "{}", what());
            assert_eq!(after, before, "refused and written: {}", what());
        }
        for column in &hidden {
            assert_eq!(after[*column], before[*column], "{column}: {}", what());
        }
    }
    ways
}

/// A value as people write it, one as nobody does, or none.
fn value(typical: &'static str) -> impl Strategy<Value = String> {
    let real = |text: &String| !is_stand_in(text) && !text.starts_with("fg1") && !text.starts_with("+999");
    let odd = prop_oneof!["[ -~]{1,24}", "[a-zäß王 .,@0-9-]{1,12}"];
    prop_oneof![5 => typical.boxed(), 2 => odd.boxed(), 1 => Just(String::new()).boxed()]
        .prop_filter("a stand-in", real)
}

fn contact() -> impl Strategy<Value = Value> {
    let columns = (
        value("[A-Z][a-z]{2,9}"),
        value("[A-Z][a-z]{2,9} [A-Z][a-z]{2,12}").prop_filter("required", |name| !name.trim().is_empty()),
        value("[A-Za-z]{1,8}\\.[a-z]{1,8}@(example|Sample)\\.(com|org)"),
        value("\\+49 1[5-7][0-9] [0-9]{7,8}"),
        value("4[0-9]{3} [0-9]{4} [0-9]{4} [0-9]{4}"),
        value("DE[0-9]{20}"),
        value("[0-9]{1,3} [A-Z][a-z]{3,9} Street, [A-Z][a-z]{3,9}"),
    );
    columns.prop_map(|(a, b, c, d, e, f, g)| named(&CONTACT, [a, b, c, d, e, f, g]))
}

fn case() -> impl Strategy<Value = Value> {
    let text = "(call|mail) [a-z]{3,8}\\.[a-z]{3,8}@example\\.com (or \\+4915112345[0-9]{3} )?(today|soon)";
    let columns = (
        value("19[0-9]{2}-0[1-9]-[12][0-9]").prop_filter("required", |text| !text.trim().is_empty()),
        value(text),
        value("[0-9]{3}-[0-9]{2}-[0-9]{4}").prop_filter("too long when stored", |text| text.is_ascii()),
        value("(0[1-9]|1[0-2])/(2[5-9]|3[0-9])"),
        value("[a-z]{1,8}@example\\.com"),
        value("030 [0-9]{6,9}"),
    );
    columns.prop_map(|(a, b, c, d, e, f)| named(&CASE, [a, b, c, d, e, f]))
}

/// A record of these texts; absent ones are not named.
pub fn named<const N: usize>(kind: &Kind, texts: [String; N]) -> Value {
    let members = kind.columns.iter().zip(texts).filter(|(_, text)| !text.is_empty());
    Value::Object(members.map(|((column, _), text)| ((*column).to_owned(), text.into())).collect::<Map<_, _>>())
}

fn cases() -> u32 {
    std::env::var("FIELDGATE_WRITE_BACK_CASES").map_or(6, |text| text.parse().unwrap())
}

/// Writes `cases` records of `kind` and has every caller write each of them back in every way.
fn run(kind: &Kind, records: impl Strategy<Value = Value>) {
    let world = setup().stored();
    let callers = RefCell::new(callers(&world));
    let (turn, ways) = (Cell::new(0), Cell::new(0));
    let config = Config { cases: cases(), failure_persistence: None, max_shrink_iters: 8, ..Config::default() };
    let done = TestRunner::new(config).run(&records, |record| {
        let (mut callers, mut record) = (callers.borrow_mut(), record);
        turn.set(turn.get() + 1);
        if kind.path == "contacts" {
            record["ExternalId__c"] = format!("ext-{}", turn.get()).into();
        }
        let supervisor = &mut callers.last_mut().unwrap().1;
        let id = create(supervisor, kind, &record);
        let target = format!("/world/{}/{id}", kind.path);
        let truth = supervisor.call(Method::GET, &target, "").json();
        for at in 0..callers.len() {
            let (who, line) = &mut callers[at];
            ways.set(ways.get() + write_back(&world, line, who, kind, &truth, turn.get()));
            let mut now = callers.last_mut().unwrap().1.call(Method::GET, &target, "").json();
            for own in ["Version", "UpdatedAt"] {
                now[own] = truth[own].clone();
            }
            prop_assert_eq!(&now, &truth);
        }
        Ok(())
    });
    done.unwrap_or_else(|error| panic!("{error}"));
    eprintln!("{}: {} records, {} writes back", kind.path, turn.get(), ways.get());
    assert!(ways.get() >= cases() as usize * 12, "{} writes back", ways.get());
    world.verify();
}

#[test]
fn a_contact_written_back_changes_no_stored_value() {
    run(&CONTACT, contact());
}

#[test]
fn a_case_written_back_changes_no_stored_value() {
    run(&CASE, case());
}
