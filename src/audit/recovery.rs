//! From the files of a log to the state a writer goes on from, or to the reason why it must not.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    checkpoint::{Checkpoint, Trust},
    disk::{Folder, Segment, replace},
    error::AuditError,
    layout::{self, CHECKPOINT, QUARANTINE},
    manifest::{self, Manifest},
    scan::{self, End, Tail},
    segment::Replay,
    tree::Tree,
};
use crate::crypto::{hex, sha256};

/// Where a writer goes on.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) tree: Tree,
    pub(super) offset: u64,
    /// Records covered by the checkpoint that was found.
    pub(super) signed: u64,
    /// Whether the log ended with `log.close`.
    pub(super) clean: bool,
    /// The unfinished batch.
    pub(super) tail: Vec<u8>,
}

/// What a log's folder holds, read and checked as far as that goes without reading the segment.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) manifest: Manifest,
    pub(super) checkpoint: Checkpoint,
    /// Relative to the log's folder.
    pub(super) segment: PathBuf,
}

impl Found {
    /// Reads `log.json` and the checkpoint, in the name of `trust`. The checkpoint is read before the segment: of a log that
    /// grows meanwhile the segment is then the longer one.
    pub(super) fn read(dir: &Path, trust: &Trust) -> Result<Self, AuditError> {
        let path = dir.join(manifest::FILE);
        let manifest = Manifest::parse(&path, &layout::read_small(&path)?)?;
        let other = |what: &str| AuditError::NotALog { path: path.clone(), what: what.into() };
        if manifest.origin != trust.origin() {
            return Err(other("it is the log of another origin"));
        }
        if manifest.vkey != trust.to_vkey() {
            return Err(other("it is signed by another key"));
        }
        let path = dir.join(CHECKPOINT);
        let checkpoint = Checkpoint::open(&layout::read_small(&path)?, trust);
        let checkpoint = checkpoint.map_err(|why| AuditError::Trust { path, why })?;
        Ok(Self { manifest, checkpoint, segment: layout::segment(dir)? })
    }
}

/// Reads the segment and decides.
pub(super) fn read(dir: &Path, found: &Found, mut segment: File) -> Result<Recovered, AuditError> {
    let path = dir.join(&found.segment);
    let unreadable = |error| AuditError::io(&path, "the segment cannot be read")(error);
    let signed = found.checkpoint.size;
    let mut root = None;
    let mut replay = Replay::new(&found.manifest.origin, &found.manifest.sha256);
    let end = scan::lines(&mut segment, &mut replay, |replay, _, _| {
        if replay.tree().size() == signed && root.is_none() {
            root = Some(replay.tree().root());
        }
    });
    let end = end.map_err(unreadable)?;
    let mut tail = Vec::new();
    if let End::Stopped(fault) = end {
        let damage = replay.damage(&found.segment.to_string_lossy(), fault);
        match scan::tail(&mut segment, replay.committed_offset()).map_err(unreadable)? {
            Tail::Torn(bytes) if replay.commits() > 0 => tail = bytes,
            // Later batches are there, or not even record 0 is: no crash leaves that.
            _ => return Err(AuditError::Damaged(damage)),
        }
    }
    let size = replay.tree().size();
    if size < signed {
        return Err(AuditError::Cut { signed, found: size });
    }
    if root != Some(found.checkpoint.root) {
        return Err(AuditError::Forked { signed });
    }
    Ok(Recovered {
        tree: replay.tree().clone(),
        offset: replay.committed_offset(),
        signed,
        clean: replay.ends_with_close() && tail.is_empty(),
        tail,
    })
}

/// Keeps the unfinished batch byte for byte, then cuts it off.
pub(super) fn set_aside(
    dir: &Path,
    recovered: &Recovered,
    folder: &mut dyn Folder,
    segment: &mut dyn Segment,
) -> Result<Option<(u64, [u8; 32])>, AuditError> {
    // Room that was reserved past the end goes with the cut; without a tail there is nothing to do.
    if recovered.tail.is_empty() {
        return Ok(None);
    }
    let hash = sha256(&[&recovered.tail]);
    let name = format!("{QUARANTINE}/{}-{}.tail", recovered.tree.size(), hex(&hash).get(..16).unwrap_or_default());
    let failed = |what| move |error: io::Error| AuditError::io(dir, what)(error);
    // A crash in here leaves the segment as it was; the next start sets the same bytes aside under the same name.
    replace(folder, Path::new(&name), &recovered.tail).map_err(failed("the unfinished batch cannot be set aside"))?;
    // A crash here leaves a segment that ends with a commit line, or the tail: the next start takes either.
    segment.cut(recovered.offset).map_err(failed("the unfinished batch cannot be cut off"))?;
    // A crash here may bring the tail back: then it is set aside again.
    segment.sync().map_err(failed("the segment cannot be synced"))?;
    Ok(Some((recovered.tail.len() as u64, hash)))
}
