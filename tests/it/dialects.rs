//! Search rewriting against the sample CRM's own evaluators: what a rewritten query finds among stored forms is what the
//! query finds in clear, in every dialect, while values have two stored forms and some are in clear yet.

use std::collections::BTreeSet;

use fieldgate::{
    crm::{
        Api,
        search::{Pattern, SearchError, SearchPlace},
    },
    model::{Class, ClassId, ClassTable, Entity, KeyScope, MaskStyle, Mode, Phase, Storage, TokenShape},
    sandbox::{Crm, World},
};
use http::Method;
use serde_json::Value;

use crate::questions::{Dialect, Question, Questions, Rng};

/// Questions per dialect.
const RUNS: usize = 150;

/// How cards are stored: by an index in front, or as tokens where a dialect has no search by prefix.
#[derive(Clone, Copy, PartialEq)]
enum Cards {
    Indexed,
    Tokens,
}

fn classes(cards: Cards) -> ClassTable {
    let class = |name: &str, mode: Mode, detects: &[Entity]| Class {
        name: name.into(),
        mask: MaskStyle::Full,
        storage: Storage { mode, phase: Phase::Mixed, ..Storage::CLEAR },
        detects: detects.to_vec(),
    };
    let card = if cards == Cards::Indexed { Mode::SealIndexed } else { Mode::Token(TokenShape::Opaque) };
    ClassTable::new(vec![
        class("name", Mode::Clear, &[]),
        class("email", Mode::Token(TokenShape::Email), &[Entity::Email]),
        class("phone", Mode::Token(TokenShape::Phone), &[Entity::Phone]),
        class("card_number", card, &[Entity::Card]),
        class("iban", Mode::Det, &[Entity::Iban]),
        class("ssn", Mode::Seal(KeyScope::Class), &[Entity::UsSsn]),
    ])
    .unwrap()
}

/// A stand-in for keyed functions: 32 characters that depend on `text` and `generation`.
fn hashed(text: &str, generation: u64, alphabet: &[u8]) -> String {
    let seed =
        text.to_lowercase().bytes().fold(generation, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut rng = Rng(seed);
    (0..32).map(|_| char::from(alphabet[rng.below(alphabet.len())])).collect()
}

/// The stored form of a value: of the first or second generation, or (2) the value itself.
fn stored(class: &str, cards: Cards, text: &str, generation: usize) -> String {
    let hashed = |alphabet: &[u8]| hashed(text, generation as u64 + 1, alphabet);
    let lower = b"abcdefghijklmnopqrstuvwxyz234567";
    match class {
        _ if generation == 2 => text.to_owned(),
        "email" => format!("fg1t{}@tok.example", &hashed(lower)[..24]),
        "phone" => format!("+999{}", &hashed(b"0123456789")[..12]),
        "card_number" if cards == Cards::Indexed => format!("fg1_{}", hashed(b"abcXYZ019-_")),
        "card_number" => format!("fg1t{}", &hashed(lower)[..24]),
        _ => format!("fg1_{}", hashed(b"abcXYZ019-_")),
    }
}

fn class_of(column: &str) -> Option<&'static str> {
    match column {
        "Email" | "SuppliedEmail" => Some("email"),
        "Phone" | "SuppliedPhone" => Some("phone"),
        "Card__c" => Some("card_number"),
        "IBAN__c" => Some("iban"),
        _ => None,
    }
}

/// A CRM in clear, one with stored forms of the same records, and the map between them.
struct Worlds {
    clear: Crm,
    sealed: Crm,
    contacts: Vec<Value>,
    api: Api,
    classes: ClassTable,
    cards: Cards,
}

