//! `application/x-www-form-urlencoded` (WHATWG URL §5.1) as a JSON object with one string member per pair, in order, and back.
//! What two servers could decode differently is refused.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use serde::de::{Deserializer, MapAccess, Visitor};

use super::json::quote;

/// Pairs of one form.
pub const MAX_PAIRS: usize = 1_024;

/// Why a form was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// `%` without two hex digits, or a byte that is not printable ASCII.
    #[error("pair {0} is not percent-encoded correctly")]
    Encoding(usize),
    /// Not UTF-8 after decoding, or a NUL.
    #[error("pair {0} is not UTF-8 text")]
    Text(usize),
    /// No name.
    #[error("pair {0} has no name")]
    Nameless(usize),
    /// Past [`MAX_PAIRS`].
    #[error("more than {MAX_PAIRS} pairs")]
    TooMany,
    /// Not an object of strings.
    #[error("not a form")]
    NotAForm,
}

/// The form as a JSON object; a name that comes twice is a member that comes twice.
///
/// # Errors
/// Where it is not a form that every server reads alike.
pub fn to_json(form: &[u8]) -> Result<Vec<u8>, FormError> {
    let mut json = Vec::with_capacity(form.len() * 2 + 2);
    json.push(b'{');
    let pairs = form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    for (index, pair) in pairs.enumerate() {
        if index == MAX_PAIRS {
            return Err(FormError::TooMany);
        }
        let number = index + 1;
        let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let name = decoded(pair.get(..equals).unwrap_or_default(), number)?;
        if name.is_empty() {
            return Err(FormError::Nameless(number));
        }
        let value = decoded(pair.get(equals + 1..).unwrap_or_default(), number)?;
        if index > 0 {
            json.push(b',');
        }
        quote(&name, &mut json);
        json.push(b':');
        quote(&value, &mut json);
    }
    json.push(b'}');
    Ok(json)
}

/// The form of an object that [`to_json`] made and that was rewritten since.
///
/// # Errors
/// When it is not an object of strings.
pub fn from_json(json: &[u8]) -> Result<Vec<u8>, FormError> {
    let mut form = String::new();
    for (name, value) in pairs(json)? {
        if !form.is_empty() {
            form.push('&');
        }
        form.extend(utf8_percent_encode(&name, ESCAPED));
        form.push('=');
        form.extend(utf8_percent_encode(&value, ESCAPED));
    }
    Ok(form.into_bytes())
}

/// The object with these members, all of them texts.
#[must_use]
pub fn object<'p>(pairs: impl Iterator<Item = (&'p str, &'p str)>) -> Vec<u8> {
    let mut json = vec![b'{'];
    for (name, value) in pairs {
        if json.len() > 1 {
            json.push(b',');
        }
        quote(name, &mut json);
        json.push(b':');
        quote(value, &mut json);
    }
    json.push(b'}');
    json
}

/// The members of an object of texts, in order; a name may come twice.
///
/// # Errors
/// When it is none.
pub fn pairs(json: &[u8]) -> Result<Vec<(String, String)>, FormError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    reader.deserialize_map(Pairs).map_err(|_| FormError::NotAForm)
}

fn decoded(bytes: &[u8], number: usize) -> Result<String, FormError> {
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let sound = bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => hex(at + 1) && hex(at + 2),
        byte => byte.is_ascii_graphic(),
    });
    if !sound {
        return Err(FormError::Encoding(number));
    }
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let text = percent_decode(&spaced).decode_utf8().map_err(|_| FormError::Text(number))?;
    if text.contains('\0') { Err(FormError::Text(number)) } else { Ok(text.into_owned()) }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, String)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = members.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

/// Everything that is not unreserved (RFC 3986 §2.3): every server decodes it alike.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_an_object_and_a_form_again() {
        for (form, json, again) in [
            ("", "{}", ""),
            ("a=1&b=x+y", r#"{"a":"1","b":"x y"}"#, "a=1&b=x%20y"),
            (
                "Email=jane%40example.com&Email=",
                r#"{"Email":"jane@example.com","Email":""}"#,
                "Email=jane%40example.com&Email=",
            ),
            ("&a&", r#"{"a":""}"#, "a="),
            ("k%5Bx%5D=%C3%A9%26%3D", r#"{"k[x]":"é&="}"#, "k%5Bx%5D=%C3%A9%26%3D"),
            ("a=%22%5C%0A", "{\"a\":\"\\\"\\\\\\n\"}", "a=%22%5C%0A"),
        ] {
            let object = to_json(form.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&object), json);
            assert_eq!(String::from_utf8(from_json(&object).unwrap()).unwrap(), again);
        }
    }

    #[test]
    fn what_servers_read_differently_is_refused() {
        for (form, error) in [
            ("a=%", FormError::Encoding(1)),
            ("b=1&a=%4", FormError::Encoding(2)),
            ("a=%zz", FormError::Encoding(1)),
            ("a=\u{e9}", FormError::Encoding(1)),
            ("a= b", FormError::Encoding(1)),
            ("a=%ff", FormError::Text(1)),
            ("a=%00", FormError::Text(1)),
            ("=1", FormError::Nameless(1)),
        ] {
            assert_eq!(to_json(form.as_bytes()), Err(error), "{form}");
        }
        assert_eq!(from_json(b"{\"a\":1}"), Err(FormError::NotAForm));
        assert_eq!(from_json(b"[]"), Err(FormError::NotAForm));
    }

    #[test]
    fn the_limit_of_pairs_passes_and_one_more_does_not() {
        assert!(to_json("a=1&".repeat(MAX_PAIRS).as_bytes()).is_ok());
        assert_eq!(to_json("a=1&".repeat(MAX_PAIRS + 1).as_bytes()), Err(FormError::TooMany));
    }
}
