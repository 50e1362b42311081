//! [`Log`]: the access log a gateway writes to. Events in, tickets out.

use std::{
    cell::RefCell,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    bell::Bell,
    checkpoint::{Checkpoint, Trust},
    disk::{Folder, FolderFiles, Segment, SegmentFile, replace},
    error::AuditError,
    layout::{self, CHECKPOINT, QUARANTINE},
    lifecycle::{LogEvent, Start},
    manifest::{self, FIRST_EPOCH},
    record::{Lines, Recorder},
    recovery::{self, Found, Recovered},
    segment::{push_commit, push_header},
    settings::Settings,
    shared::{Bounds, Room, Shared},
    signer::Signer,
    status::LogStatus,
    ticket::Ticket,
    tree::{Tree, leaf_hash},
    writer::{Pace, Writer},
};
use crate::{
    crypto::{MacKey, SigningKey, sha256},
    model::{AccessKind, Event, Timestamp},
};

/// An open access log. Clones write to the same log; the last one closes it when it is dropped.
#[derive(Debug, Clone)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    recorder: Recorder,
    clock: fn() -> Timestamp,
    threads: Mutex<Option<Threads>>,
}

#[derive(Debug)]
struct Threads {
    writer: JoinHandle<()>,
    signer: JoinHandle<()>,
    /// Held open: the kernel's lock ends with it.
    _lock: File,
}

/// Makes a log in the empty folder `dir` (which may not exist yet): `log.json`, a segment with record 0, a checkpoint.
///
/// # Errors
/// When there is a log already, or remains of one; when the origin does not fit; when a file cannot be written.
pub fn init(dir: &Path, origin: &str, key: &SigningKey, now: Timestamp) -> Result<(), AuditError> {
    let trust =
        Trust::new(origin, key.verifying_key()).map_err(|why| AuditError::Trust { path: dir.to_owned(), why })?;
    // Two at once: the second finds the lock, or the first one's `seg`.
    make_folder(dir)?;
    let _lock = layout::lock(dir)?;
    let path = layout::first_segment(now);
    for there in [manifest::FILE, layout::SEGMENTS, CHECKPOINT] {
        if dir.join(there).exists() {
            return Err(AuditError::Exists(dir.join(there)));
        }
    }
    let manifest = manifest::text(&trust, now);
    let recorder = Recorder { subject_ref: None, node: origin.to_owned() };
    let mut first = Lines::default();
    recorder.log(now, &LogEvent::Born { manifest: sha256(&[&manifest]) }, &mut first)?;
    let mut tree = Tree::default();
    tree.push(leaf_hash(&first.bytes));
    let mut segment = Vec::new();
    push_header(&mut segment, origin);
    segment.extend_from_slice(&first.bytes);
    segment.push(b'\n');
    push_commit(&mut segment, tree.size(), &tree.root(), first.bytes.len() as u64 + 1);
    let checkpoint = Checkpoint { origin: origin.to_owned(), size: tree.size(), root: tree.root() }.sign(key);

    // A crash anywhere in here leaves a folder without `log.json`: no log, nothing recorded. It is not made again over the
    // remains, because a log that lost its `log.json` looks the same.
    let day = path.parent().unwrap_or(Path::new(layout::SEGMENTS));
    for folder in [Path::new(layout::SEGMENTS), day, Path::new(QUARANTINE)] {
        make_folder(&dir.join(folder))?;
    }
    let mut files = FolderFiles(dir.to_owned());
    let mut write = || {
        replace(&mut files, &path, &segment)?;
        files.sync_names(Path::new(layout::SEGMENTS))?;
        replace(&mut files, Path::new(CHECKPOINT), checkpoint.as_bytes())?;
        replace(&mut files, Path::new(manifest::FILE), &manifest)
    };
    write().map_err(AuditError::io(dir, "the log cannot be made"))
}

fn make_folder(path: &Path) -> Result<(), AuditError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(AuditError::io(path, "the folder cannot be made"))
}

impl Log {
    /// Opens the log for writing and returns when its first new record (`log.open`, or `log.recover` after a crash) is
    /// durable. `subject_ref` keys the references to subjects and cases; `node` is the gateway's name.
    ///
    /// # Errors
    /// When another process has it open; when it is not this origin's and key's; when it is damaged, cut or rolled back;
    /// when a file cannot be read or written. Nothing that was recorded is changed then; an unfinished batch at the end is
    /// no error: it is kept in `quarantine/` and cut off.
    pub fn open(
        settings: &Settings,
        key: SigningKey,
        subject_ref: MacKey,
        node: &str,
        clock: fn() -> Timestamp,
    ) -> Result<Self, AuditError> {
        let real = |path: &Path| {
            let segment = SegmentFile::open(path)?;
            Ok((segment.reader()?, Box::new(segment) as Box<dyn Segment>))
        };
        let folders = || Box::new(FolderFiles(settings.dir.clone())) as Box<dyn Folder>;
        Self::open_on(settings, key, subject_ref, (node, clock), real, folders)
    }

