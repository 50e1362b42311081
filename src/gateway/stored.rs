//! What bodies need of the vault, asked for at once, and what the rewriter is given. The only stage that knows both.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use http::StatusCode;

use super::{respond::Refusal, status::Status};
use crate::{
    crypto::SubjectKey,
    model::{ClassId, ClassTable, Sensitive, SubjectId, SubjectRef},
    protect::{Answers, Owners, Store, Stored, SubjectAnswer, TokenAnswer},
    rewrite::{self, Needs, Notes, RecordKeys, RewriteError, WrittenRecord},
    vault::{self, RecordRef, RecordState, SubjectState, TokenState, Vault, VaultError},
};

/// The vault of a snapshot, for one resource of the map.
#[derive(Clone)]
pub(super) struct Resolver {
    vault: Vault,
    store: Store,
    resource: Arc<str>,
}

/// A request body as the CRM gets it.
#[derive(Default)]
pub(super) struct Sealed {
    pub(super) body: Vec<u8>,
    /// Stored forms: not to be echoed.
    pub(super) known: Vec<Sensitive<String>>,
    /// Subjects of records that the CRM is about to name.
    pub(super) unnamed: Vec<SubjectRef>,
}

impl Resolver {
    pub(super) fn new(vault: Vault, store: Store, resource: &Arc<str>) -> Self {
        Self { vault, store, resource: Arc::clone(resource) }
    }

    /// What the vault says to `needs`.
    pub(super) async fn answers(&self, needs: &Needs) -> Result<Answers, VaultError> {
        let mut answers = Answers::default();
        if needs.is_empty() {
            return Ok(answers);
        }
        let records: Vec<(&str, &str)> = needs.records.iter().map(|id| (&*self.resource, id.as_str())).collect();
        for ((_, id), state) in records.iter().zip(self.vault.subjects_of(&records).await?) {
            let mut owners = Owners::default();
            match state {
                RecordState::Linked(key) => owners.subjects.push(key.reference()),
                RecordState::Erased => owners.erased = true,
                RecordState::Unknown => {}
            }
            answers.records.insert((*id).to_owned(), owners);
        }
        self.subjects(needs, &mut answers).await?;
        self.tokens_of(needs, &mut answers).await?;
        Ok(answers)
    }

    async fn subjects(&self, needs: &Needs, answers: &mut Answers) -> Result<(), VaultError> {
        let wanted: Vec<SubjectRef> = needs.subjects.iter().copied().collect();
        let here: Vec<(RecordRef, &String)> =
            needs.records.iter().map(|id| (self.vault.record_ref(&self.resource, id), id)).collect();
        for (subject, state) in wanted.iter().zip(self.vault.subjects(&wanted).await?) {
            let answer = match state {
                SubjectState::Live { key, links } => {
                    // A record can have several: two first writes at once, a merge in the CRM.
                    for (record, id) in &here {
                        let is_here = links.iter().any(|link| link.record == *record);
                        if let (true, Some(owners)) = (is_here, answers.records.get_mut(*id))
                            && !owners.subjects.contains(subject)
                        {
                            owners.subjects.push(*subject);
                        }
                    }
                    SubjectAnswer::Live { key, linked: !links.is_empty() }
                }
                SubjectState::Erased => SubjectAnswer::Erased,
                SubjectState::Unknown => SubjectAnswer::Unknown,
            };
            answers.subjects.insert(*subject, answer);
        }
        Ok(())
    }

    async fn tokens_of(&self, needs: &Needs, answers: &mut Answers) -> Result<(), VaultError> {
        let tokens: Vec<&str> = needs.tokens.iter().map(String::as_str).collect();
        for (token, state) in tokens.iter().zip(self.vault.open_tokens(&tokens).await?) {
            let answer = match state {
                TokenState::Value { class, text, mut holders } => {
                    if holders.len() >= vault::HOLDERS_SHOWN {
                        let owners: Vec<SubjectRef> =
                            answers.records.values().flat_map(|owners| owners.subjects.iter().copied()).collect();
                        let asks: Vec<(&str, SubjectRef)> = owners.iter().map(|owner| (*token, *owner)).collect();
                        let held = self.vault.holds(&asks).await?;
                        holders.extend(owners.iter().zip(held).filter_map(|(owner, held)| held.then_some(*owner)));
                    }
                    TokenAnswer::Value { class, text, holders }
                }
                TokenState::Erased => TokenAnswer::Erased,
                TokenState::Unknown => TokenAnswer::Unknown,
            };
            answers.tokens.insert((*token).to_owned(), answer);
        }
        Ok(())
    }

