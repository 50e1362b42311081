//! The embedded store: one redb file in a folder of mode 0700, locked against a second process. Reads take a snapshot
//! and never wait for a writer; writes are grouped by one thread.

mod backup;
mod erase;
mod open;
mod reindex;
mod subjects;
pub(super) mod tables;
mod tokens;
mod writer;

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwapOption;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::{
    VaultError,
    keys::{Hashes, Keys},
    shelves::{Opened, shelf_of},
};
use crate::crypto::Shelf;
use tables::{Kind, Reading, Tables};
use writer::Writer;

pub use backup::Restored;
pub(super) use backup::restore;
pub(super) use erase::Shredded;
#[cfg(feature = "postgres")]
pub(super) use open::private;

/// An open embedded store. Dropping it writes what is queued and releases the lock.
pub(super) struct Store {
    /// Its thread has the database; dropped first.
    writer: Writer,
    current: Arc<Current>,
    dir: PathBuf,
    name: [u8; 16],
    hashes: Hashes,
    opened: Arc<Opened>,
}

impl Store {
    /// The vault's own hash keys.
    pub(super) fn hashes(&self) -> &Hashes {
        &self.hashes
    }

    fn snapshot(&self) -> Result<Arc<Tables<Reading>>, VaultError> {
        let gone = || VaultError::Unavailable("it could not be read after a write".to_owned());
        self.current.0.load_full().ok_or_else(gone)
    }

    /// What is counted, and the size of the file in bytes.
    pub(super) async fn counts(&self) -> Result<([u64; 4], u64), VaultError> {
        let path = self.dir.join(FILE);
        let size = std::fs::metadata(&path).map_err(VaultError::file(&path))?.len();
        let tables = self.snapshot()?;
        let rows = [tables.subjects.len()?, tables.records.len()?, tables.tokens.len()?, tables.erasures.len()?];
        Ok((rows, size))
    }
}

/// The snapshot of the last commit. Opening one takes as long as several look-ups, so all readers between two commits share
/// it; the writer replaces it before it acknowledges anything.
struct Current(ArcSwapOption<Tables<Reading>>);

impl Current {
    fn new(db: &Database) -> Result<Self, VaultError> {
        let current = Self(ArcSwapOption::empty());
        current.renew(db)?;
        Ok(current)
    }

    /// After a failure there is none, and readers are told so: an older one could show what was erased.
    fn renew(&self, db: &Database) -> Result<(), VaultError> {
        let opened = db.begin_read().map_err(VaultError::from).and_then(|snapshot| Tables::read(&snapshot));
        match opened {
            Ok(tables) => self.0.store(Some(Arc::new(tables))),
            Err(error) => {
                self.0.store(None);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// The keys that a job needs: cheap to hand to the writer's thread.
#[derive(Clone)]
struct Access {
    keys: Keys,
    hashes: Hashes,
    opened: Arc<Opened>,
}

impl Store {
    fn access(&self, keys: &Keys) -> Access {
        Access { keys: keys.clone(), hashes: self.hashes.clone(), opened: Arc::clone(&self.opened) }
    }
}

impl Access {
    /// The shelf that the row called `name` lies on.
    fn shelf<A: Kind>(&self, tables: &Tables<A>, name: &[u8]) -> Result<Arc<Shelf>, VaultError> {
        self.numbered(tables, shelf_of(name))
    }

    fn numbered<A: Kind>(&self, tables: &Tables<A>, number: u16) -> Result<Arc<Shelf>, VaultError> {
        let stored = tables.shelves.get(number)?.ok_or(VaultError::Tampered)?;
        self.opened.get(number, stored.value(), &self.keys)
    }
}

/// First byte of a row that was erased; nothing follows.
const ERASED: u8 = 0;
/// First byte of a row; what is sealed follows.
const LIVE: u8 = 1;

/// What a stored row is.
enum Stored<'a> {
    Live(&'a [u8]),
    Erased,
}

fn stored(bytes: &[u8]) -> Result<Stored<'_>, VaultError> {
    match bytes.split_first() {
        Some((&LIVE, sealed)) => Ok(Stored::Live(sealed)),
        Some((&ERASED, [])) => Ok(Stored::Erased),
        _ => Err(VaultError::Tampered),
    }
}

fn live(sealed: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + sealed.len());
    out.push(LIVE);
    out.extend_from_slice(sealed);
    out
}

/// The store's file in its folder.
pub(super) const FILE: &str = "vault.redb";
