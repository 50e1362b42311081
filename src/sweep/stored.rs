//! The stored forms of the configuration as a [`Change`]: envelopes of the keyset, subjects and tokens of the vault.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Ask, Change, Form, Outcome, Reading, Seen, Unavailable, Verb, Wants, Why};
use crate::{
    crypto::{EnvelopeMode, SealError, SubjectKey},
    model::{Class, ClassTable, KeyScope, Mode, Sensitive, SubjectRef, TokenShape},
    protect::{Answers, Store, Stored, SubjectAnswer, TokenAnswer, Unopened, Unstorable, fits},
    vault::{MAX_TEXT_BYTES, RecordState, SubjectState, TokenAsk, TokenState, Vault, VaultError},
};

/// Seals, opens and seals anew the values of one resource.
pub struct StoredForms {
    /// The direction.
    pub verb: Verb,
    /// The resource, as the map and the vault's links call it.
    pub resource: Arc<str>,
    /// The classes.
    pub classes: Arc<ClassTable>,
    /// The keys, and how values are written and compared.
    pub store: Store,
    /// Subjects and tokens.
    pub vault: Vault,
}

/// A stored text, opened.
enum Text {
    Clear,
    Opened { text: Sensitive<String>, form: Form, subject: Option<SubjectKey>, keys: Vec<Arc<str>> },
    Unreadable(Why),
}

/// A clear text that is to be stored, and the subject it was sealed for before.
struct Job<'a> {
    index: usize,
    ask: Ask<'a>,
    class: &'a Class,
    text: Sensitive<String>,
    subject: Option<SubjectKey>,
}

