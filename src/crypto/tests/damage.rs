//! A thousand sealed values, each changed by a bit, cut short, or spliced with another: all are refused. In a debug
//! build bits are sampled; `FIELDGATE_ALL_BITS=1` (and a release build) tries every one.

use super::*;
use crate::model::SubjectRef;

const VALUES: usize = 1000;

struct Sealed {
    text: String,
    subject: Option<SubjectKey>,
}

/// Small numbers that need not be secret: xorshift64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

fn sealed(keys: &Keyset) -> Vec<Sealed> {
    let subjects: Vec<_> = (0..20).map(|_| SubjectKey::generate().unwrap()).collect();
    let mut dice = Dice(0x5eed_f1e1_d6a7_e001);
    let make = |at: usize| {
        let text = "ä".repeat(dice.below(60));
        let spelling = if at.is_multiple_of(5) { Spelling::Base32 } else { Spelling::Base64 };
        let padding = [0, 16, 64][at % 3];
        let subject = &subjects[dice.below(subjects.len())];
        let (class, subject, normalised) = match at % 4 {
            0 => ("note", None, None),
            1 => ("iban", Some(subject), None),
            2 => ("email", Some(subject), Some(text.as_str())),
            _ => {
                let text = keys.det("login", &format!("{text}{at}"), spelling).unwrap().remove(0);
                return Sealed { text, subject: None };
            }
        };
        let value = Seal { class, text: &text, subject, normalised, spelling, padding };
        Sealed { text: keys.seal(&value).unwrap(), subject: subject.cloned() }
    };
    (0..VALUES).map(make).collect()
}

fn opens(keys: &Keyset, text: &str, subject: Option<&SubjectKey>) -> bool {
    // The gateway gets the subject's key by the name in the value; a changed name finds the right key's bytes at most.
    let Ok(envelope) = Envelope::parse(text) else { return false };
    let subject = match (envelope.subject(), subject) {
        (Some(reference), Some(key)) => Some(SubjectKey::new(reference, Zeroizing::new(*key.dek()))),
        _ => None,
    };
    keys.open(&envelope, subject.as_ref()).is_ok()
}

fn bytes_of(text: &str) -> (Spelling, Vec<u8>) {
    let letters = &text.as_bytes()[PREFIX.len()..];
    let spelling = if letters[0] == b'c' { Spelling::Base32 } else { Spelling::Base64 };
    (spelling, spelling.decode(letters).unwrap())
}

#[test]
fn every_single_bit_counts() {
    let keys = file().open().unwrap();
    let every = !cfg!(debug_assertions) || std::env::var_os("FIELDGATE_ALL_BITS").is_some();
    let step = if every { 1 } else { 61 };
    let mut tried = 0;
    for (at, value) in sealed(&keys).iter().enumerate() {
        assert!(opens(&keys, &value.text, value.subject.as_ref()));
        let (spelling, bytes) = bytes_of(&value.text);
        for bit in (at % step..bytes.len() * 8).step_by(step) {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(&keys, &spell(&changed, spelling), value.subject.as_ref()), "value {at}, bit {bit}");
            tried += 1;
        }
        // Bits of the text itself: a letter that is not one, another letter, or another spelling of the same.
        for bit in (at % step..value.text.len() * 8).step_by(step) {
            let mut changed = value.text.clone().into_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(changed) = String::from_utf8(changed) else { continue };
            assert!(!opens(&keys, &changed, value.subject.as_ref()), "value {at}, bit {bit} of the text");
        }
    }
    assert!(tried >= VALUES * 10, "{tried}");
}

#[test]
fn every_cut_and_every_splice_is_refused() {
    let keys = file().open().unwrap();
    let values = sealed(&keys);
    let mut dice = Dice(0xc0ff_ee00_1234_5678);
    for (at, value) in values.iter().enumerate() {
        for _ in 0..8 {
            let cut = dice.below(value.text.len());
            assert!(!opens(&keys, &value.text[..cut], value.subject.as_ref()), "value {at} cut at {cut}");
        }
        let other = &values[dice.below(VALUES)];
        let (spelling, one) = bytes_of(&value.text);
        let (_, two) = bytes_of(&other.text);
        for _ in 0..8 {
            let cut = 1 + dice.below(one.len().min(two.len()) - 1);
            let spliced = [&one[..cut], &two[cut..]].concat();
            if spliced != one && spliced != two {
                let text = spell(&spliced, spelling);
                for subject in [&value.subject, &other.subject] {
                    assert!(!opens(&keys, &text, subject.as_ref()), "value {at} spliced at {cut}");
                }
            }
        }
    }
}

#[test]
fn another_persons_index_or_name_cannot_be_grafted() {
    let keys = file().open().unwrap();
    let subject = SubjectKey::generate().unwrap();
    let indexed = |text| {
        let value = Seal { subject: Some(&subject), normalised: Some(text), ..super::value("email", text) };
        bytes_of(&keys.seal(&value).unwrap()).1
    };
    let (ada, bob) = (indexed("ada@x"), indexed("bob@x"));
    let grafted = [&bob[..21], &ada[21..]].concat();
    assert!(!opens(&keys, &spell(&grafted, Spelling::Base64), Some(&subject)));
    let mut renamed = ada.clone();
    renamed[25..33].copy_from_slice(&SubjectRef([9; 8]).0);
    assert!(!opens(&keys, &spell(&renamed, Spelling::Base64), Some(&subject)));
    assert!(opens(&keys, &spell(&ada, Spelling::Base64), Some(&subject)));
}
