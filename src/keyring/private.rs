//! Secret files: read only where nobody else can, written so that nobody else could.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use zeroize::Zeroizing;

use super::KeyringError;
use crate::model::Sensitive;

/// Longest key file, in bytes: 16 MiB holds about 40,000 keys.
pub(super) const MAX_KEY_FILE_BYTES: u64 = 16 << 20;
/// Longest file with a single secret, in bytes.
pub(super) const MAX_SECRET_BYTES: u64 = 64 << 10;

/// The text of a file that belongs to us (or to root) and that nobody else may read or write. What is checked is the
/// opened file, so a link that is swapped in between changes nothing.
pub(super) fn read(path: &Path, most: u64) -> Result<Sensitive<String>, KeyringError> {
    let file = File::open(path).map_err(KeyringError::io(path, "cannot be opened"))?;
    let metadata = file.metadata().map_err(KeyringError::io(path, "cannot be examined"))?;
    let insecure = |why: String| Err(KeyringError::Insecure { path: path.to_owned(), why });
    let me = rustix::process::geteuid().as_raw();
    if !metadata.is_file() {
        return insecure("is not a file".into());
    }
    if metadata.uid() != me && metadata.uid() != 0 {
        return insecure(format!("belongs to user {}, not to user {me}", metadata.uid()));
    }
    if metadata.mode() & 0o077 != 0 {
        return insecure(format!("has mode {:04o}: others may read or change it", metadata.mode() & 0o7777));
    }
    if metadata.len() > most {
        return insecure(format!("has {} bytes, more than a key file can have", metadata.len()));
    }
    read_open(path, file, most)
}

/// The text of a file that was opened for us: a pipe or an inherited descriptor.
pub(super) fn read_open(path: &Path, file: File, most: u64) -> Result<Sensitive<String>, KeyringError> {
    // Grown once, so that no copy is left behind by a reallocation.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(most.min(1 << 20)).unwrap_or_default()));
    file.take(most).read_to_end(&mut bytes).map_err(KeyringError::io(path, "cannot be read"))?;
    let text = String::from_utf8(std::mem::take(&mut *bytes));
    let text = text.map_err(|_| KeyringError::Insecure { path: path.to_owned(), why: "is not UTF-8 text".into() })?;
    Ok(Sensitive::new(text))
}

/// Makes a file of mode 0600 that was not there, and has it on disk.
pub(super) fn create(path: &Path, text: &str) -> Result<(), KeyringError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = made.map_err(KeyringError::io(path, "cannot be made"))?;
    file.write_all(text.as_bytes()).map_err(KeyringError::io(path, "cannot be written"))?;
    // A crash before this line can leave an empty or partial file, which is refused when it is read.
    file.sync_all().map_err(KeyringError::io(path, "cannot be synced"))
}
