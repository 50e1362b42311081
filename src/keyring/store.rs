//! The key file on disk: one writer at a time, replaced as a whole, the last generations kept beside it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;

use super::{KeyringError, private};

/// How many key files are kept, the current one among them.
pub const GENERATIONS: usize = 5;

/// What becomes of older generations when a key file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// The last ones are kept, up to [`GENERATIONS`] with the current one.
    Keep,
    /// All of them go: they hold keys that have just been destroyed.
    Forget,
}

/// Nobody else edits the key file as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the key file `path`.
    ///
    /// # Errors
    /// When somebody has it, or the folder cannot be written.
    pub fn take(path: &Path) -> Result<Self, KeyringError> {
        let lock = beside(path, "lock");
        // A crash here leaves an empty file; only the kernel's lock on it means something, and that dies with us.
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock);
        let file = open.map_err(KeyringError::io(&lock, "cannot be opened"))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(KeyringError::Locked(path.to_owned())),
            Err(error) => Err(KeyringError::io(&lock, "cannot be locked")(error.into())),
        }
    }
}

/// Replaces the key file by `text`. The caller has the lock.
pub(super) fn write(path: &Path, text: &str, epoch: u64, history: History) -> Result<(), KeyringError> {
    let new = beside(path, "new");
    // What a crash has left of an earlier attempt; it never was the key file.
    remove(&new)?;
    // A crash up to here leaves a complete or partial `.new`; the key file is the old one.
    private::create(&new, text)?;
    if history == History::Keep && path.exists() {
        let kept = beside(path, &format!("before-{epoch:020}"));
        remove(&kept)?;
        // A crash here leaves a second name of the current file, which is what a generation is.
        fs::hard_link(path, &kept).map_err(KeyringError::io(&kept, "cannot be linked"))?;
    }
    // A crash before or behind this line leaves the old or the new file whole: a rename is atomic.
    fs::rename(&new, path).map_err(KeyringError::io(path, "cannot be replaced"))?;
    // Until here a crash may bring the old file back; behind it the new one stays.
    sync_folder(path)?;
    let keep = if history == History::Keep { GENERATIONS - 1 } else { 0 };
    let kept = generations(path)?;
    for old in kept.iter().take(kept.len().saturating_sub(keep)) {
        // A crash here leaves a generation too many until the next write.
        remove(old)?;
    }
    if history == History::Forget { sync_folder(path) } else { Ok(()) }
}

/// Older generations of the key file, the oldest first.
pub(super) fn generations(path: &Path) -> Result<Vec<PathBuf>, KeyringError> {
    let folder = folder(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned() + ".before-";
    let entries = fs::read_dir(folder).map_err(KeyringError::io(folder, "cannot be listed"))?;
    let mut found: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&name))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    Ok(found)
}

/// Makes the folder of the key file, for its owner alone.
pub(super) fn make_folder(path: &Path) -> Result<(), KeyringError> {
    let folder = folder(path);
    // A crash behind this line leaves an empty folder.
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(KeyringError::io(folder, "cannot be made"))
}

fn remove(path: &Path) -> Result<(), KeyringError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(KeyringError::io(path, "cannot be removed")(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync_folder(path: &Path) -> Result<(), KeyringError> {
    let folder = folder(path);
    let opened = File::open(folder).map_err(KeyringError::io(folder, "cannot be opened"))?;
    opened.sync_all().map_err(KeyringError::io(folder, "cannot be synced"))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{extension}"));
    name.into()
}
