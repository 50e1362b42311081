//! Records per second that become durable, with that many waiting at any time: each element is one `append` and the wait
//! for the oldest. The log lies in the target folder, so the figures are those of its disk.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up stops")]

mod classes;

use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fieldgate::{
    audit::{Log, Settings, init},
    crypto::{Purpose, RootKey, SigningKey},
    model::{
        AccessEvent, AccessKind, Action, Actor, ClassSet, Effect, Event, EventDecision, Kind, Operation, Principal,
        Purpose as Reason, Sighting, Subject, Timestamp, Via,
    },
};

const ORIGIN: &str = "fieldgate.test/audit/bench";

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp::from_micros(i64::try_from(since.as_micros()).expect("before 294247"))
}

fn log(dir: &Path) -> Log {
    let key = SigningKey::generate().expect("a key");
    let subjects = RootKey::generate().and_then(|root| root.derive(Purpose::SubjectRef, "")).expect("a key");
    init(dir, ORIGIN, &key, now()).expect("a new log");
    let settings = Settings { allow_volatile: true, ..Settings::new(dir, ORIGIN, "unused") };
    Log::open(&settings, key, subjects, "gw-1", now).expect("an open log")
}

/// An agent sees three masked fields of one customer.
fn reveal() -> AccessEvent {
    let classes = classes::classes();
    let set = |names: &[&str]| names.iter().filter_map(|name| classes.id(name)).collect::<ClassSet>();
    let principal = Principal {
        id: "anna".into(),
        kind: Kind::Human,
        roles: vec!["agent".into()],
        team: None,
        attributes: [].into(),
        training: vec![],
        via: Via::Jwt("okta".into()),
        session: Some("s_77f1".into()),
        on_behalf_of: None,
        expires: None,
    };
    let seen = Sighting {
        subject: Some("C-1001".to_owned().into()),
        reveal: set(&["name"]),
        mask: set(&["email", "phone", "card_number"]),
        ..Sighting::default()
    };
    AccessEvent {
        kind: AccessKind::Reveal { part: 1 },
        at: now(),
        request: 0,
        call: None,
        trace: None,
        actor: Arc::new(Actor { principal: Some(Arc::new(principal)), address: Ipv4Addr::new(10, 4, 2, 17).into() }),
        purpose: Arc::new(Reason::default()),
        operation: Arc::new(Operation {
            action: Some(Action::Read),
            route: Some("customers.get".into()),
            template: Some("GET /api/v1/customers/{id}".into()),
            upstream: Some("crm".into()),
            method: "GET",
        }),
        subjects: vec![Subject { kind: "customer".into(), seen }],
        written: ClassSet::EMPTY,
        searched: ClassSet::EMPTY,
        decision: Arc::new(EventDecision {
            effect: Effect::PermitProtected,
            rules: Arc::new(["agent-reads".into()]),
            policy: "sha256:9f2c41d0".into(),
            why: None,
            notes: vec![],
        }),
        classes: Arc::new(classes),
    }
}

fn records(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("audit");
    group.throughput(Throughput::Elements(1));
    for in_flight in [1, 64, 1024] {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let (log, record, mut request) = (log(dir.path()), reveal(), 0);
        let mut append = || {
            request += 1;
            log.append(&Event::Access(AccessEvent { request, ..record.clone() })).expect("room")
        };
        let mut waiting: VecDeque<_> = (1..in_flight).map(|_| append()).collect();
        group.bench_function(format!("{in_flight}-in-flight"), |bencher| {
            bencher.iter(|| {
                waiting.push_back(append());
                waiting.pop_front().map(|oldest| oldest.wait().expect("durable"))
            });
        });
        log.close().expect("a whole log");
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = records
}
criterion_main!(benches);
