//! The envelope `fg1` (field-protection.md §3): the text that the CRM stores in, its parts out. Opens nothing.

use std::{fmt, num::NonZeroU32, ops::Range};

use memchr::memmem;

use super::spelling::Spelling;
use crate::model::SubjectRef;

/// The name of a key inside a keyset: random, never 0, printed as eight hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(NonZeroU32);

impl KeyId {
    /// The id `number`; 0 is reserved.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The id written as eight lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let canonical = text.len() == 8 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        canonical.then(|| u32::from_str_radix(text, 16).ok()).flatten().and_then(Self::new)
    }

    /// Big-endian, as in the envelope.
    #[must_use]
    pub fn bytes(self) -> [u8; 4] {
        self.0.get().to_be_bytes()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// How an envelope was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnvelopeMode {
    /// `0x11`: under a class key.
    Seal,
    /// `0x12`: under a class key and a subject key.
    SealSubject,
    /// `0x13`: the same with a blind index in front.
    SealIndexed,
    /// `0x15`: deterministic.
    Det,
}

impl EnvelopeMode {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Seal => 0x11,
            Self::SealSubject => 0x12,
            Self::SealIndexed => 0x13,
            Self::Det => 0x15,
        }
    }
}

/// Why a text is not an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It ends before its own length says so: a column was too short for it.
    #[error("the sealed value is cut off")]
    Truncated,
    /// It goes on behind its end.
    #[error("the sealed value is longer than it says")]
    Overlong,
    /// A second spelling of something: spare bits, a longer length than needed, mixed case.
    #[error("the sealed value is not spelled canonically")]
    NotCanonical,
    /// A mode of another version, or a reserved one.
    #[error("the sealed value has a form that this version does not know")]
    Unsupported,
    /// A length past [`MAX_BODY_BYTES`].
    #[error("the sealed value says that it is longer than any that is made")]
    TooLong,
    /// Not a sealed value.
    #[error("not a sealed value")]
    Malformed,
}

/// The part before the salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    mode: EnvelopeMode,
    key: KeyId,
    subject: Option<SubjectRef>,
    index_key: Option<KeyId>,
    /// Bytes of the head.
    size: usize,
    /// Bytes of the ciphertext; `DET` goes to the end.
    body: Option<usize>,
}

/// A sealed value, taken apart but closed.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    bytes: Vec<u8>,
    head: Head,
    index: Option<Box<str>>,
    length: usize,
}

impl Envelope {
    /// Takes `text` apart. Nothing longer than the text itself is allocated.
    ///
    /// # Errors
    /// When the text is not exactly one envelope in one of its two spellings.
    pub fn parse(text: &str) -> Result<Self, EnvelopeError> {
        let (spelling, letters) = split(text.as_bytes()).ok_or(EnvelopeError::Malformed)?;
        if letters.len() > spelling.letters(MAX_HEAD_BYTES + OVERHEAD_BYTES + MAX_BODY_BYTES) {
            return Err(EnvelopeError::TooLong);
        }
        Self::read(text, spelling, letters).map_err(|error| {
            // Decoding looks at every letter anyway; only a failure has to know which kind it was.
            let is_text = letters.iter().all(|byte| spelling.is_letter(*byte));
            if is_text { error } else { EnvelopeError::Malformed }
        })
    }

    fn read(text: &str, spelling: Spelling, letters: &[u8]) -> Result<Self, EnvelopeError> {
        let head = peek(spelling, letters)?;
        match head.total().map(|total| spelling.letters(total)) {
            Some(wanted) if letters.len() < wanted => return Err(EnvelopeError::Truncated),
            Some(wanted) if letters.len() > wanted => return Err(EnvelopeError::Overlong),
            None if letters.len() > spelling.letters(head.size + IV_BYTES + MAX_BODY_BYTES) => {
                return Err(EnvelopeError::TooLong);
            }
            _ => {}
        }
        let bytes = spelling.decode(letters).map_err(|_| EnvelopeError::NotCanonical)?;
        if bytes.len() < head.size + IV_BYTES {
            return Err(EnvelopeError::Truncated);
        }
        let index = head.index_key.and(text.get(..PREFIX.len() + spelling.prefix_letters())).map(Into::into);
        Ok(Self { bytes, head, index, length: text.len() })
    }

    /// How it was made.
    #[must_use]
    pub fn mode(&self) -> EnvelopeMode {
        self.head.mode
    }

    /// The key that seals the text.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.head.key
    }

    /// The key of the blind index.
    #[must_use]
    pub fn index_key_id(&self) -> Option<KeyId> {
        self.head.index_key
    }

    /// The data subject whose key is needed.
    #[must_use]
    pub fn subject(&self) -> Option<SubjectRef> {
        self.head.subject
    }

    /// The start of the text that equal values share: 32 characters, in base32 37.
    #[must_use]
    pub fn index(&self) -> Option<&str> {
        self.index.as_deref()
    }

    /// Characters (and bytes) of the whole text.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Every byte before the salt.
    pub(super) fn head(&self) -> &[u8] {
        self.bytes.get(..self.head.size).unwrap_or_default()
    }

    /// Salt, commitment, ciphertext and tag; for `DET` the synthetic IV and the ciphertext.
    pub(super) fn tail(&self) -> &[u8] {
        self.bytes.get(self.head.size..).unwrap_or_default()
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { mode, key, subject, .. } = self.head;
        write!(f, "Envelope({mode:?}, {key:?}, {subject:?}, {} characters)", self.length)
    }
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let mut rest = bytes;
        let [mode] = take(&mut rest)?;
        let mode = match mode {
            0x11 => EnvelopeMode::Seal,
            0x12 => EnvelopeMode::SealSubject,
            0x13 => EnvelopeMode::SealIndexed,
            0x15 => EnvelopeMode::Det,
            _ => return Err(EnvelopeError::Unsupported),
        };
        let mut index_key = None;
        if mode == EnvelopeMode::SealIndexed {
            index_key = Some(key_id(&mut rest)?);
            take::<IV_BYTES>(&mut rest)?;
        }
        let key = key_id(&mut rest)?;
        let mut subject = None;
        if matches!(mode, EnvelopeMode::SealSubject | EnvelopeMode::SealIndexed) {
            subject = Some(SubjectRef(take::<8>(&mut rest)?));
            if subject == Some(SubjectRef([0; 8])) {
                return Err(EnvelopeError::Malformed);
            }
        }
        let body = if mode == EnvelopeMode::Det { None } else { Some(read_length(&mut rest)?) };
        Ok(Self { mode, key, subject, index_key, size: bytes.len() - rest.len(), body })
    }

    /// Bytes of the whole envelope, where it says so.
    fn total(&self) -> Option<usize> {
        self.body.map(|body| self.size + OVERHEAD_BYTES + body)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], EnvelopeError> {
    let (front, back) = rest.split_first_chunk().ok_or(EnvelopeError::Truncated)?;
    *rest = back;
    Ok(*front)
}

