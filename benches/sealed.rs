//! What stored values add to an exchange: a page of 100 contacts with six sealed fields each, collected, asked for in an embedded
//! vault, opened and shown, as the gateway does it; next to the same page in clear. CPU time of the thread where the system tells
//! it (`/proc/thread-self/schedstat`), else elapsed time. The write of one contact the same way.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up stops")]

use std::{future::Future, path::Path, sync::Arc, time::Instant};

use fieldgate::{
    crypto::{ClassPlan, Kek, KeyFile, Keyset, Krk, Purpose, RootKey, SubjectKey},
    detect::Detector,
    model::{
        BodyMap, Class, ClassTable, Column, FieldRule, KeyScope, MaskStyle, Mode, Normaliser, Storage, SubjectRef,
        Timestamp, View, Views,
    },
    protect::{Answers, Owners, Protector, Store, SubjectAnswer},
    rewrite::{Collector, Layout, Limits, Plan, RecordKeys, ResponseView, Tools, seal, written},
    vault::{RecordState, Settings, SubjectState, Vault},
};
use serde_json::{Value, json};

const CONTACTS: usize = 100;
const RESOURCE: &str = "contact";
/// Field, how its class is masked, how it is stored.
const FIELDS: [(&str, MaskStyle, Mode, Normaliser); 6] = [
    ("email", MaskStyle::Email, Mode::SealIndexed, Normaliser::Email),
    ("phone", MaskStyle::Phone, Mode::SealIndexed, Normaliser::Phone),
    ("card", MaskStyle::Card, Mode::Seal(KeyScope::Subject), Normaliser::Id),
    ("iban", MaskStyle::Iban, Mode::SealIndexed, Normaliser::Id),
    ("street", MaskStyle::Address, Mode::Seal(KeyScope::Subject), Normaliser::Text),
    ("note", MaskStyle::Full, Mode::Seal(KeyScope::Subject), Normaliser::Text),
];

