//! As `slice`, of bytes that a [`super::Splicer`] has accepted and in which no name stands twice.

use std::ops::Range;

pub use super::slice::Member;
use super::slice::{self, element_spans, member_spans};

/// The members of the object that `text` is; `None` when it is none. Spans count from the start of `text`.
#[must_use]
pub fn members(text: &[u8]) -> Option<Vec<Member>> {
    member_spans(str::from_utf8(text).ok()?).ok()
}

/// The elements of the array that `text` is; `None` when it is none.
#[must_use]
pub fn elements(text: &[u8]) -> Option<Vec<Range<usize>>> {
    element_spans(str::from_utf8(text).ok()?).ok()
}

/// The text of the string token that `token` is; `None` when it is none, or half a character.
#[must_use]
pub fn string(token: &[u8]) -> Option<String> {
    slice::string(str::from_utf8(token).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn members_and_elements_are_found_around_blanks_escapes_and_brackets_in_strings() {
        let text = br#" { "a" : [1, "]}", {"b":2}] ,"c\u0022":"\\" , "d":-1e5} "#;
        let found = members(text).unwrap();
        let of = |member: &Member| (member.name.clone(), str::from_utf8(&text[member.value.clone()]).unwrap());
        let expected = [("a", r#"[1, "]}", {"b":2}]"#), ("c\"", r#""\\""#), ("d", "-1e5")];
        assert_eq!(found.iter().map(of).collect::<Vec<_>>(), expected.map(|(name, raw)| (name.to_owned(), raw)));
        let inner = &text[found[0].value.clone()];
        assert_eq!(
            elements(inner).unwrap().into_iter().map(|at| &inner[at]).collect::<Vec<_>>(),
            [&b"1"[..], b"\"]}\"", b"{\"b\":2}"]
        );
        assert_eq!(members(b"[]"), None);
        assert_eq!(elements(b"{}"), None);
        assert_eq!(members(b"{}"), Some(Vec::new()));
        assert_eq!(string(br#""\ud83d\ude00""#).unwrap(), "😀");
        assert_eq!(string(br#""\ud83d""#), None);
    }

    proptest! {
        #[test]
        fn spans_are_the_values_a_parser_finds(names in proptest::collection::vec("\\PC{0,6}", 0..5), pretty: bool) {
            let mut object = serde_json::Map::new();
            for (at, name) in names.iter().enumerate() {
                object.insert(name.clone(), serde_json::json!([at, {"x": name}, null, true, format!("{name}\"]\\")]));
            }
            let value = Value::Object(object);
            let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
            for member in members(text.as_bytes()).unwrap() {
                let found: Value = serde_json::from_str(&text[member.value.clone()]).unwrap();
                prop_assert_eq!(&found, &value[&member.name]);
                let inner = &text.as_bytes()[member.value];
                let parts: Vec<Value> =
                    elements(inner).unwrap().into_iter().map(|at| serde_json::from_slice(&inner[at]).unwrap()).collect();
                prop_assert_eq!(Value::Array(parts), found);
            }
        }
    }
}
