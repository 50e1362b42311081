//! Bytes per second of the JSON rewriter on one core: a 1.1 MB list with three protected fields per record.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up stops")]

mod classes;
mod contacts;

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fieldgate::{
    crypto::{Purpose, RootKey},
    detect::Detector,
    model::{BodyMap, Column, FieldRule, View, Views},
    protect::Protector,
    rewrite::{Layout, Limits, Plan, ResponseView, Tools},
};

fn plan(fields: &[(&str, &str)], subject: bool) -> Arc<Plan> {
    let classes = classes::classes();
    let field = |(selector, class): &(&str, &str)| FieldRule {
        selector: selector.parse().expect("a selector"),
        class: classes.id(class).expect("a class"),
        base64: false,
        column: Column::default(),
    };
    let map = BodyMap {
        fields: fields.iter().map(field).collect(),
        record: subject.then(|| "$.results[*]".parse().expect("a selector")),
        subject: subject.then(|| "$.id".parse().expect("a selector")),
        ..BodyMap::default()
    };
    let mut views = Views::default();
    for (id, _) in classes.iter() {
        views.set(id, View::Mask);
    }
    let key = RootKey::generate().and_then(|root| root.derive(Purpose::Pseudonym, "")).expect("a key");
    Arc::new(Plan {
        layout: Arc::new(Layout::compile(&map, &classes).expect("a layout")),
        views,
        tools: Arc::new(Tools {
            classes: Arc::new(classes),
            protector: Protector::new(key),
            detector: Detector::new(),
            store: None,
        }),
        links: None,
        known: Arc::new([]),
        subject: None,
        limits: Limits::default(),
    })
}

fn rewrite(plan: &Arc<Plan>, body: &[u8], out: &mut Vec<u8>) -> usize {
    out.clear();
    let mut view = ResponseView::new(Arc::clone(plan));
    for chunk in body.chunks(64 * 1024) {
        view.push(chunk, out).expect("valid");
    }
    view.finish(out).expect("complete").len()
}

fn lists(criterion: &mut Criterion) {
    let body = contacts::contacts(2_000);
    let three =
        [("$.results[*].email", "email"), ("$.results[*].phone", "phone"), ("$.results[*].card", "card_number")];
    let mut group = criterion.benchmark_group("rewrite");
    group.throughput(Throughput::Bytes(body.len() as u64));
    for (name, fields, subject) in [
        ("list-3-fields", &three[..], false),
        ("list-3-fields-subjects", &three[..], true),
        ("list-nothing-matches", &[("$.other.x", "email")][..], false),
    ] {
        let (plan, mut out) = (plan(fields, subject), Vec::with_capacity(body.len() * 2));
        group.bench_function(name, |bencher| bencher.iter(|| rewrite(&plan, black_box(body.as_bytes()), &mut out)));
    }
    group.finish();
    let small = contacts::contacts(1);
    let mut group = criterion.benchmark_group("rewrite-object");
    group.throughput(Throughput::Bytes(small.len() as u64));
    let (plan, mut out) = (plan(&three, false), Vec::new());
    group
        .bench_function("one-record", |bencher| bencher.iter(|| rewrite(&plan, black_box(small.as_bytes()), &mut out)));
    group.finish();
}

criterion_group!(benches, lists);
criterion_main!(benches);
