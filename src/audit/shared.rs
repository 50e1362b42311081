//! What appenders, waiters, the writer and the signer share: a bounded queue of finished lines, how far the log is durable,
//! and whether it has failed (for good).

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
    time::{Duration, Instant},
};

use super::{
    bell,
    error::AuditError,
    record::Lines,
    status::{LogStatus, Times},
    tree::Hash,
};
use crate::model::Timestamp;

/// How long records that nobody waits for stay pending, so that they share a batch.
const LINGER: Duration = Duration::from_millis(20);
/// Pending bytes that are written without lingering.
const LAZY_BYTES: usize = 256 * 1024;

/// Shared state of one open log.
#[derive(Debug)]
pub(super) struct Shared {
    name: Arc<str>,
    bounds: Bounds,
    queue: Mutex<Queue>,
    /// Told when the queue is no longer empty, or closes.
    work: Condvar,
    durable: AtomicU64,
    failure: OnceLock<&'static str>,
    /// Waits of threads without a [`bell::Bell`].
    waiters: Mutex<Vec<(u64, Waker)>>,
    rooms: Mutex<Vec<Arc<bell::Room>>>,
    /// Told when `durable` or `failure` changes; for waiters without a runtime.
    progress: Condvar,
    head: Mutex<Head>,
    /// Told when the signer has to end.
    signer: Condvar,
    pub(super) times: Times,
}

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

/// Whether a record may use the allowance that is kept for the ends of exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// The bound itself.
    Ordinary,
    /// The bound twice.
    Reserve,
    /// The bound twice, for a record that nobody waits for: it may share the batch of the next one that somebody does.
    Ending,
}

/// Lines on their way, numbered.
#[derive(Debug, Default)]
struct Queue {
    pending: Pending,
    /// Number of the next record.
    next: u64,
    /// Records and bytes that are not durable yet, also those the writer has taken.
    records: usize,
    bytes: usize,
    writer: Writing,
    /// Somebody waits for what is pending.
    urgent: bool,
    closing: Option<Closing>,
}

/// What the writer is doing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// Writing, or about to look: nobody needs to tell it anything.
    #[default]
    Busy,
    /// Waiting, but not for longer than records may linger: only an urgent record is news.
    Alert,
    /// Waiting until it is told.
    Asleep,
}

/// How the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// With what is queued.
    Drain,
    /// At once, as if the process had been killed.
    #[cfg(test)]
    Abandon,
}

/// Lines the writer takes as they are, each with its line feed.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) bytes: Vec<u8>,
    pub(super) lengths: Vec<u32>,
    /// When the first of them was queued.
    pub(super) since: Option<Instant>,
}

/// When the writer may take a batch that somebody waits for.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Gather {
    /// The floor between two commits.
    pub(super) earliest: Option<Instant>,
    /// How long a batch stays open for company, when there has been some.
    pub(super) company: Option<Duration>,
}

impl Gather {
    /// When a batch may be taken whose first record came at `since`.
    fn due(self, since: Instant) -> Instant {
        let gathered = since + self.company.unwrap_or(Duration::ZERO).min(LINGER);
        self.earliest.map_or(gathered, |earliest| earliest.max(gathered))
    }
}

/// The durable tree head, for the signer.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) signed: Option<(u64, Timestamp)>,
    pub(super) closing: bool,
}

/// What the writer does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Writes what it was given.
    Write,
    /// Nothing came for a while.
    Idle,
    /// Ends.
    End,
}

