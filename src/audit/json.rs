//! One JSON line, written member by member: strings are capped and escaped so that no text can leave its place.

use std::ops::Range;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// Bytes of text kept of one string; longer ones end in `…`.
pub(super) const STRING_BYTES: usize = 256;

/// A writer of compact JSON at the end of a buffer.
#[derive(Debug)]
pub(super) struct Json<'b> {
    out: &'b mut Vec<u8>,
    /// Whether the next member or item is the first one of its object or array.
    first: bool,
}

impl<'b> Json<'b> {
    pub(super) fn new(out: &'b mut Vec<u8>) -> Self {
        Self { out, first: true }
    }

    pub(super) fn open(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.first = true;
    }

    pub(super) fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.first = false;
    }

    /// The comma before an item of an array, or before a member.
    pub(super) fn item(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
    }

    /// `"name":`; names are literals of this module and need no escaping.
    pub(super) fn name(&mut self, name: &'static str) {
        self.item();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub(super) fn member(&mut self, name: &'static str, text: &str) {
        self.name(name);
        self.string(text);
    }

    pub(super) fn optional(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.member(name, text);
        }
    }

    pub(super) fn count(&mut self, name: &'static str, number: u64) {
        self.name(name);
        self.number(number);
    }

    pub(super) fn flag(&mut self, name: &'static str, value: bool) {
        self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(super) fn object(&mut self, name: &'static str) {
        self.name(name);
        self.open(b'{');
    }

    /// An array of strings, left out when empty; past `limit` items a last one says that there are more.
    pub(super) fn strings<'t>(&mut self, name: &'static str, limit: usize, items: impl Iterator<Item = &'t str>) {
        let mut items = items.peekable();
        if items.peek().is_none() {
            return;
        }
        self.name(name);
        self.open(b'[');
        for (number, item) in items.enumerate() {
            self.item();
            if number == limit {
                self.string("…");
                break;
            }
            self.string(item);
        }
        self.close(b']');
    }

    /// A member whose text needs no escaping and no cap: digits, hex, base64, punctuation of a date.
    pub(super) fn plain(&mut self, name: &'static str, write: impl FnOnce(&mut Vec<u8>)) {
        self.name(name);
        self.out.push(b'"');
        write(self.out);
        self.out.push(b'"');
    }

    /// `"name":"<prefix><base64url of bytes>"`.
    pub(super) fn base64(&mut self, name: &'static str, prefix: &str, bytes: &[u8; 16]) {
        self.plain(name, |out| {
            out.extend_from_slice(prefix.as_bytes());
            push_base64(out, bytes);
        });
    }

    pub(super) fn string(&mut self, text: &str) {
        self.out.push(b'"');
        let (kept, cut) = cap(text);
        // Without an early end the compiler checks 16 bytes at a time.
        let plain = |byte: u8| matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\');
        if kept.bytes().fold(true, |all, byte| all & plain(byte)) {
            self.out.extend_from_slice(kept.as_bytes());
        } else {
            kept.chars().for_each(|c| self.escape(c));
        }
        if cut {
            self.out.extend_from_slice("…".as_bytes());
        }
        self.out.push(b'"');
    }

    fn escape(&mut self, c: char) {
        let code = u32::from(c);
        match c {
            '"' | '\\' => self.out.extend_from_slice(&[b'\\', code as u8]),
            // Controls, line separators and bidirectional marks would let a name rearrange what a reviewer reads.
            _ if c.is_control() || matches!(code, 0x200b..=0x200f | 0x2028..=0x202e | 0x2066..=0x2069 | 0xfeff) => {
                self.out.extend_from_slice(b"\\u");
                let digit = |shift: u32| HEX.get((code >> shift & 15) as usize).copied().unwrap_or(b'0');
                self.out.extend_from_slice(&[digit(12), digit(8), digit(4), digit(0)]);
            }
            _ => self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }

    pub(super) fn number(&mut self, number: u64) {
        push_number(self.out, number);
    }

    /// Members that stand at `text` already, once more. They are followed by others or by the end, as there.
    pub(super) fn again(&mut self, text: Range<usize>) {
        self.out.extend_from_within(text);
        self.first = false;
    }

    pub(super) fn len(&self) -> usize {
        self.out.len()
    }
}

/// Lower-case hex digits.
pub(super) const HEX: &[u8; 16] = b"0123456789abcdef";

/// Decimal digits at the end of `out`.
pub(super) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let start = out.len();
    loop {
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

/// Lower-case hex of `bytes` at the end of `out`.
pub(super) fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

/// base64url without padding (22 characters) at the end of `out`.
pub(super) fn push_base64(out: &mut Vec<u8>, bytes: &[u8; 16]) {
    let mut text = [0; 22];
    // 16 bytes are 22 characters: the slice always fits.
    let written = BASE64_URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).unwrap_or(0);
    out.extend_from_slice(text.get(..written).unwrap_or_default());
}

fn cap(text: &str) -> (&str, bool) {
    if text.len() <= STRING_BYTES {
        return (text, false);
    }
    (text.get(..text.floor_char_boundary(STRING_BYTES)).unwrap_or_default(), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        Json::new(&mut out).string(text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_reads_back_as_it_was_whatever_it_holds() {
        for text in ["", "plain", "a\"b\\c", "line\nfeed\u{0}", "Zoë • 日本", "\u{202e}evil\u{2028}"] {
            let json = string(text);
            assert!(!json.contains(['\n', '\u{202e}', '\u{2028}']), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn strings_are_kept_up_to_the_limit_and_cut_one_past_it() {
        let at = "x".repeat(STRING_BYTES);
        assert_eq!(string(&at), format!("\"{at}\""));
        assert_eq!(string(&format!("{at}x")), format!("\"{at}…\""));
        let wide = format!("{}é", "x".repeat(STRING_BYTES - 1));
        assert_eq!(string(&wide), format!("\"{}…\"", "x".repeat(STRING_BYTES - 1)));
    }

    #[test]
    fn numbers_print_to_the_last_digit() {
        for number in [0, 9, 10, 1_048_576, u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
