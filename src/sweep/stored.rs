//! The stored forms of the configuration as a [`Change`]: envelopes of the keyset, subjects and tokens of the vault.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Ask, Change, Form, Outcome, Reading, Seen, Unavailable, Verb, Wants, Why};
use crate::{
    crypto::{
        Envelope, EnvelopeError, EnvelopeMode, Keyset, OpenError, Seal, SealError, Spelling, SubjectKey, looks_sealed,
        token_shape,
    },
    model::{Class, ClassTable, KeyScope, Linkage, Mode, Sensitive, TokenShape},
    protect::normalise,
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
    /// The keys.
    pub keys: Arc<Keyset>,
    /// Subjects and tokens.
    pub vault: Vault,
    /// The domain of e-mail tokens; empty when there are none.
    pub token_domain: String,
    /// The country (ISO 3166-1) whose national phone numbers are meant.
    pub region: Option<String>,
}

/// A stored text, recognised.
enum Held {
    Clear,
    Sealed(Envelope),
    Token(TokenShape),
    Broken(Why),
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
                    jobs.extend(job(text, subject))
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
            Some(class) if class.storage.mode == Mode::Det => Reading::Text(self.normalised(class, &text)),
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

    fn held(&self, class: Option<&Class>, text: &str) -> Held {
        if looks_sealed(text) {
            return match Envelope::parse(text) {
                Ok(envelope) => Held::Sealed(envelope),
                Err(EnvelopeError::Truncated) => Held::Broken(Why::Truncated),
                Err(_) => Held::Broken(Why::Damaged),
            };
        }
        match token_shape(text, &self.token_domain) {
            None => Held::Clear,
            Some(shape) if class.is_some_and(|class| self.keys.token_is_of(&class.name, text)) => Held::Token(shape),
            Some(_) => Held::Broken(Why::Damaged),
        }
    }

