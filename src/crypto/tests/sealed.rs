//! `fg1` against the vectors of an independent implementation, and padding.

use proptest::prelude::*;
use serde::Deserialize;

use super::{
    super::{
        Envelope, EnvelopeError,
        spelling::Spelling,
        token::{is_genuine, token_shape},
    },
    *,
};
use crate::model::{SubjectRef, TokenShape};

#[derive(Deserialize)]
struct Vectors {
    valid: Vec<Vector>,
    invalid: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    dek: String,
    #[serde(default)]
    bi_key: String,
    #[serde(default)]
    siv_key: String,
    #[serde(default)]
    tok_key: String,
    #[serde(default)]
    bi_kid: String,
    #[serde(default)]
    norm: String,
    #[serde(default)]
    search_prefix: String,
    #[serde(default)]
    opaque: String,
    tenant: String,
    cls: String,
    #[serde(default)]
    pt: String,
    #[serde(default)]
    salt: String,
    #[serde(default)]
    envelope: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    error: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../tests/data/fg1_vectors.json")).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

fn utf8(text: &str) -> String {
    String::from_utf8(unhex(text)).unwrap()
}

fn in_letters(spelling: Spelling, bytes: &[u8]) -> String {
    let mut text = String::from("fg1_");
    spelling.encode(bytes, &mut text);
    text
}

impl Vector {
    fn subject(&self, envelope: &Envelope) -> Option<SubjectKey> {
        let dek = Zeroizing::new(unhex(&self.dek).try_into().ok()?);
        envelope.subject().map(|reference| SubjectKey::new(reference, dek))
    }

    fn key(&self) -> SealKey {
        SealKey::new(Zeroizing::new(unhex(&self.key).try_into().unwrap()))
    }

