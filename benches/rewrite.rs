//! Bytes per second of the JSON rewriter on one core: a 1.1 MB list with three protected fields per record.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up stops")]

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fieldgate::{
    crypto::{Purpose, RootKey},
    detect::Detector,
    model::{BodyMap, Class, ClassTable, FieldRule, MaskStyle, Storage, View, Views},
    protect::Protector,
    rewrite::{Layout, Limits, Plan, ResponseView, Tools},
};

/// A list of customers as CRMs send them.
fn list(records: usize) -> String {
    let record = |n: usize| {
        format!(
            r#"{{"id":"C-{n}","name":"Person Number {n}","email":"person.{n}@example.com","phone":"+1 415 555 {:04}","birth_date":"1984-03-09","address":{{"street":"{n} Long Street","city":"Springfield","zip":"12345","country":"US"}},"card":{{"number":"4111 1111 1111 1111","expiry":"12/28","holder":"Person Number {n}"}},"iban":"DE89 3704 0044 0532 0130 00","tags":["vip","newsletter"],"loyalty_points":1{n}00,"notes":"Prefers to be called in the afternoon; asked twice about the delivery of the second parcel.","self":"https://crm.example.com/api/v1/customers/C-{n}","created_at":"2024-02-03T04:05:06Z"}}"#,
            n % 10_000
        )
    };
    let records: Vec<String> = (0..records).map(record).collect();
    format!(r#"{{"items":[{}],"total":{},"next":null,"previous":null}}"#, records.join(","), records.len())
}

fn plan(fields: &[(&str, &str)], subject: bool) -> Arc<Plan> {
    let class = |name: &str, mask| Class { name: name.into(), mask, storage: Storage::Clear, detects: Vec::new() };
    let classes = ClassTable::new(vec![
        class("email", MaskStyle::Email),
        class("phone", MaskStyle::Phone),
        class("card_number", MaskStyle::Card),
    ])
    .expect("three classes fit");
    let field = |(selector, class): &(&str, &str)| FieldRule {
        selector: selector.parse().expect("a selector"),
        class: classes.id(class).expect("a class"),
        base64: false,
    };
    let map = BodyMap {
        fields: fields.iter().map(field).collect(),
        record: subject.then(|| "$.items[*]".parse().expect("a selector")),
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
    let body = list(2_000);
    let three =
        [("$.items[*].email", "email"), ("$.items[*].phone", "phone"), ("$.items[*].card.number", "card_number")];
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
    let small = list(1);
    let mut group = criterion.benchmark_group("rewrite-object");
    group.throughput(Throughput::Bytes(small.len() as u64));
    let (plan, mut out) = (plan(&three, false), Vec::new());
    group
        .bench_function("one-record", |bencher| bencher.iter(|| rewrite(&plan, black_box(small.as_bytes()), &mut out)));
    group.finish();
}

criterion_group!(benches, lists);
criterion_main!(benches);
