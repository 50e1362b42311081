//! What every reader is tested with: a handler that hides what it is told of, and any chunking against the whole.

use std::sync::Arc;

use super::{
    Edit, FormatError, Handler, Limits, Out, Prose, Reader, Side, Stream, Trace,
    path::{Node, Paths},
};
use crate::model::{BodyFormat, BodyMap, ClassId, Column, FieldRule, Leaf};

/// Hides every selected leaf behind `#` and its place in the order; remembers what it was told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) events: Vec<String>,
}

impl Handler for Told {
    type Error = FormatError;
    const TRACES: bool = true;

    fn leaf(&mut self, _: &Node, leaf: Leaf<'_>, at: u64, out: &mut Out<'_>) -> Result<Edit, FormatError> {
        let (Leaf::Text(text) | Leaf::Number(text)) = leaf else { return Ok(Edit::Keep) };
        self.events.push(format!("{at}={text}"));
        if text.starts_with("keep") {
            return Ok(Edit::Keep);
        }
        out.text(&format!("#{}", text.chars().count()));
        Ok(Edit::Replaced)
    }

    fn name(&mut self, name: &str, at: u64, out: &mut Out<'_>) -> Result<Edit, FormatError> {
        self.events.push(format!("{at}:{name}"));
        if !name.contains("secret") {
            return Ok(Edit::Keep);
        }
        out.text("#");
        Ok(Edit::Replaced)
    }

    fn prose(&mut self, kind: Prose, text: &str, at: u64, out: &mut Out<'_>) -> Result<Edit, FormatError> {
        self.events.push(format!("{at}~{kind:?}~{text}"));
        if !text.contains("secret") {
            return Ok(Edit::Keep);
        }
        out.text(&text.replace("secret", "#"));
        Ok(Edit::Replaced)
    }

    fn record(&mut self, side: Side, at: u64) {
        self.events.push(format!("{side:?} {at}"));
    }

    fn trace(&mut self, event: Trace<'_>) {
        if let Trace::Name { start, .. } | Trace::End(start) = event {
            self.events.push(format!("{start}"));
        }
    }
}

impl Told {
    /// The texts, without their places.
    pub(super) fn leaves(&self) -> Vec<&str> {
        self.events.iter().filter_map(|event| event.split_once('=').map(|(_, text)| text)).collect()
    }

    pub(super) fn records(&self) -> usize {
        self.events.iter().filter(|event| event.starts_with("Start")).count()
    }
}

pub(super) fn paths(selectors: &[&str]) -> Arc<Paths> {
    let class = ClassId::new(0).unwrap();
    let rule =
        |text: &&str| FieldRule { selector: text.parse().unwrap(), class, base64: false, column: Column::default() };
    let map = BodyMap { fields: selectors.iter().map(rule).collect(), ..BodyMap::default() };
    Arc::new(Paths::compile(&map).unwrap())
}

type Read = Result<(String, Told), FormatError>;

pub(super) fn read<'a>(
    format: BodyFormat,
    paths: &Arc<Paths>,
    limits: Limits,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Read {
    let (mut reader, mut out, mut told) = (Reader::new(format, Arc::clone(paths), limits), Vec::new(), Told::default());
    for chunk in chunks {
        let before = out.len();
        if let Err(error) = reader.push(chunk, &mut out, &mut told) {
            assert_eq!(out.len(), before, "what was refused left bytes");
            let again = reader.push(b"", &mut out, &mut told).unwrap_err();
            assert_eq!(again.fault, super::Fault::Failed, "it went on after an error");
            return Err(error);
        }
        assert_eq!(reader.written(), out.len() as u64);
    }
    reader.finish(&mut out, &mut told)?;
    Ok((String::from_utf8(out).unwrap(), told))
}

/// The result of the whole text, which every chunking has to give, too.
pub(super) fn everyhow(format: BodyFormat, paths: &Arc<Paths>, limits: Limits, text: &[u8]) -> Read {
    let whole = read(format, paths, limits, [text]);
    for size in 1..text.len().min(40) {
        let parts = read(format, paths, limits, text.chunks(size));
        same(&whole, &parts, &format!("chunks of {size}"));
    }
    for cut in 0..=text.len() {
        let (left, right) = text.split_at(cut);
        same(&whole, &read(format, paths, limits, [left, right]), &format!("a cut at {cut}"));
    }
    whole
}

fn same(whole: &Read, parts: &Read, how: &str) {
    match (whole, parts) {
        (Err(one), Err(other)) => assert_eq!(one.fault, other.fault, "{how}"),
        _ => assert_eq!(whole, parts, "{how}"),
    }
}
