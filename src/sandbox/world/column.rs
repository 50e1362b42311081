//! Column rules: a text in, what the CRM stores of it out, or the refusal that repeats the text as real CRMs do.

use super::fault::Fault;

/// One column; every value is text or null.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Longest text in characters.
    pub(super) max_chars: usize,
    pub(super) check: Check,
}

/// What a column takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Check {
    Any,
    Email,
    Phone,
    OneOf(&'static [&'static str]),
    /// The id of a contact that exists; the table checks that.
    Contact,
    /// Set by the CRM; what a client sends for it is ignored.
    ReadOnly,
}

/// The habits of a world's columns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    pub(super) emails: Emails,
    pub(super) phones: Phones,
    pub(super) spaces: Spaces,
    pub(super) validators: Validators,
}

/// The case of stored e-mail addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Emails {
    #[default]
    Keep,
    Fold,
}

/// The form of stored telephone numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phones {
    #[default]
    Keep,
    FormatUs,
}

/// White space at the ends of stored texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Spaces {
    #[default]
    Keep,
    Trim,
}

/// Whether e-mail addresses and telephone numbers are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Validators {
    #[default]
    On,
    Off,
}

impl Column {
    /// What is stored for `text`; nothing (null) for the empty one.
    ///
    /// # Errors
    /// Too long, or not what the column takes.
    pub(super) fn store(&self, text: &str, rules: Rules) -> Result<Option<String>, Fault> {
        let text = if rules.spaces == Spaces::Trim { text.trim() } else { text };
        if text.is_empty() {
            return Ok(None);
        }
        if text.chars().count() > self.max_chars {
            let message = format!("{}: data value too large: {text} (max length={})", self.name, self.max_chars);
            return Err(Fault::bad("STRING_TOO_LONG", message).on(self.name));
        }
        let checked = rules.validators == Validators::On;
        let stored = match &self.check {
            Check::Email if checked && !is_email(text) => {
                let message = format!("{}: invalid email address: {text}", self.name);
                return Err(Fault::bad("INVALID_EMAIL_ADDRESS", message).on(self.name));
            }
            Check::Phone if checked && !is_phone(text) => {
                let message = format!("{}: invalid phone number: {text}", self.name);
                return Err(Fault::bad("INVALID_PHONE", message).on(self.name));
            }
            Check::OneOf(values) if !values.contains(&text) => {
                let message = format!("{}: bad value for restricted picklist field: {text}", self.name);
                return Err(Fault::bad("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message).on(self.name));
            }
            Check::Email if rules.emails == Emails::Fold => text.to_lowercase(),
            Check::Phone if rules.phones == Phones::FormatUs => us_format(text),
            _ => text.to_owned(),
        };
        Ok(Some(stored))
    }
}

/// One `@`, a local part of at most 64 characters, a domain of two or more labels that ends in letters.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let local_ok = (1..=64).contains(&local.len()) && local.chars().all(|c| c.is_alphanumeric() || LOCAL.contains(c));
    let labels: Vec<&str> = domain.split('.').collect();
    let label_ok = |label: &&str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let last_ok = labels.last().is_some_and(|last| last.chars().count() >= 2 && last.chars().all(char::is_alphabetic));
    local_ok && labels.len() >= 2 && labels.iter().all(label_ok) && last_ok
}

/// Five to twenty digits with the separators people write, `+` only in front.
fn is_phone(text: &str) -> bool {
    let rest = text.strip_prefix('+').unwrap_or(text);
    let digits = rest.chars().filter(char::is_ascii_digit).count();
    (5..=20).contains(&digits) && rest.chars().all(|c| c.is_ascii_digit() || " -.()/".contains(c))
}

/// `(234) 567-8901` for ten digits, or eleven with a leading 1, that stand alone; everything else as it is.
fn us_format(text: &str) -> String {
    let ten = if text.len() == 11 { text.strip_prefix('1') } else { Some(text) };
    let ten = ten.filter(|ten| ten.len() == 10 && ten.bytes().all(|byte| byte.is_ascii_digit()));
    let parts = ten.and_then(|ten| Some((ten.get(..3)?, ten.get(3..6)?, ten.get(6..)?)));
    parts.map_or_else(|| text.to_owned(), |(area, exchange, line)| format!("({area}) {exchange}-{line}"))
}

/// What a local part may hold besides letters and digits (RFC 5322 §3.2.3, and the dot).
const LOCAL: &str = ".!#$%&'*+/=?^_`{|}~-";

#[cfg(test)]
mod tests {
    use super::super::object::Object;
    use super::*;

    fn store(name: &str, text: &str, rules: Rules) -> Result<Option<String>, Fault> {
        Object::Contact.column(name).unwrap().store(text, rules)
    }

    #[test]
    fn each_column_takes_its_length_and_not_one_character_more() {
        let rules = Rules { validators: Validators::Off, ..Rules::default() };
        for (name, limit) in
            [("Email", 80), ("Phone", 40), ("FirstName", 40), ("LastName", 80), ("Card__c", 255), ("Note__c", 131_072)]
        {
            let fits = "ü".repeat(limit);
            assert_eq!(store(name, &fits, rules).unwrap().as_deref(), Some(fits.as_str()));
            let fault = store(name, &format!("{fits}x"), rules).unwrap_err();
            assert_eq!(fault.code(), "STRING_TOO_LONG");
            assert!(fault.message().contains(&fits), "the refusal repeats the value");
        }
    }

    #[test]
    fn e_mail_addresses_are_looked_at() {
        let rules = Rules::default();
        for good in ["a@b.example", "Jane.O'Brien+x@mail.example.com", "fg1tabcdefghijklmnopqrstuvwx@tok.example.net"] {
            assert_eq!(store("Email", good, rules).unwrap().as_deref(), Some(good));
        }
        for bad in ["x", "a@b", "a@@b.example", "a b@c.example", "a@b..example", "@b.example", "a@b.e1", "fg1_abc"] {
            assert_eq!(store("Email", bad, rules).unwrap_err().code(), "INVALID_EMAIL_ADDRESS", "{bad}");
        }
        assert!(store("Email", "fg1_abc", Rules { validators: Validators::Off, ..rules }).is_ok());
    }

    #[test]
    fn telephone_numbers_are_looked_at() {
        for good in ["+999123456789012", "(234) 567-8901", "030/1234567", "12345"] {
            assert!(store("Phone", good, Rules::default()).is_ok(), "{good}");
        }
        for bad in ["1234", "12+345678", "call me", "123456789012345678901"] {
            assert_eq!(store("Phone", bad, Rules::default()).unwrap_err().code(), "INVALID_PHONE", "{bad}");
        }
    }

    #[test]
    fn modes_change_what_is_stored() {
        let rules = Rules { emails: Emails::Fold, phones: Phones::FormatUs, spaces: Spaces::Trim, ..Rules::default() };
        for (name, text, stored) in [
            ("Email", " Jane@Example.COM ", "jane@example.com"),
            ("Phone", "2345678901", "(234) 567-8901"),
            ("Phone", "12345678901", "(234) 567-8901"),
            ("Phone", "22345678901", "22345678901"),
            ("Phone", "+12345678901", "+12345678901"),
            ("LastName", " Doe\n", "Doe"),
        ] {
            assert_eq!(store(name, text, rules).unwrap().as_deref(), Some(stored));
        }
        assert_eq!(store("LastName", "  ", rules).unwrap(), None);
        assert_eq!(store("LastName", "  ", Rules::default()).unwrap().as_deref(), Some("  "));
    }
}
