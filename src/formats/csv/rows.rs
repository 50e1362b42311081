//! Rows: what is known between two bytes, and what becomes of the cells.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{
    cell::{self, Blocks, Stop},
    header,
};
use crate::{
    formats::{
        Edit, Fault, FormatError, Handler, Limits, Out, Side, Spelling, Trace,
        path::{Node, NodeId, Paths, Walker},
    },
    model::{Delimiter, Leaf},
};

/// What is known between two bytes.
#[derive(Debug)]
pub(super) struct Rows {
    walker: Walker,
    limits: Limits,
    said: Delimiter,
    delimiter: u8,
    pub(super) phase: Phase,
    columns: Vec<Column>,
    column: usize,
    /// Bytes of the carried cell that were searched for its end.
    searched: usize,
    text: Zeroizing<String>,
    pub(super) read: u64,
    pub(super) written: u64,
}

#[derive(Debug)]
struct Column {
    name: Box<str>,
    node: NodeId,
    /// Somebody wants to see its cells.
    told: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the header line.
    Header,
    /// At the start of a row, or at the end.
    Row,
    /// At the start of a cell.
    Cell,
    /// In an unquoted cell that nobody asked for.
    Bare,
    /// In a quoted one.
    Quoted,
    /// After a quote in a quoted one, or after the last cell of a body without a line end.
    Quote,
    /// After a carriage return that ends a row.
    Return,
    /// After an error.
    Failed,
}

impl Rows {
    pub(super) fn new(paths: Arc<Paths>, limits: Limits, said: Delimiter) -> Self {
        Self {
            walker: Walker::new(paths),
            limits,
            said,
            delimiter: b',',
            phase: Phase::Header,
            columns: Vec::new(),
            column: 0,
            searched: 0,
            text: Zeroizing::default(),
            read: 0,
            written: 0,
        }
    }

    pub(super) fn fault(&self, at: usize, fault: Fault) -> FormatError {
        FormatError { at: self.read + at as u64, fault }
    }

    /// Reads cells until the input ends; answers how many of its bytes were used up.
    pub(super) fn run<H: Handler>(
        &mut self,
        input: &str,
        last: bool,
        out: &mut Vec<u8>,
        handler: &mut H,
    ) -> Result<usize, H::Error> {
        let before = out.len();
        let used = self.cells(input, last, out, handler)?;
        self.read += used as u64;
        self.written += (out.len() - before) as u64;
        Ok(used)
    }

    fn cells<H: Handler>(
        &mut self,
        input: &str,
        last: bool,
        out: &mut Vec<u8>,
        handler: &mut H,
    ) -> Result<usize, H::Error> {
        let bytes = input.as_bytes();
        let origin = self.written.wrapping_sub(out.len() as u64);
        let (mut at, mut kept) = (0, 0);
        if self.phase == Phase::Header {
            let Some(end) = self.header(input, last, origin, out, handler)? else { return Ok(0) };
            (at, kept) = (end, end);
        }
        let delimiter = self.delimiter;
        let mut blocks = Blocks::new(delimiter);
        // Byte of the whole output at which input byte `at` goes out.
        let place = |out: &[u8], at: usize, kept: usize| origin.wrapping_add((out.len() + at - kept) as u64);
        loop {
            // Where the cell before ended, when it did.
            let end = match self.phase {
                Phase::Row => {
                    if at >= bytes.len() {
                        break;
                    }
                    handler.record(Side::Start, place(out, at, kept));
                    if H::TRACES {
                        handler.trace(Trace::Object);
                    }
                    (self.column, self.phase) = (0, Phase::Cell);
                    continue;
                }
                Phase::Cell => {
                    let Some(first) = bytes.get(at).copied() else { break };
                    let Some(column) = self.columns.get(self.column) else {
                        return Err(self.fault(at, Fault::Ragged).into());
                    };
                    let quoted = first == b'"';
                    if !column.told {
                        self.phase = if quoted { Phase::Quoted } else { Phase::Bare };
                        at += usize::from(quoted);
                        continue;
                    }
                    let from = at + std::mem::take(&mut self.searched).max(usize::from(quoted));
                    let stop = if quoted {
                        let end = cell::quoted_end(bytes, from, delimiter, last);
                        end.map_err(|(at, fault)| self.fault(at, fault))?
                    } else {
                        match blocks.next(bytes, from) {
                            Some(end) => Stop::At(end),
                            None if last => Stop::At(bytes.len()),
                            None => Stop::More(bytes.len()),
                        }
                    };
                    let (Stop::At(end) | Stop::More(end)) = stop;
                    if end - at > self.limits.value_bytes {
                        return Err(self.fault(at, Fault::ValueTooLong).into());
                    }
                    if stop == Stop::More(end) {
                        self.searched = end - at;
                        break;
                    }
                    out.extend_from_slice(bytes.get(kept..at).unwrap_or_default());
                    let edit = self.tell(input, (at, end), quoted, origin, out, handler)?;
                    kept = if edit == Edit::Keep { at } else { end };
                    end
                }
                Phase::Bare => match self.bare(bytes, &mut at, &mut blocks) {
                    Some(end) => end,
                    None if self.phase == Phase::Cell => continue,
                    None => break,
                },
                Phase::Quoted => match memchr::memchr(b'"', bytes.get(at..).unwrap_or_default()) {
                    Some(found) => {
                        at += found + 1;
                        self.phase = Phase::Quote;
                        continue;
                    }
                    None => {
                        at = bytes.len();
                        break;
                    }
                },
                Phase::Quote => match bytes.get(at) {
                    None => break,
                    Some(b'"') => {
                        at += 1;
                        self.phase = Phase::Quoted;
                        continue;
                    }
                    Some(_) => at,
                },
                Phase::Return => match bytes.get(at) {
                    None => break,
                    Some(b'\n') => at,
                    Some(_) => return Err(self.fault(at, Fault::BareReturn).into()),
                },
                Phase::Header | Phase::Failed => return Err(self.fault(at, Fault::Failed).into()),
            };
            at = end + 1;
            match bytes.get(end) {
                Some(b'\n') => self.end(self.read + at as u64, place(out, at, kept), handler)?,
                Some(b'\r') => self.phase = Phase::Return,
                Some(byte) if *byte == delimiter => (self.column, self.phase) = (self.column + 1, Phase::Cell),
                Some(_) => return Err(self.fault(end, Fault::StrayQuote).into()),
                None => {
                    at = end;
                    self.phase = Phase::Quote;
                    break;
                }
            }
        }
        out.extend_from_slice(bytes.get(kept..at).unwrap_or_default());
        Ok(at)
    }

