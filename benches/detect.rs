//! Bytes per second of the detectors on one core: prose without anything, notes with something in each, one long text.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fieldgate::{
    detect::{Detector, Sought, notes::Notes},
    model::Entity,
};

const PROSE: &str = "The customer was very kind and told me that the second parcel never came to the door, so we agreed to send it \
    again, and she asked for a call on Friday. ";
const NUMBERS: &str = "The customer called about order 4711 and wants the second item, ordered on 24 May, sent again. ";
const DENSE: &str = "On 2026-11-24 10:30 Jane (jane@example.com, 030 12345678) paid 19.90 with 4111 1111 1111 1111. ";

fn detect(criterion: &mut Criterion) {
    let joined = |notes: Notes| notes.take(10_000).map(|note| note.text + "\n").collect::<String>();
    let texts = [
        ("prose", PROSE.repeat(7_000)),
        ("prose with numbers", NUMBERS.repeat(10_000)),
        ("dense", DENSE.repeat(10_000)),
        ("notes", joined(Notes::new(1))),
        ("harmless notes", joined(Notes::harmless(1))),
    ];
    for (set, sought) in [("five", Sought::default()), ("all", Sought::these(&Entity::ALL))] {
        let mut group = criterion.benchmark_group(format!("detect {set}"));
        for (name, text) in &texts {
            let (detector, mut findings) = (Detector::of(sought), Vec::new());
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(*name, |bencher| {
                bencher.iter(|| {
                    detector.scan(black_box(text), &mut findings);
                    findings.len()
                });
            });
        }
        group.finish();
    }
    let mut group = criterion.benchmark_group("gate");
    let text = PROSE.repeat(7_000);
    let detector = Detector::of(Sought::these(&Entity::ALL));
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("prose", |bencher| bencher.iter(|| detector.worth_scanning(black_box(&text))));
    group.finish();
}

criterion_group!(benches, detect);
criterion_main!(benches);
