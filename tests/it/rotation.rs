//! Keys that change and people who are erased while a gateway runs: nobody who reads or searches notices a rotation,
//! and nobody sees an erased value. `FIELDGATE_ROTATION_RECORDS` is the number of records; with `FIELDGATE_VAULT_URL` (and
//! `_PASSWORD_FILE`, `_CA`) the vault lies in PostgreSQL, and `fieldgate rewrap` sweeps beside the gateway.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fieldgate::{
    crypto::{Envelope, KeyId},
    sandbox::{Crm, World as Contacts},
};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Hello, Session, Setup, World, fieldgate};

const CONTACTS: &str = "/world/contacts";
const BATCH: &str = "/world/contacts/batch";
/// Records of one call.
const CALL: usize = 100;
/// More records than this are swept once for all keys.
const MANY: usize = 1_000;
/// The protected fields.
const FIELDS: [&str; 4] = ["Email", "Phone", "Card__c", "IBAN__c"];

/// A gateway that stores addresses and telephone numbers as tokens, cards sealed, IBANs sealed with an index.
fn world() -> World {
    let classes =
        [("email", "token:email"), ("phone", "token:phone"), ("card_number", "seal"), ("iban", "seal:indexed")];
    let crm = Crm::generate(7, 0).with_world(Contacts::generate(41, 0));
    let world = Setup::of(crm).map("rotation.toml").storing(&classes, "enforced").prepare();
    if let Some(url) = shared_vault() {
        let file =
            |key, variable| std::env::var(variable).map_or(String::new(), |path| format!("{key} = \"{path}\"\n"));
        let (password, ca) =
            (file("password_file", "FIELDGATE_VAULT_PASSWORD_FILE"), file("ca_file", "FIELDGATE_VAULT_CA"));
        let text = std::fs::read_to_string(&world.made.config).unwrap();
        let text = text.replace("[vault]\n", &format!("[vault]\nurl = \"{url}\"\n{password}{ca}"));
        std::fs::write(&world.made.config, text).unwrap();
    }
    let mut world = world.provide();
    world.start();
    world
}

/// The PostgreSQL server that the gateway shares with `fieldgate rewrap`, when there is one.
fn shared_vault() -> Option<String> {
    std::env::var("FIELDGATE_VAULT_URL").ok()
}

/// A kept connection of the supervisor, who may see everything for this purpose.
struct Caller {
    session: Session,
    head: String,
}

impl Caller {
    fn new(world: &World) -> Self {
        let key = world.key("supervisor-sam");
        let head = format!(
            "Host: localhost\r\nFieldgate-Key: {key}\r\n\
             Fieldgate-Purpose: fraud_investigation\r\nFieldgate-Case: C-1\r\n"
        );
        Self { session: Hello::new(&world.made.ca).connect(world.address).unwrap(), head }
    }

    /// The body of an answer of 2xx.
    fn ask(&mut self, method: &str, target: &str, body: Option<&Value>) -> Result<Value, String> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let framing = match body.len() {
            0 => String::new(),
            length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
        };
        let request = format!("{method} {target} HTTP/1.1\r\n{}{framing}\r\n{body}", self.head);
        let answer = self.session.ask(&request)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no head")?;
        if !head.starts_with("HTTP/1.1 2") {
            return Err(format!("{method} {target}: {answer}"));
        }
        let text =
            if head.to_ascii_lowercase().contains("transfer-encoding") { unchunked(body) } else { body.to_owned() };
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|error| format!("{target}: {error}: {text}"))
    }
}

fn unchunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        text.push_str(&rest[..length]);
        body = &rest[(length + 2).min(rest.len())..];
    }
    text
}

