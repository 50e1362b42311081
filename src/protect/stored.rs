//! Clear text in, what the CRM stores out; a stored text and the vault's answers in, clear text out. Holds no state of its own.

use std::{collections::HashMap, sync::Arc};

use super::normalise;
use crate::{
    crypto::{
        Envelope, EnvelopeError, Keyset, OpenError, Seal, SealError, Spelling, SubjectKey, looks_sealed, token_shape,
    },
    model::{Class, ClassId, ClassTable, Column, KeyScope, Linkage, Mode, Sensitive, SubjectRef},
};

/// Seals and opens with one keyset.
#[derive(Debug, Clone)]
pub struct Store {
    keys: Arc<Keyset>,
    token_domain: Arc<str>,
    region: Option<Arc<str>>,
}

/// A text that is not clear.
#[derive(Debug)]
pub enum Stored {
    /// An `fg1` envelope.
    Sealed(Envelope),
    /// A token with valid keyed check characters of this class.
    Token,
    /// It starts like an envelope and is none.
    Broken(Unopened),
}

/// What the vault knows of a subject.
#[derive(Debug, Clone)]
pub enum SubjectAnswer {
    /// Its key.
    Live {
        /// Opens what is sealed for it.
        key: SubjectKey,
        /// Whether some record is known to be the subject's.
        linked: bool,
    },
    /// Its key was destroyed.
    Erased,
    /// Never heard of.
    Unknown,
}

/// What the vault knows of a token.
#[derive(Debug, Clone)]
pub enum TokenAnswer {
    /// It stands for this.
    Value {
        /// The class.
        class: Arc<str>,
        /// The text as it was written.
        text: Sensitive<String>,
        /// The subjects that use it.
        holders: Vec<SubjectRef>,
    },
    /// Its row was destroyed.
    Erased,
    /// Never heard of.
    Unknown,
}

/// Whose a record is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// Usually one; more after a merge in the CRM.
    pub subjects: Vec<SubjectRef>,
    /// Whoever it was has been erased.
    pub erased: bool,
}

/// What the vault answered to the needs of a body.
#[derive(Debug, Default, Clone)]
pub struct Answers {
    /// By reference.
    pub subjects: HashMap<SubjectRef, SubjectAnswer>,
    /// By token.
    pub tokens: HashMap<String, TokenAnswer>,
    /// By the id of a record of the body.
    pub records: HashMap<String, Owners>,
}

impl Answers {
    fn owners(&self, record: Option<&str>) -> &[SubjectRef] {
        record.and_then(|record| self.records.get(record)).map_or(&[], |owners| &owners.subjects)
    }
}

/// A value in clear.
#[derive(Debug)]
pub struct Opened {
    /// The class it was stored as.
    pub class: ClassId,
    /// The text.
    pub text: Sensitive<String>,
    /// Whose key sealed it; a subject that is not linked to any record yet is to be linked to the one it was found on.
    pub subject: Option<SubjectRef>,
    /// Whether it was found on a record that it does not belong to.
    pub moved: bool,
    /// Whether its subject has no record yet.
    pub unlinked: bool,
    /// Whether it is under the active key.
    pub current: bool,
}

/// Why a stored value cannot be shown (field-protection.md §8). Callers see two placeholders; the reason goes to metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unopened {
    /// No such key in the keyset, or a token nobody minted.
    #[error("unknown key or token")]
    UnknownKey,
    /// The key is disabled.
    #[error("disabled key")]
    Disabled,
    /// The key, the subject's key or the token's row was destroyed.
    #[error("erased")]
    Erased,
    /// Another tenant, class, subject or header than it was sealed with.
    #[error("sealed in another context")]
    ContextMismatch,
    /// Not what was sealed.
    #[error("tampered with")]
    Tampered,
    /// Cut short, most likely by the CRM's column.
    #[error("truncated")]
    Truncated,
    /// Of a class that this configuration does not have.
    #[error("unknown class")]
    UnknownClass,
    /// A strict class, on another record than its own.
    #[error("on another record")]
    Moved,
}

impl Unopened {
    /// Every reason, in order of their metrics.
    pub const ALL: [Self; 8] = [
        Self::UnknownKey,
        Self::Disabled,
        Self::Erased,
        Self::ContextMismatch,
        Self::Tampered,
        Self::Truncated,
        Self::UnknownClass,
        Self::Moved,
    ];

