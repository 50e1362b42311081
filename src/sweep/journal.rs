//! The journal of one run: one file, one line per step, each line durable before the next step begins.
//!
//! A line is `<16 hex digits of a keyed hash> <JSON>`. The hash covers the line and the hash before it, so that a line
//! that was changed, dropped or moved is found. Since every line is synced before anything else happens, only the last
//! one can be torn; a torn last line is cut off, a bad line anywhere else is damage.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    Begin, Cursor, Index, RecordId, Secrets, Tag, Unavailable,
    entry::{Counts, Intended, Line},
};
use crate::{crypto::hex, model::Sensitive};

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Another run holds it.
    #[error("another run is using it")]
    Locked,
    /// A line is not what was written.
    #[error("line {line} is not what was written there, or the keys are other ones")]
    Damaged {
        /// Which, from 1.
        line: u64,
    },
    /// An id or a cursor cannot be sealed or opened.
    #[error("an id cannot be sealed or opened with these keys")]
    Keys,
    /// A write failed before.
    #[error("an earlier write failed, so nothing can be recorded any more")]
    Broken,
}

impl From<Unavailable> for JournalError {
    fn from(_: Unavailable) -> Self {
        Self::Keys
    }
}

/// An open journal, locked against other processes until it is dropped.
pub struct Journal {
    file: File,
    path: PathBuf,
    secrets: Rc<dyn Secrets>,
    chain: Chain,
    /// Bytes that are known to be durable; absent after a failed write.
    durable: Option<u64>,
}

/// Where an interrupted run goes on.
#[derive(Debug, Default)]
pub struct Resume {
    /// Which pass over the listing, from 1.
    pub(super) round: u32,
    /// Pages done in it.
    pub(super) page: u64,
    /// Where the next page starts; absent at the start of a round.
    pub(super) cursor: Option<Cursor>,
    /// Records seen in the round.
    pub(super) seen: u64,
    /// Writes that may or may not have been made.
    pub(super) outstanding: Vec<Intended>,
    /// What became of the values so far.
    pub(super) counts: Counts,
    /// What was written.
    pub(super) index: Index,
    /// Whether the last line says that the run is over.
    finished: Option<String>,
}

impl Resume {
    /// When the run ended, when it did: it is not gone on with.
    #[must_use]
    pub fn finished(&self) -> Option<&str> {
        self.finished.as_deref()
    }

    /// What the run wrote.
    #[must_use]
    pub fn into_index(self) -> Index {
        self.index
    }
}

impl Journal {
    /// Makes the journal of a new run; the file must not be there.
    ///
    /// # Errors
    /// When it is, or cannot be written.
    pub fn create(path: &Path, secrets: Rc<dyn Secrets>, begin: Begin) -> Result<Self, JournalError> {
        // A crash here leaves nothing, or an empty file: `open` finds no first line and says so. No write was made yet.
        let file = OpenOptions::new().create_new(true).append(true).read(true).mode(0o600).open(path)?;
        lock(&file)?;
        let mut journal = Self { file, path: path.to_path_buf(), secrets, chain: Chain::default(), durable: Some(0) };
        journal.append(&Line::Begin(begin))?;
        // A crash here may lose the file's name, with nothing but its first line in it.
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(journal)
    }

    /// Opens the journal of a run that was interrupted, or has ended.
    ///
    /// # Errors
    /// When it is in use, damaged, or made with other keys.
    pub fn open(path: &Path, secrets: Rc<dyn Secrets>) -> Result<(Self, Begin, Resume), JournalError> {
        let file = OpenOptions::new().append(true).read(true).open(path)?;
        lock(&file)?;
        let mut resume = Resume { round: 1, ..Resume::default() };
        let mut begin = None;
        let (chain, good) = replay(&file, &*secrets, |line| {
            if let Line::Begin(first) = &line {
                begin = Some(first.clone());
            }
            resume.apply(line, &*secrets)
        })?;
        let begin = begin.ok_or(JournalError::Damaged { line: 1 })?;
        if file.metadata()?.len() > good {
            // A crash here leaves the torn line, which the next `open` cuts off again.
            file.set_len(good)?;
            file.sync_data()?;
        }
        let journal = Self { file, path: path.to_path_buf(), secrets, chain, durable: Some(good) };
        Ok((journal, begin, resume))
    }

