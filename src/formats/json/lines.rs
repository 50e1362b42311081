//! NDJSON (JSON Lines): every line is a JSON text and a record of its own. Empty lines pass; a text does not go on in the
//! next line, as whoever reads line by line would not see what the lexer sees.

use std::sync::Arc;

use super::{Splicer, scan};
use crate::formats::{Fault, FormatError, Handler, Limits, Side, Stream, path::Paths};

/// One NDJSON body on its way through.
#[derive(Debug)]
pub struct Lines {
    lexer: Splicer,
    line: Line,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing but white space of it was read.
    Blank,
    /// A text started.
    Text,
    /// After an error.
    Failed,
}

impl Lines {
    /// A reader of one body.
    #[must_use]
    pub fn new(paths: Arc<Paths>, limits: Limits) -> Self {
        Self { lexer: Splicer::sequence(paths, limits), line: Line::Blank }
    }

    fn read<H: Handler>(&mut self, chunk: &[u8], out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        let mut rest = self.lexer.take(chunk)?;
        while let Some(end) = memchr::memchr(b'\n', rest.as_bytes()) {
            let (line, after) = rest.split_at_checked(end + 1).unwrap_or((rest, ""));
            self.part(line, out, handler)?;
            if self.line == Line::Text {
                self.end(handler)?;
            }
            rest = after;
        }
        if rest.is_empty() && !self.lexer.carries() { Ok(()) } else { self.part(rest, out, handler) }
    }

    /// A line or what there is of one.
    fn part<H: Handler>(&mut self, part: &str, out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        if self.line == Line::Blank {
            if !self.lexer.carries() && scan::blanks(part.as_bytes(), 0) == part.len() {
                self.lexer.pass(part, out);
                return Ok(());
            }
            self.line = Line::Text;
            self.lexer.restart();
            handler.record(Side::Start, self.lexer.written());
        }
        self.lexer.read(part, out, handler)
    }

    fn end<H: Handler>(&mut self, handler: &mut H) -> Result<(), H::Error> {
        if !self.lexer.is_complete() {
            return Err(FormatError { at: self.lexer.place(), fault: Fault::Truncated }.into());
        }
        handler.record(Side::End, self.lexer.written());
        self.line = Line::Blank;
        Ok(())
    }
}

impl Stream for Lines {
    fn push<H: Handler>(&mut self, chunk: &[u8], out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        if self.line == Line::Failed {
            return Err(FormatError { at: self.lexer.place(), fault: Fault::Failed }.into());
        }
        let (before, written) = (out.len(), self.lexer.written());
        let result = self.read(chunk, out, handler);
        if result.is_err() {
            self.line = Line::Failed;
            out.truncate(before);
            self.lexer.moved(written);
        }
        result
    }

    fn finish<H: Handler>(&mut self, out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        let fault = |fault| Err(FormatError { at: self.lexer.place(), fault }.into());
        match self.line {
            Line::Failed => fault(Fault::Failed),
            Line::Blank if self.lexer.is_cut() => fault(Fault::Truncated),
            Line::Blank => Ok(()),
            Line::Text => {
                self.lexer.finish(out, handler)?;
                handler.record(Side::End, self.lexer.written());
                self.line = Line::Blank;
                Ok(())
            }
        }
    }

    fn written(&self) -> u64 {
        self.lexer.written()
    }

    fn moved(&mut self, written: u64) {
        self.lexer.moved(written);
    }
}
