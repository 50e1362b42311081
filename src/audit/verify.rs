//! Offline verification: a folder and a public key in, a [`Report`] out. Needs no network, no configuration and no private
//! key, works on a moved copy and on a log that is being written.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Cursor, Read, Seek, SeekFrom},
    path::Path,
    time::Duration,
};

use super::{
    checkpoint::{Checkpoint, Trust},
    error::AuditError,
    layout::{self, CHECKPOINT},
    manifest::{self, Manifest},
    report::{Report, Verdict},
    scan::{self, End, Tail},
    segment::{Damage, Fault, Line, Replay, kind},
    tree::Hash,
};

/// Checks the log in `dir` against `key`, the verifier key text that was given out of band. Every line must be accounted
/// for; the first record that cannot be relied on is named.
///
/// # Errors
/// When the key is not one, or a file cannot be read. A damaged log is not an error but a [`Report`].
pub fn verify(dir: &Path, key: &str) -> Result<Report, AuditError> {
    let trust = Trust::parse(key).map_err(|why| AuditError::Trust { path: "verification key".into(), why })?;
    // The checkpoint first: of a log that grows meanwhile the segment is then the longer one.
    let checkpoint = layout::read_small(&dir.join(CHECKPOINT))?;
    let manifest = layout::read_small(&dir.join(manifest::FILE))?;
    let name = layout::segment(dir)?;
    let path = dir.join(&name);
    let unreadable = |error| AuditError::io(&path, "the segment cannot be read")(error);
    let mut segment = File::open(&path).map_err(unreadable)?;
    let present = segment.metadata().map_err(unreadable)?.len();
    let mut judge = match Judge::new(&trust, &checkpoint, &manifest, &name.to_string_lossy()) {
        Ok(judge) => judge,
        Err(report) => return Ok(*report),
    };
    for _ in 0..ATTEMPTS {
        let end = judge.read(&mut segment).map_err(unreadable)?;
        // A batch that is being written looks unfinished; a moment later it is not. What came after the start need not
        // be waited for.
        if !judge.is_unfinished(&end) || judge.replay.committed_offset() >= present {
            return judge.report(&end, &mut segment, present).map_err(unreadable);
        }
        std::thread::sleep(Duration::from_millis(30));
        judge.rewind(&mut segment).map_err(unreadable)?;
    }
    let end = judge.read(&mut segment).map_err(unreadable)?;
    judge.report(&end, &mut segment, present).map_err(unreadable)
}

const ATTEMPTS: usize = 5;

/// As [`verify`], over the content of the three files, for evidence that comes without its folder.
///
/// # Errors
/// When the key is not one.
pub fn verify_bytes(checkpoint: &[u8], log_json: &[u8], segment: &[u8], key: &str) -> Result<Report, AuditError> {
    let trust = Trust::parse(key).map_err(|why| AuditError::Trust { path: "verification key".into(), why })?;
    let mut judge = match Judge::new(&trust, checkpoint, log_json, layout::SEGMENTS) {
        Ok(judge) => judge,
        Err(report) => return Ok(*report),
    };
    let failed = AuditError::io(layout::SEGMENTS, "the segment cannot be read");
    let end = judge.read(segment);
    let report = end.and_then(|end| judge.report(&end, &mut Cursor::new(segment), segment.len() as u64));
    report.map_err(failed)
}

/// Reading under way.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    origin: String,
    checkpoint: Checkpoint,
    file: String,
    pub(super) replay: Replay,
    /// The root when the tree had the checkpoint's size.
    at_checkpoint: Option<Hash>,
    kinds: BTreeMap<String, u64>,
    batch: BTreeMap<String, u64>,
}

