//! Bytes per second of the readers on one core. JSON: nobody asks for anything, whole subtrees that nothing selects, subtrees
//! that are walked in vain, and leaves that are read and kept. The others: three leaves of each record replaced.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up stops")]

mod contacts;

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fieldgate::{
    formats::{
        Edit, FormatError, Handler, Limits, Out, Reader, Stream,
        path::{Node, Paths},
    },
    model::{BodyFormat, BodyMap, ClassId, Column, Delimiter, FieldRule, Leaf},
};

/// Keeps every leaf, and counts them.
struct Keep(u64);

impl Handler for Keep {
    type Error = FormatError;

    fn leaf(&mut self, _: &Node, _: Leaf<'_>, _: u64, _: &mut Out<'_>) -> Result<Edit, FormatError> {
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
    let (mut lexer, mut keep) = (Reader::new(BodyFormat::Json, Arc::clone(paths), Limits::default()), Keep(0));
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

/// Replaces every leaf.
struct Hide(u64);

impl Handler for Hide {
    type Error = FormatError;

    fn leaf(&mut self, _: &Node, _: Leaf<'_>, _: u64, out: &mut Out<'_>) -> Result<Edit, FormatError> {
        self.0 += 1;
        out.text("j•••@e•••.com");
        Ok(Edit::Replaced)
    }
}

fn hide(format: BodyFormat, paths: &Arc<Paths>, body: &[u8], out: &mut Vec<u8>) -> u64 {
    out.clear();
    let (mut reader, mut hide) = (Reader::new(format, Arc::clone(paths), Limits::default()), Hide(0));
    for chunk in body.chunks(64 * 1024) {
        reader.push(chunk, out, &mut hide).expect("valid");
    }
    reader.finish(out, &mut hide).expect("complete");
    hide.0
}

/// A contact of 15 members, as its names and texts.
fn contact(number: usize) -> Vec<(&'static str, String)> {
    let text = |text: &str| text.to_owned();
    vec![
        ("Id", format!("0035g00000{number:08}")),
        ("Name", format!("Jane Doe {number}")),
        ("Email", format!("jane.doe{number}@example.com")),
        ("Phone", format!("+1 555 01{number:05}")),
        ("Street", format!("{number} Main Street")),
        ("City", text("Springfield")),
        ("PostalCode", format!("{number:05}")),
        ("Country", text("US")),
        ("Stage", text("open")),
        ("Owner", format!("0055g000{number:06}")),
        ("Created", text("2026-11-24T09:14:02Z")),
        ("Modified", text("2026-11-24T09:14:02Z")),
        ("Amount", format!("{number}.25")),
        ("Currency", text("EUR")),
        ("Description", text("A customer since the beginning of the year, who called twice about the invoice")),
    ]
}

fn json(number: usize) -> String {
    let members = contact(number).into_iter().map(|(name, text)| format!("\"{name}\":\"{text}\""));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn csv(number: usize) -> String {
    let cell = |text: String| if text.contains(',') { format!("\"{text}\"") } else { text };
    contact(number).into_iter().map(|(_, text)| cell(text)).collect::<Vec<_>>().join(",")
}

fn xml(number: usize) -> String {
    let elements = contact(number).into_iter().map(|(name, text)| format!("<sf:{name}>{text}</sf:{name}>"));
    format!("<records xsi:type=\"sf:Contact\">{}</records>", elements.collect::<String>())
}

fn feeds(criterion: &mut Criterion) {
    const RECORDS: usize = 5_000;
    let all = |one: &dyn Fn(usize) -> String| (0..RECORDS).map(one).collect::<String>();
    let names: Vec<_> = contact(0).into_iter().map(|(name, _)| name).collect();
    let table = format!("{}\n{}", names.join(","), all(&|number| csv(number) + "\n"));
    let envelope = format!("<Envelope><Body>{}</Body></Envelope>", all(&xml));
    let members = paths(&["$.Email", "$.Phone", "$.Name"]);
    let below = ["$.Envelope.Body.records.Email", "$.Envelope.Body.records.Phone", "$.Envelope.Body.records.Name"];
    let mut out = Vec::new();
    let mut group = criterion.benchmark_group("feeds");
    for (name, format, paths, body) in [
        ("ndjson", BodyFormat::Ndjson, &members, all(&|number| json(number) + "\n")),
        ("csv", BodyFormat::Csv(Delimiter::Auto), &members, table),
        ("xml", BodyFormat::Xml, &paths(&below), envelope),
        ("sse", BodyFormat::Sse, &members, all(&|number| format!("id: {number}\ndata: {}\n\n", json(number)))),
    ] {
        assert_eq!(hide(format, paths, body.as_bytes(), &mut out), 3 * RECORDS as u64, "{name}");
        group.throughput(if name == "sse" {
            Throughput::Elements(RECORDS as u64)
        } else {
            Throughput::Bytes(body.len() as u64)
        });
        group
            .bench_function(name, |bencher| bencher.iter(|| hide(format, paths, black_box(body.as_bytes()), &mut out)));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = lists, feeds
}
criterion_main!(benches);
