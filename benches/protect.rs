//! Bytes per second of masks and pseudonyms, value by value, and of the search for personal data in prose.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up stops")]

mod classes;

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fieldgate::{
    crypto::{Purpose, RootKey},
    detect::Detector,
    model::{Leaf, View},
    protect::Protector,
};

fn leaves(criterion: &mut Criterion) {
    let key = RootKey::generate().and_then(|root| root.derive(Purpose::Pseudonym, "")).expect("a key");
    let (protector, classes) = (Protector::new(key), classes::classes());
    let mut out = String::with_capacity(256);
    for view in [View::Mask, View::Pseudonym] {
        let mut group = criterion.benchmark_group(view.as_str());
        for (name, value) in [
            ("name", "Aïsha González"),
            ("email", "aisha.gonzalez@example.com"),
            ("phone", "+1 415 555 0142"),
            ("card_number", "4111 1111 1111 1111"),
            ("iban", "DE89 3704 0044 0532 0130 00"),
        ] {
            let class = classes.id(name).and_then(|id| classes.get(id)).expect("a class");
            group.throughput(Throughput::Bytes(value.len() as u64));
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    out.clear();
                    protector.leaf(class, view, Leaf::Text(black_box(value)), &mut out)
                });
            });
        }
        group.finish();
    }
}

/// A ticket's text of 16 KiB or a little more, and how many findings there are in each repetition of `sentences`.
fn prose(criterion: &mut Criterion) {
    const WORDS: &str = "The customer asked twice about the delivery of the second parcel, which María had promised for \
        the afternoon; nobody was at home, and the neighbour did not want to sign for it. ";
    const NUMBERS: &str = "Order 48213 of 2026-03-01 holds 12 items at 19.90 each; parcel 7 of 9 left at 14:35 and weighs \
        3.5 kg. Ticket #90412 has the details, see page 4 of the manual (version 2.11.3). ";
    const DENSE: &str = "Call Jane on +1 415 555 0142 or mail jane.doe@example.com; the card 4111 1111 1111 1111 was \
        charged and DE89 3704 0044 0532 0130 00 refunded. ";
    let detector = Detector::new();
    let mut group = criterion.benchmark_group("scan");
    for (name, sentences, each) in [("clean-words", WORDS, 0), ("clean-numbers", NUMBERS, 0), ("dense", DENSE, 4)] {
        let times = (16 * 1024_usize).div_ceil(sentences.len());
        let (text, mut findings) = (sentences.repeat(times), Vec::new());
        detector.scan(&text, &mut findings);
        assert_eq!(findings.len(), each * times, "{name}");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| detector.scan(black_box(&text), &mut findings)));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = leaves, prose
}
criterion_main!(benches);
