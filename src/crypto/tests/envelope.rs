//! Envelopes as text: every way of not being one, and where one lies inside of prose.

use super::*;

/// 0x12, key 7f3a09c1, subject 01…08, 12 bytes of text (a vector).
const OWNED: &str =
    "fg1_En86CcEBAgMEBQYHCAygoaKjpKWmp6ipqqusra6vL9ygywvaJrmfdQ7HZ5qPdgdjgOE22ei61cN3cA4Vo14y9l-1MMBObIwh6N8";
const DET: &str = "fg1_FVFQqgFxYURGrSnfqtYQRopETR4uWhenT6QujT_er9xD2EZo";

fn spelled(bytes: &[u8]) -> String {
    let mut text = String::from(PREFIX);
    Spelling::Base64.encode(bytes, &mut text);
    text
}

fn parse(bytes: &[u8]) -> Result<Envelope, EnvelopeError> {
    Envelope::parse(&spelled(bytes))
}

/// A head and `rest` zero bytes.
fn sealed(head: &[u8], rest: usize) -> Vec<u8> {
    [head, &vec![0; rest]].concat()
}

#[test]
fn the_parts_of_an_envelope_are_read() {
    let envelope = Envelope::parse(OWNED).unwrap();
    assert_eq!(envelope.mode(), EnvelopeMode::SealSubject);
    assert_eq!(envelope.key_id().to_string(), "7f3a09c1");
    assert_eq!(envelope.subject(), Some(SubjectRef([1, 2, 3, 4, 5, 6, 7, 8])));
    assert_eq!((envelope.index(), envelope.length()), (None, OWNED.len()));
    assert!(!format!("{envelope:?}").contains("2fdca0"));
}

#[test]
fn every_cut_is_a_truncation_and_every_addition_is_refused() {
    for end in 5..OWNED.len() {
        assert_eq!(Envelope::parse(&OWNED[..end]).unwrap_err(), EnvelopeError::Truncated, "{end}");
    }
    assert_eq!(Envelope::parse("fg1_").unwrap_err(), EnvelopeError::Malformed);
    assert_eq!(Envelope::parse(&format!("{OWNED}A")).unwrap_err(), EnvelopeError::Overlong);
    for text in ["", "fg1", "FG2_EA", "x", " fg1_EX86", "fg1_EX86 CcE", "fg1_é"] {
        assert_eq!(Envelope::parse(text).unwrap_err(), EnvelopeError::Malformed, "{text}");
    }
}

#[test]
fn spare_bits_and_mixed_case_are_not_canonical() {
    let last = OWNED.len() - 1;
    assert_eq!(Envelope::parse(&format!("{}9", &OWNED[..last])).unwrap_err(), EnvelopeError::NotCanonical);
    let mut base32 = String::from(PREFIX);
    Spelling::Base32.encode(&sealed(&[0x11, 0, 0, 0, 1, 1], 49), &mut base32);
    assert!(Envelope::parse(&base32).is_ok() && Envelope::parse(&base32.to_uppercase()).is_ok());
    let mixed = base32.replacen("ce", "cE", 1);
    assert_eq!(Envelope::parse(&mixed).unwrap_err(), EnvelopeError::NotCanonical);
}

#[test]
fn reserved_modes_and_names_are_refused() {
    for mode in (0..=0xff).filter(|mode| ![0x11, 0x12, 0x13, 0x15].contains(mode)) {
        let mut text = String::from(PREFIX);
        Spelling::Base32.encode(&sealed(&[mode, 0, 0, 0, 1, 0], 48), &mut text);
        for text in [spelled(&sealed(&[mode, 0, 0, 0, 1, 0], 48)), text] {
            let error = Envelope::parse(&text).unwrap_err();
            assert!(!(0x21..=0x2f).contains(&mode) || error == EnvelopeError::Unsupported, "{mode:02x}");
        }
    }
    assert_eq!(parse(&sealed(&[0x11, 0, 0, 0, 0, 0], 48)).unwrap_err(), EnvelopeError::Malformed);
    let nobody = sealed(&[0x12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 48);
    assert_eq!(parse(&nobody).unwrap_err(), EnvelopeError::Malformed);
}

#[test]
fn lengths_are_minimal_and_bounded_before_anything_is_allocated() {
    let with = |length: &[u8], rest| parse(&sealed(&[&[0x11, 0, 0, 0, 1], length].concat(), rest));
    assert!(with(&[0x7f], 48 + 127).is_ok());
    assert!(with(&[0x80, 0x01], 48 + 128).is_ok());
    assert_eq!(with(&[0x80, 0x00], 48).unwrap_err(), EnvelopeError::NotCanonical);
    assert_eq!(with(&[0x81, 0x80, 0x00], 49).unwrap_err(), EnvelopeError::NotCanonical);
    assert_eq!(with(&[0x80, 0x80, 0x80, 0x80, 0x01], 48).unwrap_err(), EnvelopeError::TooLong);
    let length = |value| {
        let mut out = Vec::new();
        write_length(&mut out, value);
        out
    };
    assert_eq!(with(&length(MAX_BODY_BYTES), 48).unwrap_err(), EnvelopeError::Truncated);
    assert!(with(&length(MAX_BODY_BYTES), 48 + MAX_BODY_BYTES).is_ok());
    assert_eq!(with(&length(MAX_BODY_BYTES + 1), 48).unwrap_err(), EnvelopeError::TooLong);
    let det = |body| parse(&sealed(&[0x15, 0, 0, 0, 1], 16 + body));
    assert!(det(0).is_ok() && det(MAX_BODY_BYTES).is_ok());
    assert_eq!(det(MAX_BODY_BYTES + 1).unwrap_err(), EnvelopeError::TooLong);
    assert_eq!(parse(&sealed(&[0x15, 0, 0, 0, 1], 15)).unwrap_err(), EnvelopeError::Truncated);
}

#[test]
fn envelopes_are_found_inside_of_prose() {
    for text in [OWNED.to_owned(), DET.to_owned()] {
        for (front, back) in [("", ""), ("Card: ", "."), ("é fg1_x fg1_ 1_", " and more"), ("FG1_fg1_", " ")] {
            let prose = format!("{front}{text}{back}");
            assert_eq!(find_sealed(&prose), Some(front.len()..front.len() + text.len()), "{prose}");
        }
        assert!(looks_sealed(&text));
    }
    // The length delimits it, even where letters follow.
    assert_eq!(find_sealed(&format!("{OWNED}abc")), Some(0..OWNED.len()));
    for prose in ["", "1_", "fg1_", "no fg1_ here", &OWNED[..60], "1_1_1_"] {
        assert_eq!(find_sealed(prose), None, "{prose}");
    }
}

/// Every four letters another candidate that claims a long value: a search that reads each to its end would take hours.
#[test]
fn a_megabyte_of_prefixes_is_searched_in_one_pass() {
    let claims = {
        let mut head = vec![0x11, 0, 0, 0, 1];
        write_length(&mut head, 300_000);
        spelled(&head)
    };
    for piece in ["fg1_", claims.as_str(), "fg1_FVFQqgF", "fg1_ceaaaaaac"] {
        let text = piece.repeat((1 << 20) / piece.len()) + "fg1_FVFQqgFxYURG";
        let place = find_sealed(&text);
        assert!(place.as_ref().is_none_or(|place| Envelope::parse(&text[place.clone()]).is_ok()), "{piece}");
    }
}
