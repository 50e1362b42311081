//! Subject keys and links in PostgreSQL.

use std::{collections::HashMap, sync::Arc};

use super::{
    super::{Link, RecordRef, RecordState, SubjectState, VaultError, keys::Keys, shelves::shelf_of},
    Access, Found, Postgres, schema,
};
use crate::{crypto::SubjectKey, model::SubjectRef};

impl Postgres {
    pub(in super::super) async fn subjects(
        &self,
        keys: &Keys,
        refs: &[SubjectRef],
    ) -> Result<Vec<SubjectState>, VaultError> {
        let (access, names) = (self.access(keys), names(refs));
        let found = self.pool.run(self.limit, move |session| {
            let (access, names) = (access.clone(), names.clone());
            Box::pin(async move {
                let mut links: HashMap<SubjectRef, Vec<Link>> = HashMap::new();
                for row in session.query(schema::LINKS, &[&names]).await? {
                    let link = Link { resource: row.get::<_, &str>(2).into(), record: RecordRef(bytes(&row, 1)?) };
                    links.entry(SubjectRef(bytes(&row, 0)?)).or_default().push(link);
                }
                let mut found = HashMap::new();
                for row in session.query(schema::SUBJECTS, &[&names]).await? {
                    let subject = SubjectRef(bytes(&row, 0)?);
                    found.insert(subject, access.key(&row, subject, 1)?);
                }
                Ok((found, links))
            })
        });
        let (mut found, mut links) = found.await?;
        let state = |subject: &SubjectRef| match found.remove(subject) {
            Some(Some(key)) => SubjectState::Live { key, links: links.remove(subject).unwrap_or_default() },
            Some(None) => SubjectState::Erased,
            None => SubjectState::Unknown,
        };
        Ok(refs.iter().map(state).collect())
    }

    pub(in super::super) async fn records(
        &self,
        keys: &Keys,
        records: &[(&str, &str)],
    ) -> Result<Vec<RecordState>, VaultError> {
        let hashes: Vec<_> = records.iter().map(|(resource, id)| self.hashes.record(resource, id)).collect();
        let access = self.access(keys);
        let asked: Vec<_> = hashes.iter().map(|hash| hash.to_vec()).collect();
        let found = self.pool.run(self.limit, move |session| {
            let (access, asked) = (access.clone(), asked.clone());
            Box::pin(async move {
                let mut found: HashMap<[u8; 16], Option<SubjectKey>> = HashMap::new();
                for row in session.query(schema::RECORDS, &[&asked]).await? {
                    let slot = found.entry(bytes(&row, 0)?).or_default();
                    if slot.is_none() {
                        *slot = access.key(&row, SubjectRef(bytes(&row, 1)?), 2)?;
                    }
                }
                Ok(found)
            })
        });
        let found = found.await?;
        let state = |hash| match found.get(hash) {
            Some(Some(key)) => RecordState::Linked(key.clone()),
            Some(None) => RecordState::Erased,
            None => RecordState::Unknown,
        };
        Ok(hashes.iter().map(state).collect())
    }

    pub(in super::super) async fn mint_subjects(
        &self,
        keys: &Keys,
        count: usize,
    ) -> Result<Vec<SubjectKey>, VaultError> {
        let access = self.access(keys);
        let minted = self.pool.run(self.limit, move |session| {
            let access = access.clone();
            Box::pin(async move {
                let minted = (0..count).map(|_| SubjectKey::generate()).collect::<Result<Vec<_>, _>>();
                let minted = minted.map_err(VaultError::from)?;
                let names: Vec<_> = minted.iter().map(|key| key.reference().0).collect();
                session.begin(schema::LOCK_SHARED).await?;
                let shelves =
                    access.shelves(session, &names.iter().map(<[u8; 8]>::as_slice).collect::<Vec<_>>()).await?;
                let sealed = minted.iter().zip(&shelves).map(|(key, shelf)| shelf.stow_subject(key));
                let sealed = sealed.collect::<Result<Vec<_>, _>>().map_err(VaultError::from)?;
                let numbers: Vec<_> = names.iter().map(|name| i32::from(shelf_of(name))).collect();
                let names: Vec<_> = names.iter().map(<[u8; 8]>::as_slice).collect();
                session.query(schema::ADD_SUBJECTS, &[&names, &numbers, &sealed]).await?;
                session.commit().await?;
                Ok(minted)
            })
        });
        minted.await
    }

    pub(in super::super) async fn link(&self, links: &[(SubjectRef, &str, &str)]) -> Result<(), VaultError> {
        let subjects: Vec<_> = links.iter().map(|(subject, ..)| *subject).collect();
        let records: Vec<_> = links.iter().map(|(_, resource, id)| self.hashes.record(resource, id).to_vec()).collect();
        let resources: Vec<_> = links.iter().map(|(_, resource, _)| (*resource).to_owned()).collect();
        let asked = Arc::new((names(&subjects), records, resources));
        let done = self.pool.run(self.limit, move |session| {
            let asked = Arc::clone(&asked);
            Box::pin(async move {
                let (names, records, resources) = &*asked;
                session.begin(schema::LOCK_SHARED).await?;
                living(&session.query(schema::SUBJECTS, &[names]).await?, names)?;
                session.query(schema::ADD_LINKS, &[names, records, resources]).await?;
                session.commit().await
            })
        });
        done.await
    }
}

impl Access {
    /// The key in the column `sealed`; none, when the subject was erased.
    fn key(&self, row: &Found, subject: SubjectRef, sealed: usize) -> Result<Option<SubjectKey>, VaultError> {
        let bytes: Option<&[u8]> = row.get(sealed);
        let open = |bytes| Ok(self.shelf(row, sealed + 1)?.take_subject(subject, bytes)?);
        bytes.map(open).transpose()
    }
}

/// Refuses subjects that are erased or unknown.
pub(super) fn living(rows: &[Found], names: &[Vec<u8>]) -> Result<(), VaultError> {
    for name in names {
        let row = rows.iter().find(|row| row.get::<_, &[u8]>(0) == name.as_slice());
        let sealed: Option<&[u8]> = row.ok_or(VaultError::SubjectUnknown)?.get(1);
        sealed.ok_or(VaultError::SubjectErased)?;
    }
    Ok(())
}

fn names(refs: &[SubjectRef]) -> Vec<Vec<u8>> {
    refs.iter().map(|subject| subject.0.to_vec()).collect()
}

pub(super) fn bytes<const N: usize>(row: &Found, column: usize) -> Result<[u8; N], VaultError> {
    row.get::<_, &[u8]>(column).try_into().map_err(|_| VaultError::Tampered)
}
