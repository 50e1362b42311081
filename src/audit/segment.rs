//! The lines of a segment and their order: header, records, commit lines. [`Replay`] reads them one by one, rebuilds the
//! tree and accepts nothing it cannot account for.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::de::IgnoredAny;

use super::{
    json::{Json, push_number},
    lifecycle::{CLOSED, MANIFEST, push_sha256},
    record::{LINE_BYTES, PREFIX},
    tree::{Hash, Tree, leaf_hash},
};

/// Bytes of records in one batch.
pub(super) const BATCH_BYTES: usize = 1024 * 1024;
/// Records of one batch.
pub(super) const BATCH_RECORDS: usize = 1024;
/// Bytes of a commit line: more than the longest one.
const COMMIT_BYTES: usize = 128;
/// The most that one write, and so one crash, can leave unfinished.
pub(super) const TAIL_BYTES: usize = BATCH_BYTES + LINE_BYTES + 1 + COMMIT_BYTES;

const COMMIT: &[u8] = b"{\"_c\":[";

/// Appends the header line of the segment of `origin` that begins at record 0.
pub(super) fn push_header(out: &mut Vec<u8>, origin: &str) {
    let mut json = Json::new(out);
    json.open(b'{');
    json.object("_h");
    json.member("fmt", "fg-seg/1");
    json.member("origin", origin);
    json.count("first", 0);
    json.plain("root", |out| out.extend_from_slice(BASE64_STANDARD.encode(Tree::default().root()).as_bytes()));
    json.close(b'}');
    json.close(b'}');
    out.push(b'\n');
}

/// Appends the line that ends a batch: tree size, root, bytes of the batch's records with their line feeds.
pub(super) fn push_commit(out: &mut Vec<u8>, size: u64, root: &Hash, bytes: u64) {
    out.extend_from_slice(COMMIT);
    push_number(out, size);
    out.extend_from_slice(b",\"");
    out.extend_from_slice(BASE64_STANDARD.encode(root).as_bytes());
    out.extend_from_slice(b"\",");
    push_number(out, bytes);
    out.extend_from_slice(b"]}\n");
}

/// Whether `line` presents itself as a commit line.
pub(super) fn is_commit(line: &[u8]) -> bool {
    line.starts_with(COMMIT)
}

