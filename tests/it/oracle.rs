//! Searches through a gateway that stores values in other forms, against a twin in clear: the same records in every
//! dialect, or a refusal. `FIELDGATE_SEARCHES` is the number of searches per dialect, `FIELDGATE_REFUSALS` that of
//! unsupported ones in all dialects together.

use std::collections::BTreeSet;

use fieldgate::sandbox::{Crm, World as Records};
use http::Method;
use serde_json::Value;

use crate::{
    harness::{Answer, Client, Line, Setup, World},
    questions::{Dialect, Question, Questions, Rng},
    world::{CONTACT, same_records},
};

const CONTACTS: usize = 60;

fn count(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// How the CRM treats a comparison with null.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Nulls {
    Values,
    Unknown,
}

impl Nulls {
    fn of(self, records: Records) -> Records {
        if self == Self::Unknown { records.with_sql_nulls() } else { records }
    }
}

/// A gateway that stores e-mail addresses, phone numbers, cards (as `cards`) and IBANs in other forms; its CRM is empty.
fn storing(cards: &str, nulls: Nulls) -> World {
    let classes = [("email", "token:email"), ("phone", "token:phone"), ("card_number", cards), ("iban", "token")];
    let crm = Crm::generate(7, 0).with_world(nulls.of(Records::empty()));
    Setup::of(crm).map("world.toml").storing(&classes, "enforced").stored()
}

/// A gateway through which its records were created, and the same records in clear.
struct Twins {
    world: World,
    line: Line,
    clear: Crm,
    /// Every value of a class that is not stored in clear, in lower case.
    secrets: BTreeSet<String>,
    questions: Questions,
}

impl Twins {
    fn new(cards: &str, nulls: Nulls) -> Self {
        let source = Records::generate(29, CONTACTS).with_plain_notes();
        let world = storing(cards, nulls);
        let seeing =
            |client: Client| client.with("fieldgate-purpose", "fraud_investigation").with("fieldgate-case", "C-1");
        let mut line = Line::new(seeing(world.supervisor()));
        let mut secrets = BTreeSet::new();
        for (path, records) in [("/world/contacts", source.contacts()), ("/world/cases", source.cases())] {
            for record in records {
                for column in ["Email", "Phone", "Card__c", "IBAN__c", "SuppliedEmail", "SuppliedPhone"] {
                    secrets.extend(record[column].as_str().map(str::to_lowercase));
                }
                let made = line.call(Method::POST, path, &record.to_string());
                assert_eq!(made.status, 201, "{}", made.text());
            }
        }
        assert!(secrets.len() > CONTACTS * 2, "{}", secrets.len());
        let questions = Questions { contacts: source.contacts(), rng: Rng(11) };
        let clear = Crm::generate(7, 0).with_world(nulls.of(source));
        Self { world, line, clear, secrets, questions }
    }

    fn ask(&mut self, question: &Question) -> Answer {
        self.line.call(question.method.clone(), &question.target, &question.body)
    }

    /// Asks both `searches` times; gives how often somebody was found.
    fn compare(&mut self, dialect: Dialect, searches: usize) -> usize {
        let mut telling = 0;
        for number in 0..searches {
            let question = self.questions.equality(dialect);
            let (status, truth) = self.clear.ask(question.method.clone(), &question.target, &question.body);
            let said = || format!("search {number}: {} {}", question.target, question.body);
            assert_eq!(status, 200, "{}", said());
            let seen = self.ask(&question);
            assert_eq!(seen.status, 200, "{}: {}", said(), seen.text());
            let (seen, truth) = (ids(dialect, &seen.bytes), ids(dialect, &truth));
            assert_eq!(seen, truth, "{}", said());
            telling += usize::from(!truth.is_empty());
        }
        telling
    }

    /// Asks what cannot be answered `times` times: nothing reaches the CRM.
    fn refuse(&mut self, dialect: Dialect, times: usize) {
        self.world.crm.clear_received();
        for number in 0..times {
            let question = self.questions.unsupported(dialect);
            let refused = self.ask(&question);
            let said = || format!("refusal {number}: {} {}: {}", question.target, question.body, refused.text());
            assert_eq!(refused.status, 422, "{}", said());
            assert!(["unsupported_on_protected", "aliased"].contains(&refused.code().as_str()), "{}", said());
        }
        assert_eq!(self.world.crm.received().len(), 0, "refused and sent");
    }