    /// Passes by unquoted cells that nobody asked for; answers the end of one that something else than such a cell follows.
    #[inline]
    fn bare(&mut self, bytes: &[u8], at: &mut usize, blocks: &mut Blocks) -> Option<usize> {
        loop {
            let Some(end) = blocks.next(bytes, *at) else {
                *at = bytes.len();
                return None;
            };
            if bytes.get(end) != Some(&self.delimiter) {
                return Some(end);
            }
            let next = self.columns.get(self.column + 1);
            if next.is_none_or(|next| next.told) || matches!(bytes.get(end + 1), Some(b'"') | None) {
                return Some(end);
            }
            self.column += 1;
            *at = end + 1;
        }
    }

    /// Reads the header line; answers where it ends, when it does.
    fn header<H: Handler>(
        &mut self,
        input: &str,
        last: bool,
        origin: u64,
        out: &mut Vec<u8>,
        handler: &mut H,
    ) -> Result<Option<usize>, H::Error> {
        let mark = if input.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        let line = input.get(mark..).unwrap_or_default();
        let header = header::read(line, self.said, last).map_err(|(at, fault)| self.fault(mark + at, fault))?;
        let length = header.as_ref().map_or(line.len(), |header| header.end);
        if length > self.limits.value_bytes {
            return Err(self.fault(0, Fault::ValueTooLong).into());
        }
        let Some(header) = header else { return Ok(None) };
        self.delimiter = header.delimiter;
        let root = self.walker.root();
        let mut kept = 0;
        for column in header.columns {
            let node = self.walker.member(root, column.name.trim().as_bytes());
            if self.walker.flags(node) & Node::NAME != 0 {
                out.extend_from_slice(input.get(kept..mark + column.start).unwrap_or_default().as_bytes());
                let at = origin.wrapping_add(out.len() as u64);
                let spelling = Spelling::Cell { delimiter: self.delimiter, quoted: column.quoted };
                let edit = handler.name(&column.name, at, &mut Out::new(out, spelling))?;
                kept = mark + if edit == Edit::Keep { column.start } else { column.end };
            }
            let told = self.walker.flags(node) & Node::LEAF != 0;
            self.columns.push(Column { name: column.name.into(), node, told });
        }
        let end = mark + header.end;
        out.extend_from_slice(input.get(kept..end).unwrap_or_default().as_bytes());
        self.phase = Phase::Row;
        Ok(Some(end))
    }

    /// Tells the cell at `(start, end)`.
    fn tell<H: Handler>(
        &mut self,
        input: &str,
        (start, end): (usize, usize),
        quoted: bool,
        origin: u64,
        out: &mut Vec<u8>,
        handler: &mut H,
    ) -> Result<Edit, H::Error> {
        let cell = input.get(start..end).unwrap_or_default();
        let inner = if quoted { cell.get(1..cell.len().saturating_sub(1)).unwrap_or_default() } else { cell };
        let (Some(column), base) = (self.columns.get(self.column), self.read) else { return Ok(Edit::Keep) };
        let Some(node) = self.walker.node(column.node) else { return Ok(Edit::Keep) };
        if H::TRACES {
            handler.trace(Trace::Name { name: &column.name, start: base + start as u64 });
        }
        let value = if quoted { cell::unquoted(inner, &mut self.text) } else { inner };
        // The only cell of a row is quoted: an empty one would be an empty line.
        let spelling = Spelling::Cell { delimiter: self.delimiter, quoted: quoted || self.columns.len() == 1 };
        let at = origin.wrapping_add(out.len() as u64);
        let edit = handler.leaf(node, Leaf::Text(value), at, &mut Out::new(out, spelling))?;
        if H::TRACES {
            handler.trace(Trace::End(base + end as u64));
        }
        Ok(edit)
    }

    /// A row ends.
    pub(super) fn end<H: Handler>(&mut self, read: u64, written: u64, handler: &mut H) -> Result<(), FormatError> {
        if self.column + 1 != self.columns.len() {
            return Err(FormatError { at: read, fault: Fault::Ragged });
        }
        handler.record(Side::End, written);
        if H::TRACES {
            handler.trace(Trace::Close);
            handler.trace(Trace::End(read));
        }
        self.phase = Phase::Row;
        Ok(())
    }
}

/// Excel writes one, and needs one to read UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';
