//! Tags: where one ends, its name, its attributes.

use super::text;
use crate::formats::Fault;

/// Attributes of one element.
pub const MAX_ATTRIBUTES: usize = 256;

/// One past the `>` of the tag that `bytes` starts with, and how many bytes of it look like its name; `None` when it is missing.
#[inline]
pub(super) fn end(bytes: &[u8]) -> Option<(usize, usize)> {
    let name = bytes.iter().skip(1).position(|byte| !is_of_name(*byte))?;
    let mut at = 1 + name;
    if bytes.get(at) == Some(&b'>') {
        // Without attributes, as most are.
        return Some((at + 1, name));
    }
    loop {
        at += memchr::memchr3(b'>', b'"', b'\'', bytes.get(at..)?)?;
        match bytes.get(at) {
            Some(b'>') => return Some((at + 1, name)),
            Some(quote) => at += 2 + memchr::memchr(*quote, bytes.get(at + 1..)?)?,
            None => return None,
        }
    }
}

/// The name at the start of `text` and what follows it.
///
/// # Errors
/// When there is none.
#[inline]
pub(super) fn name(text: &str) -> Result<(&str, &str), Fault> {
    let bytes = text.as_bytes();
    named(text, bytes.iter().position(|byte| !is_of_name(*byte)).unwrap_or(bytes.len()))
}

/// As [`name`], of which it is known that it would end at `end`.
///
/// # Errors
/// When there is none.
#[inline]
pub(super) fn named(text: &str, end: usize) -> Result<(&str, &str), Fault> {
    let bytes = text.as_bytes();
    let starts = end > 0 && bytes.first().is_some_and(|first| !matches!(first, b'0'..=b'9' | b'-' | b'.' | b':'));
    let ends = matches!(bytes.get(end), None | Some(b' ' | b'\t' | b'\n' | b'\r' | b'/' | b'>' | b'='));
    if starts && ends { Ok(text.split_at_checked(end).unwrap_or((text, ""))) } else { Err(Fault::Tag) }
}

/// Every character past ASCII counts: a stricter reader refuses more, none reads another name.
#[inline]
fn is_of_name(byte: u8) -> bool {
    OF_NAME.get(usize::from(byte)).is_some_and(|of_name| *of_name)
}

/// One look-up costs less than the ranges it stands for.
static OF_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        #[expect(clippy::indexing_slicing, reason = "the loop ends with the table")]
        #[expect(clippy::cast_possible_truncation, reason = "at most 255")]
        {
            table[byte] =
                matches!(byte as u8, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b':' | 0x80..);
        }
        byte += 1;
    }
    table
};

/// The name without its prefix.
///
/// # Errors
/// When it has more than one, or nothing after it.
#[inline]
pub(super) fn local(name: &str) -> Result<&str, Fault> {
    match name.split_once(':') {
        None => Ok(name),
        Some((_, local)) if !local.is_empty() && !local.contains(':') => Ok(local),
        Some(_) => Err(Fault::Tag),
    }
}

/// An attribute; places are bytes of the text that [`attributes`] read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    /// Between the quotes, as it is written.
    pub(super) raw: &'a str,
    pub(super) quote: u8,
    /// Of the white space before it.
    pub(super) start: usize,
    /// Of its value.
    pub(super) value: usize,
}