    /// Opens each text, with one question to the vault for all subjects and one for all tokens.
    async fn open(&self, asks: &[Ask<'_>]) -> Result<Vec<Text>, Unavailable> {
        let class = |ask: &Ask<'_>| self.classes.get(ask.class);
        let held: Vec<Held> = asks.iter().map(|ask| self.held(class(ask), ask.text.expose())).collect();
        let subjects = held.iter().filter_map(|held| match held {
            Held::Sealed(envelope) => envelope.subject(),
            _ => None,
        });
        let subjects: Vec<_> = subjects.collect::<BTreeSet<_>>().into_iter().collect();
        let states: BTreeMap<_, SubjectState> = match subjects.is_empty() {
            true => BTreeMap::new(),
            false => subjects.iter().copied().zip(self.vault.subjects(&subjects).await?).collect(),
        };
        let tokens = asks.iter().zip(&held).filter(|(_, held)| matches!(held, Held::Token(_)));
        let tokens: Vec<&str> = tokens.map(|(ask, _)| ask.text.expose().as_str()).collect();
        let mut values = match tokens.is_empty() {
            true => Vec::new(),
            false => self.vault.open_tokens(&tokens).await?,
        }
        .into_iter();
        let opened = asks.iter().zip(held).map(|(ask, held)| match (held, class(ask)) {
            (Held::Clear, _) => Text::Clear,
            (Held::Broken(why), _) => Text::Unreadable(why),
            (Held::Sealed(envelope), Some(class)) => self.open_envelope(ask, class, &envelope, &states),
            (Held::Token(shape), Some(class)) => open_token(class, shape, values.next()),
            (_, None) => Text::Unreadable(Why::Unknown),
        });
        Ok(opened.collect())
    }

    fn open_envelope(
        &self,
        ask: &Ask<'_>,
        class: &Class,
        envelope: &Envelope,
        states: &BTreeMap<crate::model::SubjectRef, SubjectState>,
    ) -> Text {
        let subject = match envelope.subject().map(|subject| states.get(&subject)) {
            None => None,
            Some(Some(SubjectState::Live { key, links })) => {
                let here = self.vault.record_ref(&self.resource, ask.record.expose());
                let moved = !links.is_empty() && !links.iter().any(|link| link.record == here);
                if moved && class.storage.linkage == Linkage::Strict {
                    return Text::Unreadable(Why::Damaged);
                }
                Some(key)
            }
            Some(Some(SubjectState::Erased)) => return Text::Unreadable(Why::Erased),
            Some(Some(SubjectState::Unknown) | None) => return Text::Unreadable(Why::Unknown),
        };
        let keys = std::iter::once(envelope.key_id()).chain(envelope.index_key_id());
        let keys = keys.map(|id| Arc::from(id.to_string())).collect();
        match self.keys.open(envelope, subject) {
            // A value of another class was put here past the gateway: sealing it anew, or opening it, would launder it.
            Ok(opened) if opened.class != class.name => Text::Unreadable(Why::Damaged),
            Ok(opened) => {
                let current = opened.current && makes(class.storage.mode, envelope.mode());
                let form = if current { Form::Current } else { Form::Stale };
                Text::Opened { text: opened.text, form, subject: subject.cloned(), keys }
            }
            Err(OpenError::Destroyed) => Text::Unreadable(Why::Erased),
            Err(OpenError::UnknownKey | OpenError::Disabled | OpenError::NoSubjectKey) => {
                Text::Unreadable(Why::Unknown)
            }
            Err(_) => Text::Unreadable(Why::Damaged),
        }
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
                let normalised = self.normalised(job.class, &job.text);
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
        let needing = jobs.iter().filter(|job| job.class.storage.needs_vault());
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

    /// The envelope of `text`; nothing when it is too long for any.
    fn seal(
        &self,
        class: &Class,
        ask: &Ask<'_>,
        text: &Sensitive<String>,
        subject: Option<&SubjectKey>,
    ) -> Result<Option<String>, Unavailable> {
        let (spelling, storage) = (Spelling::of(ask.column), class.storage);
        let normalised = self.normalised(class, text);
        let sealed = match storage.mode {
            Mode::Det => self
                .keys
                .det(&class.name, normalised.expose(), spelling)
                .and_then(|forms| forms.into_iter().next().ok_or(SealError::Cipher)),
            Mode::Seal(_) | Mode::SealIndexed => self.keys.seal(&Seal {
                class: &class.name,
                text: text.expose(),
                subject: subject.filter(|_| storage.mode != Mode::Seal(KeyScope::Class)),
                normalised: (storage.mode == Mode::SealIndexed).then_some(normalised.expose()),
                spelling,
                padding: storage.padding,
            }),
            Mode::Clear | Mode::Token(_) => Err(SealError::Cipher),
        };
        match sealed {
            Ok(text) => Ok(Some(text)),
            Err(SealError::TooLong) => Ok(None),
            Err(error) => Err(Unavailable { what: format!("the keys: {error}") }),
        }
    }

    /// Whether what would be stored for `text` fits into its column; makes nothing that lasts.
    fn fits(&self, class: &Class, ask: &Ask<'_>, text: &Sensitive<String>) -> Result<bool, Unavailable> {
        let Some(limit) = ask.column.max_chars.map(|limit| limit as usize) else { return Ok(true) };
        if let Mode::Token(shape) = class.storage.mode {
            let chars = match shape {
                TokenShape::Opaque => 28,
                TokenShape::Email => 29 + self.token_domain.chars().count(),
                TokenShape::Phone => 16,
            };
            return Ok(chars <= limit && text.expose().len() <= MAX_TEXT_BYTES);
        }
        // Every subject's name is as long as any other's.
        let anybody = SubjectKey::generate().map_err(|error| Unavailable { what: error.to_string() })?;
        let sealed = self.seal(class, ask, text, Some(&anybody))?;
        Ok(sealed.is_some_and(|sealed| sealed.chars().count() <= limit))
    }

    fn normalised(&self, class: &Class, text: &Sensitive<String>) -> Sensitive<String> {
        Sensitive::new(normalise(class.storage.normaliser, text.expose(), self.region.as_deref()))
    }
}

fn open_token(class: &Class, shape: TokenShape, state: Option<TokenState>) -> Text {
    match state {
        Some(TokenState::Value { class: of, text, .. }) if of == class.name => {
            let form = if class.storage.mode == Mode::Token(shape) { Form::Current } else { Form::Stale };
            Text::Opened { text, form, subject: None, keys: Vec::new() }
        }
        Some(TokenState::Value { .. }) => Text::Unreadable(Why::Damaged),
        Some(TokenState::Erased) => Text::Unreadable(Why::Erased),
        Some(TokenState::Unknown) | None => Text::Unreadable(Why::Unknown),
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
