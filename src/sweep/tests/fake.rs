//! A CRM with versions, faults and other people; stored forms that are easy to read; a clock that jumps.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    crypto::sha256,
    model::{Class, ClassId, ClassTable, Column, MaskStyle, Sensitive, Storage},
    sweep::{
        Ask, Begin, Budget, Change, Clock, Crm, Cursor, Edit, Extent, Fault, Field, Form, Jitter, Journal, Outcome,
        Pace, Page, Reading, Record, RecordId, Records, Report, Resume, Secrets, Seen, Settings, Shown, Stop, Sweep,
        SweepError, Unavailable, Value, Verb, Version, Wants, Why,
    },
};

/// Jumps to the end of every pause.
#[derive(Debug, Clone, Default)]
pub(in crate::sweep) struct FakeClock(Rc<Cell<Duration>>);

impl Clock for FakeClock {
    fn now(&self) -> Duration {
        self.0.get()
    }

    async fn sleep(&self, pause: Duration) {
        self.0.set(self.0.get() + pause);
        tokio::task::yield_now().await;
    }
}

/// Keyed by a constant; seals by flipping bits, so that a clear id in a journal is found by a test.
pub(super) struct FakeSecrets;

impl Secrets for FakeSecrets {
    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let framed: Vec<u8> =
            parts.iter().flat_map(|part| [&(part.len() as u32).to_be_bytes()[..], part].concat()).collect();
        sha256(&[b"key", &framed])
    }

    fn seal(&self, bytes: &[u8]) -> Result<Vec<u8>, Unavailable> {
        Ok(bytes.iter().map(|byte| byte ^ 0x55).collect())
    }

    fn open(&self, sealed: &[u8]) -> Option<Sensitive<Vec<u8>>> {
        Some(Sensitive::new(sealed.iter().map(|byte| byte ^ 0x55).collect()))
    }
}