/// Where a log stops being what was written, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to the log's folder.
    pub file: String,
    /// Byte offset in the file: of the line, or of the batch when only that is known.
    pub offset: u64,
    /// The first record that cannot be relied on.
    pub index: u64,
    /// What is wrong.
    pub what: Fault,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` at byte {}, record {}: {}", self.file, self.offset, self.index, self.what)
    }
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The first line is not this log's header.
    #[error("the first line is not the header of this log")]
    Header,
    /// A line that is neither a record nor a commit line.
    #[error("the line is neither a record nor a commit line")]
    Line,
    /// A line past the limit.
    #[error("the line is longer than 65,535 bytes")]
    Length,
    /// Record 0 does not name this `log.json`.
    #[error("record 0 does not carry the hash of `log.json`")]
    Manifest,
    /// A batch whose records are not the ones its commit line was made over; the first and last of them.
    #[error("records {first} to {last} are not the ones that were committed")]
    Batch {
        /// First record of the batch.
        first: u64,
        /// Last record of the batch.
        last: u64,
    },
    /// A commit line over nothing, or not spelt as the writer spells it.
    #[error("the commit line is not one that was written")]
    Commit,
    /// The file goes on after an end that one crash can explain.
    #[error("more is unfinished than one crash leaves behind")]
    Tail,
}

/// What a line was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// The header.
    Header,
    /// Record `index`, with its leaf hash; not to be relied on before its batch is committed.
    Record { index: u64, leaf: Hash },
    /// Everything so far is committed.
    Commit,
}

/// A reader of a segment's lines. Its whole state is here, so a copy continues where the original stood.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    expected_header: Vec<u8>,
    expected_manifest: Vec<u8>,
    /// The tree over what is committed.
    committed: Tree,
    /// The tree over what was read.
    read: Tree,
    /// Offset after the last commit line (or the header).
    committed_offset: u64,
    /// Offset of the next line.
    offset: u64,
    header: bool,
    commits: u64,
    last_is_close: bool,
    committed_close: bool,
}

impl Replay {
    /// At the beginning of the segment of `origin`, whose `log.json` hashes to `manifest`.
    pub(super) fn new(origin: &str, manifest: &[u8; 32]) -> Self {
        let mut expected_header = Vec::new();
        push_header(&mut expected_header, origin);
        let mut expected_manifest = format!(",\"{MANIFEST}\":\"").into_bytes();
        push_sha256(&mut expected_manifest, manifest);
        expected_manifest.push(b'"');
        Self {
            expected_header,
            expected_manifest,
            committed: Tree::default(),
            read: Tree::default(),
            committed_offset: 0,
            offset: 0,
            header: false,
            commits: 0,
            last_is_close: false,
            committed_close: false,
        }
    }

    /// Takes the next line, with its line feed.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Line, Fault> {
        let end = self.offset + line.len() as u64;
        let Some((b'\n', text)) = line.split_last() else { return Err(Fault::Line) };
        let taken = if !self.header {
            if line != self.expected_header {
                return Err(Fault::Header);
            }
            self.header = true;
            self.committed_offset = end;
            Line::Header
        } else if is_commit(text) {
            self.commit(line)?;
            self.committed_offset = end;
            Line::Commit
        } else {
            let index = self.read.size();
            let leaf = self.record(text)?;
            Line::Record { index, leaf }
        };
        self.offset = end;
        Ok(taken)
    }

    fn record(&mut self, text: &[u8]) -> Result<Hash, Fault> {
        if text.len() > LINE_BYTES {
            return Err(Fault::Length);
        }
        let whole = text.starts_with(PREFIX) && text.ends_with(b"}") && simdutf8::basic::from_utf8(text).is_ok();
        if !whole || serde_json::from_slice::<IgnoredAny>(text).is_err() {
            return Err(Fault::Line);
        }
        if self.read.size() == 0 && memchr::memmem::find(text, &self.expected_manifest).is_none() {
            return Err(Fault::Manifest);
        }
        let leaf = leaf_hash(text);
        self.read.push(leaf);
        self.last_is_close = kind(text) == CLOSED.as_bytes();
        Ok(leaf)
    }

    fn commit(&mut self, line: &[u8]) -> Result<(), Fault> {
        let (first, size) = (self.committed.size(), self.read.size());
        if first == size {
            return Err(Fault::Commit);
        }
        let mut expected = Vec::with_capacity(COMMIT_BYTES);
        push_commit(&mut expected, size, &self.read.root(), self.offset - self.committed_offset);
        if line != expected {
            return Err(Fault::Batch { first, last: size - 1 });
        }
        self.committed = self.read.clone();
        self.commits += 1;
        self.committed_close = self.last_is_close;
        Ok(())
    }

    /// Forgets what was read after the last commit line; the next line is the one after it.
    pub(super) fn rewind(&mut self) {
        self.read = self.committed.clone();
        self.offset = self.committed_offset;
        self.last_is_close = self.committed_close;
    }

    /// The tree over what is committed.
    pub(super) fn tree(&self) -> &Tree {
        &self.committed
    }

    /// Offset after the last commit line.
    pub(super) fn committed_offset(&self) -> u64 {
        self.committed_offset
    }

    /// Commit lines read.
    pub(super) fn commits(&self) -> u64 {
        self.commits
    }

    /// Whether the last committed record is a `log.close`.
    pub(super) fn ends_with_close(&self) -> bool {
        self.committed_close
    }

    /// `what`, at the place where reading stands.
    pub(super) fn damage(&self, file: &str, what: Fault) -> Damage {
        // Of a batch that does not add up, any record may be the changed one.
        let (index, offset) = match what {
            Fault::Batch { first, .. } => (first, self.committed_offset),
            _ => (self.read.size(), self.offset),
        };
        Damage { file: file.to_owned(), offset, index, what }
    }
}

/// The `kind` of a record that begins as every record does.
pub(super) fn kind(text: &[u8]) -> &[u8] {
    let rest = text.get(PREFIX.len()..).unwrap_or_default();
    rest.split(|byte| *byte == b'"').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Vec<u8> {
        format!("{{\"v\":1,\"kind\":\"{text}\"}}\n").into_bytes()
    }

    fn begun() -> Replay {
        let mut header = Vec::new();
        push_header(&mut header, "a/b");
        let mut replay = Replay::new("a/b", &[0; 32]);
        assert_eq!(replay.line(&header), Ok(Line::Header));
        let first = format!("{{\"v\":1,\"kind\":\"log.open\",\"manifest\":\"sha256:{}\"}}\n", "00".repeat(32));
        assert!(matches!(replay.line(first.as_bytes()), Ok(Line::Record { index: 0, .. })));
        let mut line = Vec::new();
        push_commit(&mut line, 1, &leaf_hash(first.trim_end().as_bytes()), first.len() as u64);
        assert_eq!(replay.line(&line), Ok(Line::Commit));
        replay
    }

    #[test]
    fn a_line_that_is_not_accounted_for_is_refused() {
        for line in [
            &b"\n"[..],
            b"{}\n",
            b"# note\n",
            b"{\"v\":1,\"kind\":\"x\"\n",
            b"{\"v\":1,\"kind\":\"x\"}",
            b"{\"v\":1,\"kind\":\"\xff\"}\n",
        ] {
            assert_eq!(begun().line(line), Err(Fault::Line), "{line:?}");
        }
        let mut empty = Vec::new();
        push_commit(&mut empty, 1, &[0; 32], 0);
        assert_eq!(begun().line(&empty), Err(Fault::Commit));
    }

    #[test]
    fn a_record_is_as_long_as_a_line_may_be_and_not_longer() {
        let spare = LINE_BYTES - PREFIX.len() - 2;
        assert!(begun().line(&record(&"x".repeat(spare))).is_ok());
        assert_eq!(begun().line(&record(&"x".repeat(spare + 1))), Err(Fault::Length));
    }

    #[test]
    fn a_commit_line_over_other_records_names_the_batch() {
        let mut replay = begun();
        replay.line(&record("a")).unwrap();
        replay.line(&record("b")).unwrap();
        let mut line = Vec::new();
        push_commit(&mut line, 3, &[9; 32], 44);
        let fault = replay.line(&line).unwrap_err();
        assert_eq!(fault, Fault::Batch { first: 1, last: 2 });
        assert_eq!(replay.damage("seg", fault).index, 1);
    }
}
