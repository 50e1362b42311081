//! Bytes per second of the JSON lexer on one core: nobody asks for anything, whole subtrees that nothing selects, subtrees
//! that are walked in vain, and leaves that are read and kept.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up stops")]

mod contacts;

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fieldgate::{
    formats::{
        json::{Edit, Handler, JsonError, Limits, Splicer},
        path::{Node, Paths},
    },
    model::{BodyMap, ClassId, Column, FieldRule, Leaf},
};

/// Keeps every leaf, and counts them.
struct Keep(u64);

impl Handler for Keep {
    type Error = JsonError;

    fn leaf(&mut self, _: &Node, _: Leaf<'_>, _: u64, _: &mut Vec<u8>) -> Result<Edit, JsonError> {
        self.0 += 1;
        Ok(Edit::Keep)
    }
}

fn paths(selectors: &[&str]) -> Arc<Paths> {
    let field = |selector: &&str| FieldRule {
        selector: selector.parse().expect("a selector"),
        class: ClassId::new(0).expect("the first class"),
        base64: false,
        column: Column::default(),
    };
    let map = BodyMap { fields: selectors.iter().map(field).collect(), ..BodyMap::default() };
    Arc::new(Paths::compile(&map).expect("few selectors"))
}

/// The leaves that were asked for.
fn lex(paths: &Arc<Paths>, body: &[u8], out: &mut Vec<u8>) -> u64 {
    out.clear();
    let (mut lexer, mut keep) = (Splicer::new(Arc::clone(paths), Limits::default()), Keep(0));
    for chunk in body.chunks(64 * 1024) {
        lexer.push(chunk, out, &mut keep).expect("valid");
    }
    lexer.finish(out, &mut keep).expect("complete");
    keep.0
}

fn lists(criterion: &mut Criterion) {
    const RECORDS: usize = 2_000;
    let body = contacts::contacts(RECORDS);
    let mut out = Vec::with_capacity(body.len());
    let mut group = criterion.benchmark_group("formats");
    group.throughput(Throughput::Bytes(body.len() as u64));
    let three = ["$.results[*].email", "$.results[*].phone", "$.results[*].card"];
    for (name, paths, leaves) in [
        ("pass-through", paths(&[]), 0),
        ("dead-list", paths(&["$.other.x"]), 0),
        ("dead-records", paths(&["$.results[*].other.x"]), 0),
        ("dead-leaves", paths(&["$.results[*].address.other", "$.results[*].custom_fields[*].other"]), 0),
        ("3-leaves-kept", paths(&three), 3 * RECORDS as u64),
        ("every-leaf-kept", Arc::new(Paths::everything()), 17 * RECORDS as u64 + 1),
    ] {
        assert_eq!(lex(&paths, body.as_bytes(), &mut out), leaves, "{name}");
        assert_eq!(out, body.as_bytes(), "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| lex(&paths, black_box(body.as_bytes()), &mut out)));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = lists
}
criterion_main!(benches);
