//! The vault in PostgreSQL: the same rows on the same shelves, shared by several gateways. No row is ever remembered
//! here, so tokens and erasures of one gateway are seen by the others at once; a server that does not answer means
//! that nothing is known.

mod connect;
mod erase;
mod pool;
mod reindex;
mod schema;
mod subjects;
mod tls;
mod tokens;

use std::{sync::Arc, time::Duration};

use tokio_postgres::Row as Found;

use super::{
    Rollback, Settings, VaultError,
    keys::{Hashes, Keys},
    shelves::{self, Opened, SHELVES},
};
use crate::crypto::{RootKey, Shelf, SubjectKey, random};
use connect::{CONNECT, Route};
use pool::{Failed, Pool, Session};

/// An open vault in PostgreSQL.
pub(super) struct Postgres {
    pool: Pool,
    limit: Duration,
    name: [u8; 16],
    hashes: Hashes,
    opened: Arc<Opened>,
}

/// What a question needs besides a connection.
#[derive(Clone)]
struct Access {
    keys: Keys,
    hashes: Hashes,
    opened: Arc<Opened>,
}

impl Postgres {
    /// Makes the tables.
    pub(super) fn init(url: &str, settings: &Settings, keys: &Keys) -> Result<(), VaultError> {
        let pool = Pool::start(Route::new(url, settings)?, 1)?;
        let (keys, dir) = (keys.clone(), settings.dir.clone());
        pool.run_here(LONG, move |session| {
            let (keys, dir) = (keys.clone(), dir.clone());
            Box::pin(async move {
                session.batch("BEGIN").await?;
                let there = session.query(schema::THERE, &[]).await?;
                if there.first().is_none_or(|row| row.get::<_, i64>(0) > 0) {
                    return Err(VaultError::Exists(dir).into());
                }
                session.batch(schema::CREATE).await?;
                fill(session, &keys).await?;
                session.commit().await
            })
        })
    }

    /// Opens what [`Self::init`] made.
    pub(super) fn open(url: &str, settings: &Settings, keys: &Keys, rollback: Rollback) -> Result<Self, VaultError> {
        let pool = Pool::start(Route::new(url, settings)?, settings.connections)?;
        let limit = Duration::from_millis(u64::from(settings.statement_millis)) + CONNECT;
        let (theirs, dir) = (keys.clone(), settings.dir.clone());
        let (name, hashes) = pool.run_here(limit, move |session| {
            let (keys, dir) = (theirs.clone(), dir.clone());
            Box::pin(async move {
                let there = session.query(schema::THERE, &[]).await?;
                if there.first().is_none_or(|row| row.get::<_, i64>(0) == 0) {
                    return Err(VaultError::Missing(dir).into());
                }
                session.begin(schema::LOCK_ALONE).await?;
                let found = belongs(session, &keys, rollback).await?;
                let epoch = keys.epoch().to_be_bytes();
                session.query(schema::SET_META, &[&META_EPOCH, &epoch.as_slice()]).await?;
                session.commit().await?;
                Ok(found)
            })
        })?;
        Ok(Self { pool, limit, name, hashes, opened: Arc::new(Opened::new()) })
    }

    pub(super) fn hashes(&self) -> &Hashes {
        &self.hashes
    }

    fn access(&self, keys: &Keys) -> Access {
        Access { keys: keys.clone(), hashes: self.hashes.clone(), opened: Arc::clone(&self.opened) }
    }

    /// Raises the highest epoch seen, or refuses a lower one.
    pub(super) async fn remember(&self, keys: &Keys) -> Result<(), VaultError> {
        let given = keys.epoch();
        let raise = self.pool.run(self.limit, move |session| {
            Box::pin(async move {
                let rows = session.query(schema::RAISE_EPOCH, &[&given.to_be_bytes().as_slice()]).await?;
                Ok(rows.first().map(|row| row.get::<_, Vec<u8>>(0)))
            })
        });
        let seen = raise.await?.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        let seen = seen.ok_or(VaultError::Tampered)?;
        if given < seen { Err(VaultError::Rollback { given, seen }) } else { Ok(()) }
    }

