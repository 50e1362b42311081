//! Crypto-erasure: tombstones, new keys for the shelves on which something was erased, and every shelf key wrapped
//! under the keyset's current subject-wrapping key. All of it is one transaction: a crash leaves everything or
//! nothing erased.

use std::collections::BTreeSet;

use redb::{ReadableTable, ReadableTableMetadata};

use super::{
    super::{
        VaultError,
        keys::{Keys, RecordHash, TokenHash},
        receipt::{Erasure, Receipt},
        shelves::{self, SHELVES, names_on, shelf_of},
    },
    Access, ERASED, Store, Stored, live, stored,
    subjects::KeyState,
    tables::{Kind, Tables, Writing, joined},
    tokens::Known,
};
use crate::{
    crypto::SubjectKey,
    model::{SubjectRef, Timestamp},
};

/// What one erasure destroyed.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Shredded {
    /// Subjects that lost their keys.
    pub(in super::super) subjects: Vec<SubjectRef>,
    /// Tokens nobody else uses.
    pub(in super::super) tokens: Vec<TokenHash>,
}

impl Store {
    /// Erases everybody linked to `records`. What was erased before is answered with the receipt of then.
    pub(in super::super) async fn erase(
        &self,
        keys: &Keys,
        records: Vec<RecordHash>,
        now: Timestamp,
        sign: impl Fn(Erasure) -> Receipt + Send + 'static,
    ) -> Result<Receipt, VaultError> {
        let (access, vault) = (self.access(keys), self.name);
        let work = move |tables: &mut Tables<Writing<'_>>| {
            let subjects = match access.doomed(tables, &records)? {
                Doomed::Subjects(subjects) => subjects,
                Doomed::Before(receipt) => {
                    // The caller destroys the older wrapping keys after this, too.
                    access.wrap_again(tables)?;
                    return Ok(receipt);
                }
            };
            access.refuse_unrolled(tables)?;
            let shredded = access.shred(tables, &subjects)?;
            let erasure = Erasure::new(&access.keys, vault, &records, &shredded, now);
            let receipt = sign(erasure);
            let number = tables.erasures.len()?;
            tables.erasures.insert(number, receipt.to_stored(&shredded)?.as_slice())?;
            Ok(receipt)
        };
        self.writer.write(work).await
    }

    /// Wraps every shelf key under the current subject-wrapping key, so that the older ones can be destroyed.
    pub(in super::super) async fn roll(&self, keys: &Keys) -> Result<(), VaultError> {
        let access = self.access(keys);
        self.writer.write(move |tables| access.wrap_again(tables)).await
    }

    /// The receipts of every erasure.
    pub(in super::super) async fn receipts(&self) -> Result<Vec<Receipt>, VaultError> {
        let tables = self.snapshot()?;
        let mut receipts = Vec::new();
        for item in tables.erasures.iter()? {
            receipts.push(Receipt::from_stored(item?.1.value())?.0);
        }
        Ok(receipts)
    }
}

enum Doomed {
    Subjects(Vec<SubjectRef>),
    Before(Receipt),
}

impl Access {
    fn doomed<A: Kind>(&self, tables: &Tables<A>, records: &[RecordHash]) -> Result<Doomed, VaultError> {
        let mut subjects = BTreeSet::new();
        for record in records {
            let linked = tables.subjects_of(record)?;
            if linked.is_empty() {
                return Err(VaultError::NothingToErase);
            }
            for subject in linked {
                if matches!(self.key_of(tables, subject)?, KeyState::Live(_)) {
                    subjects.insert(subject);
                }
            }
        }
        if !subjects.is_empty() {
            return Ok(Doomed::Subjects(subjects.into_iter().collect()));
        }
        for item in tables.erasures.iter()?.rev() {
            let receipt = Receipt::from_stored(item?.1.value())?.0;
            if records.iter().any(|record| receipt.names(record)) {
                return Ok(Doomed::Before(receipt));
            }
        }
        Err(VaultError::NothingToErase)
    }

