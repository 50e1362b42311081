//! Free search terms: a text without a field in, what it looks like out.

use super::{
    SearchFields,
    fields::{Field, Finds},
};
use crate::model::Entity;

/// From this many digits on a free term is taken for a number that somebody can be found by.
pub const MIN_FREE_DIGITS: usize = 7;
/// What it is called in errors.
pub(super) const FREE: &str = "free text";
pub(super) const INSTEAD: &str = "name the field that is meant, with the whole value";

/// What a free term looks like.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Looks<'f> {
    /// Like nothing that is protected.
    Harmless,
    /// Like a whole value of this class.
    Like(&'f Field),
    /// Like a protected value, but not clearly like one whole value of a class that free terms may have.
    Unclear,
}

impl SearchFields {
    /// What the free term `text` looks like; in clear storage any term finds what it should.
    pub(super) fn free_term(&self, text: &str) -> Looks<'_> {
        if self.all_in_clear() {
            return Looks::Harmless;
        }
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        // RFC 5321 §4.1.2 `Atom`, and dots; what else an address may hold in quotes is not one clear term.
        let atom = |c: char| c.is_alphanumeric() || ".@!#$%&'*+-/=?^_`{|}~".contains(c);
        let one_address = text.matches('@').count() == 1 && text.chars().all(atom);
        let kind = match () {
            () if text.contains('@') => one_address.then_some(Entity::Email),
            () if digits < MIN_FREE_DIGITS => return Looks::Harmless,
            () => number(text, digits, |entity| self.free_class(entity).is_some()),
        };
        kind.and_then(|kind| self.free_class(kind)).map_or(Looks::Unclear, Looks::Like)
    }

    fn free_class(&self, entity: Entity) -> Option<&Field> {
        self.free.iter().find(|(_, entities)| entities.contains(&entity)).map(|(field, _)| field)
    }

    fn all_in_clear(&self) -> bool {
        self.all().all(|field| field.finds == Finds::InClear)
    }
}

/// Which number a text is, all of it.
fn number(text: &str, digits: usize, offered: impl Fn(Entity) -> bool) -> Option<Entity> {
    let plain = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')' | '/');
    let iban = text.get(..2).is_some_and(|country| country.bytes().all(|byte| byte.is_ascii_alphabetic()))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ');
    if iban {
        return (digits >= 9).then_some(Entity::Iban);
    }
    let international = text.strip_prefix('+');
    if !international.unwrap_or(text).chars().all(plain) {
        return None;
    }
    // E.164 has up to 15 digits, a card 12 to 19, a social security number 9.
    let card = (12..=19).contains(&digits) && international.is_none() && offered(Entity::Card);
    let ssn = digits == 9 && international.is_none() && offered(Entity::UsSsn);
    match (card, ssn, digits <= 15 && offered(Entity::Phone)) {
        (true, false, false) => Some(Entity::Card),
        (true, false, true) if digits > 13 => Some(Entity::Card),
        (false, true, false) => Some(Entity::UsSsn),
        (false, false, true) => Some(Entity::Phone),
        _ => None,
    }
}
