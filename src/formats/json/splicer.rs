//! A JSON text as a stream: what surrounds the lexer.

use super::{
    lexer::Splicer,
    lookahead::Skim,
    token::{Kind, Phase},
};
use crate::formats::{Fault, FormatError, Handler, Stream};

impl Stream for Splicer {
    fn push<H: Handler>(&mut self, chunk: &[u8], out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        let (before, written) = (out.len(), self.written);
        let text = self.take(chunk)?;
        let result = self.read(text, out, handler);
        if result.is_err() {
            out.truncate(before);
            self.written = written;
        }
        result
    }

    fn finish<H: Handler>(&mut self, out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        let held = std::mem::take(&mut self.carry);
        let used = self.guarded(&held, true, out, handler)?;
        if used < held.len() || self.intake.is_cut() || !self.is_complete() {
            return Err(FormatError { at: self.read, fault: Fault::Truncated }.into());
        }
        Ok(())
    }

    fn written(&self) -> u64 {
        self.written
    }

    fn moved(&mut self, written: u64) {
        self.written = written;
    }
}

impl Splicer {
    /// The text of `chunk`, for [`Splicer::read`]; a character that it completes is carried.
    pub(super) fn take<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a str, FormatError> {
        let held = self.carry.len();
        self.intake.take(chunk, &mut self.carry).map_err(|at| {
            let fault = if self.state.phase == Phase::Failed { Fault::Failed } else { Fault::Utf8 };
            self.state.phase = Phase::Failed;
            FormatError { at: self.read + (held + at) as u64, fault }
        })
    }

    /// Starts the next text, also after one that was refused.
    pub(in crate::formats) fn restart(&mut self) {
        self.state.phase = Phase::Value;
        self.state.node = self.walker.root();
        while let Some(outer) = self.stack.pop() {
            self.state.top = outer;
        }
        self.searched = 0;
        self.skim = Skim::default();
    }

    /// Whether the text has ended and nothing of it is carried.
    pub(in crate::formats) fn is_complete(&self) -> bool {
        self.carry.is_empty() && self.state.phase == Phase::Next && self.state.top.kind == Kind::Document
    }

    /// Whether something waits for the next chunk.
    pub(super) fn carries(&self) -> bool {
        !self.carry.is_empty()
    }

    /// Whether a character is not complete.
    pub(super) fn is_cut(&self) -> bool {
        self.intake.is_cut()
    }

    /// Bytes of the input so far.
    pub(super) fn place(&self) -> u64 {
        self.read
    }

    /// White space between two texts.
    pub(super) fn pass(&mut self, blank: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(blank.as_bytes());
        self.read += blank.len() as u64;
        self.written += blank.len() as u64;
    }
}
