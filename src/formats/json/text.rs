//! Strings: escapes undone, escapes made.

use super::scan;

/// An escape names half a surrogate pair: no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoneSurrogate;

/// Appends the text of `raw`, the valid UTF-8 between two quotes whose escapes are known to be JSON's.
///
/// # Errors
/// When an escape is a surrogate without its other half (RFC 8259 §8.2).
pub(super) fn unescape(raw: &str, text: &mut String) -> Result<(), LoneSurrogate> {
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut chars = escape.chars();
        text.push(match chars.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => unicode(&mut chars)?,
            Some(itself) => itself,
            None => return Err(LoneSurrogate),
        });
        rest = chars.as_str();
    }
    text.push_str(rest);
    Ok(())
}

fn unicode(chars: &mut std::str::Chars<'_>) -> Result<char, LoneSurrogate> {
    let first = unit(chars)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).ok_or(LoneSurrogate);
    }
    if chars.next() != Some('\\') || chars.next() != Some('u') {
        return Err(LoneSurrogate);
    }
    let second = unit(chars)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(LoneSurrogate);
    }
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(LoneSurrogate)
}

fn unit(chars: &mut std::str::Chars<'_>) -> Result<u32, LoneSurrogate> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit << 4 | chars.next().and_then(|digit| digit.to_digit(16)).ok_or(LoneSurrogate)?;
    }
    Ok(unit)
}

/// Appends `text` between quotes. Escapes what JSON asks for and nothing else.
pub fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let (bytes, mut kept) = (text.as_bytes(), 0);
    while let Some(at) = scan::special(bytes, kept) {
        out.extend_from_slice(bytes.get(kept..at).unwrap_or_default());
        kept = at + 1;
        match bytes.get(at) {
            Some(b'\n') => out.extend_from_slice(b"\\n"),
            Some(b'\r') => out.extend_from_slice(b"\\r"),
            Some(b'\t') => out.extend_from_slice(b"\\t"),
            Some(control @ 0..=0x1f) => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
            Some(itself) => out.extend_from_slice(&[b'\\', *itself]),
            None => {}
        }
    }
    out.extend_from_slice(bytes.get(kept..).unwrap_or_default());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Result<String, LoneSurrogate> {
        let mut text = String::new();
        unescape(raw, &mut text).map(|()| text)
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(text(r#"em\u0061il\n\"\\\/\b\f\r\t"#).unwrap(), "email\n\"\\/\u{8}\u{c}\r\t");
        assert_eq!(text(r"\ud83d\ude00\u20AC").unwrap(), "😀€");
    }

    #[test]
    fn half_a_pair_is_no_text() {
        for raw in [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\n", r"\ud83d\u0041", r"\ud83d\ud83d", r"\ude00\ud83d"] {
            assert_eq!(text(raw), Err(LoneSurrogate), "{raw}");
        }
    }

    #[test]
    fn what_is_quoted_reads_back() {
        for value in ["", "plain", "a\"b\\c\n\r\t\u{0}\u{1f}\u{7f}é😀•"] {
            let mut out = Vec::new();
            quote(value, &mut out);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), value);
        }
    }
}