    /// The name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown_kid",
            Self::Disabled => "disabled",
            Self::Erased => "erased_read",
            Self::ContextMismatch => "context_mismatch",
            Self::Tampered => "tampered",
            Self::Truncated => "truncated",
            Self::UnknownClass => "unknown_class",
            Self::Moved => "moved",
        }
    }

    /// What stands in the value's place. The reasons look alike from outside, so that nobody can ask with forged values.
    #[must_use]
    pub fn placeholder(self) -> &'static str {
        if self == Self::Erased { "⟦fg:erased⟧" } else { "⟦fg:unavailable⟧" }
    }
}

impl From<OpenError> for Unopened {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Disabled => Self::Disabled,
            OpenError::Destroyed => Self::Erased,
            OpenError::ContextMismatch => Self::ContextMismatch,
            OpenError::Tampered => Self::Tampered,
            _ => Self::UnknownKey,
        }
    }
}

impl From<EnvelopeError> for Unopened {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::Truncated => Self::Truncated,
            _ => Self::Tampered,
        }
    }
}

/// Why a value cannot be stored; the field is named by who calls.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unstorable {
    /// Its stored form has more characters than the column takes.
    #[error("{needed} characters, and the column takes {limit}")]
    TooLong {
        /// Characters of the stored form.
        needed: usize,
        /// Characters of the column.
        limit: u32,
    },
    /// No key is active for the class.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The vault gave no subject key or no token for it.
    #[error("the vault has no key for it")]
    NoMaterial,
}

impl Store {
    /// A store over `keys`. `token_domain` is the domain of e-mail tokens, `region` the country (ISO 3166-1) whose national
    /// phone numbers are meant.
    #[must_use]
    pub fn new(keys: Arc<Keyset>, token_domain: &str, region: Option<&str>) -> Self {
        Self { keys, token_domain: token_domain.into(), region: region.map(Arc::from) }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &Arc<Keyset> {
        &self.keys
    }

    /// The domain of e-mail tokens.
    #[must_use]
    pub fn token_domain(&self) -> &str {
        &self.token_domain
    }

    /// `text` in the form in which values of `class` are compared.
    #[must_use]
    pub fn normalised(&self, class: &Class, text: &str) -> Sensitive<String> {
        Sensitive::new(normalise(class.storage.normaliser, text, self.region.as_deref()))
    }

    /// Whether `text` is a stored form, and which. Cheap for what is not.
    #[must_use]
    pub fn recognise(&self, text: &str) -> Option<Stored> {
        if looks_sealed(text) {
            return Some(match Envelope::parse(text) {
                Ok(envelope) => Stored::Sealed(envelope),
                Err(error) => Stored::Broken(error.into()),
            });
        }
        if !(text.starts_with("fg1t") || text.starts_with("+999")) {
            return None;
        }
        token_shape(text, &self.token_domain).map(|_| Stored::Token)
    }

    /// The clear text of `stored`, which was spelled `text` and found on the record with the id `record`.
    ///
    /// # Errors
    /// Why a placeholder has to stand there.
    pub fn open(
        &self,
        classes: &ClassTable,
        stored: &Stored,
        text: &str,
        answers: &Answers,
        record: Option<&str>,
    ) -> Result<Opened, Unopened> {
        let (opened, away) = self.find(classes, stored, text, answers, record)?;
        Self::linkage(classes, opened.class, away)?;
        Ok(opened)
    }

    /// As [`Self::open`], of a strict class too: for who asks whose a value is, and shows nothing of it.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub fn open_anywhere(
        &self,
        classes: &ClassTable,
        stored: &Stored,
        text: &str,
        answers: &Answers,
    ) -> Result<Opened, Unopened> {
        self.find(classes, stored, text, answers, None).map(|(opened, _)| opened)
    }