    /// The clear text of `values`, found on `record` in fields of `class`. What cannot be opened, or was stored as another class,
    /// is nothing to compare with.
    pub(super) async fn clear(
        &self,
        classes: &ClassTable,
        class: ClassId,
        values: Vec<Sensitive<String>>,
        record: Option<&SubjectId>,
    ) -> Result<Vec<Sensitive<String>>, VaultError> {
        let mut needs = Needs::default();
        needs.records.extend(record.map(|record| record.expose().clone()));
        for value in &values {
            match self.store.recognise(value.expose()) {
                Some(Stored::Sealed(envelope)) => needs.subjects.extend(envelope.subject()),
                Some(Stored::Token) => {
                    needs.tokens.insert(value.expose().clone());
                }
                Some(Stored::Broken(_)) | None => {}
            }
        }
        let answers = self.answers(&needs).await?;
        let record = record.map(|record| record.expose().as_str());
        let open = |value: Sensitive<String>| match self.store.recognise(value.expose()) {
            None => Some(value),
            Some(stored) => {
                let opened = self.store.open(classes, &stored, value.expose(), &answers, record).ok()?;
                (opened.class == class).then_some(opened.text)
            }
        };
        Ok(values.into_iter().filter_map(open).collect())
    }

    /// The subject of each record that needs one; made, and linked where the record has an id, when nobody is it yet. Of a record
    /// that only holds stored forms, the subject it is known to have. `named` is the record of the path.
    async fn subjects_for(
        &self,
        records: &[WrittenRecord],
        named: Option<&SubjectId>,
        unnamed: &mut Vec<SubjectRef>,
    ) -> Result<Vec<Option<SubjectKey>>, VaultError> {
        // The id a record is known by, and whether somebody has to be it.
        let id = |record: &WrittenRecord| {
            let id = if record.needs_subject { record.id.as_ref().or(named) } else { record.id.as_ref() };
            id.filter(|_| record.needs_subject || record.holds_stored).map(|id| id.expose().clone())
        };
        let needy = || records.iter().filter(|record| record.needs_subject);
        let ids: BTreeSet<String> = records.iter().filter_map(id).collect();
        let wanted: BTreeSet<String> = needy().filter_map(id).collect();
        let mut known = HashMap::new();
        let mut strangers = Vec::new();
        if !ids.is_empty() {
            let asked: Vec<(&str, &str)> = ids.iter().map(|id| (&*self.resource, id.as_str())).collect();
            for (id, state) in ids.iter().zip(self.vault.subjects_of(&asked).await?) {
                match state {
                    RecordState::Linked(key) => drop(known.insert(id.clone(), key)),
                    // What is written after an erasure is somebody new.
                    RecordState::Erased | RecordState::Unknown if wanted.contains(id) => strangers.push(id),
                    RecordState::Erased | RecordState::Unknown => {}
                }
            }
        }
        let new = strangers.len() + needy().filter(|record| id(record).is_none()).count();
        let mut minted = if new == 0 { Vec::new() } else { self.vault.mint_subjects(new).await? }.into_iter();
        let met: Vec<(&String, SubjectKey)> = strangers.into_iter().zip(minted.by_ref()).collect();
        if !met.is_empty() {
            let links: Vec<_> = met.iter().map(|(id, key)| (key.reference(), &*self.resource, id.as_str())).collect();
            self.vault.link(&links).await?;
        }
        known.extend(met.into_iter().map(|(id, key)| (id.clone(), key)));
        let mut subject = |record: &WrittenRecord| match id(record) {
            Some(id) if !record.needs_subject => Ok(known.get(&id).cloned()),
            None if !record.needs_subject => Ok(None),
            Some(id) => known.get(&id).cloned().map(Some).ok_or(VaultError::Tampered),
            None => {
                let key = minted.next().ok_or(VaultError::Tampered)?;
                unnamed.push(key.reference());
                Ok(Some(key))
            }
        };
        records.iter().map(&mut subject).collect()
    }
}

impl Resolver {
    /// The body of a write in stored form: subjects are found or minted, tokens too, and all of it is durable before this
    /// returns. `named` is the record of the path.
    pub(super) async fn seal(
        &self,
        plan: &rewrite::Plan,
        body: Vec<u8>,
        named: Option<&SubjectId>,
    ) -> Result<Sealed, Box<Refusal>> {
        let writes = rewrite::written(plan, &body).map_err(|error| Box::new(refused(&error)))?;
        let mut unnamed = Vec::new();
        let keys = self.record_keys(plan, &writes.records, named, &mut unnamed).await;
        let keys = keys.map_err(|error| unavailable(&error))?;
        let answers = self.answers(&writes.needs).await.map_err(|error| unavailable(&error))?;
        let owner = match named {
            Some(id) if !writes.needs.is_empty() => {
                let state = self.vault.subject_of(&self.resource, id.expose()).await;
                match state.map_err(|error| unavailable(&error))? {
                    RecordState::Linked(key) => Some(key.reference()),
                    RecordState::Erased | RecordState::Unknown => None,
                }
            }
            _ => None,
        };
        let sealed = rewrite::seal(plan, &body, &keys, &answers, owner).map_err(|error| Box::new(refused(&error)))?;
        Ok(Sealed { body: sealed.body, known: sealed.known, unnamed })
    }

