//! Time of a decision that nobody remembers, with the shipped policies and every class asked about.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up stops")]

mod classes;

use std::{collections::BTreeMap, hint::black_box, net::Ipv4Addr, sync::Arc, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use fieldgate::{
    model::{Action, ClassTable, Kind, Principal, Timestamp, Via},
    policy::{Policy, Question},
};

const POLICIES: [(&str, &str); 4] = [
    ("agent.cedar", include_str!("../config/policies/agent.cedar")),
    ("ai_assistant.cedar", include_str!("../config/policies/ai_assistant.cedar")),
    ("auditor.cedar", include_str!("../config/policies/auditor.cedar")),
    ("supervisor.cedar", include_str!("../config/policies/supervisor.cedar")),
];

fn shipped(classes: &ClassTable) -> Policy {
    let owned = |(file, text): (&str, &str)| (file.to_owned(), text.to_owned());
    let schema = owned(("schema.cedarschema", include_str!("../config/policies/schema.cedarschema")));
    let purposes = ["customer_request", "fraud_investigation", "data_subject_request"].map(str::to_owned);
    let resources = ["customer", "order", "ticket", "comment"];
    Policy::load(&POLICIES.map(owned), Some(&schema), &purposes, classes, &resources).expect("the shipped policies")
}

fn person(role: &str) -> Principal {
    Principal {
        id: "ada".into(),
        kind: Kind::Human,
        roles: vec![role.into()],
        team: Some("second line".into()),
        attributes: BTreeMap::new(),
        training: Vec::new(),
        via: Via::Configured,
        session: None,
        on_behalf_of: None,
        expires: None,
    }
}

fn decisions(criterion: &mut Criterion) {
    let classes = classes::classes();
    let policy = shipped(&classes);
    let (agent, supervisor) = (person("agent"), person("supervisor"));
    let ai = Principal {
        id: "bot".into(),
        kind: Kind::Ai,
        on_behalf_of: Some(Arc::new(agent.clone())),
        ..person("ai_assistant")
    };
    let mut group = criterion.benchmark_group("policy");
    for (name, principal, action, purpose, allowed) in [
        ("agent-reads", &agent, Action::Read, None, true),
        ("supervisor-reads-for-a-case", &supervisor, Action::Read, Some("fraud_investigation"), true),
        ("ai-reads-for-an-agent", &ai, Action::Read, None, true),
        ("agent-may-not-export", &agent, Action::Export, None, false),
    ] {
        let question = Question {
            principal,
            action,
            resource: "customer",
            route: "GET /customers/{id}",
            upstream: "crm",
            classes: classes.iter().map(|(id, _)| id).collect(),
            purpose,
            case: purpose.is_some(),
            now: Timestamp::from_seconds(1_795_500_000),
            network: Ipv4Addr::new(10, 0, 0, 7).into(),
        };
        assert_eq!(policy.decide(&question).is_ok(), allowed, "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| policy.decide(black_box(&question))));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = decisions
}
criterion_main!(benches);
