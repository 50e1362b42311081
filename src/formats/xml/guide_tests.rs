//! Records that the guide learns, against the same document read without it.

use std::sync::Arc;

use proptest::prelude::*;

use crate::{
    formats::{
        Edit, Fault, FormatError, Handler, Limits, Out, Reader, Side, Stream,
        path::{Node, Paths},
        testing::{self, Told},
    },
    model::{BodyFormat, BodyMap, ClassId, Column, FieldRule, Leaf},
};

/// As [`Told`], which asks for every tag and so is never guided.
#[derive(Default)]
struct Guided(Told);

impl Handler for Guided {
    type Error = FormatError;

    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, at: u64, out: &mut Out<'_>) -> Result<Edit, FormatError> {
        self.0.leaf(node, leaf, at, out)
    }

    fn name(&mut self, name: &str, at: u64, out: &mut Out<'_>) -> Result<Edit, FormatError> {
        self.0.name(name, at, out)
    }

    fn record(&mut self, side: Side, at: u64) {
        self.0.record(side, at);
    }
}

type Read = Result<(String, Vec<String>), FormatError>;

fn guided<'a>(paths: &Arc<Paths>, limits: Limits, chunks: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut reader = Reader::new(BodyFormat::Xml, Arc::clone(paths), limits);
    let (mut out, mut told) = (Vec::new(), Guided::default());
    for chunk in chunks {
        reader.push(chunk, &mut out, &mut told)?;
    }
    reader.finish(&mut out, &mut told)?;
    Ok((String::from_utf8(out).unwrap(), told.0.events))
}

fn alone(paths: &Arc<Paths>, limits: Limits, text: &[u8]) -> Read {
    let (out, told) = testing::read(BodyFormat::Xml, paths, limits, [text])?;
    // Without the shape, which only this handler asks for.
    Ok((out, told.events.into_iter().filter(|event| event.parse::<u64>().is_err()).collect()))
}

fn paths(selectors: &[&str]) -> Arc<Paths> {
    let class = ClassId::new(0).unwrap();
    let rule =
        |text: &&str| FieldRule { selector: text.parse().unwrap(), class, base64: false, column: Column::default() };
    let record = Some("$.l.r".parse().unwrap());
    let map = BodyMap { fields: selectors.iter().map(rule).collect(), record, ..BodyMap::default() };
    Arc::new(Paths::compile(&map).unwrap())
}

/// What a record may have: names that start alike, prefixes, other spellings of tags, attributes, nothing, other elements, and
/// what looks like tags and is none.
const ELEMENTS: &[&str] = &[
    "<a>1</a>",
    "<a>jane</a>",
    "<a></a>",
    "<a/>",
    "<a x='keep'>2</a>",
    "<n:a>3</n:a>",
    "<m:a>4</m:a>",
    "<ab>5</ab>",
    "<ab>6 &lt;&#65;</ab>",
    "<a >7</a>",
    "<a>8</a >",
    "\n  <ab>9</ab>\n  <a>\n10 </a>",
    "<b><a>11</a><ab>12</ab></b>",
    "<b>text<a>13</a>more</b>",
    "<b><b><a>14</a></b></b>",
    "<c><![CDATA[</c><a>]]></c>",
    "<c>x<!-- </c><a> -->y</c>",
    "<!-- between --><c><?p </c><a>?>z</c>",
    "<\u{e9}>\u{e9}\u{20ac}</\u{e9}>",
    "text",
    "<abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz>15</abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz>",
];

const SELECTORS: &[&[&str]] = &[
    &["$.l.r.a"],
    &["$.l.r.ab", "$.l.r.b.a", "$.l.r['@x']"],
    &["$..a", "$..['@x']"],
    &["$.l.r.b"],
    &["$.l.r"],
    &["$.none"],
];