impl Shared {
    pub(super) fn new(name: Arc<str>, bounds: Bounds, size: u64, root: Hash, signed: (u64, Timestamp)) -> Self {
        Self {
            name,
            bounds,
            queue: Mutex::new(Queue { next: size, ..Queue::default() }),
            work: Condvar::new(),
            durable: AtomicU64::new(size),
            failure: OnceLock::new(),
            waiters: Mutex::default(),
            rooms: Mutex::default(),
            progress: Condvar::new(),
            head: Mutex::new(Head { size, root, signed: Some(signed), closing: false }),
            signer: Condvar::new(),
            times: Times::default(),
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Numbers and queues `lines`; returns the number of the last one.
    pub(super) fn queue(&self, lines: &Lines, room: Room) -> Result<u64, AuditError> {
        if let Some(why) = self.failed() {
            return Err(AuditError::Failed(why));
        }
        let mut queue = locked(&self.queue);
        if queue.closing.is_some() {
            return Err(AuditError::Closed);
        }
        let factor = if room == Room::Ordinary { 1 } else { 2 };
        let (records, bytes) = (queue.records + lines.ends.len(), queue.bytes + lines.bytes.len() + lines.ends.len());
        if records > self.bounds.records * factor || bytes > self.bounds.bytes * factor {
            return Err(AuditError::Full);
        }
        (queue.records, queue.bytes) = (records, bytes);
        let last = queue.push(lines);
        let was_urgent = queue.urgent;
        queue.urgent |= room != Room::Ending || queue.pending.bytes.len() >= LAZY_BYTES;
        let first = queue.pending.lengths.len() == lines.ends.len();
        let news = queue.urgent != was_urgent;
        let wake = match queue.writer {
            Writing::Busy => false,
            Writing::Alert => news,
            Writing::Asleep => first || news,
        };
        drop(queue);
        if wake {
            self.work.notify_one();
        }
        Ok(last)
    }

    /// Queues `last` behind everything else and takes no record after it.
    pub(super) fn close(&self, last: &Lines) -> Result<u64, AuditError> {
        let mut queue = locked(&self.queue);
        if queue.closing.is_some() {
            return Err(AuditError::Closed);
        }
        queue.records += last.ends.len();
        queue.bytes += last.bytes.len() + last.ends.len();
        let index = queue.push(last);
        queue.closing = Some(Closing::Drain);
        drop(queue);
        self.work.notify_one();
        Ok(index)
    }

    #[cfg(test)]
    pub(super) fn abandon(&self) {
        locked(&self.queue).closing = Some(Closing::Abandon);
        self.work.notify_one();
    }

    #[cfg(test)]
    pub(super) fn abandoned(&self) -> bool {
        locked(&self.queue).closing == Some(Closing::Abandon)
    }

    /// For the writer: waits for lines, at most for `patience`, and swaps them into the empty `taken`. Not before
    /// `earliest`, so that what comes until then shares the batch; while batches have `company`, not before their first
    /// record has waited for that long.
    pub(super) fn take(&self, taken: &mut Pending, patience: Duration, gather: Gather) -> Work {
        let mut queue = locked(&self.queue);
        let until = Instant::now() + patience;
        let mut alert_until = Some(Instant::now() + LINGER);
        loop {
            #[cfg(test)]
            if queue.closing == Some(Closing::Abandon) {
                return Work::End;
            }
            let now = Instant::now();
            let Some(since) = queue.pending.since else {
                if queue.closing.is_some() {
                    return Work::End;
                }
                if now >= until {
                    return Work::Idle;
                }
                alert_until = alert_until.filter(|alert| now < *alert);
                let writer = if alert_until.is_some() { Writing::Alert } else { Writing::Asleep };
                queue = self.wait_for_work(queue, writer, alert_until.unwrap_or(until).min(until) - now);
                continue;
            };
            let hurried = queue.urgent || queue.closing.is_some();
            let due = if queue.closing.is_some() { now } else { gather.due(since) };
            if hurried && now >= due || !hurried && now >= since + LINGER {
                std::mem::swap(&mut queue.pending, taken);
                queue.urgent = false;
                return Work::Write;
            }
            let (writer, at) = if hurried { (Writing::Busy, due) } else { (Writing::Alert, since + LINGER) };
            queue = self.wait_for_work(queue, writer, at - now);
        }
    }

    fn wait_for_work<'q>(
        &self,
        mut queue: MutexGuard<'q, Queue>,
        writer: Writing,
        time: Duration,
    ) -> MutexGuard<'q, Queue> {
        queue.writer = writer;
        (queue, _) = self.work.wait_timeout(queue, time).unwrap_or_else(PoisonError::into_inner);
        queue.writer = Writing::Busy;
        queue
    }

    /// For the writer: a batch of `records` and `bytes` is durable and the tree is `size` and `root`.
    pub(super) fn advance(&self, records: usize, bytes: usize, size: u64, root: Hash) {
        {
            let mut head = locked(&self.head);
            (head.size, head.root) = (size, root);
        }
        let queue = {
            let mut queue = locked(&self.queue);
            queue.records = queue.records.saturating_sub(records);
            queue.bytes = queue.bytes.saturating_sub(bytes);
            self.durable.store(size, Ordering::Release);
            queue
        };
        drop(queue);
        self.wake();
    }

    /// The log has failed: for good, and for everyone who waits.
    pub(super) fn fail(&self, why: &'static str) {
        // The first reason stays; a later one is its consequence.
        let _ = self.failure.set(why);
        drop(locked(&self.queue));
        self.work.notify_all();
        self.signer.notify_all();
        self.wake();
    }

    pub(super) fn failed(&self) -> Option<&'static str> {
        self.failure.get().copied()
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Waits for records below this are over: the durable ones, or all after a failure.
    pub(super) fn reach(&self) -> u64 {
        if self.failed().is_some() { u64::MAX } else { self.durable() }
    }