/// The plaintext oracle: who was created, in the order of the CRM. Two share an address, three a telephone, four an
/// IBAN.
struct Oracle(Vec<Person>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Person {
    id: String,
    fields: [String; 4],
}

fn person(number: usize) -> Person {
    let fields = [
        format!("Person.{}@example.com", number / 2),
        format!("+49151{:08}", number / 3),
        format!("4{number:015}"),
        format!("DE89{:018}", number / 4),
    ];
    Person { id: String::new(), fields }
}

impl Person {
    fn seen(row: &Value) -> Self {
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        Self { id: text("Id"), fields: FIELDS.map(text) }
    }

    fn written(&self) -> Value {
        let mut row = json!({ "LastName": "Sample" });
        for (field, text) in FIELDS.iter().zip(&self.fields) {
            row[*field] = text.as_str().into();
        }
        if !self.id.is_empty() {
            row["Id"] = self.id.as_str().into();
        }
        row
    }
}

impl Oracle {
    /// Creates `count` people through the gateway.
    fn created(world: &World, count: usize) -> Self {
        let mut caller = Caller::new(world);
        let mut people: Vec<Person> = (0..count).map(person).collect();
        for batch in people.chunks_mut(CALL) {
            let rows: Value = batch.iter().map(Person::written).collect();
            let made = caller.ask("POST", BATCH, Some(&rows)).unwrap();
            for (person, made) in batch.iter_mut().zip(made.as_array().unwrap()) {
                assert_eq!(made["success"], true, "{made}");
                made["id"].as_str().unwrap().clone_into(&mut person.id);
            }
        }
        Self(people)
    }

    /// Compares `rows` with those of `expected`.
    fn compare(what: &str, rows: &Value, expected: impl Iterator<Item = Person>) -> Result<(), String> {
        let rows = rows.as_array().ok_or_else(|| format!("{what}: no rows: {rows}"))?;
        let (seen, truth): (BTreeSet<Person>, BTreeSet<Person>) =
            (rows.iter().map(Person::seen).collect(), expected.collect());
        if seen.len() == rows.len() && seen == truth {
            return Ok(());
        }
        let missed: Vec<_> = truth.difference(&seen).take(2).collect();
        let wrong: Vec<_> = seen.difference(&truth).take(2).collect();
        Err(format!("{what}: missed {missed:?}, false {wrong:?}"))
    }

    fn read_one(&self, caller: &mut Caller, at: usize) -> Result<(), String> {
        let person = &self.0[at % self.0.len()];
        let row = caller.ask("GET", &format!("{CONTACTS}/{}", person.id), None)?;
        Self::compare("a record", &json!([row]), std::iter::once(person.clone()))
    }

    fn read_page(&self, caller: &mut Caller, at: usize) -> Result<(), String> {
        let start = at % self.0.len();
        let after = start.checked_sub(1).map_or("", |before| self.0[before].id.as_str());
        let page = caller.ask("GET", &format!("{CONTACTS}?per_page=20&after={after}"), None)?;
        Self::compare("a page", &page["items"], self.0.iter().skip(start).take(20).cloned())
    }

    /// An equality search for a field of somebody, and now and then for what nobody has.
    fn search(&self, caller: &mut Caller, at: usize) -> Result<(), String> {
        let field = [0, 1, 3][at % 3];
        let value = match at % 11 {
            0 => person(self.0.len() + 8).fields[field].clone(),
            _ => self.0[at % self.0.len()].fields[field].clone(),
        };
        let expected = self.0.iter().filter(|person| person.fields[field] == value).cloned();
        let name = FIELDS[field];
        if at.is_multiple_of(2) {
            let query = format!("SELECT FIELDS(ALL) FROM Contact WHERE {name} = '{value}'");
            let found = caller.ask("GET", &format!("/world/query?q={}", encoded(&query)), None)?;
            return Self::compare(&query, &found["records"], expected);
        }
        let filter = format!("{name} eq '{value}'");
        let found = caller.ask("GET", &format!("/world/odata/contacts?$filter={}", encoded(&filter)), None)?;
        Self::compare(&filter, &found["value"], expected)
    }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

type Step = fn(&Oracle, &mut Caller, usize) -> Result<(), String>;

/// Readers and searchers, and what went wrong at any moment.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    counts: [AtomicUsize; STEPS.len()],
    failures: Mutex<Vec<String>>,
}

const STEPS: [Step; 5] = [Oracle::read_one, Oracle::read_page, Oracle::search, Oracle::search, Oracle::search];

impl Load {
    fn run(&self, world: &World, oracle: &Oracle, thread: usize) {
        let mut caller = Caller::new(world);
        let mut at = thread * 7_919;
        while !self.stop.load(Ordering::Relaxed) {
            let started = Instant::now();
            if let Err(error) = STEPS[thread](oracle, &mut caller, at) {
                self.failures.lock().unwrap().push(error);
                caller = Caller::new(world);
            }
            at += 17;
            self.counts[thread].fetch_add(1, Ordering::Relaxed);
            if oracle.0.len() > MANY {
                // The sample CRM reads all its records for a search: without a pause nobody else gets an answer of it.
                std::thread::sleep(started.elapsed() * 6);
            }
        }
    }

    /// Waits until every exchange that is under way has ended, and a whole one after it: what
    /// `keys.propagation_seconds` is for. The bound only ends a run that hangs.
    fn settle(&self) {
        let before: Vec<usize> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let end = Instant::now() + Duration::from_secs(120);
        while self.counts.iter().zip(&before).any(|(count, before)| count.load(Ordering::Relaxed) < before + 2) {
            assert!(Instant::now() < end, "somebody waits for an answer");
            std::thread::sleep(Duration::from_millis(2));
        }
        self.failed_none("since the last step");
    }

    #[track_caller]
    fn failed_none(&self, when: &str) {
        let failures = self.failures.lock().unwrap();
        assert!(failures.is_empty(), "{when}: {} failed, the first: {}", failures.len(), failures[0]);
    }
}

/// Ends the load when the test ends, however it does: else its scope would wait for ever.
struct Ending<'a>(&'a Load);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

