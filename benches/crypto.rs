//! What sealing costs: random values of four sizes, opened and sealed, the blind index and the deterministic mode;
//! next to them AES-256-GCM alone under a cached key, which is what the derivation and the commitment are paid on top
//! of.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up stops")]

use std::hint::black_box;

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, aead::inout::InOutBuf};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fieldgate::{
    crypto::{ClassPlan, Envelope, Kek, KeyFile, Keyset, Krk, Seal, Spelling, SubjectKey},
    model::{Mode, Storage, Timestamp},
};

const SIZES: [usize; 4] = [24, 64, 256, 4096];

fn keys() -> Keyset {
    let class = |class, mode| ClassPlan { class, storage: Storage { mode, ..Storage::CLEAR } };
    let classes = [class("email", Mode::SealIndexed), class("login", Mode::Det)];
    let kek = Kek { provider: "file".into(), uri: String::new(), context: Default::default() };
    let root = Krk::generate().expect("randomness");
    let now = Timestamp::from_seconds(1_795_000_000);
    KeyFile::new("acme", &classes, kek, Vec::new(), root, now).expect("a key file").open().expect("keys")
}

fn seal_and_open(c: &mut Criterion) {
    let (keys, subject) = (keys(), SubjectKey::generate().expect("randomness"));
    for (name, subject, normalised) in
        [("class", None, None), ("subject", Some(&subject), None), ("indexed", Some(&subject), Some("ada@example.com"))]
    {
        let mut group = c.benchmark_group(format!("seal {name}"));
        for size in SIZES {
            let text = "x".repeat(size);
            let spelling = Spelling::Base64;
            let value = Seal { class: "email", text: &text, subject, normalised, spelling, padding: 0 };
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::new("seal", size), |b| b.iter(|| keys.seal(black_box(&value))));
            let sealed = keys.seal(&value).expect("sealed");
            group.bench_function(BenchmarkId::new("open", size), |b| {
                b.iter(|| keys.open(&Envelope::parse(black_box(&sealed)).expect("an envelope"), subject));
            });
        }
        group.finish();
    }
}

fn raw(c: &mut Criterion) {
    let cipher = Aes256Gcm::new(&[7; 32].into());
    let mut group = c.benchmark_group("raw AES-256-GCM, cached key");
    for size in SIZES {
        let mut body = vec![0; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("encrypt", size), |b| {
            b.iter(|| {
                let nonce = Nonce::from([1; 12]);
                cipher.encrypt_inout_detached(&nonce, b"context", InOutBuf::from(black_box(body.as_mut_slice())))
            });
        });
    }
    group.finish();
}

fn search(c: &mut Criterion) {
    let keys = keys();
    let mut group = c.benchmark_group("search");
    group.bench_function("blind index", |b| {
        b.iter(|| keys.indexes("email", black_box("ada@example.com"), Spelling::Base64));
    });
    group.bench_function("det", |b| b.iter(|| keys.det("login", black_box("ada@example.com"), Spelling::Base64)));
    group.finish();
}

criterion_group!(benches, raw, seal_and_open, search);
criterion_main!(benches);
