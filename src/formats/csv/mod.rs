//! CSV and TSV (RFC 4180) as a stream: the header line names the columns, every row is a record of its own. Cells that nobody
//! asked for pass without being held, however long they are; a row that another reader could cut elsewhere is refused.

mod cell;
mod header;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use cell::{cell, is_bare, stand_in};
use rows::{Phase, Rows};

use super::{Fault, Handler, Limits, Stream, feed::Feed, path::Paths};
use crate::model::Delimiter;

/// Columns that a header line may name.
pub const MAX_COLUMNS: usize = 4_096;

/// One CSV body on its way through.
#[derive(Debug)]
pub struct Csv {
    feed: Feed,
    rows: Rows,
}

impl Csv {
    /// A reader of one body.
    #[must_use]
    pub fn new(paths: Arc<Paths>, limits: Limits, delimiter: Delimiter) -> Self {
        let rows = Rows::new(paths, limits, delimiter);
        Self { feed: Feed::default(), rows }
    }

    fn guarded<H: Handler>(
        &mut self,
        out: &mut Vec<u8>,
        read: impl FnOnce(&mut Self, &mut Vec<u8>) -> Result<(), H::Error>,
    ) -> Result<(), H::Error> {
        let (before, written) = (out.len(), self.rows.written);
        let result = read(self, out);
        if result.is_err() {
            self.rows.phase = Phase::Failed;
            self.rows.written = written;
            out.truncate(before);
        }
        result
    }
}

impl Stream for Csv {
    fn push<H: Handler>(&mut self, chunk: &[u8], out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        self.guarded::<H>(out, |csv, out| {
            let Self { feed, rows } = csv;
            if rows.phase == Phase::Failed {
                return Err(rows.fault(0, Fault::Failed).into());
            }
            if memchr::memchr(0, chunk).is_some() {
                return Err(rows.fault(0, Fault::Nul).into());
            }
            feed.push(chunk, rows.read, |text| rows.run(text, false, out, handler))
        })
    }

    fn finish<H: Handler>(&mut self, out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        self.guarded::<H>(out, |csv, out| {
            let Self { feed, rows } = csv;
            let held = feed.finish(rows.read)?;
            if rows.phase == Phase::Header && held.is_empty() {
                // Nothing at all: no columns and no rows.
                return Ok(());
            }
            let used = rows.run(&held, true, out, handler)?;
            match rows.phase {
                _ if used < held.len() => Err(rows.fault(0, Fault::Truncated).into()),
                Phase::Row => Ok(()),
                Phase::Quoted | Phase::Header => Err(rows.fault(0, Fault::Truncated).into()),
                Phase::Return => Err(rows.fault(0, Fault::BareReturn).into()),
                Phase::Failed => Err(rows.fault(0, Fault::Failed).into()),
                Phase::Cell | Phase::Bare | Phase::Quote => Ok(rows.end(rows.read, rows.written, handler)?),
            }
        })
    }

    fn written(&self) -> u64 {
        self.rows.written
    }

    fn moved(&mut self, written: u64) {
        self.rows.written = written;
    }
}
