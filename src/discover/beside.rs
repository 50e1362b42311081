//! The names of an object's members in, what kind of object it is out.

use super::{
    leaf::Beside,
    words::{Meaning as M, Words},
};

/// What the members `names` say about their object.
pub(super) fn of<'n>(names: impl Iterator<Item = &'n str>) -> Beside {
    let (mut beside, mut addresses, mut person, mut key) = (Beside::default(), 0, 0, false);
    for name in names.take(400) {
        let words = Words::of(name);
        let Some((word, head)) = words.trimmed().last() else { continue };
        let any = words.any();
        let alone = words.0.len() == 1;
        addresses +=
            usize::from(head.is(M::ADDRESS) || any.is(M::ADDRESS) && matches!(word.as_str(), "code" | "number"));
        let named = head.is(M::SURNAME) || head.is(M::NAME) && any.is(M::GIVEN);
        person += if named || any.is(M::BIRTH) {
            2
        } else {
            usize::from(head.is(M::EMAIL | M::PHONE) && !any.is(M::NEUTRAL))
        };
        beside.company |= alone && matches!(word.as_str(), "industry" | "domain" | "vat" | "employees" | "revenue")
            || words.has("employees")
            || words.has("vat")
            || words.has("revenue");
        beside.letter |=
            alone && matches!(word.as_str(), "subject" | "body" | "html" | "betreff" | "asunto" | "oggetto" | "objet");
        key |=
            matches!(word.as_str(), "key" | "field" | "name" | "label" | "attribute" | "property") && !any.is(M::GIVEN);
        beside.card |= any.is(M::CVC)
            || any.is(M::CARD) && (head.is(M::NUMBER) || words.0.len() > 1)
            || head.is(M::EXPIRY) && words.has("exp");
    }
    beside.address = addresses >= 2;
    beside.person = person >= 2;
    beside.pair = key;
    beside
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_object_is_known_by_its_members() {
        let of = |names: &str| super::of(names.split(' '));
        assert!(of("street city zip").address && !of("city").address);
        assert!(of("first_name email").person && of("email phone").person && !of("name industry").person);
        assert!(of("name vat_number").company);
        assert!(of("subject body to").letter);
        assert!(of("name value").pair);
        assert!(of("card_number cvc").card);
    }
}
