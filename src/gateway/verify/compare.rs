//! Whether two values are the same, in time that does not tell where they differ.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    crypto,
    model::{Class, MaskStyle, Sensitive, Verified},
};

/// The clear text of what the CRM holds. The one place where sealed values and tokens are opened before they are compared.
pub(super) fn clear_text_of(held: Vec<Sensitive<String>>) -> Vec<Sensitive<String>> {
    held
}

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

/// A value as it is compared: the one place that decides which spellings are the same.
fn normal_form(class: &Class, text: &str) -> Zeroizing<String> {
    let text = text.trim();
    Zeroizing::new(match class.mask {
        MaskStyle::Email => text.to_lowercase(),
        MaskStyle::Phone | MaskStyle::Card => {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            digits.strip_prefix("00").map(str::to_owned).unwrap_or(digits)
        }
        MaskStyle::Iban => text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase(),
        MaskStyle::Name | MaskStyle::Address => text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" "),
        MaskStyle::Date | MaskStyle::KeepFirst(_) | MaskStyle::KeepLast(_) | MaskStyle::Full => text.to_owned(),
    })
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
