//! The fault table: every kind of write × every way to fail × what a power cut leaves × restart.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{ORIGIN, Place, clock, reveal, subject_key};
use crate::audit::{
    AuditError, Log, Receipt, Settings,
    disk::{Folder, FolderFiles, Inspection, Segment, SegmentFile},
    query::{Query, query},
    verify,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Op {
    Reserve,
    Write,
    Sync,
    Cut,
    Inspect,
    FileWrite,
    FileSync,
    Rename,
    NamesSync,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Harm {
    /// Nothing is done and an error comes back.
    Failed,
    /// It is done and an error comes back.
    FailedButStored,
    /// Half of it is done and no error comes back.
    Short,
    /// Nothing is done: the disk is full.
    Full,
    /// It is done after a while.
    Slow(Duration),
}

/// What goes wrong, and what has happened so far.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) at: Option<(Op, usize, Harm)>,
    counts: HashMap<Op, usize>,
    /// Bytes of the segment that survive a power cut.
    synced: u64,
}

#[derive(Clone)]
pub(super) struct Faulty<D> {
    inner: D,
    plan: Arc<Mutex<Plan>>,
}

impl<D> Faulty<D> {
    pub(super) fn new(inner: D, plan: &Arc<Mutex<Plan>>) -> Self {
        Self { inner, plan: Arc::clone(plan) }
    }

    fn go<T>(&mut self, op: Op, short: Option<T>, act: impl FnOnce(&mut D) -> io::Result<T>) -> io::Result<T> {
        let harm = {
            let mut plan = self.plan.lock().unwrap();
            let count = plan.counts.entry(op).or_default();
            *count += 1;
            let count = *count;
            plan.at.filter(|(at, nth, _)| (*at, *nth) == (op, count)).map(|(_, _, harm)| harm)
        };
        match harm {
            None => act(&mut self.inner),
            Some(Harm::Slow(time)) => {
                std::thread::sleep(time);
                act(&mut self.inner)
            }
            Some(Harm::Failed) => Err(io::Error::other("injected")),
            Some(Harm::FailedButStored) => {
                act(&mut self.inner)?;
                Err(io::Error::other("injected"))
            }
            Some(Harm::Full) => Err(io::ErrorKind::StorageFull.into()),
            Some(Harm::Short) => short.map_or_else(|| act(&mut self.inner), Ok),
        }
    }
}

impl Segment for Faulty<SegmentFile> {
    fn reserve(&mut self, offset: u64, bytes: u64) -> io::Result<()> {
        self.go(Op::Reserve, None, |disk| disk.reserve(offset, bytes))
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let half = bytes.len() / 2;
        let short = {
            let plan = self.plan.lock().unwrap();
            let next = plan.counts.get(&Op::Write).copied().unwrap_or(0) + 1;
            plan.at.is_some_and(|(op, nth, harm)| (op, nth, harm) == (Op::Write, next, Harm::Short))
        };
        if short {
            self.inner.write(&bytes[..half], offset)?;
        }
        self.go(Op::Write, Some(half), |disk| disk.write(bytes, offset))
    }

    fn sync(&mut self) -> io::Result<()> {
        // Tests need no stable storage: what would survive is written down instead.
        let plan = Arc::clone(&self.plan);
        self.go(Op::Sync, None, |disk| {
            plan.lock().unwrap().synced = disk.inspect(false)?.size;
            Ok(())
        })
    }

    fn cut(&mut self, size: u64) -> io::Result<()> {
        self.go(Op::Cut, None, |disk| disk.cut(size))
    }

    fn inspect(&mut self, by_path: bool) -> io::Result<Inspection> {
        self.go(Op::Inspect, None, |disk| disk.inspect(by_path))
    }
}

impl Folder for Faulty<FolderFiles> {
    fn write(&mut self, name: &Path, bytes: &[u8]) -> io::Result<()> {
        self.go(Op::FileWrite, None, |disk| disk.write(name, bytes))
    }

    fn sync(&mut self, _: &Path) -> io::Result<()> {
        self.go(Op::FileSync, None, |_| Ok(()))
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.go(Op::Rename, None, |disk| disk.rename(from, to))
    }

    fn sync_names(&mut self, _: &Path) -> io::Result<()> {
        self.go(Op::NamesSync, None, |_| Ok(()))
    }
}

pub(super) fn open_faulty(place: &Place, settings: &Settings, plan: &Arc<Mutex<Plan>>) -> Result<Log, AuditError> {
    let segment = |path: &Path| -> io::Result<(File, Box<dyn Segment>)> {
        let file = SegmentFile::open(path)?;
        plan.lock().unwrap().synced = file.reader()?.metadata()?.len();
        Ok((file.reader()?, Box::new(Faulty::new(file, plan))))
    };
    let folder = || Box::new(Faulty::new(FolderFiles(place.path().to_owned()), plan)) as Box<dyn Folder>;
    Log::open_on(settings, place.signing_key(), subject_key(), ("gw-1", clock), segment, folder)
}

fn at(op: Op, nth: usize, harm: Harm) -> Arc<Mutex<Plan>> {
    Arc::new(Mutex::new(Plan { at: Some((op, nth, harm)), ..Plan::default() }))
}

/// Opens, appends one by one, closes; returns what was acknowledged and how it ended.
fn session(place: &Place, plan: &Arc<Mutex<Plan>>) -> (Vec<(Receipt, u128)>, Result<(), AuditError>) {
    let log = match open_faulty(place, &place.settings(), plan) {
        Ok(log) => log,
        Err(error) => return (vec![], Err(error)),
    };
    let mut acknowledged = Vec::new();
    for request in 0..4_u128 {
        match log.append(&reveal(request + 1)).and_then(crate::audit::Ticket::wait) {
            Ok(receipt) => acknowledged.push((receipt, request + 1)),
            Err(error) => return (acknowledged, Err(error)),
        }
    }
    let closed = log.close();
    (acknowledged, closed)
}

/// Every acknowledged record is at its place, the log takes records again, and verification passes.
fn check(place: &Place, acknowledged: &[(Receipt, u128)], what: &str) {
    let plan = Arc::default();
    let log = open_faulty(place, &place.settings(), &plan).unwrap_or_else(|error| panic!("{what}: restart: {error}"));
    let receipt = log.append(&reveal(99)).unwrap().wait().unwrap_or_else(|error| panic!("{what}: append: {error}"));
    log.close().unwrap();
    let rows = query(place.path(), &Query::default()).unwrap();
    for (receipt, request) in acknowledged.iter().chain([&(receipt, 99)]) {
        let row = &rows[receipt.index() as usize];
        assert!(
            row.line.contains(&format!("\"req\":\"00000000-0000-0000-0000-0000000000{request:02x}\"")),
            "{what}: {}",
            row.line
        );
    }
    let report = verify(place.path(), &place.vkey()).unwrap();
    assert!(report.is_sound(), "{what}: {}", report.to_text());
}

/// What can be found of the bytes that were written and never synced.
const CUTS: [&str; 5] = ["all", "none", "half", "holes", "end only"];

fn power_cut(place: &Place, synced: u64, how: &str) {
    let (path, mut bytes) = place.segment();
    let synced = synced as usize;
    let lost = bytes.len().saturating_sub(synced);
    match how {
        "none" => bytes.truncate(synced),
        "half" => bytes.truncate(synced + lost / 2),
        "holes" => bytes[synced..].chunks_mut(128).step_by(2).for_each(|block| block.fill(0)),
        "end only" => {
            let end = bytes.len();
            bytes[synced..end.saturating_sub(100).max(synced)].fill(0);
        }
        _ => {}
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn every_failed_step_ends_the_log_and_every_restart_keeps_what_was_acknowledged() {
    let harms = [Harm::Failed, Harm::FailedButStored, Harm::Short, Harm::Full];
    let ops = [Op::Reserve, Op::Write, Op::Sync, Op::Inspect, Op::FileWrite, Op::FileSync, Op::Rename, Op::NamesSync];
    let made = Place::new();
    let mut failures = 0;
    for op in ops {
        // Only bytes of the segment are ever unsynced; for the other steps two of the cuts say it all.
        let cuts = if matches!(op, Op::Write | Op::Sync) { &CUTS[..] } else { &CUTS[..2] };
        for nth in [1, 2, 5] {
            for harm in harms {
                for &cut in cuts {
                    let place = made.copied();
                    let first = fs::read(place.path().join("checkpoint")).unwrap();
                    let plan = at(op, nth, harm);
                    let (acknowledged, end) = session(&place, &plan);
                    let what = format!("{op:?} {nth} {harm:?}, then {cut}: {end:?}");
                    let (count, synced) = {
                        let plan = plan.lock().unwrap();
                        (plan.counts.get(&op).copied().unwrap_or(0), plan.synced)
                    };
                    let hit = count >= nth;
                    assert_eq!(end.is_err(), hit && harm != Harm::Short, "{what}");
                    failures += usize::from(end.is_err());
                    if hit && matches!(op, Op::Write | Op::Sync | Op::Inspect | Op::Reserve) && end.is_err() {
                        assert_eq!(count, nth, "{what}: nothing is tried again");
                    }
                    power_cut(&place, synced, cut);
                    if cut == "none" && matches!(op, Op::Rename | Op::NamesSync) {
                        // A rename that was never made durable: the old file is back.
                        fs::write(place.path().join("checkpoint"), &first).unwrap();
                    }
                    check(&place, &acknowledged, &what);
                }
            }
        }
    }
    assert!(failures > 100, "{failures} failures were injected");
}

#[test]
fn a_failed_step_of_recovery_refuses_with_a_reason_and_the_next_start_succeeds() {
    for op in [Op::FileWrite, Op::FileSync, Op::Rename, Op::NamesSync, Op::Cut, Op::Sync] {
        for harm in [Harm::Failed, Harm::FailedButStored, Harm::Full] {
            let place = Place::new();
            let (acknowledged, end) = session(&place, &Arc::default());
            end.unwrap();
            let (path, mut bytes) = place.segment();
            bytes.extend_from_slice(b"{\"v\":1,\"kind\":\"access.rev");
            fs::write(path, bytes).unwrap();
            let refused = open_faulty(&place, &place.settings(), &at(op, 1, harm)).map(drop);
            let reason = refused.unwrap_err().to_string();
            assert!(reason.contains("unfinished batch") || reason.contains("synced"), "{op:?} {harm:?}: {reason}");
            check(&place, &acknowledged, &format!("{op:?} {harm:?}"));
            if harm != Harm::FailedButStored {
                let kept = fs::read_dir(place.path().join("quarantine")).unwrap().count();
                assert!(kept >= 1, "{op:?} {harm:?}: the unfinished batch is kept");
            }
        }
    }
}

#[test]
fn a_failed_log_stays_failed_and_says_why() {
    let place = Place::new();
    let log = open_faulty(&place, &place.settings(), &at(Op::Sync, 2, Harm::Failed)).unwrap();
    let refused = log.append(&reveal(1)).unwrap().wait();
    assert!(matches!(refused, Err(AuditError::Failed("the segment could not be synced"))), "{refused:?}");
    assert!(matches!(log.append(&reveal(2)), Err(AuditError::Failed(_))));
    assert_eq!(log.status().failed, Some("the segment could not be synced"));
    assert!(log.close().is_err());
}

#[test]
fn a_full_disk_is_told_apart() {
    let place = Place::new();
    let log = open_faulty(&place, &place.settings(), &at(Op::Write, 2, Harm::Full)).unwrap();
    let refused = log.append(&reveal(1)).unwrap().wait();
    assert!(matches!(refused, Err(AuditError::Failed("the disk is full"))), "{refused:?}");
}

#[test]
fn a_full_queue_refuses_but_keeps_room_for_the_ends_of_exchanges() {
    let place = Place::new();
    let settings = Settings { queue_records: 16, ..place.settings() };
    let plan = at(Op::Sync, 2, Harm::Slow(Duration::from_millis(400)));
    let log = open_faulty(&place, &settings, &plan).unwrap();
    let mut tickets = vec![log.append(&reveal(0)).unwrap()];
    let refused = loop {
        match log.append(&reveal(tickets.len() as u128)) {
            Ok(ticket) => tickets.push(ticket),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AuditError::Full), "{refused}");
    assert_eq!(tickets.len(), 16);
    let status = log.status();
    assert_eq!(status.queued_records, 16);
    assert!(status.queued_bytes > 16 * 500);
    tickets.push(log.append(&super::outcome(3)).unwrap());
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    assert_eq!(log.status().queued_records, 0);
    assert_eq!(log.status().queued_bytes, 0);
    log.close().unwrap();
    assert!(verify(place.path(), &place.vkey()).unwrap().is_sound());
}

#[test]
fn a_slow_disk_makes_larger_batches_and_loses_nothing() {
    let place = Place::new();
    let plan = at(Op::Sync, 2, Harm::Slow(Duration::from_millis(500)));
    let log = open_faulty(&place, &place.settings(), &plan).unwrap();
    let tickets: Vec<_> = (0..3000).map(|request| log.append(&reveal(request)).unwrap()).collect();
    for (ticket, index) in tickets.into_iter().zip(2..) {
        assert_eq!(ticket.wait().unwrap().index(), index);
    }
    log.close().unwrap();
    let report = verify(place.path(), &place.vkey()).unwrap();
    assert!(report.is_sound());
    assert_eq!(report.origin, ORIGIN);
    assert_eq!(report.records, 3003);
    assert!(report.batches < 1000, "{} batches", report.batches);
}