/// The stored texts of the CRM.
fn held(world: &World) -> Vec<Value> {
    let (direct, mut rows, mut after) = (world.direct(), Vec::new(), String::new());
    loop {
        let page = direct.get(&format!("{CONTACTS}?per_page=500&after={after}")).json();
        let items = page["items"].as_array().unwrap();
        rows.extend(items.iter().cloned());
        if page["next"].is_null() {
            return rows;
        }
        after = rows.last().unwrap()["Id"].as_str().unwrap().to_owned();
    }
}

/// How many values of the CRM name each key in their envelope.
fn in_use(world: &World) -> BTreeMap<KeyId, usize> {
    let mut found = BTreeMap::new();
    for row in held(world) {
        let texts = FIELDS.map(|field| row[field].as_str().unwrap());
        for envelope in texts.iter().filter_map(|text| Envelope::parse(text).ok()) {
            for key in [Some(envelope.key_id()), envelope.index_key_id()].into_iter().flatten() {
                *found.entry(key).or_default() += 1;
            }
        }
    }
    found
}

/// The id of the key of `purpose` and `class` in `state`.
fn key(world: &World, class: &str, purpose: &str, state: &str) -> String {
    let listed = world.done("keys list");
    let mut rows = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1..4) == Some(&[purpose, class, state]));
    row.unwrap_or_else(|| panic!("no {state} {purpose} key of {class}: {listed}"))[0].to_owned()
}

/// Brings every value under the active keys: with `fieldgate rewrap` beside the gateway where both can have the vault open,
/// else by reading every record through the gateway and writing it back.
fn sweep(world: &World, oracle: &Oracle) {
    if shared_vault().is_some() {
        let said = world.done("rewrap --resource customer --run --calls-per-second 10000 --share 100 --concurrency 16");
        assert!(said.contains("read again") && said.contains("0 damaged"), "{said}");
        return;
    }
    let mut caller = Caller::new(world);
    let mut after = "";
    for batch in oracle.0.chunks(CALL) {
        let page = caller.ask("GET", &format!("{CONTACTS}?per_page={CALL}&after={after}"), None).unwrap();
        let rows: Value = page["items"].as_array().unwrap().iter().map(|row| Person::seen(row).written()).collect();
        for written in caller.ask("PATCH", BATCH, Some(&rows)).unwrap().as_array().unwrap() {
            assert_eq!(written["success"], true, "{written}");
        }
        after = &batch[batch.len() - 1].id;
    }
}

/// The whole life of keys, from their successors' birth to their own end.
fn rotate(world: &World, oracle: &Oracle, load: &Load, kinds: &[(&str, &str)]) {
    let mut keys = Vec::new();
    for (class, purpose) in kinds {
        let old = key(world, class, purpose, "active");
        let said = world.done(&format!("keys rotate --class {class} --purpose {purpose}"));
        keys.push((*purpose, old, said.split('`').nth(1).unwrap().to_owned()));
    }
    world.gateway().reload().unwrap();
    load.settle();
    for (_, _, new) in &keys {
        world.done(&format!("keys promote {new} --confirmed"));
    }
    world.gateway().reload().unwrap();
    load.settle();
    let tokens = keys.iter().any(|(purpose, ..)| *purpose == "tok");
    if tokens {
        let said = world.done("vault reindex");
        assert!(!said.starts_with("0 tokens"), "{said}");
    }
    let sealed: Vec<_> = keys.iter().filter(|(purpose, ..)| *purpose != "tok").collect();
    let count =
        |found: &BTreeMap<KeyId, usize>, key: &str| found.get(&KeyId::parse(key).unwrap()).copied().unwrap_or_default();
    if !sealed.is_empty() {
        let before = in_use(world);
        sweep(world, oracle);
        let after = in_use(world);
        for (purpose, old, new) in sealed {
            assert_eq!((count(&before, old), count(&before, new)), (oracle.0.len(), 0), "{purpose}");
            assert_eq!((count(&after, old), count(&after, new)), (0, oracle.0.len()), "{purpose}");
        }
    }
    for (_, old, _) in &keys {
        for words in [format!("keys retire {old} --residual 0"), format!("keys destroy {old} --force")] {
            world.done(&words);
            world.gateway().reload().unwrap();
        }
    }
    load.settle();
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().map_or(default, |text| text.parse().unwrap())
}

