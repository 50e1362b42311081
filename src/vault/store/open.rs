//! Making and opening the store: rights, lock, format, tenant, roll-back of the keyset.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable};

use super::{
    super::{
        Rollback, VaultError,
        keys::{Hashes, Keys},
        shelves::{self, Opened, SHELVES},
    },
    Current, FILE, Store, Writer,
    tables::{Kind, Reading, Tables, Writing},
};
use crate::crypto::{RootKey, SubjectKey, random};

/// The layout of tables and rows.
pub(super) const FORMAT: u32 = 1;
pub(super) const META_FORMAT: &str = "format";
pub(super) const META_TENANT: &str = "tenant";
pub(super) const META_NAME: &str = "name";
pub(super) const META_HASHES: &str = "hashes";
pub(super) const META_EPOCH: &str = "epoch";

impl Store {
    /// Makes a folder with an empty store.
    pub(in super::super) fn init(dir: &Path, keys: &Keys) -> Result<(), VaultError> {
        let path = dir.join(FILE);
        if path.exists() {
            return Err(VaultError::Exists(dir.to_owned()));
        }
        if !dir.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(VaultError::file(dir))?;
        }
        private(dir, 0o700)?;
        // A crash before the rename leaves part of `*.tmp`, which the next `init` replaces.
        let temporary = path.with_extension("tmp");
        let _ = fs::remove_file(&temporary);
        let db = create(&temporary, MIN_CACHE_BYTES)?;
        let mut transaction = db.begin_write()?;
        transaction.set_quick_repair(true);
        fill(&mut Tables::write(&transaction)?, keys)?;
        transaction.commit()?;
        drop(db);
        publish(&temporary, &path)
    }

    /// Opens what [`Self::init`] made.
    pub(in super::super) fn open(
        dir: &Path,
        keys: &Keys,
        cache_bytes: usize,
        rollback: Rollback,
    ) -> Result<Self, VaultError> {
        let path = dir.join(FILE);
        if !path.exists() {
            return Err(VaultError::Missing(dir.to_owned()));
        }
        private(dir, 0o700)?;
        private(&path, 0o600)?;
        let db = existing(&path, cache_bytes, dir)?;
        let tables: Tables<Reading> = readable(&db)?;
        let hashes = belongs(&tables, keys)?;
        let name = named(&tables)?;
        let seen = epoch(&tables)?;
        if keys.epoch() < seen && rollback == Rollback::Refused {
            return Err(VaultError::Rollback { given: keys.epoch(), seen });
        }
        drop(tables);
        if keys.epoch() != seen {
            let mut transaction = db.begin_write()?;
            transaction.set_quick_repair(true);
            note(&mut Tables::write(&transaction)?, keys.epoch())?;
            transaction.commit()?;
        }
        let current = Arc::new(Current::new(&db)?);
        let writer = Writer::start(db, Arc::clone(&current))?;
        let opened = Arc::new(Opened::new());
        Ok(Self { writer, current, dir: dir.to_owned(), name, hashes, opened })
    }

    /// Remembers that the keyset with `keys` is in use. Refuses an older one than was in use before.
    pub(in super::super) async fn remember(&self, keys: &Keys) -> Result<(), VaultError> {
        let (given, seen) = (keys.epoch(), epoch(&*self.snapshot()?)?);
        if given < seen {
            return Err(VaultError::Rollback { given, seen });
        }
        if given == seen { Ok(()) } else { self.writer.write(move |tables| note(tables, given)).await }
    }
}

fn note(tables: &mut Tables<Writing<'_>>, epoch: u64) -> Result<(), VaultError> {
    tables.meta.insert(META_EPOCH, epoch.to_be_bytes().as_slice())?;
    Ok(())
}

fn fill(tables: &mut Tables<Writing<'_>>, keys: &Keys) -> Result<(), VaultError> {
    let hashes = keys.seal_hashes(&RootKey::generate()?)?;
    tables.meta.insert(META_FORMAT, FORMAT.to_be_bytes().as_slice())?;
    tables.meta.insert(META_TENANT, keys.tenant().as_bytes())?;
    tables.meta.insert(META_NAME, random::<16>()?.as_slice())?;
    tables.meta.insert(META_HASHES, hashes.as_slice())?;
    tables.meta.insert(META_EPOCH, keys.epoch().to_be_bytes().as_slice())?;
    for number in 0..SHELVES {
        tables.shelves.insert(number, shelves::stored(&SubjectKey::generate()?, keys)?.as_slice())?;
    }
    Ok(())
}