/// The attributes of `text`, which is what stands between the name of a tag and its end.
///
/// # Errors
/// Where it holds something else, one twice, or more than [`MAX_ATTRIBUTES`].
pub(super) fn attributes<'a>(text: &'a str, into: &mut Vec<Attribute<'a>>) -> Result<(), Fault> {
    let mut at = 0;
    loop {
        let start = at;
        at = blanks(text, at);
        if at >= text.len() {
            return Ok(());
        }
        if at == start {
            return Err(Fault::Tag);
        }
        let (name, _) = name(text.get(at..).unwrap_or_default())?;
        at = blanks(text, at + name.len());
        if text.as_bytes().get(at) != Some(&b'=') {
            return Err(Fault::Tag);
        }
        at = blanks(text, at + 1);
        let Some(quote @ (b'"' | b'\'')) = text.as_bytes().get(at).copied() else { return Err(Fault::Tag) };
        let value = at + 1;
        let rest = text.get(value..).unwrap_or_default();
        let end = memchr::memchr(quote, rest.as_bytes()).ok_or(Fault::Tag)?;
        let raw = rest.get(..end).unwrap_or_default();
        references(raw)?;
        if into.iter().any(|known| known.name == name) || into.len() == MAX_ATTRIBUTES {
            return Err(Fault::Tag);
        }
        into.push(Attribute { name, raw, quote, start, value });
        at = value + end + 1;
    }
}

fn references(raw: &str) -> Result<(), Fault> {
    let (bytes, mut at) = (raw.as_bytes(), 0);
    while let Some(found) = memchr::memchr2(b'&', b'<', bytes.get(at..).unwrap_or_default()) {
        at += found;
        if bytes.get(at) == Some(&b'<') {
            return Err(Fault::Tag);
        }
        let reference = text::reference(bytes.get(at..).unwrap_or_default())?;
        at += reference.ok_or(Fault::Entity)?.1;
    }
    Ok(())
}

pub(super) fn blanks(text: &str, mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = text.as_bytes().get(at) {
        at += 1;
    }
    at
}

/// What XML Schema says about an element rather than about a person: `xsi:nil="true"`, `xsi:type="sf:Contact"`.
pub(super) fn is_technical(attribute: &Attribute<'_>) -> bool {
    match attribute.name {
        "xsi:nil" => matches!(attribute.raw, "true" | "false" | "0" | "1"),
        "xsi:type" => {
            let is_word = |word: &str| {
                word.starts_with(|c: char| c.is_ascii_alphabetic())
                    && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            };
            attribute.raw.split_once(':').is_some_and(|(prefix, name)| is_word(prefix) && is_word(name))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_end_outside_of_quotes() {
        assert_eq!(end(b"<a b='>' c=\"'>\">x"), Some((16, 1)));
        assert_eq!(end(b"<a b='>"), None);
        assert_eq!(end(b"<a"), None);
    }

    #[test]
    fn attributes_are_read_or_refused() {
        let read = |text: &'static str| {
            let mut found = Vec::new();
            attributes(text, &mut found).map(|()| found.iter().map(|one| (one.name, one.raw)).collect::<Vec<_>>())
        };
        assert_eq!(read(" a='1'\n b:c = \"x&amp;'\" "), Ok(vec![("a", "1"), ("b:c", "x&amp;'")]));
        for bad in
            [" a", " a=", " a=1", " a='1", "a='1'b='2'", " a='<'", " a='1' a='2'", " ='1'", " 1='1'", " a='1'b='2'"]
        {
            assert_eq!(read(bad), Err(Fault::Tag), "{bad}");
        }
        assert_eq!(read(" a='&x;'"), Err(Fault::Entity));
        let many = |count: usize| (0..count).map(|at| format!(" a{at}=''")).collect::<String>();
        let mut found = Vec::new();
        assert!(attributes(&many(MAX_ATTRIBUTES), &mut found).is_ok());
        let (over, mut found) = (many(MAX_ATTRIBUTES + 1), Vec::new());
        assert_eq!(attributes(&over, &mut found), Err(Fault::Tag));
    }

    #[test]
    fn only_what_schema_says_is_technical() {
        let attribute = |name, raw| Attribute { name, raw, quote: b'"', start: 0, value: 0 };
        for (name, raw, technical) in [
            ("xsi:nil", "true", true),
            ("xsi:type", "xsd:string", true),
            ("xsi:nil", "Jane", false),
            ("xsi:type", "Jane", false),
            ("xsi:type", "tel:+49", false),
            ("type", "xsd:string", false),
        ] {
            assert_eq!(is_technical(&attribute(name, raw)), technical, "{name}={raw}");
        }
    }
}