    pub(super) fn rooms(&self) -> MutexGuard<'_, Vec<Arc<bell::Room>>> {
        locked(&self.rooms)
    }

    /// Somebody waits for what is pending.
    fn hasten(&self) {
        let mut queue = locked(&self.queue);
        if !queue.urgent && !queue.pending.lengths.is_empty() {
            queue.urgent = true;
            self.work.notify_one();
        }
    }

    pub(super) fn wake_when_durable(&self, index: u64, waker: &Waker) {
        self.hasten();
        let room = bell::Room::here(&self.rooms());
        let left = room.map_or(Some(waker.clone()), |room| room.wait(index, waker.clone()).err());
        if let Some(waker) = left {
            locked(&self.waiters).push((index, waker));
        }
    }

    pub(super) fn wait_durable(&self, index: u64) {
        self.hasten();
        let mut waiters = locked(&self.waiters);
        while self.durable() <= index && self.failed().is_none() {
            waiters = self.progress.wait(waiters).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wake(&self) {
        let reach = self.reach();
        let ready: Vec<_> = locked(&self.waiters).extract_if(.., |(index, _)| *index < reach).collect();
        self.progress.notify_all();
        ready.into_iter().for_each(|(_, waker)| waker.wake());
        let rooms = self.rooms().clone();
        rooms.iter().for_each(|room| room.ring(reach));
    }

    /// For the signer: waits for `pause` or the end, and returns the durable head.
    pub(super) fn next_head(&self, pause: Duration) -> Head {
        let head = locked(&self.head);
        let waiting = |head: &mut Head| !head.closing && self.failed().is_none();
        let (head, _) = self.signer.wait_timeout_while(head, pause, waiting).unwrap_or_else(PoisonError::into_inner);
        *head
    }

    pub(super) fn signed(&self, size: u64, at: Timestamp) {
        locked(&self.head).signed = Some((size, at));
    }

    pub(super) fn end_signer(&self) {
        locked(&self.head).closing = true;
        self.signer.notify_all();
    }

    pub(super) fn status(&self) -> LogStatus {
        let (size, queued_records, queued_bytes) = {
            let queue = locked(&self.queue);
            (queue.next, queue.records, queue.bytes)
        };
        LogStatus {
            size,
            durable: self.durable(),
            queued_records,
            queued_bytes,
            failed: self.failed(),
            last_checkpoint: locked(&self.head).signed,
            times: self.times.snapshot(),
        }
    }
}

impl Queue {
    fn push(&mut self, lines: &Lines) -> u64 {
        let mut start = 0;
        for end in &lines.ends {
            let line = lines.bytes.get(start..*end).unwrap_or_default();
            self.pending.bytes.extend_from_slice(line);
            self.pending.bytes.push(b'\n');
            // A line is at most 65,535 bytes and a line feed.
            self.pending.lengths.push(line.len() as u32 + 1);
            start = *end;
        }
        self.pending.since.get_or_insert_with(Instant::now);
        self.next += lines.ends.len() as u64;
        self.next.saturating_sub(1)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held leaves plain numbers and finished lines: nothing half-done to protect from.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_waits_for_the_floor_but_not_past_the_end() {
        let hour = Duration::from_secs(3600);
        let gather = Gather { earliest: Some(Instant::now() + hour), company: None };
        let bounds = Bounds { records: 8, bytes: 8_192 };
        let shared = Arc::new(Shared::new("n".into(), bounds, 0, [0; 32], (0, Timestamp::default())));
        let line = Lines { bytes: b"{}".to_vec(), ends: vec![2] };
        shared.queue(&line, Room::Ordinary).unwrap();
        let other = Arc::clone(&shared);
        let writer = std::thread::spawn(move || {
            let mut taken = Pending::default();
            assert_eq!(other.take(&mut taken, hour, gather), Work::Write);
            taken.lengths.len()
        });
        shared.queue(&line, Room::Ordinary).unwrap();
        shared.close(&line).unwrap();
        assert_eq!(writer.join().unwrap(), 3);
    }

    #[test]
    fn company_is_waited_for_from_the_first_record_on_and_the_floor_from_the_last_commit() {
        let since = Instant::now();
        let millis = |millis| Duration::from_millis(millis);
        let due = |earliest: Option<u64>, company: Option<u64>| {
            let earliest = earliest.map(|after| since + millis(after));
            Gather { earliest, company: company.map(millis) }.due(since) - since
        };
        assert_eq!(due(None, None), millis(0), "a caller on its own");
        assert_eq!(due(Some(3), None), millis(3));
        assert_eq!(due(Some(3), Some(5)), millis(5));
        assert_eq!(due(Some(8), Some(5)), millis(8));
        assert_eq!(due(None, Some(5_000)), LINGER);
    }
}