    /// The clear text, and whether the record is another one than its own.
    fn find(
        &self,
        classes: &ClassTable,
        stored: &Stored,
        text: &str,
        answers: &Answers,
        record: Option<&str>,
    ) -> Result<(Opened, bool), Unopened> {
        match stored {
            Stored::Broken(why) => Err(*why),
            Stored::Token => self.open_token(classes, text, answers, record),
            Stored::Sealed(envelope) => {
                let subject = envelope.subject();
                let (key, linked) = match subject.map(|reference| answers.subjects.get(&reference)) {
                    None => (None, false),
                    Some(Some(SubjectAnswer::Live { key, linked })) => (Some(key), *linked),
                    Some(Some(SubjectAnswer::Erased)) => return Err(Unopened::Erased),
                    Some(Some(SubjectAnswer::Unknown) | None) => return Err(Unopened::UnknownKey),
                };
                let opened = self.keys.open(envelope, key)?;
                let class = classes.id(&opened.class).ok_or(Unopened::UnknownClass)?;
                let owners = answers.owners(record);
                let here = subject.is_some_and(|subject| owners.contains(&subject));
                let away = subject.is_some() && (linked || !owners.is_empty()) && !here;
                let unlinked = subject.is_some() && !linked && owners.is_empty();
                let moved = away && record.is_some();
                Ok((Opened { class, text: opened.text, subject, moved, unlinked, current: opened.current }, away))
            }
        }
    }

    fn open_token(
        &self,
        classes: &ClassTable,
        text: &str,
        answers: &Answers,
        record: Option<&str>,
    ) -> Result<(Opened, bool), Unopened> {
        match answers.tokens.get(text) {
            None | Some(TokenAnswer::Unknown) => Err(Unopened::UnknownKey),
            Some(TokenAnswer::Erased) => Err(Unopened::Erased),
            Some(TokenAnswer::Value { class, text, holders }) => {
                let class = classes.id(class).ok_or(Unopened::UnknownClass)?;
                // Two people may share an address: what one of them had erased is not shown on her record.
                if record.and_then(|record| answers.records.get(record)).is_some_and(|owners| owners.erased) {
                    return Err(Unopened::Erased);
                }
                let owners = answers.owners(record);
                let away = !holders.is_empty() && !owners.iter().any(|owner| holders.contains(owner));
                let moved = away && record.is_some();
                let text = text.clone();
                Ok((Opened { class, text, subject: None, moved, unlinked: false, current: true }, away))
            }
        }
    }

    /// Where the record's id is not known (yet), a relaxed class is opened and a strict one is not.
    fn linkage(classes: &ClassTable, class: ClassId, away: bool) -> Result<(), Unopened> {
        let strict = classes.get(class).is_none_or(|class| class.storage.linkage == Linkage::Strict);
        if away && strict { Err(Unopened::Moved) } else { Ok(()) }
    }

    /// What the CRM stores for `text` of `class`: sealed with `subject`'s key where the class asks for one. Tokens are the
    /// vault's.
    ///
    /// # Errors
    /// When the form does not fit into `column`, or a key is missing: plaintext is never the fallback.
    pub fn seal(
        &self,
        class: &Class,
        text: &str,
        subject: Option<&SubjectKey>,
        column: Column,
    ) -> Result<String, Unstorable> {
        let normalised = matches!(class.storage.mode, Mode::SealIndexed).then(|| self.normalised(class, text));
        let stored = match class.storage.mode {
            Mode::Clear => text.to_owned(),
            Mode::Det => {
                let normalised = self.normalised(class, text);
                let forms = self.keys.det(&class.name, normalised.expose(), Spelling::of(column))?;
                forms.into_iter().next().ok_or(Unstorable::NoMaterial)?
            }
            Mode::Seal(_) | Mode::SealIndexed => {
                let subject = match class.storage.mode {
                    Mode::Seal(KeyScope::Class) => None,
                    _ => Some(subject.ok_or(Unstorable::NoMaterial)?),
                };
                self.keys.seal(&Seal {
                    class: &class.name,
                    text,
                    subject,
                    normalised: normalised.as_ref().map(|text| text.expose().as_str()),
                    spelling: Spelling::of(column),
                    padding: class.storage.padding,
                })?
            }
            Mode::Token(_) => return Err(Unstorable::NoMaterial),
        };
        fits(&stored, column)?;
        Ok(stored)
    }
}

/// Checks `stored` against `column`.
///
/// # Errors
/// When it is too long.
pub fn fits(stored: &str, column: Column) -> Result<(), Unstorable> {
    let needed = stored.chars().count();
    match column.max_chars {
        Some(limit) if u32::try_from(needed).unwrap_or(u32::MAX) > limit => Err(Unstorable::TooLong { needed, limit }),
        _ => Ok(()),
    }
}

/// Whether `owner` uses the token `text`.
#[must_use]
pub fn holds(answers: &Answers, text: &str, owner: SubjectRef) -> bool {
    matches!(answers.tokens.get(text), Some(TokenAnswer::Value { holders, .. }) if holders.contains(&owner))
}
