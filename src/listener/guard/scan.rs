//! Finds the end of a header or trailer section; every line must end in CR LF.

use crate::listener::{Refusal, refusal};

/// How far a section was looked at; resumes when more bytes arrive.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scan {
    /// Bytes looked at.
    at: usize,
    /// Where the current line starts.
    line: usize,
}

/// What is known after a look at some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The section goes on.
    Partial,
    /// The section ends before this offset.
    Complete(usize),
}

impl Scan {
    /// Looks at `section`, which starts where it started at the last call and may be longer now.
    pub(crate) fn advance(&mut self, section: &[u8]) -> Result<Found, Refusal> {
        while let Some(offset) = memchr::memchr2(b'\r', b'\n', section.get(self.at..).unwrap_or_default()) {
            let end = self.at + offset;
            if section.get(end) == Some(&b'\n') {
                return Err(refusal::BARE_LF);
            }
            match section.get(end + 1) {
                Some(b'\n') => {}
                Some(_) => return Err(refusal::BARE_CR),
                None => {
                    self.at = end;
                    return Ok(Found::Partial);
                }
            }
            let empty = end == self.line;
            self.at = end + 2;
            self.line = self.at;
            if empty {
                return Ok(Found::Complete(self.at));
            }
        }
        self.at = section.len();
        Ok(Found::Partial)
    }
}
