//! Backups: one snapshot copied row by row into a new file while the store serves; and their return.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use redb::{Database, Key, ReadableTable, Value};

use super::{
    super::{Overwrite, Rollback, VaultError, keys::Keys, receipt::Receipt, shelves::Opened},
    Access, FILE, Store,
    open::{self, META_EPOCH, MIN_CACHE_BYTES, create, existing, private, publish, readable},
    tables::{Reading, Tables, Writing},
};

impl Store {
    /// Writes a copy of one moment, mode 0600, durable when this returns. It holds no remains of erased rows.
    pub(in super::super) fn backup(&self, path: &Path) -> Result<u64, VaultError> {
        if path.exists() {
            return Err(VaultError::Exists(path.to_owned()));
        }
        let snapshot = self.snapshot()?;
        let temporary = path.with_extension("tmp");
        let _ = fs::remove_file(&temporary);
        // A crash before the rename leaves `*.tmp`, which is no backup and which the next one replaces.
        let db = create(&temporary, MIN_CACHE_BYTES)?;
        let rows = copy(&snapshot, &db)?;
        drop(db);
        publish(&temporary, path)?;
        Ok(rows)
    }
}

fn copy(from: &Tables<Reading>, db: &Database) -> Result<u64, VaultError> {
    let mut transaction = db.begin_write()?;
    transaction.set_quick_repair(true);
    let mut rows = 0;
    {
        let mut to = Tables::write(&transaction)?;
        macro_rules! each {
            ($($table:ident),*) => {
                $(rows += table(&from.$table, &mut to.$table)?;)*
            };
        }
        each!(meta, shelves, subjects, records, links, tokens, lookups, holders, held, erasures);
    }
    transaction.commit()?;
    Ok(rows)
}

fn table<K: Key + 'static, V: Value + 'static>(
    from: &impl ReadableTable<K, V>,
    to: &mut redb::Table<'_, K, V>,
) -> Result<u64, VaultError> {
    let mut rows = 0;
    for item in from.iter()? {
        let (key, value) = item?;
        to.insert(key.value(), value.value())?;
        rows += 1;
    }
    Ok(rows)
}

/// What `restore` did besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Erasures that happened after the backup and were repeated. If there are any, roll the subject-wrapping key.
    pub repeated: usize,
}

/// Puts a backup in the place of the store in `dir`. Erasures that the store there knows and the backup does not are
/// repeated.
pub(in super::super) fn restore(
    dir: &Path,
    backup: &Path,
    keys: &Keys,
    overwrite: Overwrite,
    rollback: Rollback,
) -> Result<Restored, VaultError> {
    let path = dir.join(FILE);
    let current = match path.exists() {
        true if overwrite == Overwrite::Refused => return Err(VaultError::Exists(dir.to_owned())),
        // Holds its lock until the new file is in place.
        true => Some(existing(&path, MIN_CACHE_BYTES, dir)?),
        false => None,
    };
    if !dir.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(VaultError::file(dir))?;
    }
    private(dir, 0o700)?;
    let temporary = path.with_extension("restore");
    let db = checked_copy(backup, &temporary)?;
    let tables = readable(&db)?;
    let hashes = open::belongs(&tables, keys)?;
    let mut seen = open::epoch(&tables)?;
    let known = erasures(&tables)?;
    drop(tables);
    let mut missed = Vec::new();
    if let Some(current) = &current {
        let current = readable(current)?;
        seen = seen.max(open::epoch(&current)?);
        missed =
            erasures(&current)?.into_iter().filter(|(receipt, _)| !known.iter().any(|(it, _)| it == receipt)).collect();
    }
    if keys.epoch() < seen && rollback == Rollback::Refused {
        return Err(VaultError::Rollback { given: keys.epoch(), seen });
    }
    let access = Access { keys: keys.clone(), hashes, opened: Opened::new().into() };
    repeat(&db, &access, &missed, keys.epoch())?;
    drop(db);
    publish(&temporary, &path)?;
    Ok(Restored { repeated: missed.len() })
}

/// Erased subjects of one receipt.
type Erased = (Receipt, Vec<crate::model::SubjectRef>);

fn erasures(tables: &Tables<Reading>) -> Result<Vec<Erased>, VaultError> {
    tables.erasures.iter()?.map(|item| Receipt::from_stored(item?.1.value())).collect()
}

/// A copy of the file whose pages were all checked.
fn checked_copy(backup: &Path, to: &PathBuf) -> Result<Database, VaultError> {
    let _ = fs::remove_file(to);
    private(backup, 0o600)?;
    fs::copy(backup, to).map_err(VaultError::file(backup))?;
    let mut builder = Database::builder();
    Ok(builder.set_cache_size(MIN_CACHE_BYTES).set_check_integrity_on_open(true).open(to)?)
}

fn repeat(db: &Database, access: &Access, missed: &[Erased], epoch: u64) -> Result<(), VaultError> {
    let mut transaction = db.begin_write()?;
    transaction.set_quick_repair(true);
    {
        let mut tables: Tables<Writing<'_>> = Tables::write(&transaction)?;
        tables.meta.insert(META_EPOCH, epoch.to_be_bytes().as_slice())?;
        for (receipt, subjects) in missed {
            let shredded = access.shred(&mut tables, subjects)?;
            let number = redb::ReadableTableMetadata::len(&tables.erasures)?;
            tables.erasures.insert(number, receipt.to_stored(&shredded)?.as_slice())?;
        }
    }
    transaction.commit()?;
    Ok(())
}
