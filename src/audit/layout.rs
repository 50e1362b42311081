//! Where the files of a log lie, and on what kind of file system.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;

use super::error::AuditError;
use crate::model::Timestamp;

/// Folder of the segments.
pub(super) const SEGMENTS: &str = "seg";
/// The latest signed tree head.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// Unfinished batches, byte for byte.
pub(super) const QUARANTINE: &str = "quarantine";
/// Held by the one process that writes.
pub(super) const LOCK: &str = "LOCK";
/// The first segment's name: the index of its first record.
const FIRST: &str = "00000000000000.jsonl";
/// Bytes read of a small file; longer ones are not ours.
const SMALL_BYTES: u64 = 64 * 1024;

/// The segment of a log made at `now`, relative to the log's folder: `seg/2026-11-24/00000000000000.jsonl`.
pub(super) fn first_segment(now: Timestamp) -> PathBuf {
    let (year, month, day) = now.date();
    Path::new(SEGMENTS).join(format!("{year:04}-{month:02}-{day:02}")).join(FIRST)
}

/// The one segment of the log in `dir`, relative to it.
pub(super) fn segment(dir: &Path) -> Result<PathBuf, AuditError> {
    let root = dir.join(SEGMENTS);
    let mut found = Vec::new();
    for day in names(&root)? {
        for name in names(&root.join(&day))? {
            found.push(Path::new(SEGMENTS).join(&day).join(name));
        }
    }
    match found.as_slice() {
        [one] if one.file_name().is_some_and(|name| name == FIRST) => Ok(one.clone()),
        _ => Err(AuditError::NotALog {
            path: root,
            what: format!("{} files where this version expects one, `{FIRST}`", found.len()),
        }),
    }
}

fn names(dir: &Path) -> Result<Vec<std::ffi::OsString>, AuditError> {
    let list = || fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
    list().map_err(AuditError::io(dir, "the folder cannot be read"))
}

/// A small file of the log.
pub(super) fn read_small(path: &Path) -> Result<Vec<u8>, AuditError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(SMALL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(AuditError::io(path, "the file cannot be read"))
}

/// Takes the lock that keeps a second writer out; it is held as long as the file is open, whatever becomes of us.
pub(super) fn lock(dir: &Path) -> Result<File, AuditError> {
    let path = dir.join(LOCK);
    // A crash here leaves an empty file; only the kernel's lock on it means something.
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = open.map_err(AuditError::io(&path, "the file cannot be opened"))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(AuditError::Locked(dir.to_owned())),
        Err(error) => Err(AuditError::io(path, "the lock cannot be taken")(error.into())),
    }
}

/// Refuses file systems where locks or `fdatasync` do not mean what the log's promise needs.
pub(super) fn check_filesystem(dir: &Path, allow_volatile: bool) -> Result<(), AuditError> {
    let stat =
        rustix::fs::statfs(dir).map_err(|error| AuditError::io(dir, "the file system is unknown")(error.into()))?;
    // `f_type` is signed or not, and 32 or 64 bits wide, by platform; the numbers fit 32 bits (statfs(2)).
    let filesystem = match stat.f_type as u64 & 0xffff_ffff {
        0x6969 => "NFS",
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => "SMB",
        0x0102_1994 | 0x8584_58f6 if !allow_volatile => {
            let help = "choose a folder on a disk, or set `allow_volatile = true` for a trial";
            return Err(AuditError::Filesystem { path: dir.to_owned(), filesystem: "memory (tmpfs)", help });
        }
        _ => return Ok(()),
    };
    Err(AuditError::Filesystem { path: dir.to_owned(), filesystem, help: "choose a folder on a local disk" })
}

/// First eight hex digits of the kernel's boot id.
pub(super) fn boot() -> Option<String> {
    let id: io::Result<String> = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.ok()?.get(..8).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_found_only_when_it_is_the_only_one() {
        let dir = tempfile::tempdir().unwrap();
        let first = first_segment(Timestamp::from_micros(1_795_511_642_318_224));
        assert_eq!(first, Path::new("seg/2026-11-24/00000000000000.jsonl"));
        fs::create_dir_all(dir.path().join(&first).parent().unwrap()).unwrap();
        assert!(segment(dir.path()).is_err());
        fs::write(dir.path().join(&first), "").unwrap();
        assert_eq!(segment(dir.path()).unwrap(), first);
        fs::write(dir.path().join("seg/2026-11-24/00000000000007.jsonl"), "").unwrap();
        assert!(segment(dir.path()).is_err());
    }

    #[test]
    fn a_second_writer_is_kept_out_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = lock(dir.path()).unwrap();
        assert!(matches!(lock(dir.path()), Err(AuditError::Locked(_))));
        drop(first);
        lock(dir.path()).unwrap();
    }
}
