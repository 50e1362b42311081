//! Subject keys and links: who is who, pseudonymously.

use redb::ReadableTable;

use super::{
    super::{Link, RecordRef, RecordState, SubjectState, VaultError, keys::Keys, keys::RecordHash},
    Access, Store, Stored, live, stored,
    tables::{Kind, Tables, Writing, joined},
};
use crate::{crypto::SubjectKey, model::SubjectRef};

impl Store {
    pub(in super::super) async fn subjects(
        &self,
        keys: &Keys,
        refs: &[SubjectRef],
    ) -> Result<Vec<SubjectState>, VaultError> {
        let (tables, access) = (self.snapshot()?, self.access(keys));
        refs.iter().map(|subject| access.subject(&tables, *subject)).collect()
    }

    pub(in super::super) async fn records(
        &self,
        keys: &Keys,
        records: &[(&str, &str)],
    ) -> Result<Vec<RecordState>, VaultError> {
        let (tables, access) = (self.snapshot()?, self.access(keys));
        records.iter().map(|(resource, id)| access.record(&tables, &self.hashes.record(resource, id))).collect()
    }

    pub(in super::super) async fn mint_subjects(
        &self,
        keys: &Keys,
        count: usize,
    ) -> Result<Vec<SubjectKey>, VaultError> {
        let access = self.access(keys);
        let work = move |tables: &mut Tables<Writing<'_>>| (0..count).map(|_| access.mint_subject(tables)).collect();
        self.writer.write(work).await
    }

    pub(in super::super) async fn link(&self, links: &[(SubjectRef, &str, &str)]) -> Result<(), VaultError> {
        let tables = self.snapshot()?;
        let mut new = Vec::new();
        for (subject, resource, id) in links {
            let record = self.hashes.record(resource, id);
            if tables.links.get(&joined(&subject.0, &record))?.is_none() {
                new.push((*subject, record, (*resource).to_owned()));
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        self.writer
            .write(move |tables| {
                new.iter().try_for_each(|(subject, record, resource)| {
                    match tables
                        .subjects
                        .get(&subject.0)?
                        .map(|row| stored(row.value()).map(|row| matches!(row, Stored::Live(_))))
                    {
                        Some(Ok(true)) => {}
                        Some(Ok(false)) => return Err(VaultError::SubjectErased),
                        Some(Err(error)) => return Err(error),
                        None => return Err(VaultError::SubjectUnknown),
                    }
                    tables.records.insert(&joined(record, &subject.0), ())?;
                    tables.links.insert(&joined(&subject.0, record), resource.as_str())?;
                    Ok(())
                })
            })
            .await
    }
}

impl Access {
    fn subject<A: Kind>(&self, tables: &Tables<A>, subject: SubjectRef) -> Result<SubjectState, VaultError> {
        match self.key_of(tables, subject)? {
            KeyState::Live(key) => {
                let links = tables.links_of(subject)?;
                let link = |(record, resource): (RecordHash, String)| Link {
                    resource: resource.into(),
                    record: RecordRef(record),
                };
                Ok(SubjectState::Live { key, links: links.into_iter().map(link).collect() })
            }
            KeyState::Erased => Ok(SubjectState::Erased),
            KeyState::Unknown => Ok(SubjectState::Unknown),
        }
    }

    fn record<A: Kind>(&self, tables: &Tables<A>, record: &RecordHash) -> Result<RecordState, VaultError> {
        let mut state = RecordState::Unknown;
        // After a merge in the CRM a record can have several; the lowest living one is a stable choice.
        for subject in tables.subjects_of(record)? {
            match self.key_of(tables, subject)? {
                KeyState::Live(key) => return Ok(RecordState::Linked(key)),
                KeyState::Erased => state = RecordState::Erased,
                KeyState::Unknown => return Err(VaultError::Tampered),
            }
        }
        Ok(state)
    }

    pub(super) fn key_of<A: Kind>(&self, tables: &Tables<A>, subject: SubjectRef) -> Result<KeyState, VaultError> {
        let Some(row) = tables.subjects.get(&subject.0)? else { return Ok(KeyState::Unknown) };
        match stored(row.value())? {
            Stored::Erased => Ok(KeyState::Erased),
            Stored::Live(sealed) => Ok(KeyState::Live(self.shelf(tables, &subject.0)?.take_subject(subject, sealed)?)),
        }
    }

    fn mint_subject(&self, tables: &mut Tables<Writing<'_>>) -> Result<SubjectKey, VaultError> {
        loop {
            let key = SubjectKey::generate()?;
            let name = key.reference().0;
            if tables.subjects.get(&name)?.is_none() {
                let sealed = self.shelf(tables, &name)?.stow_subject(&key)?;
                tables.subjects.insert(&name, live(&sealed).as_slice())?;
                return Ok(key);
            }
        }
    }
}

/// What the store has of a subject.
pub(super) enum KeyState {
    Live(SubjectKey),
    Erased,
    Unknown,
}