    /// Asserts that the CRM neither holds nor, in its last requests, was told a clear value of the stored classes.
    fn assert_nothing_in_clear(&self) {
        let dump = String::from_utf8_lossy(&self.world.crm.dump()).to_lowercase();
        let clear = String::from_utf8_lossy(&self.clear.dump()).to_lowercase();
        let told: Vec<String> = self.world.crm.received().iter().map(told).collect();
        for secret in &self.secrets {
            assert!(clear.contains(secret.as_str()), "the twin holds it");
            assert!(!dump.contains(secret.as_str()), "{secret} in the dump");
            assert!(!told.iter().any(|request| request.contains(secret.as_str())), "{secret} was sent");
        }
    }

    /// Asserts that the supervisor sees every protected field of the contacts as the twin holds it.
    fn assert_seen_in_clear(&mut self) {
        let all = "/world/contacts?per_page=100";
        let seen = self.line.call(Method::GET, all, "").json();
        let truth: Value = serde_json::from_slice(&self.clear.ask(Method::GET, all, "").1).unwrap();
        let list = |answer: &Value| answer["items"].as_array().unwrap().clone();
        assert_eq!(list(&truth).len(), CONTACTS);
        same_records(&list(&seen), &list(&truth), "Id", CONTACT);
    }
}

/// What a request says, decoded, in lower case.
fn told(request: &fieldgate::sandbox::Received) -> String {
    let target = percent_encoding::percent_decode_str(&request.target).decode_utf8_lossy().into_owned();
    format!("{target} {}", String::from_utf8_lossy(&request.body)).to_lowercase()
}

fn ids(dialect: Dialect, answer: &[u8]) -> BTreeSet<String> {
    let (list, id) = dialect.records();
    let answer: Value = serde_json::from_slice(answer).unwrap();
    let records = answer[list].as_array().unwrap_or_else(|| panic!("no {list}: {answer}"));
    let ids: BTreeSet<String> = records.iter().map(|record| record[id].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), records.len(), "a record comes twice");
    ids
}

/// Compares and refuses in `dialect`, in one pair of twins for each treatment of null.
fn run(dialect: Dialect, cards: &str, nulls: &[Nulls]) {
    let share = |total: usize| total.div_ceil(nulls.len());
    let searches = share(count("FIELDGATE_SEARCHES", 150));
    let refusals = share(count("FIELDGATE_REFUSALS", 100).div_ceil(5));
    for nulls in nulls {
        let mut twins = Twins::new(cards, *nulls);
        twins.assert_nothing_in_clear();
        let telling = twins.compare(dialect, searches);
        eprintln!("{dialect:?} {nulls:?}: {searches} searches, {telling} found somebody; {refusals} refusals");
        assert!(telling >= searches / 4, "only {telling} of {searches} find somebody");
        twins.assert_nothing_in_clear();
        twins.refuse(dialect, refusals);
        twins.assert_seen_in_clear();
        twins.world.verify();
    }
}

#[test]
fn soql_finds_what_a_twin_in_clear_finds_or_is_refused() {
    run(Dialect::Soql, "seal:indexed", &[Nulls::Values, Nulls::Unknown]);
}

#[test]
fn odata_finds_what_a_twin_in_clear_finds_or_is_refused() {
    run(Dialect::OData, "seal:indexed", &[Nulls::Values, Nulls::Unknown]);
}

#[test]
fn ticket_sql_finds_what_a_twin_in_clear_finds_or_is_refused() {
    run(Dialect::TicketSql, "seal:indexed", &[Nulls::Values, Nulls::Unknown]);
}

#[test]
fn zendesk_finds_what_a_twin_in_clear_finds_or_is_refused() {
    run(Dialect::Zendesk, "seal:indexed", &[Nulls::Values]);
}

/// Its API has no search by prefix, so cards are tokens here.
#[test]
fn hubspot_finds_what_a_twin_in_clear_finds_or_is_refused() {
    run(Dialect::HubSpot, "token", &[Nulls::Values]);
}
