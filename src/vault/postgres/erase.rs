//! Erasure and roll in PostgreSQL: alone in the vault, in one transaction.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    super::{
        VaultError,
        keys::{Keys, RecordHash, TokenHash},
        receipt::{Erasure, Receipt},
        shelves::{self, shelf_of},
        store::Shredded,
    },
    Access, Failed, LONG, Postgres, Session, schema,
    subjects::bytes,
};
use crate::{
    crypto::SubjectKey,
    model::{SubjectRef, Timestamp},
};

impl Postgres {
    pub(in super::super) async fn erase(
        &self,
        keys: &Keys,
        records: Vec<RecordHash>,
        now: Timestamp,
        sign: impl Fn(Erasure) -> Receipt + Send + Sync + 'static,
    ) -> Result<Receipt, VaultError> {
        let (access, vault) = (self.access(keys), self.name);
        let (records, sign) = (Arc::new(records), Arc::new(sign));
        let erased = self.pool.run(LONG, move |session| {
            let (access, records, sign) = (access.clone(), Arc::clone(&records), Arc::clone(&sign));
            Box::pin(async move {
                session.begin(schema::LOCK_ALONE).await?;
                let subjects = living_of(session, &records).await?;
                if subjects.is_empty() {
                    let receipt = before(session, &records).await?;
                    // The caller destroys the older wrapping keys after this, too.
                    access.wrap_again(session).await?;
                    session.commit().await?;
                    return Ok(receipt);
                }
                access.refuse_unrolled(session).await?;
                let shredded = access.shred(session, &subjects).await?;
                let receipt = sign(Erasure::new(&access.keys, vault, &records, &shredded, now));
                session.query(schema::ADD_ERASURE, &[&receipt.to_stored(&shredded)?]).await?;
                session.commit().await?;
                Ok(receipt)
            })
        });
        erased.await
    }

    pub(in super::super) async fn roll(&self, keys: &Keys) -> Result<(), VaultError> {
        let access = self.access(keys);
        let rolled = self.pool.run(LONG, move |session| {
            let access = access.clone();
            Box::pin(async move {
                session.begin(schema::LOCK_ALONE).await?;
                access.wrap_again(session).await?;
                session.commit().await
            })
        });
        rolled.await
    }

    pub(in super::super) async fn receipts(&self) -> Result<Vec<Receipt>, VaultError> {
        let rows = self.pool.run(self.limit, |session| Box::pin(session.query(schema::ERASURES, &[]))).await?;
        rows.iter().map(|row| Ok(Receipt::from_stored(row.get(0))?.0)).collect()
    }
}

/// Living subjects of the records; an error, when one of them was never linked.
async fn living_of(session: &mut Session, records: &[RecordHash]) -> Result<Vec<SubjectRef>, Failed> {
    let asked: Vec<_> = records.iter().map(|record| record.to_vec()).collect();
    let rows = session.query(schema::RECORDS, &[&asked]).await?;
    let mut living = BTreeSet::new();
    let mut linked = BTreeSet::new();
    for row in &rows {
        linked.insert(bytes::<16>(row, 0)?);
        if row.get::<_, Option<&[u8]>>(2).is_some() {
            living.insert(SubjectRef(bytes(row, 1)?));
        }
    }
    if !records.iter().all(|record| linked.contains(record)) {
        return Err(VaultError::NothingToErase.into());
    }
    Ok(living.into_iter().collect())
}

/// The receipt of an earlier erasure of one of the records.
async fn before(session: &mut Session, records: &[RecordHash]) -> Result<Receipt, Failed> {
    for row in session.query(schema::ERASURES, &[]).await?.iter().rev() {
        let (receipt, _) = Receipt::from_stored(row.get(0))?;
        if records.iter().any(|record| receipt.names(record)) {
            return Ok(receipt);
        }
    }
    Err(VaultError::NothingToErase.into())
}

