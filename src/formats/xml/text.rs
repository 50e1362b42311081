//! Text of XML: references undone, references made.

use crate::formats::Fault;

/// The longest reference: `&#x10FFFF;`, in bytes.
const REFERENCE_BYTES: usize = 10;

/// The character that the reference at the start of `bytes` stands for, and how long that is; `None` when its end is missing.
///
/// # Errors
/// For anything but the five entities of XML 1.0 §4.6 and characters: what another entity says, only a DTD knows.
pub(super) fn reference(bytes: &[u8]) -> Result<Option<(char, usize)>, Fault> {
    let near = bytes.get(..REFERENCE_BYTES).unwrap_or(bytes);
    let Some(end) = memchr::memchr(b';', near) else {
        return if near.len() < REFERENCE_BYTES { Ok(None) } else { Err(Fault::Entity) };
    };
    let name = near.get(1..end).and_then(|name| str::from_utf8(name).ok()).ok_or(Fault::Entity)?;
    let character = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        name => {
            let digits = name.strip_prefix('#').ok_or(Fault::Entity)?;
            let (digits, radix) = digits.strip_prefix('x').map_or((digits, 10), |digits| (digits, 16));
            let code = u32::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'));
            code.and_then(char::from_u32).filter(|c| is_char(*c)).ok_or(Fault::Entity)?
        }
    };
    Ok(Some((character, end + 1)))
}

/// What XML 1.0 §2.2 calls a character.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether `raw` says what it means: no reference, no markup, no line end to normalise.
pub(super) fn is_plain(raw: &str) -> bool {
    memchr::memchr3(b'&', b'<', b'\r', raw.as_bytes()).is_none()
}

/// Appends what `raw`, text up to the next tag, says: comments and instructions say nothing.
///
/// # Errors
/// When a reference is none that may pass.
pub(super) fn decode(raw: &str, text: &mut String) -> Result<(), Fault> {
    let mut rest = raw;
    while let Some(found) = memchr::memchr3(b'&', b'<', b'\r', rest.as_bytes()) {
        let (plain, from) = rest.split_at_checked(found).unwrap_or((rest, ""));
        text.push_str(plain);
        rest = if from.starts_with('&') {
            let (character, length) = reference(from.as_bytes())?.ok_or(Fault::Entity)?;
            text.push(character);
            from.get(length..).unwrap_or_default()
        } else if let Some(inner) = from.strip_prefix(CDATA) {
            let (inner, after) = inner.split_once("]]>").unwrap_or((inner, ""));
            lines(inner, text);
            after
        } else if let Some(inner) = from.strip_prefix(COMMENT) {
            inner.split_once("-->").map_or("", |(_, after)| after)
        } else if let Some(inner) = from.strip_prefix("<?") {
            inner.split_once("?>").map_or("", |(_, after)| after)
        } else if let Some(after) = from.strip_prefix('\r') {
            // XML 1.0 §2.11: a line ends with a line feed, however it was written.
            text.push('\n');
            after.strip_prefix('\n').unwrap_or(after)
        } else {
            return Err(Fault::Tag);
        };
    }
    text.push_str(rest);
    Ok(())
}

fn lines(inner: &str, text: &mut String) {
    text.push_str(&inner.replace("\r\n", "\n").replace('\r', "\n"));
}

/// Appends `text` so that it reads back as it is, between tags or between two of `quote`. What XML cannot say at all is
/// U+FFFD.
pub fn escape(text: &str, quote: Option<u8>, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(may_need_escape) {
        let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.extend_from_slice(plain.as_bytes());
        let mut chars = from.chars();
        match chars.next() {
            Some('<') => out.extend_from_slice(b"&lt;"),
            Some('>') => out.extend_from_slice(b"&gt;"),
            Some('&') => out.extend_from_slice(b"&amp;"),
            Some('"') if quote == Some(b'"') => out.extend_from_slice(b"&quot;"),
            Some('\'') if quote == Some(b'\'') => out.extend_from_slice(b"&apos;"),
            Some('\r') => out.extend_from_slice(b"&#13;"),
            Some('\n') if quote.is_some() => out.extend_from_slice(b"&#10;"),
            Some('\t') if quote.is_some() => out.extend_from_slice(b"&#9;"),
            Some(c) if is_char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => out.extend_from_slice("\u{fffd}".as_bytes()),
        }
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

/// Whether a character that starts with `byte` may be one that is not written as it is: 0xef starts U+FFFE and U+FFFF.
#[inline]
fn may_need_escape(byte: u8) -> bool {
    matches!(byte, 0..0x20 | b'<' | b'>' | b'&' | b'"' | b'\'' | 0xef)
}

pub(super) const CDATA: &str = "<![CDATA[";
pub(super) const COMMENT: &str = "<!--";

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Result<String, Fault> {
        let mut text = String::new();
        decode(raw, &mut text).map(|()| text)
    }

    #[test]
    fn references_sections_and_line_ends_are_undone_and_comments_say_nothing() {
        assert_eq!(
            text("a&lt;b&amp;&#65;&#x1F600;<![CDATA[<&amp;\r\n]]>c<!-- no --><?x no?>\rd").unwrap(),
            "a<b&A😀<&amp;\nc\nd"
        );
        for bad in ["&nbsp;", "&", "&;", "&#0;", "&#xD800;", "&#x110000;", "&#1;", "&#+5;", "&lt", "&#xFFFE;", "a&b c;"]
        {
            assert_eq!(text(bad), Err(Fault::Entity), "{bad}");
        }
    }

    #[test]
    fn what_is_escaped_reads_back() {
        let value = "a<b>&\"'c\n\t\rd]]>é😀";
        for quote in [None, Some(b'"'), Some(b'\'')] {
            let mut out = Vec::new();
            escape(value, quote, &mut out);
            let out = String::from_utf8(out).unwrap();
            assert_eq!(text(&out).unwrap(), value);
            assert!(!out.contains('<') && quote.is_none_or(|quote| !out.contains(char::from(quote))), "{out}");
        }
        let mut out = Vec::new();
        escape("a\u{1}\u{ffff}\u{ffe5}\u{fffd}b", None, &mut out);
        assert_eq!(out, "a\u{fffd}\u{fffd}\u{ffe5}\u{fffd}b".as_bytes());
    }
}
