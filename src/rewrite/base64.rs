//! Text inside base64, as attachments carry it.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::model::Sensitive;

/// Padded or not (RFC 4648 §3.2): what the CRM writes is read.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Line length of MIME bodies (RFC 2045 §6.8).
const LINE_BYTES: usize = 76;

/// The text that `encoded` holds, when it is base64 of UTF-8. Line breaks inside are skipped.
pub(super) fn decode(encoded: &str) -> Option<Sensitive<String>> {
    let bare: Vec<u8> = encoded.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = LENIENT.decode(&bare).ok()?;
    String::from_utf8(bytes).ok().map(Sensitive::new)
}

/// `text` as base64, broken into lines when `like` was.
pub(super) fn encode(text: &str, like: &str) -> String {
    let encoded = LENIENT.encode(text);
    if !like.contains('\n') {
        return encoded;
    }
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / LINE_BYTES + 1);
    let mut rest = encoded.as_str();
    while let Some((line, after)) = rest.split_at_checked(LINE_BYTES) {
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines.push_str(rest);
    if !rest.is_empty() {
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_with_and_without_lines_and_padding() {
        let text = "é".repeat(100);
        for like in ["", "\n"] {
            assert_eq!(decode(&encode(&text, like)).unwrap().expose(), &text);
        }
        assert_eq!(decode("YQ").unwrap().expose(), "a");
        assert!(encode(&text, "\n").lines().all(|line| line.len() <= 76));
    }

    #[test]
    fn what_is_not_text_is_none() {
        for bad in ["%%%", "/w==", "YQ=a"] {
            assert!(decode(bad).is_none(), "{bad}");
        }
    }
}
