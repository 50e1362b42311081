//! Where the members of an object and the elements of an array stand, in a JSON text that a [`super::Splicer`] has accepted.

use std::ops::Range;

use super::text;

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, unescaped.
    pub name: String,
    /// Its value.
    pub value: Range<usize>,
}

/// The members of the object that `text` is; `None` when it is none. Spans count from the start of `text`.
#[must_use]
pub fn members(text: &[u8]) -> Option<Vec<Member>> {
    let mut at = opened(text, b'{')?;
    let mut members = Vec::new();
    loop {
        at = blanks(text, at);
        match text.get(at)? {
            b'}' => return Some(members),
            b',' => at += 1,
            b'"' => {
                let end = value(text, at)?;
                let name = string(text.get(at..end)?)?;
                at = blanks(text, end);
                if *text.get(at)? != b':' {
                    return None;
                }
                let start = blanks(text, at + 1);
                at = value(text, start)?;
                members.push(Member { name, value: start..at });
            }
            _ => return None,
        }
    }
}

/// The elements of the array that `text` is; `None` when it is none.
#[must_use]
pub fn elements(text: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut at = opened(text, b'[')?;
    let mut elements = Vec::new();
    loop {
        at = blanks(text, at);
        match text.get(at)? {
            b']' => return Some(elements),
            b',' => at += 1,
            _ => {
                let end = value(text, at)?;
                elements.push(at..end);
                at = end;
            }
        }
    }
}

/// The text of the string token that `token` is; `None` when it is none, or half a character.
#[must_use]
pub fn string(token: &[u8]) -> Option<String> {
    let raw = str::from_utf8(token).ok()?.strip_prefix('"')?.strip_suffix('"')?;
    let mut plain = String::with_capacity(raw.len());
    text::unescape(raw, &mut plain).ok()?;
    Some(plain)
}

fn opened(text: &[u8], bracket: u8) -> Option<usize> {
    let at = blanks(text, 0);
    (*text.get(at)? == bracket).then_some(at + 1)
}

fn blanks(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// One past the value that starts at `at`.
fn value(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => after_string(text, at + 1),
        b'{' | b'[' => {
            let (mut depth, mut at) = (0_usize, at);
            loop {
                match text.get(at)? {
                    b'"' => {
                        at = after_string(text, at + 1)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth = depth.checked_sub(1)?;
                        if depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
        }
        _ => {
            let rest = text.get(at..)?;
            let length =
                rest.iter().take_while(|byte| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
            let length = length.count();
            (length > 0).then_some(at + length)
        }
    }
}

fn after_string(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
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
