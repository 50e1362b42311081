//! Whether two values are the same, in time that does not tell where they differ.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    crypto,
    model::{Class, MaskStyle, Normaliser, Sensitive, Verified},
    protect,
};

/// Whether `value` is among `held`, however it is spelled. Every one is compared to its end, whatever it comes to.
pub(super) fn compare(class: &Class, held: &[Sensitive<String>], value: &Sensitive<String>) -> Verified {
    let digest = |text: &Sensitive<String>| crypto::sha256(&[normal_form(class, text.expose()).as_bytes()]);
    let asked = digest(value);
    // An empty normal form says nothing about anybody.
    let some = subtle::Choice::from(u8::from(!normal_form(class, value.expose()).is_empty()));
    let none = subtle::Choice::from(0);
    let among = held.iter().fold(none, |among, one| among | digest(one).ct_eq(&asked)) & some;
    if bool::from(among) { Verified::Match } else { Verified::NoMatch }
}

/// A value as it is compared: as its class is searched for, and where the class says nothing about that, by its mask.
fn normal_form(class: &Class, text: &str) -> Zeroizing<String> {
    let normaliser = match (class.storage.normaliser, class.mask) {
        (Normaliser::Text, MaskStyle::Email) => Normaliser::Email,
        (Normaliser::Text, MaskStyle::Phone) => Normaliser::Phone,
        (Normaliser::Text, MaskStyle::Card | MaskStyle::Iban) => Normaliser::Id,
        (Normaliser::Text, MaskStyle::Name | MaskStyle::Address) => Normaliser::Name,
        (normaliser, _) => normaliser,
    };
    Zeroizing::new(protect::normalise(normaliser, text, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Storage;

    fn class(mask: MaskStyle) -> Class {
        Class { name: "x".into(), mask, storage: Storage::CLEAR, detects: vec![] }
    }

    fn verified(mask: MaskStyle, held: &[&str], value: &str) -> Verified {
        let held: Vec<_> = held.iter().map(|text| Sensitive::new((*text).to_owned())).collect();
        compare(&class(mask), &held, &Sensitive::new(value.to_owned()))
    }

    #[test]
    fn spellings_of_one_value_match_and_other_values_do_not() {
        for (mask, held, same, other) in [
            (MaskStyle::Email, "Jane.Doe@Example.com", " jane.doe@example.COM", "jane.do@example.com"),
            (MaskStyle::Phone, "+49 (30) 901-820", "0049 30 901820", "+49 30 901821"),
            (MaskStyle::Card, "4111 1111 1111 1111", "4111-1111-1111-1111", "4111 1111 1111 1112"),
            (MaskStyle::Iban, "DE89 3704 0044 0532 0130 00", "de89370400440532013000", "DE89"),
            (MaskStyle::Name, "Jane  Doe", "jane doe", "jane d"),
            (MaskStyle::Full, "A1", "A1 ", "a1"),
        ] {
            assert_eq!(verified(mask, &["zzz", held], same), Verified::Match, "{held}");
            assert_eq!(verified(mask, &[held, "zzz"], other), Verified::NoMatch, "{held}");
        }
    }

    #[test]
    fn what_has_no_normal_form_matches_nothing() {
        assert_eq!(verified(MaskStyle::Phone, &["none", ""], "unknown"), Verified::NoMatch);
        assert_eq!(verified(MaskStyle::Email, &[], "a@b.example"), Verified::NoMatch);
    }
}