pub(super) fn rng(state: &Cell<u64>) -> u64 {
    state.set(state.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
    let mut z = state.get();
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What a class's values look like when they are stored: `fake<generation>:<class>:<nonce>:<hex of the text>`.
pub(super) struct FakeChange {
    pub(super) verb: Verb,
    pub(super) generation: u32,
    pub(super) nonce: Cell<u64>,
    pub(super) tick: Rc<dyn Fn()>,
}

pub(super) fn protected(generation: u32, class: ClassId, nonce: u64, text: &str) -> String {
    format!("fake{generation}:{}:{nonce}:{}", class.index(), crate::crypto::hex(text.as_bytes()))
}

/// Generation and text of a protected value.
pub(super) fn opened(class: ClassId, stored: &str) -> Option<Result<(u32, String), Why>> {
    let mut parts = stored.strip_prefix("fake")?.split(':');
    let generation = parts.next()?.parse().ok()?;
    let same_class = parts.next() == Some(class.index().to_string().as_str());
    let hex = parts.nth(1).unwrap_or("x").as_bytes();
    let bytes: Option<Vec<u8>> =
        hex.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect();
    Some(match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(text) if same_class => Ok((generation, text)),
        _ => Err(Why::Damaged),
    })
}

impl FakeChange {
    fn one(&self, ask: &Ask<'_>) -> Outcome {
        let text = ask.text.expose();
        let seal = |text: &str| {
            self.nonce.set(self.nonce.get() + 1);
            let new = protected(self.generation, ask.class, self.nonce.get(), text);
            let fits = ask.column.max_chars.is_none_or(|max| new.chars().count() <= max as usize);
            if fits { Outcome::New(Sensitive::new(new)) } else { Outcome::DoesNotFit }
        };
        match (self.verb, opened(ask.class, text)) {
            (_, Some(Err(why))) => Outcome::Unreadable(why),
            (Verb::Protect, None) => seal(text),
            (Verb::Unprotect, Some(Ok((_, clear)))) => Outcome::New(Sensitive::new(clear)),
            (Verb::Rewrap, Some(Ok((generation, clear)))) if generation != self.generation => seal(&clear),
            _ => Outcome::Unchanged,
        }
    }
}

impl Change for FakeChange {
    async fn look(&self, asks: &[Ask<'_>]) -> Result<Vec<Seen>, Unavailable> {
        let nonce = self.nonce.get();
        let seen = asks.iter().map(|ask| {
            let (form, keys) = match opened(ask.class, ask.text.expose()) {
                None => (Form::Clear, Vec::new()),
                Some(Err(why)) => (Form::Unreadable(why), Vec::new()),
                Some(Ok((generation, _))) => {
                    let form = if generation == self.generation { Form::Current } else { Form::Stale };
                    (form, vec![Arc::from(format!("key{generation}"))])
                }
            };
            let wants = match self.one(ask) {
                Outcome::New(_) => Wants::Another,
                Outcome::DoesNotFit => Wants::DoesNotFit,
                _ => Wants::Nothing,
            };
            Seen { form, keys, wants }
        });
        let seen = seen.collect();
        self.nonce.set(nonce);
        Ok(seen)
    }

    async fn change(&self, asks: &[Ask<'_>]) -> Result<Vec<Outcome>, Unavailable> {
        (self.tick)();
        Ok(asks.iter().map(|ask| self.one(ask)).collect())
    }

    async fn clear(&self, asks: &[Ask<'_>]) -> Result<Vec<Reading>, Unavailable> {
        let clear = |ask: &Ask<'_>| match opened(ask.class, ask.text.expose()) {
            None => Reading::Text(ask.text.clone()),
            Some(Ok((_, text))) => Reading::Text(Sensitive::new(text)),
            Some(Err(why)) => Reading::Unreadable(why),
        };
        Ok(asks.iter().map(clear).collect())
    }
}

/// What goes wrong, in percent of the calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// 429, now and then with `Retry-After`.
    pub(super) busy: u64,
    /// 5xx or no answer before anything happened.
    pub(super) before: u64,
    /// 5xx or no answer after it happened.
    pub(super) after: u64,
    /// Somebody else changes, empties, deletes or adds a record.
    pub(super) others: u64,
    /// How often they do so at most.
    pub(super) others_at_most: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub(super) struct Stored {
    pub(super) version: u64,
    pub(super) fields: BTreeMap<String, Option<String>>,
}

/// The records, and what their clear texts are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct World {
    pub(super) records: BTreeMap<u64, Stored>,
    pub(super) truth: BTreeMap<u64, BTreeMap<String, Option<String>>>,
    pub(super) writes: u64,
}

/// The CRM.
pub(super) struct FakeCrm {
    pub(super) world: RefCell<World>,
    pub(super) faults: Faults,
    pub(super) versions: bool,
    /// Whether the answer to a write shows the record.
    pub(super) shows: bool,
    pub(super) page: usize,
    pub(super) column: Column,
    /// What the CRM makes of a text before it stores it.
    pub(super) alter: fn(&str) -> String,
    /// What it cuts texts off at, in characters.
    pub(super) longest: usize,
    /// Texts that it answers 400 to.
    pub(super) refuses: fn(&str) -> bool,
    pub(super) rng: Cell<u64>,
    pub(super) others: Cell<u64>,
    /// The world survives a kill here.
    pub(super) file: Option<PathBuf>,
    pub(super) tick: Rc<dyn Fn()>,
}

pub(super) const FIELDS: [&str; 3] = ["$.email", "$.phone", "$.notes"];

pub(super) fn class_of(place: &str) -> ClassId {
    ClassId::new(FIELDS.iter().position(|field| *field == place).unwrap()).unwrap()
}

pub(super) fn classes() -> Arc<ClassTable> {
    let class =
        |name: &str| Class { name: name.into(), mask: MaskStyle::Full, storage: Storage::CLEAR, detects: Vec::new() };
    Arc::new(ClassTable::new(vec![class("email"), class("phone"), class("free_text")]).unwrap())
}

impl FakeCrm {
    pub(super) fn new(count: u64, seed: u64) -> Self {
        let mut world = World::default();
        for id in 0..count {
            let fields: BTreeMap<String, Option<String>> = FIELDS
                .iter()
                .map(|place| {
                    let empty = (id * 7 + place.len() as u64).is_multiple_of(11);
                    ((*place).to_owned(), (!empty).then(|| format!("canary {id} {place}")))
                })
                .collect();
            world.truth.insert(id, fields.clone());
            world.records.insert(id, Stored { version: 1, fields });
        }
        Self {
            world: RefCell::new(world),
            faults: Faults::default(),
            versions: true,
            shows: true,
            page: 10,
            column: Column::default(),
            alter: str::to_owned,
            longest: usize::MAX,
            refuses: |_| false,
            rng: Cell::new(seed),
            others: Cell::new(0),
            file: None,
            tick: Rc::new(|| ()),
        }
    }

    /// The same world as it was last saved to `file`.
    pub(super) fn load(file: &Path, seed: u64) -> Self {
        let world = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        Self { world: RefCell::new(world), file: Some(file.to_path_buf()), ..Self::new(0, seed) }
    }

    pub(super) fn save(&self) {
        if let Some(file) = &self.file {
            let draft = file.with_extension("draft");
            std::fs::write(&draft, serde_json::to_vec(&*self.world.borrow()).unwrap()).unwrap();
            std::fs::rename(&draft, file).unwrap();
        }
    }

    fn chance(&self, percent: u64) -> bool {
        percent > 0 && rng(&self.rng) % 100 < percent
    }

    fn fault(&self) -> Result<(), Fault> {
        (self.tick)();
        if self.chance(self.faults.busy) {
            let retry_after = self.chance(50).then(|| Duration::from_secs(rng(&self.rng) % 5));
            return Err(Fault::Busy { retry_after });
        }
        if self.chance(self.faults.before) { Err(Fault::Unsure) } else { Ok(()) }
    }

    fn after<T>(&self, value: T) -> Result<T, Fault> {
        (self.tick)();
        if self.chance(self.faults.after) { Err(Fault::Unsure) } else { Ok(value) }
    }

    /// Somebody else works with the CRM: through the gateway (protected values) or past it (clear ones).
    fn somebody_else(&self) {
        if !self.chance(self.faults.others) || self.others.get() >= self.faults.others_at_most {
            return;
        }
        self.others.set(self.others.get() + 1);
        let mut world = self.world.borrow_mut();
        let world = &mut *world;
        let ids: Vec<u64> = world.records.keys().copied().collect();
        let (what, nth) = (rng(&self.rng) % 10, rng(&self.rng) as usize);
        let Some(id) = ids.get(nth % ids.len().max(1)).copied() else { return };
        let place = FIELDS[nth / 7 % 3];
        let text = format!("canary by others {} {place}", self.others.get());
        match what {
            0 => {
                world.records.remove(&id);
                world.truth.remove(&id);
            }
            // At the front, so that pages shift.
            1 => {
                let fields = BTreeMap::from([(place.to_owned(), Some(text))]);
                let id = 1_000_000 + self.others.get();
                world.truth.insert(id, fields.clone());
                world.records.insert(id, Stored { version: 1, fields });
            }
            _ => {
                let (clear, stored) = match what {
                    2 => (None, None),
                    3..=5 => (Some(text.clone()), Some(protected(2, class_of(place), 0, &text))),
                    _ => (Some(text.clone()), Some(text)),
                };
                let record = world.records.get_mut(&id).unwrap();
                record.version += 1;
                record.fields.insert(place.to_owned(), stored);
                world.truth.get_mut(&id).unwrap().insert(place.to_owned(), clear);
            }
        }
    }

    fn record(&self, id: u64, stored: &Stored) -> Record {
        let fields = stored.fields.iter().map(|(place, text)| Field {
            place: place.as_str().into(),
            class: class_of(place),
            column: self.column,
            value: match text.as_ref().filter(|text| !text.is_empty()) {
                Some(text) => Value::Text(Sensitive::new(text.clone())),
                None => Value::Empty,
            },
        });
        Record {
            id: Sensitive::new(format!("person-{id}")),
            version: self.versions.then(|| Version(stored.version.to_string())),
            fields: fields.collect(),
            document: None,
            shown: Shown::Whole,
        }
    }

    fn number(id: &RecordId) -> u64 {
        id.expose().strip_prefix("person-").unwrap().parse().unwrap()
    }

    /// Every living record's clear text is the one it had; says how many values are protected and how many clear.
    pub(super) fn audit(&self) -> (usize, usize) {
        let world = self.world.borrow();
        let (mut sealed, mut clear) = (0, 0);
        assert_eq!(world.records.keys().collect::<Vec<_>>(), world.truth.keys().collect::<Vec<_>>());
        for (id, stored) in &world.records {
            for (place, text) in &stored.fields {
                let text = text.as_deref();
                let opened = text.and_then(|text| opened(class_of(place), text)).map(|opened| opened.unwrap().1);
                let truth = world.truth[id][place].as_deref();
                match &opened {
                    Some(inner) => {
                        assert_eq!(Some(inner.as_str()), truth, "{id} {place}");
                        sealed += 1;
                    }
                    None => {
                        assert_eq!(text, truth, "{id} {place}");
                        clear += usize::from(text.is_some());
                    }
                }
            }
        }
        (sealed, clear)
    }
}

impl Records for FakeCrm {
    async fn list(&self, cursor: Option<&Cursor>) -> Result<Page, Fault> {
        tokio::task::yield_now().await;
        self.somebody_else();
        self.fault()?;
        let start: usize = cursor.map_or(0, |cursor| cursor.0.expose().parse().unwrap());
        let world = self.world.borrow();
        // Newest first, as CRMs like it.
        let shown = world.records.iter().rev().skip(start).take(self.page);
        let records: Vec<Record> = shown.map(|(id, stored)| self.record(*id, stored)).collect();
        let more = start + records.len() < world.records.len();
        let next = more.then(|| Cursor(Sensitive::new((start + records.len()).to_string())));
        self.after(Page { records, next, total: Some(world.records.len() as u64) })
    }

    async fn read(&self, id: &RecordId) -> Result<Record, Fault> {
        tokio::task::yield_now().await;
        self.somebody_else();
        self.fault()?;
        let world = self.world.borrow();
        let number = Self::number(id);
        let record = world.records.get(&number).map(|stored| self.record(number, stored)).ok_or(Fault::Gone)?;
        self.after(record)
    }

    async fn patch(&self, record: &Record, edits: &[Edit<'_>]) -> Result<Option<Record>, Fault> {
        // Without versions there is a moment between reading and writing that nobody can guard: nobody acts in it here.
        if self.versions {
            tokio::task::yield_now().await;
            self.somebody_else();
        }
        self.fault()?;
        let number = Self::number(&record.id);
        {
            let mut world = self.world.borrow_mut();
            let stored = world.records.get_mut(&number).ok_or(Fault::Gone)?;
            if record.version.as_ref().is_some_and(|version| version.0 != stored.version.to_string()) {
                return Err(Fault::Conflict);
            }
            if edits.iter().any(|edit| (self.refuses)(edit.text)) {
                return Err(Fault::Refused { status: 400 });
            }
            stored.version += 1;
            for edit in edits {
                stored
                    .fields
                    .insert(edit.place.to_owned(), Some((self.alter)(edit.text).chars().take(self.longest).collect()));
            }
            world.writes += 1;
        }
        self.save();
        let world = self.world.borrow();
        self.after(world.records.get(&number).filter(|_| self.shows).map(|stored| self.record(number, stored)))
    }
}

pub(super) fn settings(verb: Verb, extent: Extent) -> Settings {
    let scope = (0..3).filter_map(ClassId::new).collect();
    Settings { verb, object: "crm/person".to_owned(), classes: classes(), scope, concurrency: 4, extent }
}

pub(super) fn change(verb: Verb, generation: u32) -> FakeChange {
    FakeChange { verb, generation, nonce: Cell::new(0), tick: Rc::new(|| ()) }
}

/// One process of a run; begins or resumes the journal at `path`.
pub(super) async fn run(
    crm: &FakeCrm,
    change: &FakeChange,
    settings: &Settings,
    path: &Path,
    stop: &Stop,
) -> Result<Report, SweepError> {
    let (journal, resume) = match path.exists() {
        true => {
            let (journal, begin, resume) = Journal::open(path, Rc::new(FakeSecrets))?;
            assert_eq!(begin.verb, settings.verb);
            (journal, resume)
        }
        false => {
            let pilot = match settings.extent {
                Extent::All => None,
                Extent::Pilot(records) => Some(records),
            };
            let begin = Begin {
                format: 1,
                verb: settings.verb,
                object: settings.object.clone(),
                classes: settings.class_names(),
                pilot,
                at: "2026-11-25T00:00:00Z".to_owned(),
            };
            (Journal::create(path, Rc::new(FakeSecrets), begin)?, Resume::default())
        }
    };
    let budget = Budget::new(FakeClock::default(), Pace::share_of(100, 30), Jitter::new(3));
    let crm = Crm { records: crm, change, budget: &budget, settings, watch: &(), stop };
    Sweep::new(crm, journal).run(resume, || "2026-11-25T01:00:00Z".to_owned()).await
}

pub(super) fn block<T>(job: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(job)
}
