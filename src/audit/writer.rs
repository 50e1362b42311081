//! The one thread that writes the segment: batches of finished lines in, durable bytes out. Any error ends it for good; no
//! write and no sync is ever tried again, because a kernel that failed to store a page forgets that it did.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    disk::Segment,
    lifecycle::LogEvent,
    record::{Lines, Recorder},
    segment::{BATCH_BYTES, BATCH_RECORDS, push_commit},
    shared::{Gather, Pending, Room, Shared, Work},
    tree::{Tree, leaf_hash},
};
use crate::model::Timestamp;

/// Room reserved past the end of the file.
const AHEAD_BYTES: u64 = 4 * 1024 * 1024;
/// Records of a batch from which on the next one stays open for others: a caller on its own never waits for company.
const COMPANY_RECORDS: usize = 8;
/// How often the path is looked up, to see that the file is still the one others find.
const LOOK: Duration = Duration::from_secs(1);

/// When the writer acts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Time between the starts of two commits, so that a fast disk still gets batches; and how long a batch stays open
    /// while batches have company.
    pub(super) floor: Duration,
    /// Time without a record after which one is written.
    pub(super) tick: Duration,
}

/// The writer's state.
pub(super) struct Writer {
    shared: Arc<Shared>,
    disk: Box<dyn Segment>,
    recorder: Recorder,
    clock: fn() -> Timestamp,
    pace: Pace,
    tree: Tree,
    offset: u64,
    reserved: u64,
    batch: Vec<u8>,
    started: Option<Instant>,
    looked: Option<Instant>,
}