fn list(records: impl Iterator<Item = Vec<usize>>) -> String {
    let record =
        |elements: Vec<usize>| format!("<r>{}</r>", elements.iter().map(|at| ELEMENTS[*at]).collect::<String>());
    format!("<l>{}</l>", records.map(record).collect::<String>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_guide_changes_nothing_in_any_chunks(
        shapes in prop::collection::vec(prop::collection::vec(0..ELEMENTS.len(), 0..8), 1..4),
        order in prop::collection::vec(0..4_usize, 60..160),
        size in 1_usize..700,
    ) {
        let text = list(order.iter().map(|at| shapes[at % shapes.len()].clone()));
        for selectors in SELECTORS {
            let paths = paths(selectors);
            let expected = alone(&paths, Limits::default(), text.as_bytes());
            for size in [size, text.len()] {
                let got = guided(&paths, Limits::default(), text.as_bytes().chunks(size));
                prop_assert_eq!(&got, &expected, "chunks of {}", size);
            }
        }
    }
}

/// Two hundred equal records and one more.
fn ending(last: &str) -> String {
    format!("<l>{}{last}", "<r><id>1</id><a>jane</a><ab>x</ab></r>".repeat(200))
}

#[test]
fn what_is_wrong_after_learned_records_is_found_where_it_is() {
    let limits = Limits { depth: 5, value_bytes: 12, ..Limits::default() };
    let whole = "<r><id>1</id><a>jane</a><ab>x</ab></r></l>";
    let mut endings: Vec<(String, Option<Fault>)> =
        (0..whole.len()).map(|cut| (whole[..cut].to_owned(), Some(Fault::Truncated))).collect();
    endings.push((whole.to_owned(), None));
    for (last, fault) in [
        ("<r><id>1</ib><a>jane</a></r></l>", Fault::Tag),
        ("<r><id>1</id><a>jane</id><ab>x</ab></r></l>", Fault::Tag),
        ("<r><id>1</id></l>", Fault::Tag),
        ("<r><id>1</id><a x>1</a></r></l>", Fault::Tag),
        ("<r><id>1</id><a:b:c>1</a:b:c></r></l>", Fault::Tag),
        ("<r><id>1&nbsp;</id><a>jane</a></r></l>", Fault::Entity),
        ("<r><id>1</id><a>jane&x;</a></r></l>", Fault::Entity),
        ("<r><id>1</id><!DOCTYPE a></r></l>", Fault::Doctype),
        ("<r><id>1</id><a>0123456789abc</a></r></l>", Fault::ValueTooLong),
        ("<r><id>1</id><a23456789ab>1</a23456789ab></r></l>", Fault::ValueTooLong),
        ("<r><id><x><y><z>1</z></y></x></id></r></l>", Fault::TooDeep),
        ("<r><id>\u{1}</id></r></l>", Fault::Control),
        ("</l><id>1</id>", Fault::Trailing),
    ] {
        endings.push((last.to_owned(), Some(fault)));
    }
    let paths = paths(&["$.l.r.a"]);
    for (last, fault) in endings {
        let text = ending(&last);
        let expected = alone(&paths, limits, text.as_bytes());
        assert_eq!(expected.as_ref().err().map(|error| error.fault), fault, "{last}");
        assert_eq!(guided(&paths, limits, [text.as_bytes()]), expected, "{last}");
        for size in [1, 7, 500] {
            let got = guided(&paths, limits, text.as_bytes().chunks(size)).map_err(|error| error.fault);
            assert_eq!(got.err(), fault, "{last} in {size}");
        }
    }
}

#[test]
fn every_name_is_asked_for_where_all_are() {
    let text = ending("</l>");
    let (out, events) = guided(&Arc::new(Paths::everything()), Limits::default(), [text.as_bytes()]).unwrap();
    assert_eq!(events.iter().filter(|event| event.contains(':')).count(), 1 + 200 * 4);
    assert_eq!(out.matches("<a>#4</a>").count(), 200);
}