fn contact(at: usize) -> Value {
    json!({
        "id": format!("003-{at:06}"), "name": format!("Contact {at}"), "status": "active", "owner": "desk 7",
        "email": format!("customer.{at}@mail{}.example.com", at % 17), "phone": format!("+4915112{at:06}"),
        "card": format!("411111111111{at:04}"), "iban": format!("DE893704004405{at:08}"),
        "street": format!("{at} Long Winding Road, Springfield"),
        "note": "asked twice about the parcel and wants to be called back in the afternoon, please be patient with him",
        "created": "2026-03-01T10:00:00Z", "updated": "2026-11-24T02:00:00Z",
    })
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// Keys, classes and plans.
struct Bench {
    classes: Arc<ClassTable>,
    keys: Arc<Keyset>,
    protector: Protector,
}

impl Bench {
    fn new() -> Self {
        let class = |(name, mask, mode, normaliser): &(&str, MaskStyle, Mode, Normaliser)| Class {
            name: (*name).into(),
            mask: *mask,
            storage: Storage { mode: *mode, normaliser: *normaliser, ..Storage::CLEAR },
            detects: vec![],
        };
        let classes: Vec<Class> = FIELDS.iter().map(class).collect();
        let plans: Vec<ClassPlan<'_>> = FIELDS
            .iter()
            .zip(&classes)
            .map(|((class, ..), known)| ClassPlan { class, storage: known.storage })
            .collect();
        let kek = Kek { provider: "file".into(), uri: String::new(), context: [].into() };
        let file = KeyFile::new("bench", &plans, kek, vec![1], Krk::generate().expect("keys"), Timestamp::default())
            .expect("keys");
        let key = RootKey::generate().and_then(|root| root.derive(Purpose::Pseudonym, "")).expect("a key");
        Self {
            keys: Arc::new(file.open().expect("keys")),
            classes: Arc::new(ClassTable::new(classes).expect("classes")),
            protector: Protector::new(key),
        }
    }

    fn plan(&self, root: &str, view: View, stored: bool) -> Arc<Plan> {
        let field = |(name, ..): &(&str, MaskStyle, Mode, Normaliser)| FieldRule {
            selector: format!("{root}.{name}").parse().expect("a selector"),
            class: self.classes.id(name).expect("a class"),
            base64: false,
            column: Column::default(),
        };
        let map = BodyMap {
            fields: FIELDS.iter().map(field).collect(),
            record: (root != "$").then(|| root.parse().expect("a selector")),
            subject: Some("$.id".parse().expect("a selector")),
            ..BodyMap::default()
        };
        let mut views = Views::default();
        self.classes.iter().for_each(|(id, _)| views.set(id, view));
        Arc::new(Plan {
            layout: Arc::new(Layout::compile(&map, &self.classes).expect("a layout")),
            views,
            tools: Arc::new(Tools {
                classes: Arc::clone(&self.classes),
                protector: self.protector.clone(),
                detector: Detector::new(),
                store: stored.then(|| Store::new(Arc::clone(&self.keys), "fg.example.com", None)),
            }),
            links: None,
            known: Arc::new([]),
            subject: None,
            limits: Limits::default(),
        })
    }
}

/// The record in stored form, sealed for `key`.
fn sealed(plan: &Arc<Plan>, body: &[u8], key: &SubjectKey) -> Vec<u8> {
    let writes = written(plan, body).expect("a body");
    let keys: Vec<RecordKeys> =
        writes.records.iter().map(|_| RecordKeys { subject: Some(key.clone()), ..RecordKeys::default() }).collect();
    seal(plan, body, &keys, &Answers::default(), None).expect("sealed").body
}

/// What the vault says to the needs of a chunk: the gateway's `Resolver`, for subjects.
fn answers(vault: &Vault, runtime: &tokio::runtime::Runtime, needs: &fieldgate::rewrite::Needs) -> Answers {
    let mut answers = Answers::default();
    runtime.block_on(async {
        let records: Vec<(&str, &str)> = needs.records.iter().map(|id| (RESOURCE, id.as_str())).collect();
        for ((_, id), state) in records.iter().zip(vault.subjects_of(&records).await.expect("records")) {
            let RecordState::Linked(key) = state else { continue };
            let owners = Owners { subjects: vec![key.reference()], erased: false };
            answers.records.insert((*id).to_owned(), owners);
        }
        let wanted: Vec<SubjectRef> = needs.subjects.iter().copied().collect();
        for (subject, state) in wanted.iter().zip(vault.subjects(&wanted).await.expect("subjects")) {
            let SubjectState::Live { key, links } = state else { continue };
            answers.subjects.insert(*subject, SubjectAnswer::Live { key, linked: !links.is_empty() });
        }
    });
    answers
}

/// Thread CPU time in nanoseconds.
fn cpu() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// Microseconds of one run: the least of twenty rounds, and their middle.
fn measure(mut one: impl FnMut()) -> (f64, f64) {
    let runs = 50;
    (0..runs).for_each(|_| one());
    let mut rounds: Vec<f64> = (0..20)
        .map(|_| {
            let (before, started) = (cpu(), Instant::now());
            (0..runs).for_each(|_| one());
            let spent = match (before, cpu()) {
                (Some(before), Some(after)) => after.saturating_sub(before) as f64,
                _ => started.elapsed().as_nanos() as f64,
            };
            spent / f64::from(runs) / 1e3
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    (rounds.first().copied().unwrap_or_default(), rounds.get(10).copied().unwrap_or_default())
}

fn shown(plan: &Arc<Plan>, vault: &Vault, runtime: &tokio::runtime::Runtime, body: &[u8], out: &mut Vec<u8>) -> usize {
    out.clear();
    let mut view = ResponseView::new(Arc::clone(plan));
    let mut collector = Collector::new(plan);
    for chunk in body.chunks(16 * 1024) {
        if let Some(collector) = &mut collector {
            let needs = collector.push(chunk).expect("valid");
            if !needs.is_empty() {
                view.answer(answers(vault, runtime, &needs));
            }
        }
        view.push(chunk, out).expect("valid");
    }
    assert_eq!(view.take_notes().hidden(), 0, "everything opens");
    view.finish(out).expect("complete").len()
}

fn main() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sealed-bench-{}", std::process::id()));
    let bench = Bench::new();
    let settings = Settings::embedded(&dir);
    Vault::init(&settings, Arc::clone(&bench.keys)).expect("a new vault");
    let vault = Vault::open(&settings, Arc::clone(&bench.keys)).expect("an open vault");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let contacts: Vec<Value> = (0..CONTACTS).map(contact).collect();
    let people = block(vault.mint_subjects(CONTACTS)).expect("subjects");
    let ids: Vec<String> = contacts.iter().map(|one| one["id"].as_str().unwrap_or_default().to_owned()).collect();
    let links: Vec<_> = people.iter().zip(&ids).map(|(key, id)| (key.reference(), RESOURCE, id.as_str())).collect();
    block(vault.link(&links)).expect("links");

    let write = bench.plan("$", View::Reveal, true);
    let stored: Vec<Value> = contacts
        .iter()
        .zip(&people)
        .map(|(one, key)| serde_json::from_slice(&sealed(&write, one.to_string().as_bytes(), key)).expect("JSON"))
        .collect();
    let page = |records: &[Value]| json!({ "items": records, "total": 5_000, "next": null }).to_string();
    let (clear, stored) = (page(&contacts), page(&stored));
    println!("{CONTACTS} contacts, {} fields: {} bytes in clear, {} stored", FIELDS.len(), clear.len(), stored.len());
    let mut out = Vec::new();
    for (name, view) in [("reveal", View::Reveal), ("mask", View::Mask)] {
        let plain = bench.plan("$.items[*]", view, false);
        let (least, middle) = measure(|| {
            shown(&plain, &vault, &runtime, clear.as_bytes(), &mut out);
        });
        let opening = bench.plan("$.items[*]", view, true);
        let (most, usual) = measure(|| {
            shown(&opening, &vault, &runtime, stored.as_bytes(), &mut out);
        });
        if view == View::Reveal {
            assert_eq!(String::from_utf8_lossy(&out), clear, "what is shown is what was sealed");
        }
        println!(
            "page {name:<7} clear {least:>7.0} µs (median {middle:.0})  stored {most:>7.0} µs (median {usual:.0})  adds {:.0} µs",
            most - least
        );
    }
    let mut collector_sink = 0;
    let opening = bench.plan("$.items[*]", View::Reveal, true);
    let needs =
        Collector::new(&opening).map(|mut reader| reader.push(stored.as_bytes()).expect("valid")).expect("needs");
    let (collect, _) = measure(|| {
        let mut reader = Collector::new(&opening).expect("stored");
        collector_sink += reader.push(stored.as_bytes()).expect("valid").subjects.len();
    });
    let (ask, _) = measure(|| drop(answers(&vault, &runtime, &needs)));
    println!(
        "of it: needs {collect:.0} µs, vault {ask:.0} µs ({} subjects), the rest opens and writes",
        needs.subjects.len()
    );
    let (one, key) = (contact(7).to_string(), people.first().expect("a subject"));
    let (least, middle) = measure(|| drop(sealed(&write, one.as_bytes(), key)));
    println!("write of one contact, six fields sealed: {least:.1} µs (median {middle:.1})");
    drop(vault);
    std::fs::remove_dir_all(&dir).expect("an empty target folder");
}