impl Worlds {
    fn new(cards: Cards, sql_nulls: bool) -> Self {
        let with = |world: World| if sql_nulls { world.with_sql_nulls() } else { world };
        let source = World::generate(23, 60).with_plain_notes();
        let sealed = Crm::generate(1, 0).with_world(with(World::empty()));
        for (path, records) in [("contacts", source.contacts()), ("cases", source.cases())] {
            for (at, mut record) in records.into_iter().enumerate() {
                for (column, value) in record.as_object_mut().unwrap() {
                    let Some(class) = class_of(column) else { continue };
                    let form = stored(class, cards, value.as_str().unwrap(), at % 3);
                    // A sealed value is its index and something that differs every time.
                    let tail = if form.starts_with("fg1_") && class == "card_number" {
                        format!("tail{at}")
                    } else {
                        String::new()
                    };
                    *value = Value::from(form + &tail);
                }
                let (status, body) = sealed.ask(Method::POST, &format!("/world/{path}"), &record.to_string());
                assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
            }
        }
        let contacts = source.contacts();
        let classes = classes(cards);
        let map = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/world.toml");
        let api = Api::parse(map, &std::fs::read_to_string(map).unwrap(), &classes).unwrap_or_else(|mistakes| {
            panic!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        let clear = Crm::generate(1, 0).with_world(with(source));
        Self { clear, sealed, contacts, api, classes, cards }
    }

    fn forms(&self, class: ClassId, value: &str) -> Vec<Pattern> {
        let class = self.classes.name(class);
        (0..3)
            .map(|generation| match stored(class, self.cards, value, generation) {
                form if form.starts_with("fg1_") && class == "card_number" => Pattern::StartsWith(form),
                form => Pattern::Equals(form),
            })
            .collect()
    }

    /// Asks in clear and, rewritten, among stored forms; gives how many records both find.
    fn compare(&self, method: &Method, target: &str, body: &str, list: &str, id: &str) -> usize {
        let matched = self.api.matches(method, target).unwrap_or_else(|error| panic!("{error:?}: {target}"));
        let (mut there, mut inside) = (matched.target.clone(), body.to_owned());
        match matched.route.search.iter().find(|rule| rule.place == SearchPlace::Body) {
            Some(rule) => {
                let query = rule.parse(body).unwrap_or_else(|error| panic!("{error}: {body}"));
                let answers: Vec<_> =
                    query.asks().iter().map(|ask| self.forms(ask.class, ask.value.expose())).collect();
                inside = query.rewrite(&answers).unwrap_or_else(|error| panic!("{error}: {body}"));
            }
            None => {
                let search = matched.search().unwrap_or_else(|error| panic!("{error}: {target}"));
                let answers: Vec<_> =
                    search.asks().iter().map(|ask| self.forms(ask.class, ask.value.expose())).collect();
                there = match search.rewritten(&answers) {
                    // A word without a field takes one form: with several it is refused, which is never wrong.
                    Err(SearchError::Ambiguous { .. }) => return 0,
                    rewritten => rewritten.unwrap_or_else(|error| panic!("{error}: {target}")),
                };
            }
        }
        let expected = found(&self.clear, method, target, body, list, id);
        let seen = found(&self.sealed, method, &there, &inside, list, id);
        assert_eq!(seen, expected, "{target} {body}\nbecame {there} {inside}");
        expected.len()
    }
}

fn found(crm: &Crm, method: &Method, target: &str, body: &str, list: &str, id: &str) -> BTreeSet<String> {
    let (status, answer) = crm.ask(method.clone(), target, body);
    let text = String::from_utf8_lossy(&answer);
    assert_eq!(status, 200, "{target} {body}: {text}");
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    answer[list].as_array().unwrap().iter().map(|record| record[id].as_str().unwrap().to_owned()).collect()
}

/// Asks [`RUNS`] questions; one in four has to find somebody.
fn run(dialect: Dialect, cards: Cards, sql_nulls: bool) {
    let worlds = Worlds::new(cards, sql_nulls);
    let mut questions = Questions { contacts: worlds.contacts.clone(), rng: Rng(5) };
    let (list, id) = dialect.records();
    let mut telling = 0;
    for _ in 0..RUNS {
        let Question { method, target, body } = questions.equality(dialect);
        telling += usize::from(worlds.compare(&method, &target, &body, list, id) > 0);
    }
    assert!(telling > RUNS / 4, "only {telling} of {RUNS} find somebody");
}

#[test]
fn soql_among_stored_forms() {
    run(Dialect::Soql, Cards::Indexed, false);
    run(Dialect::Soql, Cards::Indexed, true);
}

#[test]
fn odata_among_stored_forms() {
    run(Dialect::OData, Cards::Indexed, false);
    run(Dialect::OData, Cards::Indexed, true);
}

#[test]
fn ticket_sql_among_stored_forms() {
    run(Dialect::TicketSql, Cards::Indexed, false);
    run(Dialect::TicketSql, Cards::Indexed, true);
}

#[test]
fn zendesk_among_stored_forms() {
    run(Dialect::Zendesk, Cards::Indexed, false);
}

#[test]
fn hubspot_among_stored_forms() {
    run(Dialect::HubSpot, Cards::Tokens, false);
}
