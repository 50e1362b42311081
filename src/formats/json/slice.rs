//! One level of a whole JSON text, as slices of it: for envelopes, whose contents are read by others.

use std::ops::Range;

use serde::de::IgnoredAny;

/// Why a text has no such level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SliceError {
    /// Not JSON, or something else than was expected here.
    #[error("unexpected JSON at byte {0}")]
    Unexpected(usize),
    /// A member that comes twice: readers differ in which one counts.
    #[error("a member that comes twice at byte {0}")]
    Twice(usize),
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, unescaped.
    pub name: String,
    /// Where its value is.
    pub value: Range<usize>,
}

/// The members of the object `text`, in order: name and value.
///
/// # Errors
/// When `text` is not an object, or a name comes twice.
pub fn members(text: &str) -> Result<Vec<(String, &str)>, SliceError> {
    let found = member_spans(text)?;
    Ok(found.into_iter().map(|member| (member.name, text.get(member.value).unwrap_or_default())).collect())
}

/// The elements of the array `text`, in order.
///
/// # Errors
/// When `text` is not an array.
pub fn elements(text: &str) -> Result<Vec<&str>, SliceError> {
    let found = element_spans(text)?;
    Ok(found.into_iter().map(|value| text.get(value).unwrap_or_default()).collect())
}

/// Where the members of the object `text` are.
///
/// # Errors
/// As [`members`].
pub(super) fn member_spans(text: &str) -> Result<Vec<Member>, SliceError> {
    let mut cursor = Cursor { text, at: 0 };
    let mut members: Vec<Member> = Vec::new();
    cursor.expect(b'{')?;
    if cursor.take(b'}') {
        return cursor.end().map(|()| members);
    }
    loop {
        let at = cursor.at;
        let name = cursor.value()?;
        let name = string(text.get(name).unwrap_or_default()).ok_or(SliceError::Unexpected(at))?;
        if members.iter().any(|known| known.name == name) {
            return Err(SliceError::Twice(at));
        }
        cursor.expect(b':')?;
        members.push(Member { name, value: cursor.value()? });
        if cursor.take(b'}') {
            return cursor.end().map(|()| members);
        }
        cursor.expect(b',')?;
    }
}

/// Where the elements of the array `text` are.
///
/// # Errors
/// As [`elements`].
pub(super) fn element_spans(text: &str) -> Result<Vec<Range<usize>>, SliceError> {
    let mut cursor = Cursor { text, at: 0 };
    let mut elements = Vec::new();
    cursor.expect(b'[')?;
    if cursor.take(b']') {
        return cursor.end().map(|()| elements);
    }
    loop {
        elements.push(cursor.value()?);
        if cursor.take(b']') {
            return cursor.end().map(|()| elements);
        }
        cursor.expect(b',')?;
    }
}

/// The text of the string token `token`; `None` when it is none, or half a character.
#[must_use]
pub fn string(token: &str) -> Option<String> {
    serde_json::from_str(token).ok()
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn skip(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn take(&mut self, byte: u8) -> bool {
        self.skip();
        let there = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Result<(), SliceError> {
        if self.take(byte) { Ok(()) } else { Err(SliceError::Unexpected(self.at)) }
    }

    /// Where the value is that starts here.
    fn value(&mut self) -> Result<Range<usize>, SliceError> {
        self.skip();
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        let read = values.next().is_some_and(|value| value.is_ok());
        let length = values.byte_offset();
        match rest.get(..length) {
            Some(value) if read && !value.is_empty() => {
                self.at = start + length;
                Ok(start..self.at)
            }
            _ => Err(SliceError::Unexpected(start)),
        }
    }

    fn end(&mut self) -> Result<(), SliceError> {
        self.skip();
        if self.at == self.text.len() { Ok(()) } else { Err(SliceError::Unexpected(self.at)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_sliced_and_its_values_stay_as_they_are_spelled() {
        let text = " {\"a\" : {\"x\":[1,2]} ,\"b\\u0041\":1e400,\"c\":\"}\\\"\", \"d\":[ ] } ";
        let expected = [("a", "{\"x\":[1,2]}"), ("bA", "1e400"), ("c", "\"}\\\"\""), ("d", "[ ]")];
        let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        assert_eq!(members(text), Ok(expected));
        assert_eq!(elements("[1, \"a\" ,{}]"), Ok(vec!["1", "\"a\"", "{}"]));
        assert_eq!((members("{}"), elements(" [ ] ")), (Ok(vec![]), Ok(vec![])));
    }

    #[test]
    fn what_readers_could_take_differently_is_refused() {
        assert_eq!(members(r#"{"a":1,"\u0061":2}"#), Err(SliceError::Twice(7)));
        for text in ["", "[1]", "{\"a\":1}x", "{\"a\" 1}", "{\"a\":1,}", "{1:2}", "{\"a\":}", "{\"a\":tru}", "{"] {
            assert!(members(text).is_err(), "{text}");
        }
        for text in ["", "{}", "[1,]", "[1 2]", "[", "[\"a]", "[]]"] {
            assert!(elements(text).is_err(), "{text}");
        }
    }
}
