//! An event stream (WHATWG HTML §9.2) as a stream of documents: every event is complete in the output as soon as it is in the
//! input. Data that is a JSON object or array is read as one, other data is free text; comments lose what they say, fields
//! that no client knows go.

mod event;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use event::{Cutter, Event, Line, MAX_LINES};
use zeroize::Zeroizing;

use super::{
    Edit, Fault, FormatError, Handler, Limits, Out, Prose, Side, Spelling, Stream,
    json::Splicer,
    path::{Node, Paths, Walker},
};
use crate::model::Leaf;

/// One event stream on its way through.
#[derive(Debug)]
pub struct Events {
    cutter: Cutter,
    limits: Limits,
    writer: Writer,
    failed: bool,
}

/// Writes events.
#[derive(Debug)]
struct Writer {
    lexer: Splicer,
    /// Tells what is JSON before anybody is told of it.
    judge: Splicer,
    /// A selector selects the data itself, so that every JSON text is a document.
    whole: bool,
    scratch: Zeroizing<Vec<u8>>,
    written: u64,
}

impl Events {
    /// A reader of one stream.
    #[must_use]
    pub fn new(paths: Arc<Paths>, limits: Limits) -> Self {
        let walker = Walker::new(Arc::clone(&paths));
        let writer = Writer {
            whole: walker.flags(walker.root()) & Node::FIELD != 0,
            lexer: Splicer::sequence(paths, limits),
            judge: Splicer::sequence(Arc::new(Paths::nothing()), limits),
            scratch: Zeroizing::default(),
            written: 0,
        };
        Self { cutter: Cutter::default(), limits, writer, failed: false }
    }

    fn guarded<H: Handler>(
        &mut self,
        out: &mut Vec<u8>,
        read: impl FnOnce(&mut Self, &mut Vec<u8>) -> Result<(), H::Error>,
    ) -> Result<(), H::Error> {
        if self.failed {
            return Err(FormatError { at: self.cutter.read(), fault: Fault::Failed }.into());
        }
        let (before, written) = (out.len(), self.writer.written);
        let result = read(self, out);
        if result.is_err() {
            self.failed = true;
            self.writer.written = written;
            out.truncate(before);
        }
        result
    }
}

impl Stream for Events {
    fn push<H: Handler>(&mut self, chunk: &[u8], out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        self.guarded::<H>(out, |events, out| {
            let Self { cutter, limits, writer, .. } = events;
            cutter.push(chunk, limits.record_bytes, |event| {
                writer.event(&event, out, handler)?;
                writer.put(b"\n", out);
                Ok(())
            })
        })
    }

    fn finish<H: Handler>(&mut self, out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        self.guarded::<H>(out, |events, out| {
            let Some(event) = events.cutter.finish()? else { return Ok(()) };
            events.writer.event(&event, out, handler)
        })
    }

    fn written(&self) -> u64 {
        self.writer.written
    }

    fn moved(&mut self, written: u64) {
        self.writer.written = written;
    }
}

impl Writer {
    fn put(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(bytes);
        self.written += bytes.len() as u64;
    }

    fn event<H: Handler>(&mut self, event: &Event, out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        handler.record(Side::Start, self.written);
        for line in &event.lines {
            match line {
                Line::Comment => self.put(b":\n", out),
                Line::Retry(value) => self.field("retry", value, out),
                Line::Name(value) => self.prose("event", Prose::Label, value, out, handler)?,
                Line::Id(value) => self.prose("id", Prose::Label, value, out, handler)?,
                Line::Data => self.data(event, out, handler)?,
            }
        }
        handler.record(Side::End, self.written);
        Ok(())
    }

    fn field(&mut self, name: &str, value: &str, out: &mut Vec<u8>) {
        for part in [name, ": ", value, "\n"] {
            self.put(part.as_bytes(), out);
        }
    }

    fn prose<H: Handler>(
        &mut self,
        name: &str,
        kind: Prose,
        text: &str,
        out: &mut Vec<u8>,
        handler: &mut H,
    ) -> Result<(), H::Error> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let edit = handler.prose(kind, text, self.written, &mut Out::new(&mut scratch, Spelling::Plain))?;
        let shown = if edit == Edit::Keep { text } else { str::from_utf8(&scratch).unwrap_or_default() };
        // What replaces a text may have line ends of its own.
        for line in shown.split(['\n', '\r']) {
            self.field(name, line, out);
            if kind == Prose::Label {
                break;
            }
        }
        self.scratch = scratch;
        Ok(())
    }

    fn data<H: Handler>(&mut self, event: &Event, out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        let joined;
        let json = if event.data.contains('\n') {
            // Between two tokens of JSON any white space is the same, and it makes one line of it.
            joined = Zeroizing::new(event.data.replace('\n', " "));
            &*joined
        } else {
            &*event.data
        };
        match self.judged(json) {
            Ok(true) => {}
            Ok(false) => return self.prose("data", Prose::Text, &event.data, out, handler),
            Err(fault) => return Err(FormatError { at: event.end, fault }.into()),
        }
        self.put(b"data: ", out);
        self.lexer.restart();
        self.lexer.moved(self.written);
        self.lexer.push(json.as_bytes(), out, handler)?;
        self.lexer.finish(out, handler)?;
        self.written = self.lexer.written();
        self.put(b"\n", out);
        Ok(())
    }

    /// Whether `text` is a document: a JSON object or array, or any JSON text when a selector selects it.
    ///
    /// # Errors
    /// When it looks like one and is none.
    fn judged(&mut self, text: &str) -> Result<bool, Fault> {
        let first = text.trim_start_matches([' ', '\t', '\n', '\r']).bytes().next();
        if !(matches!(first, Some(b'{' | b'[')) || self.whole) {
            return Ok(false);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        self.judge.restart();
        let judged = self.judge.push(text.as_bytes(), &mut scratch, &mut Nobody);
        let judged = judged.and_then(|()| self.judge.finish(&mut scratch, &mut Nobody));
        self.scratch = scratch;
        match judged {
            Ok(()) => Ok(true),
            // `[DONE]` and the like are words, whatever else opens a bracket is broken.
            Err(_) if first != Some(b'{') && !text.contains(['{', '"']) => Ok(false),
            Err(error) => Err(error.fault),
        }
    }
}

/// Asks for nothing.
struct Nobody;

impl Handler for Nobody {
    type Error = FormatError;

    fn leaf(&mut self, _: &Node, _: Leaf<'_>, _: u64, _: &mut Out<'_>) -> Result<Edit, FormatError> {
        Ok(Edit::Keep)
    }
}
