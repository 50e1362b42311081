//! What bodies need of the vault, asked for at once, and what the rewriter is given. The only stage that knows both.

use std::{collections::HashMap, sync::Arc};

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

    /// The subject of a record, which is made when nobody is it yet.
    async fn subject_for(&self, record: &str) -> Result<SubjectKey, VaultError> {
        match self.vault.subject_of(&self.resource, record).await? {
            RecordState::Linked(key) => Ok(key),
            // What is written after an erasure is somebody new.
            RecordState::Erased | RecordState::Unknown => {
                let key = self.vault.mint_subject().await?;
                self.vault.link(&[(key.reference(), &self.resource, record)]).await?;
                Ok(key)
            }
        }
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
        let mut keys = Vec::with_capacity(writes.records.len());
        for record in &writes.records {
            keys.push(self.record_keys(plan, record, named, &mut unnamed).await.map_err(|error| unavailable(&error))?);
        }
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

    async fn record_keys(
        &self,
        plan: &rewrite::Plan,
        record: &WrittenRecord,
        named: Option<&SubjectId>,
        unnamed: &mut Vec<SubjectRef>,
    ) -> Result<RecordKeys, VaultError> {
        if !record.needs_subject {
            let Some(id) = record.id.as_ref().filter(|_| record.holds_stored) else { return Ok(RecordKeys::default()) };
            let subject = match self.vault.subject_of(&self.resource, id.expose()).await? {
                RecordState::Linked(key) => Some(key),
                RecordState::Erased | RecordState::Unknown => None,
            };
            return Ok(RecordKeys { subject, ..RecordKeys::default() });
        }
        let id = record.id.as_ref().or(named).map(|id| id.expose().as_str());
        let subject = match id {
            Some(id) => self.subject_for(id).await?,
            None => {
                let key = self.vault.mint_subject().await?;
                unnamed.push(key.reference());
                key
            }
        };
        let tokens = self.tokens(plan, record, &subject).await?;
        Ok(RecordKeys { subject: Some(subject), tokens })
    }

    async fn tokens(
        &self,
        plan: &rewrite::Plan,
        record: &WrittenRecord,
        subject: &SubjectKey,
    ) -> Result<HashMap<(ClassId, String), String>, VaultError> {
        let classes = &plan.tools.classes;
        let known = record.tokens.iter().filter_map(|ask| Some((ask, classes.get(ask.class)?)));
        let values: Vec<_> =
            known.map(|(ask, class)| (ask, class, self.store.normalised(class, ask.text.expose()))).collect();
        let asks: Vec<_> = values
            .iter()
            .map(|(ask, class, normalised)| vault::TokenAsk {
                class: &class.name,
                text: ask.text.expose(),
                normalised: normalised.expose(),
                shape: ask.shape,
                subject: Some(subject.reference()),
            })
            .collect();
        let tokens = self.vault.tokens(&asks).await?;
        let key = |ask: &rewrite::TokenAsk| (ask.class, ask.text.expose().clone());
        Ok(record.tokens.iter().map(key).zip(tokens).collect())
    }

    /// Remembers whose the records are that the CRM has just named, in the order in which they were written. When it named
    /// another number of them, each is learnt when it is first read.
    pub(super) async fn name(&self, unnamed: &[SubjectRef], named: &[SubjectId]) {
        if unnamed.len() != named.len() {
            return;
        }
        for (subject, record) in unnamed.iter().zip(named) {
            self.link(*subject, record).await;
        }
    }

    async fn link(&self, subject: SubjectRef, record: &SubjectId) {
        if let Err(error) = self.vault.link(&[(subject, &self.resource, record.expose())]).await {
            tracing::warn!(error = %error, "a subject's record was not remembered; it is learnt when it is read again");
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
        for learned in &notes.learned {
            self.link(learned.subject, &learned.record).await;
        }
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