/// Whether a store has our format and belongs to the tenant of `keys`, and opens with them; its hash keys.
pub(super) fn belongs<A: Kind>(tables: &Tables<A>, keys: &Keys) -> Result<Hashes, VaultError> {
    let format = tables.meta(META_FORMAT)?.and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
    match format {
        Some(FORMAT) => {}
        found => return Err(VaultError::Format { found: found.unwrap_or(0), known: FORMAT }),
    }
    if tables.meta(META_TENANT)?.as_deref() != Some(keys.tenant().as_bytes()) {
        return Err(VaultError::OtherTenant);
    }
    // The last one too: a roll that was cut short would show here.
    for number in [0, SHELVES - 1] {
        shelves::unwrapped(tables.shelves.get(number)?.ok_or(VaultError::Tampered)?.value(), keys)?;
    }
    keys.open_hashes(&tables.meta(META_HASHES)?.ok_or(VaultError::Tampered)?)
}

pub(super) fn named<A: Kind>(tables: &Tables<A>) -> Result<[u8; 16], VaultError> {
    tables.meta(META_NAME)?.and_then(|name| name.try_into().ok()).ok_or(VaultError::Tampered)
}

/// The highest keyset epoch seen.
pub(super) fn epoch<A: Kind>(tables: &Tables<A>) -> Result<u64, VaultError> {
    let bytes = tables.meta(META_EPOCH)?.and_then(|bytes| bytes.try_into().ok());
    bytes.map(u64::from_be_bytes).ok_or(VaultError::Tampered)
}

/// A file that is no store of ours has no such tables.
pub(super) fn readable(db: &Database) -> Result<Tables<Reading>, VaultError> {
    Tables::read(&db.begin_read()?).map_err(|error| match error {
        VaultError::Store(source) if matches!(*source, redb::Error::TableDoesNotExist(_)) => {
            VaultError::Format { found: 0, known: FORMAT }
        }
        other => other,
    })
}

/// A new store in a file of mode 0600.
pub(super) fn create(path: &Path, cache_bytes: usize) -> Result<Database, VaultError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(VaultError::file(path))?;
    Ok(Database::builder().set_cache_size(cache_bytes).create(path)?)
}

pub(super) fn existing(path: &Path, cache_bytes: usize, dir: &Path) -> Result<Database, VaultError> {
    let mut tries = LOCK_TRIES;
    loop {
        match Database::builder().set_cache_size(cache_bytes).open(path) {
            // A process that is just being started from the one that held it keeps the lock until it becomes another program.
            Err(DatabaseError::DatabaseAlreadyOpen) if tries > 0 => {
                tries -= 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(DatabaseError::DatabaseAlreadyOpen) => return Err(VaultError::Locked(dir.to_owned())),
            opened => return Ok(opened?),
        }
    }
}

/// Looks at a lock that another process holds, and the pause between two of them.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(25);

/// Gives a finished file its name, durably.
pub(super) fn publish(temporary: &Path, path: &Path) -> Result<(), VaultError> {
    File::open(temporary).and_then(|file| file.sync_all()).map_err(VaultError::file(temporary))?;
    fs::rename(temporary, path).map_err(VaultError::file(path))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A crash before this step may bring the old name back.
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(VaultError::file(dir))
}

/// Refuses what others can read, and what belongs to somebody else.
pub(in super::super) fn private(path: &Path, wanted: u32) -> Result<(), VaultError> {
    let metadata = fs::metadata(path).map_err(VaultError::file(path))?;
    let mode = metadata.permissions().mode() & 0o7777;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if mode & 0o077 == 0 && ours { Ok(()) } else { Err(VaultError::NotPrivate { path: path.to_owned(), mode, wanted }) }
}

/// Memory for stores that are only filled or looked at.
pub(super) const MIN_CACHE_BYTES: usize = 64 * 1024 * 1024;