    /// For reading beside the writer.
    #[must_use]
    pub fn reader(&self) -> JournalReader {
        JournalReader { path: self.path.clone(), secrets: Rc::clone(&self.secrets) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `bytes` as a line carries an id or a cursor.
    pub(super) fn seal(&self, text: &Sensitive<String>) -> Result<String, JournalError> {
        Ok(BASE64_STANDARD.encode(self.secrets.seal(text.expose().as_bytes())?))
    }

    /// The id that an intent carries.
    pub(super) fn id_of(&self, intended: &Intended) -> Result<RecordId, JournalError> {
        unseal(&*self.secrets, &intended.sealed)
    }

    /// Appends `line`; it is durable when this returns.
    pub(super) fn append(&mut self, line: &Line) -> Result<(), JournalError> {
        let durable = self.durable.take().ok_or(JournalError::Broken)?;
        let json = serde_json::to_string(line).map_err(io::Error::other)?;
        let (chain, text) = self.chain.next(&*self.secrets, &json);
        if text.len() as u64 > MAX_LINE_BYTES {
            return Err(io::Error::other(
                "a page has more fields than a line of the journal holds: ask for smaller pages",
            )
            .into());
        }
        // A crash here leaves nothing, all or a part of the line. Nothing it announces was done, and what it reports is
        // found out again from the lines before.
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Whether or not this works, nothing more is appended: the run ends and is resumed.
            let _ = self.file.set_len(durable);
            return Err(error.into());
        }
        self.chain = chain;
        self.durable = Some(durable + text.len() as u64);
        Ok(())
    }
}

/// Reads the lines of a journal that is known to be good.
pub struct JournalReader {
    path: PathBuf,
    pub(super) secrets: Rc<dyn Secrets>,
}

impl JournalReader {
    /// The ids of the records whose tags are `wanted`, each once, from the intents in the file.
    pub(super) fn ids(&self, wanted: &dyn Fn(Tag) -> bool) -> Result<Vec<RecordId>, JournalError> {
        let (mut found, mut known) = (Vec::new(), std::collections::BTreeSet::new());
        replay(&File::open(&self.path)?, &*self.secrets, |line| {
            if let Line::Intent { records, .. } = line {
                for record in records.into_iter().filter(|record| wanted(record.id)) {
                    if known.insert(record.id) {
                        found.push(unseal(&*self.secrets, &record.sealed)?);
                    }
                }
            }
            Ok(())
        })?;
        Ok(found)
    }
}

impl Resume {
    fn apply(&mut self, line: Line, secrets: &dyn Secrets) -> Result<(), JournalError> {
        line.count(&mut self.counts);
        match line {
            Line::Begin(_) => {}
            Line::Intent { records, .. } => self.outstanding.extend(records),
            Line::Page { round, page, seen, next, records } => {
                self.outstanding.clear();
                self.index.learn(&records);
                self.cursor = next.as_deref().map(|next| unseal(secrets, next).map(Cursor)).transpose()?;
                (self.round, self.page, self.seen) = match &self.cursor {
                    Some(_) => (round, page, self.seen + seen),
                    None => (round + 1, 0, 0),
                };
            }
            Line::Settled { records } => {
                self.outstanding.clear();
                self.index.learn(&records);
            }
            Line::End { at } => self.finished = Some(at),
        }
        Ok(())
    }
}

fn unseal(secrets: &dyn Secrets, text: &str) -> Result<Sensitive<String>, JournalError> {
    let sealed = BASE64_STANDARD.decode(text).map_err(|_| JournalError::Keys)?;
    let opened = secrets.open(&sealed).ok_or(JournalError::Keys)?;
    let text = std::str::from_utf8(opened.expose()).map_err(|_| JournalError::Keys)?;
    Ok(Sensitive::new(text.to_owned()))
}

/// Takes the lock that keeps other runs out. A process that was being started by the one before holds it for the moment
/// between `fork` and `exec`, so one look is not enough.
fn lock(file: &File) -> Result<(), JournalError> {
    for _ in 0..LOCK_TRIES {
        if file.try_lock().is_ok() {
            return Ok(());
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    Err(JournalError::Locked)
}

/// The hash of the last line.
#[derive(Debug, Clone, Copy, Default)]
struct Chain([u8; 8]);

impl Chain {
    /// The hash after `json`, and the line.
    fn next(self, secrets: &dyn Secrets, json: &str) -> (Self, String) {
        let hash = secrets.hash(&[b"journal", &self.0, json.as_bytes()]);
        let mut next = Self::default();
        next.0.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        let text = format!("{} {json}\n", hex(&next.0));
        (next, text)
    }
}

/// Reads every good line; returns the chain's end and how many bytes are good.
fn replay(
    file: &File,
    secrets: &dyn Secrets,
    mut each: impl FnMut(Line) -> Result<(), JournalError>,
) -> Result<(Chain, u64), JournalError> {
    let mut file = file;
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    let (mut chain, mut good, mut number) = (Chain::default(), 0_u64, 0_u64);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        number += 1;
        if reader.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut bytes)? == 0 {
            return Ok((chain, good));
        }
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let json = text.strip_suffix('\n').and_then(|line| line.split_once(' ')).map_or("", |(_, json)| json);
        let (next, whole) = chain.next(secrets, json);
        if whole == text {
            let line = serde_json::from_str(json).map_err(|_| JournalError::Damaged { line: number })?;
            each(line)?;
            (chain, good) = (next, good + bytes.len() as u64);
        } else if reader.fill_buf()?.is_empty() {
            // Only what was appended last can be unfinished.
            return Ok((chain, good));
        } else {
            return Err(JournalError::Damaged { line: number });
        }
    }
}

/// Looks at a lock that somebody holds.
const LOCK_TRIES: u32 = 20;
/// Between two of them.
const LOCK_PAUSE: Duration = Duration::from_millis(25);
/// A line at most, in bytes: a page of 1,000 records with 40 fields each is 9 MB.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;