/// Why the log failed: the stable text, and the system's error where there is one.
type Failure = (&'static str, Option<io::Error>);

impl Writer {
    /// A writer that goes on at `offset`, behind `tree`.
    pub(super) fn new(
        shared: Arc<Shared>,
        disk: Box<dyn Segment>,
        recorder: Recorder,
        clock: fn() -> Timestamp,
        pace: Pace,
        (tree, offset): (Tree, u64),
    ) -> Self {
        let (batch, started, looked) = (Vec::new(), None, None);
        Self { shared, disk, recorder, clock, pace, tree, offset, reserved: offset, batch, started, looked }
    }

    /// Runs until the log is closed or fails.
    pub(super) fn run(mut self) {
        let _guard = Guard(Arc::clone(&self.shared));
        let mut taken = Pending::default();
        let mut taken_last = 0;
        loop {
            let gather = Gather {
                earliest: self.started.map(|started| started + self.pace.floor),
                company: (taken_last >= COMPANY_RECORDS).then_some(self.pace.floor),
            };
            match self.shared.take(&mut taken, self.pace.tick, gather) {
                Work::End => return,
                Work::Idle => self.queue_tick(),
                Work::Write => {
                    if let Err((why, source)) = self.write(&taken) {
                        tracing::error!(reason = why, error = source.map(tracing::field::display), "access log failed");
                        return self.shared.fail(why);
                    }
                    taken_last = taken.lengths.len();
                    taken.bytes.clear();
                    taken.lengths.clear();
                    taken.since = None;
                }
            }
        }
    }

    fn queue_tick(&self) {
        let mut lines = Lines::default();
        // Closed or failed meanwhile: then there is nothing to seal.
        if self.recorder.log((self.clock)(), &LogEvent::Tick, &mut lines).is_ok() {
            let _ = self.shared.queue(&lines, Room::Reserve);
        }
    }

    fn write(&mut self, taken: &Pending) -> Result<(), Failure> {
        let since = taken.since.unwrap_or_else(Instant::now);
        let (mut bytes, mut lengths) = (taken.bytes.as_slice(), taken.lengths.as_slice());
        while !lengths.is_empty() {
            let (count, size) = batch(lengths);
            let (now, later) = bytes.split_at(size);
            let (these, others) = lengths.split_at(count);
            (bytes, lengths) = (later, others);
            #[cfg(test)]
            if self.shared.abandoned() {
                return Ok(());
            }
            self.commit(now, these, since)?;
        }
        Ok(())
    }

    /// One batch: all of it is durable, or none of it is acknowledged.
    fn commit(&mut self, lines: &[u8], lengths: &[u32], since: Instant) -> Result<(), Failure> {
        if let Some(started) = self.started {
            std::thread::sleep(self.pace.floor.saturating_sub(started.elapsed()));
        }
        let started = Instant::now();
        self.started = Some(started);
        let mut rest = lines;
        for length in lengths {
            let (line, others) = rest.split_at(*length as usize);
            self.tree.push(leaf_hash(line.strip_suffix(b"\n").unwrap_or(line)));
            rest = others;
        }
        let root = self.tree.root();
        self.batch.clear();
        self.batch.extend_from_slice(lines);
        push_commit(&mut self.batch, self.tree.size(), &root, lines.len() as u64);
        self.store()?;
        self.shared.times.committed(started.elapsed(), since.elapsed(), self.batch.len());
        self.shared.advance(lengths.len(), lines.len(), self.tree.size(), root);
        Ok(())
    }

    fn store(&mut self) -> Result<(), Failure> {
        let end = self.offset + self.batch.len() as u64;
        if end > self.reserved {
            let ahead = self.batch.len() as u64 + AHEAD_BYTES;
            // A crash here leaves a file of the same size with room behind it.
            self.disk.reserve(self.offset, ahead).map_err(because("the disk has no room for a batch"))?;
            self.reserved = self.offset + ahead;
        }
        let (mut rest, mut at) = (self.batch.as_slice(), self.offset);
        while !rest.is_empty() {
            // A crash here leaves part of this batch, blocks in any order: a torn tail, which nobody was told is durable.
            match self.disk.write(rest, at) {
                Ok(0) => return Err(("the segment takes no more bytes", None)),
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    at += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(because("the segment could not be written")(error)),
            }
        }
        // A crash before this returns leaves the batch whole, torn or absent; nobody was told. After it: whole.
        self.disk.sync().map_err(because("the segment could not be synced"))?;
        self.look(end)?;
        self.offset = end;
        Ok(())
    }

    /// A file that was removed, replaced or changed by somebody else keeps nobody's records.
    fn look(&mut self, expected: u64) -> Result<(), Failure> {
        let by_path = self.looked.is_none_or(|looked| looked.elapsed() >= LOOK);
        if by_path {
            self.looked = Some(Instant::now());
        }
        let seen = self.disk.inspect(by_path).map_err(because("the segment could not be inspected"))?;
        if seen.links == 0 || !seen.in_place {
            return Err(("the segment was removed or replaced", None));
        }
        if seen.size != expected {
            return Err(("the segment was changed by another process", None));
        }
        Ok(())
    }
}

/// How many of the records with `lengths` make the next batch, and their bytes.
fn batch(lengths: &[u32]) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    for length in lengths.iter().take(BATCH_RECORDS) {
        let longer = bytes + *length as usize;
        if count > 0 && longer > BATCH_BYTES {
            break;
        }
        (count, bytes) = (count + 1, longer);
    }
    (count, bytes)
}

fn because(why: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |error| {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        (if full { DISK_FULL } else { why }, Some(error))
    }
}

/// Why the log failed when the disk is full.
pub(super) const DISK_FULL: &str = "the disk is full";

/// Fails the log when its thread ends by a panic, so that nobody waits for it.
pub(super) struct Guard(pub(super) Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("a thread of the log ended unexpectedly");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_ends_at_either_limit() {
        assert_eq!(batch(&vec![10; BATCH_RECORDS + 1]), (BATCH_RECORDS, BATCH_RECORDS * 10));
        let half = BATCH_BYTES as u32 / 2;
        assert_eq!(batch(&[half, half, 1]), (2, BATCH_BYTES));
        assert_eq!(batch(&[half, half + 1]), (1, BATCH_BYTES / 2));
        assert_eq!(batch(&[]), (0, 0));
    }
}