impl Judge {
    /// Checks what does not need the segment.
    pub(super) fn new(trust: &Trust, checkpoint: &[u8], manifest: &[u8], file: &str) -> Result<Self, Box<Report>> {
        let judge = |checkpoint, manifest: &[u8; 32]| Self {
            origin: trust.origin().to_owned(),
            checkpoint,
            file: file.to_owned(),
            replay: Replay::new(trust.origin(), manifest),
            at_checkpoint: None,
            kinds: BTreeMap::new(),
            batch: BTreeMap::new(),
        };
        let nothing = |signed, verdict| {
            let none = Checkpoint { origin: String::new(), size: 0, root: [0; 32] };
            Box::new(Report { signed, ..judge(none, &[0; 32]).judged(verdict) })
        };
        let untrusted = |file: &str, why: &str| Verdict::Untrusted { file: file.to_owned(), why: why.to_owned() };
        let checkpoint = Checkpoint::open(checkpoint, trust)
            .map_err(|why| nothing(None, untrusted(CHECKPOINT, &why.to_string())))?;
        let signed = Some(checkpoint.size);
        let Ok(found) = Manifest::parse(Path::new(manifest::FILE), manifest) else {
            let damage = Damage { file: manifest::FILE.into(), offset: 0, index: 0, what: Fault::Manifest };
            return Err(nothing(signed, Verdict::Damaged(damage)));
        };
        if found.origin != trust.origin() || found.vkey != trust.to_vkey() {
            return Err(nothing(
                signed,
                untrusted(manifest::FILE, "it names another log or key than the verification key"),
            ));
        }
        Ok(judge(checkpoint, &found.sha256))
    }

    /// Takes lines until the end or the first one that is not acceptable.
    pub(super) fn read(&mut self, source: impl Read) -> std::io::Result<End> {
        let Self { replay, checkpoint, at_checkpoint, kinds, batch, .. } = self;
        scan::lines(source, replay, |replay, line, text| match line {
            Line::Header => {}
            Line::Record { .. } => {
                let kind = String::from_utf8_lossy(kind(text)).into_owned();
                *batch.entry(kind).or_default() += 1;
            }
            Line::Commit => {
                for (kind, count) in std::mem::take(batch) {
                    *kinds.entry(kind).or_default() += count;
                }
                if replay.tree().size() == checkpoint.size {
                    *at_checkpoint = Some(replay.tree().root());
                }
            }
        })
    }

    fn is_unfinished(&self, end: &End) -> bool {
        *end == End::Stopped(Fault::Line)
    }

    /// Back to the last commit line, to read on from there.
    fn rewind(&mut self, source: &mut impl Seek) -> std::io::Result<()> {
        self.replay.rewind();
        self.batch.clear();
        source.seek(SeekFrom::Start(self.replay.committed_offset())).map(drop)
    }

    /// The judgement when reading has ended. A tail that began after `present` bytes is of a batch that is being written.
    pub(super) fn report(self, end: &End, source: &mut (impl Read + Seek), present: u64) -> std::io::Result<Report> {
        let (signed, found) = (self.checkpoint.size, self.replay.tree().size());
        let committed = self.replay.committed_offset();
        let verdict = match end {
            End::Stopped(fault) => {
                let fault = *fault;
                let torn = match scan::tail(source, committed)? {
                    Tail::Torn(bytes) => Some(bytes.len() as u64),
                    Tail::Damage => None,
                };
                match torn {
                    // Whatever is signed was finished: a break before that is no crash's.
                    Some(_) if found >= signed && self.replay.commits() > 0 && committed >= present => None,
                    Some(bytes) if found >= signed && self.replay.commits() > 0 => Some(Verdict::Unfinished { bytes }),
                    _ => Some(Verdict::Damaged(self.replay.damage(&self.file, fault))),
                }
            }
            End::Clean => None,
        };
        let verdict = verdict.unwrap_or(match self.at_checkpoint {
            Some(root) if root == self.checkpoint.root => Verdict::Sound,
            None if found < signed => Verdict::Cut { signed, found },
            _ => Verdict::Forked { signed },
        });
        Ok(Report { signed: Some(signed), ..self.judged(verdict) })
    }

    fn judged(self, verdict: Verdict) -> Report {
        let tree = self.replay.tree();
        Report {
            origin: self.origin,
            records: tree.size(),
            batches: self.replay.commits(),
            bytes: self.replay.committed_offset(),
            root: tree.root(),
            signed: None,
            kinds: self.kinds,
            verdict,
        }
    }
}
