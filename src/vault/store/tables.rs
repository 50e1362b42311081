//! The tables of the embedded store, and what is read from them in one snapshot or in one write transaction alike.

use std::marker::PhantomData;

use redb::{Key, ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, Value, WriteTransaction};

use super::super::{
    VaultError,
    keys::{RecordHash, TokenHash},
};
use crate::model::SubjectRef;

/// Format, tenant, hash keys, the highest keyset epoch seen.
pub(super) const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");
/// Shelf → name of its key, and the key wrapped under the keyset's subject-wrapping key.
pub(in super::super) const SHELVES: TableDefinition<'static, u16, &[u8]> = TableDefinition::new("shelves");
/// Subject → its key on its shelf, or a tombstone.
pub(in super::super) const SUBJECTS: TableDefinition<'static, &[u8; 8], &[u8]> = TableDefinition::new("subjects");
/// Record ‖ subject.
pub(super) const RECORDS: TableDefinition<'static, &[u8; 24], ()> = TableDefinition::new("records");
/// Subject ‖ record → the record's resource.
pub(super) const LINKS: TableDefinition<'static, &[u8; 24], &str> = TableDefinition::new("links");
/// Token → its row on its shelf, or a tombstone.
pub(in super::super) const TOKENS: TableDefinition<'static, &[u8; 16], &[u8]> = TableDefinition::new("tokens");
/// Look-up hash ‖ token.
pub(super) const LOOKUPS: TableDefinition<'static, &[u8; 32], ()> = TableDefinition::new("lookups");
/// Token ‖ subject.
pub(super) const HOLDERS: TableDefinition<'static, &[u8; 24], ()> = TableDefinition::new("holders");
/// Subject ‖ token.
pub(super) const HELD: TableDefinition<'static, &[u8; 24], ()> = TableDefinition::new("held");
/// Number → what was erased, and the signed receipt.
pub(super) const ERASURES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("erasures");

/// How tables were opened.
pub(super) trait Kind {
    /// The table type.
    type Table<K: Key + 'static, V: Value + 'static>: ReadableTable<K, V>;
}

/// In a snapshot.
#[derive(Debug)]
pub(super) struct Reading;

impl Kind for Reading {
    type Table<K: Key + 'static, V: Value + 'static> = ReadOnlyTable<K, V>;
}

/// In a write transaction.
#[derive(Debug)]
pub(super) struct Writing<'t>(PhantomData<&'t ()>);

impl<'t> Kind for Writing<'t> {
    type Table<K: Key + 'static, V: Value + 'static> = Table<'t, K, V>;
}

/// Every table, opened one way.
pub(super) struct Tables<A: Kind> {
    pub(super) meta: A::Table<&'static str, &'static [u8]>,
    pub(super) shelves: A::Table<u16, &'static [u8]>,
    pub(super) subjects: A::Table<&'static [u8; 8], &'static [u8]>,
    pub(super) records: A::Table<&'static [u8; 24], ()>,
    pub(super) links: A::Table<&'static [u8; 24], &'static str>,
    pub(super) tokens: A::Table<&'static [u8; 16], &'static [u8]>,
    pub(super) lookups: A::Table<&'static [u8; 32], ()>,
    pub(super) holders: A::Table<&'static [u8; 24], ()>,
    pub(super) held: A::Table<&'static [u8; 24], ()>,
    pub(super) erasures: A::Table<u64, &'static [u8]>,
}

macro_rules! open {
    ($transaction:expr) => {
        Ok(Self {
            meta: $transaction.open_table(META)?,
            shelves: $transaction.open_table(SHELVES)?,
            subjects: $transaction.open_table(SUBJECTS)?,
            records: $transaction.open_table(RECORDS)?,
            links: $transaction.open_table(LINKS)?,
            tokens: $transaction.open_table(TOKENS)?,
            lookups: $transaction.open_table(LOOKUPS)?,
            holders: $transaction.open_table(HOLDERS)?,
            held: $transaction.open_table(HELD)?,
            erasures: $transaction.open_table(ERASURES)?,
        })
    };
}

impl Tables<Reading> {
    pub(super) fn read(transaction: &ReadTransaction) -> Result<Self, VaultError> {
        open!(transaction)
    }
}

impl<'t> Tables<Writing<'t>> {
    /// Makes the tables that are not there yet.
    pub(super) fn write(transaction: &'t WriteTransaction) -> Result<Self, VaultError> {
        open!(transaction)
    }
}

impl<A: Kind> Tables<A> {
    pub(super) fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.meta.get(key)?.map(|value| value.value().to_vec()))
    }

    /// Tokens found under a look-up hash.
    pub(super) fn found(&self, lookup: &[u8; 16]) -> Result<Vec<TokenHash>, VaultError> {
        backs(&self.lookups, lookup, usize::MAX)
    }

    /// Subjects that use a token, at most `limit`.
    pub(super) fn holders(&self, token: &TokenHash, limit: usize) -> Result<Vec<SubjectRef>, VaultError> {
        Ok(backs(&self.holders, token, limit)?.into_iter().map(SubjectRef).collect())
    }

    /// Whether a subject uses a token.
    pub(super) fn holds(&self, token: &TokenHash, subject: SubjectRef) -> Result<bool, VaultError> {
        Ok(self.holders.get(&joined(token, &subject.0))?.is_some())
    }

    /// Tokens that a subject uses.
    pub(super) fn held(&self, subject: SubjectRef) -> Result<Vec<TokenHash>, VaultError> {
        backs(&self.held, &subject.0, usize::MAX)
    }

    /// Subjects linked to a record.
    pub(super) fn subjects_of(&self, record: &RecordHash) -> Result<Vec<SubjectRef>, VaultError> {
        Ok(backs(&self.records, record, usize::MAX)?.into_iter().map(SubjectRef).collect())
    }

    /// Records a subject is linked to, with their resources.
    pub(super) fn links_of(&self, subject: SubjectRef) -> Result<Vec<(RecordHash, String)>, VaultError> {
        let (low, high) = (joined::<24>(&subject.0, &[0; 24]), joined::<24>(&subject.0, &[0xff; 24]));
        let range = self.links.range::<&[u8; 24]>(&low..=&high)?;
        range
            .map(|item| item.map(|(key, value)| (back(key.value()), value.value().to_owned())).map_err(Into::into))
            .collect()
    }
}

/// What follows `front` in the keys that start with it, at most `limit` of them.
fn backs<const N: usize, const B: usize>(
    table: &impl ReadableTable<&'static [u8; N], ()>,
    front: &[u8],
    limit: usize,
) -> Result<Vec<[u8; B]>, VaultError> {
    let (low, high) = (joined::<N>(front, &[0; N]), joined::<N>(front, &[0xff; N]));
    let range = table.range::<&[u8; N]>(&low..=&high)?.take(limit);
    range.map(|item| item.map(|(key, _)| back(key.value())).map_err(Into::into)).collect()
}

/// `front ‖ back`, cut to `N` bytes.
pub(super) fn joined<const N: usize>(front: &[u8], back: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(front.iter().chain(back)).for_each(|(slot, byte)| *slot = *byte);
    out
}

fn back<const B: usize>(key: &[u8]) -> [u8; B] {
    key.last_chunk().copied().unwrap_or([0; B])
}