    /// Shelf keys of copies made before are wrapped under the key in use until now: it has to be another than the
    /// current.
    fn refuse_unrolled<A: Kind>(&self, tables: &Tables<A>) -> Result<(), VaultError> {
        for number in 0..SHELVES {
            let bytes = tables.shelves.get(number)?.ok_or(VaultError::Tampered)?;
            if shelves::is_current(bytes.value(), &self.keys)? {
                return Err(VaultError::NotRolled);
            }
        }
        Ok(())
    }

    /// Removes subjects and the tokens that only they used, and makes copies of the old bytes unreadable.
    pub(super) fn shred(
        &self,
        tables: &mut Tables<Writing<'_>>,
        subjects: &[SubjectRef],
    ) -> Result<Shredded, VaultError> {
        let mut shredded = Shredded::default();
        let mut touched = BTreeSet::new();
        for subject in subjects {
            tables.subjects.insert(&subject.0, [ERASED].as_slice())?;
            touched.insert(shelf_of(&subject.0));
            for token in tables.held(*subject)? {
                tables.held.remove(&joined(&subject.0, &token))?;
                tables.holders.remove(&joined(&token, &subject.0))?;
                if tables.holders(&token, 1)?.is_empty() {
                    self.bury(tables, &token)?;
                    touched.insert(shelf_of(&token));
                    shredded.tokens.push(token);
                }
            }
            shredded.subjects.push(*subject);
        }
        for shelf in &touched {
            self.lay_again(tables, *shelf)?;
        }
        self.wrap_again(tables)?;
        Ok(shredded)
    }

    /// A token without holders: its look-up entry goes, its name stays taken.
    fn bury(&self, tables: &mut Tables<Writing<'_>>, token: &TokenHash) -> Result<(), VaultError> {
        if let Known::Row(row) = self.token(tables, token)? {
            tables.lookups.remove(&joined(&row.lookup, token))?;
        }
        tables.tokens.insert(token, [ERASED].as_slice())?;
        Ok(())
    }

    /// Gives a shelf a new key and seals what still lies on it again.
    fn lay_again(&self, tables: &mut Tables<Writing<'_>>, number: u16) -> Result<(), VaultError> {
        let old = self.numbered(tables, number)?;
        let key = SubjectKey::generate()?;
        let new = self.keys.shelf(&key)?;
        let (low, high) = names_on::<8>(number);
        for (name, sealed) in rows(&tables.subjects, &low, &high)? {
            let subject = old.take_subject(SubjectRef(name), &sealed)?;
            tables.subjects.insert(&name, live(&new.stow_subject(&subject)?).as_slice())?;
        }
        let (low, high) = names_on::<16>(number);
        for (name, sealed) in rows(&tables.tokens, &low, &high)? {
            let row = old.take(&name, &sealed)?;
            tables.tokens.insert(&name, live(&new.stow(&name, &row)?).as_slice())?;
        }
        tables.shelves.insert(number, shelves::stored(&key, &self.keys)?.as_slice())?;
        self.opened.forget([number]);
        Ok(())
    }

    pub(super) fn wrap_again(&self, tables: &mut Tables<Writing<'_>>) -> Result<(), VaultError> {
        for number in 0..SHELVES {
            let bytes = tables.shelves.get(number)?.ok_or(VaultError::Tampered)?.value().to_vec();
            if !shelves::is_current(&bytes, &self.keys)? {
                let key = shelves::unwrapped(&bytes, &self.keys)?;
                tables.shelves.insert(number, shelves::stored(&key, &self.keys)?.as_slice())?;
            }
        }
        Ok(())
    }
}

/// The sealed rows from `low` to `high`.
fn rows<const N: usize>(
    table: &impl ReadableTable<&'static [u8; N], &'static [u8]>,
    low: &[u8; N],
    high: &[u8; N],
) -> Result<Rows<N>, VaultError> {
    let mut rows = Vec::new();
    for item in table.range::<&[u8; N]>(low..=high)? {
        let (name, bytes) = item?;
        if let Stored::Live(sealed) = stored(bytes.value())? {
            rows.push((*name.value(), sealed.to_vec()));
        }
    }
    Ok(rows)
}

/// Keys and values of rows of one table.
type Rows<const N: usize> = Vec<([u8; N], Vec<u8>)>;