    fn open(&self, envelope: &Envelope) -> Result<String, Closed> {
        let subject = self.subject(envelope);
        let (tenant, class) = (self.tenant.as_str(), self.cls.as_str());
        let bound = Bound { tenant, class, key: envelope.key_id(), subject: subject.as_ref() };
        let context = bound.context(envelope.mode(), envelope.head());
        self.key().open(subject.as_ref(), &context, envelope.tail()).map(|body| unpad(body).unwrap())
    }
}

#[test]
fn every_valid_vector_opens_and_is_made_again_byte_by_byte() {
    let mut opened = 0;
    for vector in vectors().valid.iter().filter(|vector| !vector.key.is_empty()) {
        let envelope = Envelope::parse(&vector.text).unwrap();
        assert_eq!(vector.open(&envelope).unwrap(), utf8(&vector.pt), "{}", vector.name);
        let other = in_letters(Spelling::Base32, &unhex(&vector.envelope));
        assert_eq!(vector.open(&Envelope::parse(&other).unwrap()).unwrap(), utf8(&vector.pt));
        let subject = vector.subject(&envelope);
        let index = (!vector.bi_key.is_empty()).then(|| {
            let key = MacKey::new(&unhex(&vector.bi_key));
            let index = blind_index(&key, &vector.tenant, &vector.cls, &utf8(&vector.norm));
            assert_eq!(envelope.index(), Some(vector.search_prefix.as_str()));
            (KeyId::parse(&vector.bi_kid).unwrap(), index)
        });
        let body = pad(&utf8(&vector.pt), 0);
        let head = head(envelope.mode(), envelope.key_id(), subject.as_ref(), index, body.len());
        let (tenant, class) = (vector.tenant.as_str(), vector.cls.as_str());
        let bound = Bound { tenant, class, key: envelope.key_id(), subject: subject.as_ref() };
        let context = bound.context(envelope.mode(), &head);
        let salt = unhex(&vector.salt).try_into().unwrap();
        let sealed = vector.key().seal(subject.as_ref(), &context, &head, &salt, body).unwrap();
        assert_eq!(sealed, unhex(&vector.envelope), "{}", vector.name);
        assert_eq!(in_letters(Spelling::Base64, &sealed), vector.text);
        opened += 1;
    }
    assert_eq!(opened, 11);
}

#[test]
fn the_deterministic_vector_opens_and_is_made_again() {
    let vectors = vectors();
    let vector = vectors.valid.iter().find(|vector| vector.name == "det").unwrap();
    let envelope = Envelope::parse(&vector.opaque).unwrap();
    let key = unhex(&vector.siv_key).try_into().unwrap();
    let bound = Bound { tenant: &vector.tenant, class: &vector.cls, key: envelope.key_id(), subject: None };
    let text = det_open(&key, bound, envelope.head(), envelope.tail()).unwrap();
    assert_eq!(text.as_slice(), utf8(&vector.norm).as_bytes());
    assert_eq!(det_seal(&key, bound, &utf8(&vector.norm)).unwrap(), unhex(&vector.envelope));
    let other = Bound { class: "note", ..bound };
    assert_eq!(det_open(&key, other, envelope.head(), envelope.tail()).unwrap_err(), Refused);
}

#[test]
fn the_token_vectors_are_genuine() {
    let vectors = vectors();
    let tokens: Vec<_> = vectors.valid.iter().filter(|vector| !vector.tok_key.is_empty()).collect();
    assert_eq!(tokens.len(), 2);
    for vector in tokens {
        let key = MacKey::new(&unhex(&vector.tok_key));
        assert!(is_genuine(&key, &vector.tenant, &vector.cls, &vector.text), "{}", vector.name);
        let shape = if vector.name == "token_email" { TokenShape::Email } else { TokenShape::Phone };
        assert_eq!(token_shape(&vector.text, "fg.example.com"), Some(shape));
    }
}

#[test]
fn every_invalid_vector_is_refused_for_its_reason() {
    let vectors = vectors();
    assert_eq!(vectors.invalid.len(), 10);
    for vector in &vectors.invalid {
        let parsed = Envelope::parse(&in_letters(Spelling::Base64, &unhex(&vector.envelope)));
        match vector.error.as_str() {
            "ValueError:commitment" => assert_eq!(vector.open(&parsed.unwrap()), Err(Closed::Commitment)),
            "InvalidTag:" => assert_eq!(vector.open(&parsed.unwrap()), Err(Closed::Tag)),
            "ValueError:truncated or overlong" => {
                assert!(matches!(parsed, Err(EnvelopeError::Truncated | EnvelopeError::Overlong)), "{}", vector.name);
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn lengths_are_those_of_the_design() {
    let subject = SubjectKey::new(SubjectRef([1; 8]), Zeroizing::new([2; 32]));
    let key = KeyId::new(1).unwrap();
    let sizes = |body| {
        [
            head(EnvelopeMode::Seal, key, None, None, body).len() + 48 + body,
            head(EnvelopeMode::SealSubject, key, Some(&subject), None, body).len() + 48 + body,
            head(EnvelopeMode::SealIndexed, key, Some(&subject), Some((key, [0; 16])), body).len() + 48 + body,
        ]
        .map(|bytes| 4 + Spelling::Base64.letters(bytes))
    };
    assert_eq!(sizes(20), [103, 114, 140]);
    assert_eq!([sizes(133)[0], sizes(126)[1], sizes(106)[2]], [255, 255, 255]);
}

proptest! {
    #[test]
    fn padding_comes_off_and_hides_the_length(
        text in "\\PC{0,80}",
        multiple in prop::sample::select(vec![0u8, 16, 32, 64]),
    ) {
        let body = pad(&text, multiple);
        match multiple {
            0 => prop_assert_eq!(body.as_slice(), text.as_bytes()),
            _ => {
                prop_assert!(body.len().is_multiple_of(usize::from(multiple)));
                prop_assert!(body.len() - text.len() <= usize::from(multiple));
            }
        }
        prop_assert_eq!(unpad(body), Some(text));
    }

    #[test]
    fn texts_that_end_like_padding_stay_whole(zeros in 0usize..40, multiple in prop::sample::select(vec![0u8, 16])) {
        let text = "\u{80}".to_owned() + &"\0".repeat(zeros);
        prop_assert_eq!(unpad(pad(&text, multiple)), Some(text));
    }
}