fn key_id(rest: &mut &[u8]) -> Result<KeyId, EnvelopeError> {
    KeyId::new(u32::from_be_bytes(take(rest)?)).ok_or(EnvelopeError::Malformed)
}

/// LEB128, at most four bytes, no longer than needed.
fn read_length(rest: &mut &[u8]) -> Result<usize, EnvelopeError> {
    let mut value = 0usize;
    for at in 0..4 {
        let [byte] = take::<1>(rest)?;
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return match byte {
                0 if at > 0 => Err(EnvelopeError::NotCanonical),
                _ if value > MAX_BODY_BYTES => Err(EnvelopeError::TooLong),
                _ => Ok(value),
            };
        }
    }
    Err(EnvelopeError::TooLong)
}

/// Appends the length of a ciphertext as [`read_length`] reads it.
pub(super) fn write_length(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The spelling and the letters behind the prefix. The first letter tells: a known or reserved mode is `c`, `e` or `f`
/// in base32 and `E`, `F`, `I`–`L` in base64.
fn split(text: &[u8]) -> Option<(Spelling, &[u8])> {
    if let Some(letters) = text.strip_prefix(PREFIX.as_bytes()) {
        let spelling = match letters.first()? {
            b'c' | b'e' | b'f' => Spelling::Base32,
            _ => Spelling::Base64,
        };
        return Some((spelling, letters));
    }
    text.strip_prefix(PREFIX_UPPER).map(|letters| (Spelling::Base32, letters))
}

/// The head of an envelope from as many letters as it can need.
fn peek(spelling: Spelling, letters: &[u8]) -> Result<Head, EnvelopeError> {
    let enough = spelling.letters(MAX_HEAD_BYTES).next_multiple_of(8).min(letters.len());
    let front = letters.get(..spelling.whole_groups(enough)).unwrap_or_default();
    let bytes = spelling.decode(front).map_err(|_| EnvelopeError::NotCanonical)?;
    Head::read(&bytes)
}

/// Whether `text` claims to be a sealed value: it starts with `fg1_` (or `FG1_`, which a CRM made of it).
#[must_use]
pub fn looks_sealed(text: &str) -> bool {
    text.as_bytes().starts_with(PREFIX.as_bytes()) || text.as_bytes().starts_with(PREFIX_UPPER)
}

/// Where the first whole envelope of `text` lies. It carries its length, so letters behind it do not matter; `DET` ends
/// with the run of its letters. Linear in the text, whatever stands in it: a candidate is decoded only if nothing but its
/// content can be wrong, and then it is an envelope.
#[must_use]
pub fn find_sealed(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    // Prefixes are base64 letters themselves, so many candidates can lie in one run of them: it is measured once.
    let (mut from, mut run_end) = (0, 0);
    while let Some(found) = memmem::find(bytes.get(from..)?, b"1_") {
        let start = (from + found).checked_sub(2);
        from += found + 2;
        let Some((start, (spelling, letters))) = start.and_then(|at| Some((at, bytes.get(at..).and_then(split)?)))
        else {
            continue;
        };
        let run = || letters.iter().take_while(|byte| spelling.is_letter(**byte)).count();
        let run = match spelling {
            Spelling::Base64 => {
                if run_end < from {
                    run_end = from + run();
                }
                run_end - from
            }
            Spelling::Base32 => run(),
        };
        let Ok(head) = peek(spelling, letters.get(..run)?) else { continue };
        let length = head.total().map_or(run, |total| spelling.letters(total));
        let whole = letters.get(..run).and_then(|run| run.get(..length));
        if whole.is_some_and(|letters| spelling.ends_well(letters)) {
            let place = start..from + length;
            if text.get(place.clone()).is_some_and(|candidate| Envelope::parse(candidate).is_ok()) {
                return Some(place);
            }
        }
    }
    None
}

/// What every sealed value starts with.
pub const PREFIX: &str = "fg1_";
const PREFIX_UPPER: &[u8] = b"FG1_";

/// Longest text that is sealed, in bytes (1 MiB).
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// Longest ciphertext: a text of [`MAX_TEXT_BYTES`] with the largest padding.
pub const MAX_BODY_BYTES: usize = MAX_TEXT_BYTES + 64;
/// Salt, commitment and tag.
const OVERHEAD_BYTES: usize = 48;
/// A synthetic IV, and a blind index.
const IV_BYTES: usize = 16;
/// Mode, two key ids, index, subject and length.
const MAX_HEAD_BYTES: usize = 37;

#[cfg(test)]
#[path = "tests/envelope.rs"]
mod tests;