impl Access {
    async fn refuse_unrolled(&self, session: &mut Session) -> Result<(), Failed> {
        for row in session.query(schema::ALL_SHELVES, &[]).await? {
            if shelves::is_current(row.get(1), &self.keys)? {
                return Err(VaultError::NotRolled.into());
            }
        }
        Ok(())
    }

    async fn shred(&self, session: &mut Session, subjects: &[SubjectRef]) -> Result<Shredded, Failed> {
        let names: Vec<_> = subjects.iter().map(|subject| subject.0.to_vec()).collect();
        session.query(schema::ERASE_SUBJECTS, &[&names]).await?;
        let dropped = session.query(schema::DROP_HOLDERS, &[&names]).await?;
        let dropped: Vec<_> = dropped.iter().map(|row| row.get::<_, Vec<u8>>(0)).collect();
        let erased = session.query(schema::ERASE_TOKENS, &[&dropped]).await?;
        let tokens = erased.iter().map(|row| bytes(row, 0)).collect::<Result<Vec<TokenHash>, _>>()?;
        let mut touched: BTreeSet<u16> = subjects.iter().map(|subject| shelf_of(&subject.0)).collect();
        touched.extend(tokens.iter().map(|token| shelf_of(token)));
        for shelf in &touched {
            self.lay_again(session, *shelf).await?;
        }
        self.wrap_again(session).await?;
        Ok(Shredded { subjects: subjects.to_vec(), tokens })
    }

    /// Gives a shelf a new key and seals what still lies on it again.
    async fn lay_again(&self, session: &mut Session, number: u16) -> Result<(), Failed> {
        let shelf = i32::from(number);
        let rows = session.query(schema::SHELVES, &[&vec![shelf]]).await?;
        let old = self.shelf(rows.first().ok_or(VaultError::Tampered)?, 0)?;
        let key = SubjectKey::generate().map_err(VaultError::from)?;
        let new = self.keys.shelf(&key)?;
        let mut again: HashMap<&'static str, Columns> = HashMap::new();
        for row in session.query(schema::SUBJECTS_ON, &[&shelf]).await? {
            let subject = old.take_subject(SubjectRef(bytes(&row, 0)?), row.get(1)).map_err(VaultError::from)?;
            let (names, sealed) = again.entry(schema::SEAL_SUBJECTS).or_default();
            names.push(row.get(0));
            sealed.push(new.stow_subject(&subject).map_err(VaultError::from)?);
        }
        for row in session.query(schema::TOKENS_ON, &[&shelf]).await? {
            let name = row.get::<_, Vec<u8>>(0);
            let opened = old.take(&name, row.get(1)).map_err(VaultError::from)?;
            let (names, sealed) = again.entry(schema::SEAL_TOKENS).or_default();
            sealed.push(new.stow(&name, &opened).map_err(VaultError::from)?);
            names.push(name);
        }
        for (statement, (names, sealed)) in again {
            session.query(statement, &[&names, &sealed]).await?;
        }
        session.query(schema::ADD_SHELVES, &[&vec![shelf], &vec![shelves::stored(&key, &self.keys)?]]).await?;
        self.opened.forget([number]);
        Ok(())
    }

    async fn wrap_again(&self, session: &mut Session) -> Result<(), Failed> {
        let (mut numbers, mut wrapped) = (Vec::new(), Vec::new());
        for row in session.query(schema::ALL_SHELVES, &[]).await? {
            let stored: &[u8] = row.get(1);
            if !shelves::is_current(stored, &self.keys)? {
                numbers.push(row.get::<_, i32>(0));
                wrapped.push(shelves::stored(&shelves::unwrapped(stored, &self.keys)?, &self.keys)?);
            }
        }
        session.query(schema::ADD_SHELVES, &[&numbers, &wrapped]).await.map(drop)
    }
}

/// Keys and values of the rows of one table.
type Columns = (Vec<Vec<u8>>, Vec<Vec<u8>>);