impl Change for StoredForms {
    async fn look(&self, asks: &[Ask<'_>]) -> Result<Vec<Seen>, Unavailable> {
        let texts = self.open(asks).await?;
        asks.iter().zip(texts).map(|(ask, text)| self.seen(ask, text)).collect()
    }

    async fn change(&self, asks: &[Ask<'_>]) -> Result<Vec<Outcome>, Unavailable> {
        let texts = self.open(asks).await?;
        let (mut outcomes, mut jobs) = (vec![Outcome::Unchanged; asks.len()], Vec::new());
        for (index, ((ask, text), outcome)) in asks.iter().zip(texts).zip(&mut outcomes).enumerate() {
            let class = self.classes.get(ask.class).filter(|class| class.storage.is_protected());
            let job = |text, subject| class.map(|class| Job { index, ask: *ask, class, text, subject });
            match (self.verb, text) {
                (_, Text::Unreadable(why)) => *outcome = Outcome::Unreadable(why),
                (Verb::Protect, Text::Clear) => jobs.extend(job(ask.text.clone(), None)),
                (Verb::Rewrap, Text::Opened { text, form: Form::Stale, subject, .. }) => {
                    jobs.extend(job(text, subject));
                }
                (Verb::Unprotect, Text::Opened { text, .. }) => *outcome = Outcome::New(text),
                _ => {}
            }
        }
        for (index, made) in self.store(jobs).await? {
            if let Some(outcome) = outcomes.get_mut(index) {
                *outcome = made;
            }
        }
        Ok(outcomes)
    }

    async fn clear(&self, asks: &[Ask<'_>]) -> Result<Vec<Reading>, Unavailable> {
        let texts = self.open(asks).await?;
        Ok(asks.iter().zip(texts).map(|(ask, text)| self.reading(ask, text)).collect())
    }
}

impl StoredForms {
    /// `det` keeps the compared form only (field-protection.md §3), so that is what counts as the text of its classes.
    fn reading(&self, ask: &Ask<'_>, text: Text) -> Reading {
        let text = match text {
            Text::Clear => ask.text.clone(),
            Text::Opened { text, .. } => text,
            Text::Unreadable(why) => return Reading::Unreadable(why),
        };
        match self.classes.get(ask.class) {
            Some(class) if class.storage.mode == Mode::Det => {
                Reading::Text(self.store.normalised(class, text.expose()))
            }
            _ => Reading::Text(text),
        }
    }

    fn seen(&self, ask: &Ask<'_>, text: Text) -> Result<Seen, Unavailable> {
        let (form, keys, clear) = match text {
            Text::Clear => (Form::Clear, Vec::new(), ask.text.clone()),
            Text::Opened { text, form, keys, .. } => (form, keys, text),
            Text::Unreadable(why) => {
                return Ok(Seen { form: Form::Unreadable(why), keys: Vec::new(), wants: Wants::Nothing });
            }
        };
        let class = self.classes.get(ask.class).filter(|class| class.storage.is_protected());
        let wants = match (self.verb, form, class) {
            (Verb::Protect, Form::Clear, Some(class)) | (Verb::Rewrap, Form::Stale, Some(class)) => {
                if self.fits(class, ask, &clear)? { Wants::Another } else { Wants::DoesNotFit }
            }
            (Verb::Unprotect, Form::Current | Form::Stale, _) => Wants::Another,
            _ => Wants::Nothing,
        };
        Ok(Seen { form, keys, wants })
    }

    /// Opens each text, with one question to the vault for all subjects and one for all tokens.
    async fn open(&self, asks: &[Ask<'_>]) -> Result<Vec<Text>, Unavailable> {
        let held: Vec<Option<Stored>> = asks.iter().map(|ask| self.store.recognise(ask.text.expose())).collect();
        let answers = self.answers(asks, &held).await?;
        let opened = asks.iter().zip(held).map(|(ask, held)| match (held, self.classes.get(ask.class)) {
            (None, _) => Text::Clear,
            (Some(stored), Some(class)) => self.open_one(ask, class, &stored, &answers),
            (Some(_), None) => Text::Unreadable(Why::Unknown),
        });
        Ok(opened.collect())
    }

    async fn answers(&self, asks: &[Ask<'_>], held: &[Option<Stored>]) -> Result<Answers, Unavailable> {
        let (mut subjects, mut tokens, mut ids) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (ask, held) in asks.iter().zip(held) {
            match held {
                Some(Stored::Sealed(envelope)) => subjects.extend(envelope.subject()),
                Some(Stored::Token) => drop(tokens.insert(ask.text.expose().as_str())),
                Some(Stored::Broken(_)) | None => continue,
            }
            ids.insert(ask.record.expose().as_str());
        }
        let mut answers = Answers::default();
        let records: Vec<(&str, &str)> = ids.iter().map(|id| (&*self.resource, *id)).collect();
        for (id, state) in ids.iter().zip(self.vault.subjects_of(&records).await?) {
            let owners = answers.records.entry((*id).to_owned()).or_default();
            match state {
                RecordState::Linked(key) => owners.subjects.push(key.reference()),
                RecordState::Erased => owners.erased = true,
                RecordState::Unknown => {}
            }
        }
        let subjects: Vec<SubjectRef> = subjects.into_iter().collect();
        for (subject, state) in subjects.iter().zip(self.vault.subjects(&subjects).await?) {
            let answer = match state {
                SubjectState::Live { key, links } => {
                    // A record can have several: two first writes at once, a merge in the CRM.
                    for id in &ids {
                        let here = self.vault.record_ref(&self.resource, id);
                        let owners = answers.records.entry((*id).to_owned()).or_default();
                        if links.iter().any(|link| link.record == here) && !owners.subjects.contains(subject) {
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
        let tokens: Vec<&str> = tokens.into_iter().collect();
        for (token, state) in tokens.iter().zip(self.vault.open_tokens(&tokens).await?) {
            let answer = match state {
                TokenState::Value { class, text, holders } => TokenAnswer::Value { class, text, holders },
                TokenState::Erased => TokenAnswer::Erased,
                TokenState::Unknown => TokenAnswer::Unknown,
            };
            answers.tokens.insert((*token).to_owned(), answer);
        }
        Ok(answers)
    }

    fn open_one(&self, ask: &Ask<'_>, class: &Class, stored: &Stored, answers: &Answers) -> Text {
        let record = Some(ask.record.expose().as_str());
        let opened = match self.store.open(&self.classes, stored, ask.text.expose(), answers, record) {
            // A value of another class was put here past the gateway: to seal it anew or to open it would launder it.
            Ok(opened) if opened.class != ask.class => return Text::Unreadable(Why::Damaged),
            Ok(opened) => opened,
            Err(why) => return Text::Unreadable(why.into()),
        };
        let (as_configured, keys) = match stored {
            Stored::Sealed(envelope) => {
                let keys = std::iter::once(envelope.key_id()).chain(envelope.index_key_id());
                (makes(class.storage.mode, envelope.mode()), keys.map(|id| Arc::from(id.to_string())).collect())
            }
            _ => (matches!(class.storage.mode, Mode::Token(shape) if has_shape(ask.text.expose(), shape)), Vec::new()),
        };
        let form = if opened.current && as_configured { Form::Current } else { Form::Stale };
        let subject = opened.subject.and_then(|subject| match answers.subjects.get(&subject) {
            Some(SubjectAnswer::Live { key, .. }) => Some(key.clone()),
            _ => None,
        });
        Text::Opened { text: opened.text, form, subject, keys }
    }

    /// Makes the stored forms. Subjects, links and tokens are durable when this returns.
    async fn store(&self, jobs: Vec<Job<'_>>) -> Result<Vec<(usize, Outcome)>, Unavailable> {
        let subjects = self.owners(&jobs).await?;
        let (mut made, mut tokens) = (Vec::with_capacity(jobs.len()), Vec::new());
        for job in &jobs {
            let subject = job.subject.as_ref().or_else(|| subjects.get(job.ask.record.expose().as_str()));
            if !self.fits(job.class, &job.ask, &job.text)? {
                made.push((job.index, Outcome::DoesNotFit));
            } else if let Mode::Token(shape) = job.class.storage.mode {
                let normalised = self.store.normalised(job.class, job.text.expose());
                tokens.push((job, shape, normalised, subject.map(SubjectKey::reference)));
            } else {
                let text = self.seal(job.class, &job.ask, &job.text, subject)?;
                made.push((job.index, text.map_or(Outcome::DoesNotFit, |text| Outcome::New(Sensitive::new(text)))));
            }
        }
        let asks = tokens.iter().map(|(job, shape, normalised, subject)| TokenAsk {
            class: &job.class.name,
            text: job.text.expose(),
            normalised: normalised.expose(),
            shape: *shape,
            subject: *subject,
        });
        let asks: Vec<TokenAsk<'_>> = asks.collect();
        if !asks.is_empty() {
            let texts = self.vault.tokens(&asks).await?;
            made.extend(
                tokens.iter().zip(texts).map(|((job, ..), text)| (job.index, Outcome::New(Sensitive::new(text)))),
            );
        }
        Ok(made)
    }

    /// The subject of each record that needs one; made and linked where nobody is it yet.
    async fn owners<'a>(&self, jobs: &'a [Job<'_>]) -> Result<BTreeMap<&'a str, SubjectKey>, Unavailable> {
        // What is sealed anew stays its subject's, wherever it was found.
        let needing = jobs.iter().filter(|job| job.class.storage.needs_vault() && job.subject.is_none());
        let ids: BTreeSet<&str> = needing.map(|job| job.ask.record.expose().as_str()).collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let records: Vec<(&str, &str)> = ids.iter().map(|id| (&*self.resource, *id)).collect();
        let (mut owners, mut nobodys) = (BTreeMap::new(), Vec::new());
        for (id, state) in ids.iter().zip(self.vault.subjects_of(&records).await?) {
            match state {
                RecordState::Linked(key) => drop(owners.insert(*id, key)),
                // What is written after an erasure is somebody new (field-protection.md §8).
                RecordState::Erased | RecordState::Unknown => nobodys.push(*id),
            }
        }
        if !nobodys.is_empty() {
            let minted = self.vault.mint_subjects(nobodys.len()).await?;
            let links: Vec<_> =
                minted.iter().zip(&nobodys).map(|(key, id)| (key.reference(), &*self.resource, *id)).collect();
            self.vault.link(&links).await?;
            owners.extend(nobodys.into_iter().zip(minted));
        }
        Ok(owners)
    }

    /// The envelope of `text`; nothing when it is too long for the column, or for any.
    fn seal(
        &self,
        class: &Class,
        ask: &Ask<'_>,
        text: &Sensitive<String>,
        subject: Option<&SubjectKey>,
    ) -> Result<Option<String>, Unavailable> {
        match self.store.seal(class, text.expose(), subject, ask.column) {
            Ok(text) => Ok(Some(text)),
            Err(Unstorable::TooLong { .. } | Unstorable::Seal(SealError::TooLong)) => Ok(None),
            Err(error) => Err(Unavailable { what: format!("the keys: {error}") }),
        }
    }

    /// Whether what would be stored for `text` fits into its column; makes nothing that lasts.
    fn fits(&self, class: &Class, ask: &Ask<'_>, text: &Sensitive<String>) -> Result<bool, Unavailable> {
        if let Mode::Token(shape) = class.storage.mode {
            let letters = match shape {
                TokenShape::Opaque => "x".repeat(OPAQUE_CHARS),
                TokenShape::Email => format!("{}@{}", "x".repeat(OPAQUE_CHARS), self.store.token_domain()),
                TokenShape::Phone => "x".repeat(PHONE_CHARS),
            };
            return Ok(fits(&letters, ask.column).is_ok() && text.expose().len() <= MAX_TEXT_BYTES);
        }
        // Every subject's name is as long as any other's.
        let anybody = SubjectKey::generate().map_err(|error| Unavailable { what: error.to_string() })?;
        Ok(self.seal(class, ask, text, Some(&anybody))?.is_some())
    }
}

/// Whether values of `mode` are stored as envelopes of `envelope`.
fn makes(mode: Mode, envelope: EnvelopeMode) -> bool {
    matches!(
        (mode, envelope),
        (Mode::Seal(KeyScope::Class), EnvelopeMode::Seal)
            | (Mode::Seal(KeyScope::Subject), EnvelopeMode::SealSubject)
            | (Mode::SealIndexed, EnvelopeMode::SealIndexed)
            | (Mode::Det, EnvelopeMode::Det)
    )
}

impl From<VaultError> for Unavailable {
    fn from(error: VaultError) -> Self {
        Self { what: format!("the vault: {error}") }
    }
}

impl From<Unopened> for Why {
    fn from(why: Unopened) -> Self {
        match why {
            Unopened::UnknownKey | Unopened::Disabled | Unopened::UnknownClass => Self::Unknown,
            Unopened::Erased => Self::Erased,
            Unopened::ContextMismatch | Unopened::Tampered | Unopened::Moved => Self::Damaged,
            Unopened::Truncated => Self::Truncated,
        }
    }
}

/// Whether the token `text` looks as tokens of `shape` do.
fn has_shape(text: &str, shape: TokenShape) -> bool {
    match shape {
        TokenShape::Phone => text.starts_with('+'),
        TokenShape::Email => text.contains('@'),
        TokenShape::Opaque => !text.starts_with('+') && !text.contains('@'),
    }
}

/// Characters of an opaque token, and of an e-mail token's local part.
const OPAQUE_CHARS: usize = 28;
/// Characters of a phone token.
const PHONE_CHARS: usize = 16;