#[test]
fn keys_are_replaced_and_destroyed_and_no_reader_or_searcher_notices() {
    let world = world();
    let started = Instant::now();
    let oracle = Oracle::created(&world, number("FIELDGATE_ROTATION_RECORDS", 300));
    eprintln!("{} records after {:.1} s", oracle.0.len(), started.elapsed().as_secs_f64());
    let token = held(&world)[0]["Email"].as_str().unwrap().to_owned();
    let load = Load::default();
    std::thread::scope(|scope| {
        let _ending = Ending(&load);
        for thread in 0..STEPS.len() {
            let (load, world, oracle) = (&load, &world, &oracle);
            scope.spawn(move || load.run(world, oracle, thread));
        }
        load.settle();
        let kinds = [("card_number", "seal"), ("iban", "bi"), ("iban", "seal"), ("email", "tok"), ("phone", "tok")];
        // One after the other, else one sweep for all.
        let together = if oracle.0.len() > MANY { kinds.len() } else { 1 };
        for kinds in kinds.chunks(together) {
            rotate(&world, &oracle, &load, kinds);
            eprintln!("{kinds:?} after {:.1} s", started.elapsed().as_secs_f64());
        }
        load.settle();
    });
    load.failed_none("at the end");
    let exchanges: usize = load.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum();
    eprintln!("{} records, {exchanges} exchanges, {:.1} s", oracle.0.len(), started.elapsed().as_secs_f64());
    // The CRM's link to a next page repeats a token from before.
    let filter = format!("Email eq '{token}'");
    let found =
        Caller::new(&world).ask("GET", &format!("/world/odata/contacts?$filter={}", encoded(&filter)), None).unwrap();
    Oracle::compare(&filter, &found["value"], oracle.0.iter().take(2).cloned()).unwrap();
    let listed = world.done("keys list");
    let destroyed = listed.lines().filter(|line| line.split_whitespace().nth(3) == Some("destroyed"));
    assert_eq!(destroyed.count(), 5, "{listed}");
    world.verify();
}

#[test]
fn who_is_erased_beside_a_running_gateway_is_gone_and_nobody_else() {
    let world = world();
    let oracle = Oracle::created(&world, 13);
    let mut caller = Caller::new(&world);
    // 4 shares her address with 5 and her telephone with 3 and 5; 12 shares nothing with anybody.
    let (sharing, alone) = (&oracle.0[4], &oracle.0[12]);
    let receipt = world.dir.path().join("receipt.json");
    let said = world.run(&format!(
        "vault erase customer:{} customer:{} --receipt {}",
        sharing.id,
        alone.id,
        receipt.display()
    ));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("2 subjects, 2 tokens"), "{said:?}");
    let key = world.made.config.parent().unwrap().join("keys/audit.vkey");
    let valid = fieldgate(["vault", "verify-receipt", receipt.to_str().unwrap(), "--key", key.to_str().unwrap()]);
    assert!(valid.code == 0 && valid.out.starts_with("valid: 2 subjects and 2 tokens"), "{valid:?}");
    for person in &oracle.0 {
        let row = caller.ask("GET", &format!("{CONTACTS}/{}", person.id), None).unwrap();
        let gone = person == sharing || person == alone;
        for (field, text) in FIELDS.iter().zip(&person.fields) {
            let expected = if gone { "⟦fg:erased⟧" } else { text };
            assert_eq!(row[*field], expected, "{field} of {}", person.id);
        }
    }
    for (value, finds) in [(&alone.fields[0], 0), (&oracle.0[6].fields[0], 2)] {
        let query = encoded(&format!("SELECT FIELDS(ALL) FROM Contact WHERE Email = '{value}'"));
        let found = caller.ask("GET", &format!("/world/query?q={query}"), None).unwrap();
        assert_eq!(found["records"].as_array().unwrap().len(), finds, "{value}");
    }
    // Whoever is written there next is somebody new.
    let next = Person { id: alone.id.clone(), ..person(500) };
    let written = world.supervisor().send(Method::PATCH, &format!("{CONTACTS}/{}", next.id), &next.written());
    assert!(written.status.is_success(), "{}", written.text());
    let row = caller.ask("GET", &format!("{CONTACTS}/{}", next.id), None).unwrap();
    assert_eq!(Person::seen(&row), next);
    world.verify();
}