    /// As [`Log::open`], on other disks.
    pub(super) fn open_on(
        settings: &Settings,
        key: SigningKey,
        subject_ref: MacKey,
        (node, clock): (&str, fn() -> Timestamp),
        segment: impl FnOnce(&Path) -> io::Result<(File, Box<dyn Segment>)>,
        folder: impl Fn() -> Box<dyn Folder>,
    ) -> Result<Self, AuditError> {
        let dir = settings.dir.as_path();
        let trust = Trust::new(&settings.origin, key.verifying_key())
            .map_err(|why| AuditError::Trust { path: settings.signing_key.clone(), why })?;
        // First: a folder that is no log gets no lock file.
        fs::metadata(dir.join(manifest::FILE)).map_err(AuditError::io(dir.join(manifest::FILE), "there is no log"))?;
        let lock = layout::lock(dir)?;
        layout::check_filesystem(dir, settings.allow_volatile)?;
        let found = Found::read(dir, &trust)?;
        let path = dir.join(&found.segment);
        let (reader, mut disk) = segment(&path).map_err(AuditError::io(&path, "the segment cannot be opened"))?;
        let recovered = recovery::read(dir, &found, reader)?;
        let tail = recovery::set_aside(dir, &recovered, &mut *folder(), &mut *disk)?;

        let recorder = Recorder { subject_ref: Some(subject_ref), node: node.to_owned() };
        let first = beginning(&recorder, &recovered, tail, clock())?;
        let shared = Arc::new(Shared::new(
            format!("{node}.e{FIRST_EPOCH}").into(),
            Bounds { records: settings.queue_records, bytes: settings.queue_bytes },
            recovered.tree.size(),
            recovered.tree.root(),
            (recovered.signed, clock()),
        ));
        let pace = Pace {
            floor: Duration::from_millis(u64::from(settings.commit_millis.max(1))),
            tick: Duration::from_secs(u64::from(settings.tick_seconds.max(1))),
        };
        let state = (recovered.tree, recovered.offset);
        let writer = Writer::new(Arc::clone(&shared), disk, recorder.clone(), clock, pace, state);
        let signer = Signer {
            shared: Arc::clone(&shared),
            disk: folder(),
            key,
            origin: settings.origin.clone(),
            pause: Duration::from_secs(u64::from(settings.checkpoint_seconds.max(1))),
            clock,
        };
        let threads =
            spawn(lock, writer, signer).map_err(AuditError::io(dir, "the log's threads cannot be started"))?;
        let log = Self(Arc::new(Inner { shared, recorder, clock, threads: Mutex::new(Some(threads)) }));
        let index = log.0.shared.queue(&first, Room::Reserve)?;
        Ticket::new(Arc::clone(&log.0.shared), index).wait()?;
        Ok(log)
    }

    /// Queues the record of `event`. Nothing it names may be shown, and no write it names may be forwarded, before the
    /// ticket has become a [`Receipt`](super::Receipt).
    ///
    /// # Errors
    /// [`AuditError::Full`] when as many records wait as may, [`AuditError::Failed`] after any failed write,
    /// [`AuditError::Closed`]. Nothing was queued then.
    pub fn append(&self, event: &Event) -> Result<Ticket, AuditError> {
        thread_local! {
            static LINES: RefCell<Lines> = RefCell::default();
        }
        let room = match event {
            Event::Access(access) if matches!(access.kind, AccessKind::Outcome(_)) => Room::Ending,
            _ => Room::Ordinary,
        };
        LINES.with_borrow_mut(|lines| {
            lines.clear();
            self.0.recorder.event(event, lines)?;
            let index = self.0.shared.queue(lines, room)?;
            Ok(Ticket::new(Arc::clone(&self.0.shared), index))
        })
    }

    /// Gathers the waits of the calling thread, for a runtime that lives on this thread alone: spawn it there.
    pub fn bell(&self) -> Bell {
        Bell::new(Arc::clone(&self.0.shared))
    }

    /// How the log is doing.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        self.0.shared.status()
    }

    /// Writes what is queued and `log.close`, signs the last checkpoint and releases the lock. A second call does nothing.
    ///
    /// # Errors
    /// When the log has failed, now or before.
    pub fn close(&self) -> Result<(), AuditError> {
        self.0.close()
    }

    /// Ends as a killed process does: what is queued is lost.
    #[cfg(test)]
    pub(super) fn abandon(&self) {
        self.0.shared.abandon();
        // A head that is durable may still be signed; a signer that is killed does less.
        let _ = self.0.join();
    }
}

impl Inner {
    fn close(&self) -> Result<(), AuditError> {
        let mut last = Lines::default();
        self.recorder.log((self.clock)(), &LogEvent::Closed, &mut last)?;
        match self.shared.close(&last) {
            Ok(_) | Err(AuditError::Closed) => self.join(),
            Err(error) => Err(error),
        }
    }

    fn join(&self) -> Result<(), AuditError> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(threads) = threads {
            // A thread that panicked has failed the log, which is reported below.
            let _ = threads.writer.join();
            self.shared.end_signer();
            let _ = threads.signer.join();
        }
        self.shared.failed().map_or(Ok(()), |why| Err(AuditError::Failed(why)))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nobody is left to tell; the next start finds out what is missing.
        let _ = self.close();
    }
}

fn beginning(
    recorder: &Recorder,
    recovered: &Recovered,
    tail: Option<(u64, [u8; 32])>,
    now: Timestamp,
) -> Result<Lines, AuditError> {
    let start = Start { size: recovered.tree.size(), boot: layout::boot() };
    // A log that was only made, never written to, has no end to miss.
    let clean = recovered.clean || (recovered.tree.size() == 1 && tail.is_none());
    let event = if clean { LogEvent::Opened(start) } else { LogEvent::Recovered { start, tail } };
    let mut lines = Lines::default();
    recorder.log(now, &event, &mut lines)?;
    Ok(lines)
}

fn spawn(lock: File, writer: Writer, signer: Signer) -> io::Result<Threads> {
    let shared = Arc::clone(&signer.shared);
    let signer = thread::Builder::new().name("audit-signer".into()).spawn(move || signer.run())?;
    let writer = thread::Builder::new().name("audit-writer".into()).spawn(move || writer.run());
    if writer.is_err() {
        shared.end_signer();
    }
    Ok(Threads { writer: writer?, signer, _lock: lock })
}