    /// What is counted, and the size of the tables in bytes.
    pub(super) async fn counts(&self) -> Result<([u64; 4], u64), VaultError> {
        let counted = self.pool.run(LONG, |session| {
            Box::pin(async move {
                let rows = session.query(schema::COUNTS, &[]).await?;
                let row = rows.first().ok_or(VaultError::Tampered)?;
                Ok([0, 1, 2, 3, 4].map(|column| row.get::<_, i64>(column).unsigned_abs()))
            })
        });
        let [subjects, links, tokens, erasures, bytes] = counted.await?;
        Ok(([subjects, links, tokens, erasures], bytes))
    }
}

impl Access {
    /// The shelf in the columns `number` and `key`, which come from the statement that found the row.
    fn shelf(&self, row: &Found, number: usize) -> Result<Arc<Shelf>, VaultError> {
        let (shelf, key) = (row.get::<_, i32>(number), row.get::<_, &[u8]>(number + 1));
        self.opened.get(u16::try_from(shelf).map_err(|_| VaultError::Tampered)?, key, &self.keys)
    }

    /// The shelves that new rows called `names` will lie on. The caller's transaction keeps them from getting new keys.
    async fn shelves(&self, session: &mut Session, names: &[&[u8]]) -> Result<Vec<Arc<Shelf>>, Failed> {
        let numbers: Vec<i32> = names.iter().map(|name| i32::from(shelves::shelf_of(name))).collect();
        let rows = session.query(schema::SHELVES, &[&numbers]).await?;
        let mut known = std::collections::HashMap::new();
        for row in &rows {
            known.insert(row.get::<_, i32>(0), self.shelf(row, 0)?);
        }
        let shelves = numbers.iter().map(|number| known.get(number).cloned().ok_or(VaultError::Tampered));
        Ok(shelves.collect::<Result<_, _>>()?)
    }
}

async fn fill(session: &mut Session, keys: &Keys) -> Result<(), Failed> {
    let meta = [
        (META_FORMAT, FORMAT.to_be_bytes().to_vec()),
        (META_TENANT, keys.tenant().as_bytes().to_vec()),
        (META_NAME, random::<16>().map_err(VaultError::from)?.to_vec()),
        (META_HASHES, keys.seal_hashes(&RootKey::generate().map_err(VaultError::from)?)?),
        (META_EPOCH, keys.epoch().to_be_bytes().to_vec()),
    ];
    for (key, value) in meta {
        session.query(schema::SET_META, &[&key, &value]).await?;
    }
    let numbers: Vec<i32> = (0..i32::from(SHELVES)).collect();
    let stored = |_| shelves::stored(&SubjectKey::generate()?, keys);
    let stored = numbers.iter().map(stored).collect::<Result<Vec<_>, VaultError>>()?;
    session.query(schema::ADD_SHELVES, &[&numbers, &stored]).await.map(drop)
}

async fn belongs(session: &mut Session, keys: &Keys, rollback: Rollback) -> Result<([u8; 16], Hashes), Failed> {
    let rows = session.query(schema::META, &[]).await?;
    let meta = |key: &str| rows.iter().find(|row| row.get::<_, &str>(0) == key).map(|row| row.get::<_, &[u8]>(1));
    let format = meta(META_FORMAT).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    if format != FORMAT {
        return Err(VaultError::Format { found: format, known: FORMAT }.into());
    }
    if meta(META_TENANT) != Some(keys.tenant().as_bytes()) {
        return Err(VaultError::OtherTenant.into());
    }
    let seen = meta(META_EPOCH).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    let seen = seen.ok_or(VaultError::Tampered)?;
    if keys.epoch() < seen && rollback == Rollback::Refused {
        return Err(VaultError::Rollback { given: keys.epoch(), seen }.into());
    }
    let name = meta(META_NAME).and_then(|name| name.try_into().ok()).ok_or(VaultError::Tampered)?;
    let hashes = keys.open_hashes(meta(META_HASHES).ok_or(VaultError::Tampered)?)?;
    let shelves = session.query(schema::SHELVES, &[&vec![0, i32::from(SHELVES) - 1]]).await?;
    for row in &shelves {
        shelves::unwrapped(row.get(1), keys)?;
    }
    Ok((name, hashes))
}

const FORMAT: u32 = 1;
const META_FORMAT: &str = "format";
const META_TENANT: &str = "tenant";
const META_NAME: &str = "name";
const META_HASHES: &str = "hashes";
const META_EPOCH: &str = "epoch";
/// Longest wait for what touches many rows: erasure, roll, reindex, counting.
const LONG: Duration = Duration::from_secs(60);