    /// What each record is stored with: one question for all subjects, and one for all tokens.
    async fn record_keys(
        &self,
        plan: &rewrite::Plan,
        records: &[WrittenRecord],
        named: Option<&SubjectId>,
        unnamed: &mut Vec<SubjectRef>,
    ) -> Result<Vec<RecordKeys>, VaultError> {
        let subjects = self.subjects_for(records, named, unnamed).await?;
        let mut asked = Vec::new();
        for (at, (record, subject)) in records.iter().zip(&subjects).enumerate() {
            let Some(subject) = subject else { continue };
            for ask in &record.tokens {
                let Some(class) = plan.tools.classes.get(ask.class) else { continue };
                asked.push((at, ask, class, self.store.normalised(class, ask.text.expose()), subject.reference()));
            }
        }
        let mut keys: Vec<RecordKeys> =
            subjects.into_iter().map(|subject| RecordKeys { subject, ..RecordKeys::default() }).collect();
        if asked.is_empty() {
            return Ok(keys);
        }
        let asks: Vec<_> = asked
            .iter()
            .map(|(_, ask, class, normalised, subject)| vault::TokenAsk {
                class: &class.name,
                text: ask.text.expose(),
                normalised: normalised.expose(),
                shape: ask.shape,
                subject: Some(*subject),
            })
            .collect();
        for ((at, ask, ..), token) in asked.iter().zip(self.vault.tokens(&asks).await?) {
            if let Some(keys) = keys.get_mut(*at) {
                keys.tokens.insert((ask.class, ask.text.expose().clone()), token);
            }
        }
        Ok(keys)
    }

    /// Remembers whose the records are that the CRM has just named, in the order in which they were written. When it named
    /// another number of them, each is learnt when it is first read.
    pub(super) async fn name(&self, unnamed: &[SubjectRef], named: &[SubjectId]) {
        if unnamed.len() != named.len() {
            return;
        }
        self.link(unnamed.iter().copied().zip(named)).await;
    }

    /// Remembers whose records these are, all at once; when that fails, as many of them as can be.
    async fn link(&self, links: impl Iterator<Item = (SubjectRef, &SubjectId)>) {
        let links: Vec<_> =
            links.map(|(subject, record)| (subject, &*self.resource, record.expose().as_str())).collect();
        if links.is_empty() || self.vault.link(&links).await.is_ok() {
            return;
        }
        for link in &links {
            if let Err(error) = self.vault.link(std::slice::from_ref(link)).await {
                tracing::warn!(error = %error, "a subject's record was not remembered; it is learnt when it is read again");
            }
        }
    }

    /// Counts what was met among stored values, and remembers what was learnt.
    pub(super) async fn noted(&self, notes: Notes, status: &Status, classes: &ClassTable) {
        if notes.is_empty() {
            return;
        }
        if !notes.bypassed.is_empty() {
            tracing::error!(
                resource = &*self.resource,
                "clear values in protected fields: somebody writes past the gateway"
            );
        }
        status.stored.add(&notes, classes);
        self.link(notes.learned.iter().map(|learned| (learned.subject, &learned.record))).await;
    }
}

/// The vault does not answer: nothing is stored and nothing is shown.
pub(super) fn unavailable(error: &VaultError) -> Box<Refusal> {
    tracing::error!(error = %error, "the vault does not answer");
    let detail = "protected values cannot be stored or opened at the moment, so nothing was done; try again later";
    Box::new(Refusal::new("vault_unavailable", StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(5))
}

/// What the caller is told of a body that cannot be stored.
pub(super) fn refused(error: &RewriteError) -> Refusal {
    let fields = |code, detail: &str, fields: &[String]| {
        Refusal::new(code, StatusCode::UNPROCESSABLE_ENTITY, detail).member("fields", fields.to_vec())
    };
    match error {
        RewriteError::Injected { fields: names } => fields(
            "injected_value",
            "the body carries the stored form of a value of another field or record; send the value itself",
            names,
        ),
        RewriteError::TooLong { fields: names } => fields(
            "too_long",
            "the stored form of these values is longer than the CRM's column; shorten them, or store the class as a token",
            names,
        ),
        RewriteError::Unstorable { fields: names } => fields(
            "not_storable",
            "these fields are stored protected, and only text can be; send them as JSON strings",
            names,
        ),
        RewriteError::NoKey => {
            let detail =
                "no key is active for a class of this body, so nothing was stored; tell the gateway's operator";
            Refusal::new("no_active_key", StatusCode::SERVICE_UNAVAILABLE, detail)
        }
        other => super::request::refused(other),
    }
}
