//! Tokens of SOQL, and its literals decoded and written.

use super::super::{
    SearchError,
    cursor::{Kind, Lexer, Token},
};

const SYMBOLS: [&str; 11] = ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", ":"];

/// Cuts `text` into tokens. A path (`Account.Owner.Email`) is one word; comments do not exist in SOQL and are refused.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, SearchError> {
    let mut lexer = Lexer::new(text);
    while let Some(byte) = lexer.skip_blanks() {
        match byte {
            b'\'' => {
                let length = quoted(&lexer)?;
                unquote(lexer.rest().get(..length).unwrap_or_default(), lexer.at, Escapes::OfLike)?;
                lexer.push(Kind::Text, length);
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => word(&mut lexer)?,
            b'0'..=b'9' | b'+' | b'-' => {
                let length =
                    lexer.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'+' | b'-'));
                let digits = lexer.rest().bytes().take(length).any(|byte| byte.is_ascii_digit());
                let comment = lexer.rest().get(..length).is_some_and(|number| number.contains("--"));
                if !digits || comment {
                    return Err(lexer.error("a number or a date is expected"));
                }
                lexer.push(Kind::Number, length);
            }
            _ => lexer.symbol(&SYMBOLS)?,
        }
    }
    Ok(lexer.tokens)
}

fn word(lexer: &mut Lexer<'_>) -> Result<(), SearchError> {
    let length = lexer.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    let word = lexer.rest().get(..length).unwrap_or_default();
    if word.split('.').any(|part| !part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')) {
        return Err(lexer.error("a path of names is expected"));
    }
    lexer.push(Kind::Word, length);
    Ok(())
}

/// The length of the quoted text that starts here, quotes included.
fn quoted(lexer: &Lexer<'_>) -> Result<usize, SearchError> {
    let mut escaped = false;
    for (at, c) in lexer.rest().char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' => return Ok(at + 1),
            c if c.is_control() => {
                return Err(SearchError::Syntax { at: lexer.at + at, what: "write control characters as escapes" });
            }
            _ => {}
        }
    }
    Err(lexer.error("this quoted text does not end"))
}

/// Which escapes a literal may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Those of any text.
    OfText,
    /// Also `\_` and `\%`, which only `LIKE` knows.
    OfLike,
}

/// The text that a quoted `literal` at byte `start` means.
pub(super) fn unquote(literal: &str, start: usize, escapes: Escapes) -> Result<String, SearchError> {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    let (mut text, mut chars) = (String::with_capacity(inner.len()), inner.char_indices());
    while let Some((at, c)) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next().map(|(_, escape)| escape) {
            Some('n' | 'N') => text.push('\n'),
            Some('r' | 'R') => text.push('\r'),
            Some('t' | 'T') => text.push('\t'),
            Some('b' | 'B') => text.push('\u{8}'),
            Some('f' | 'F') => text.push('\u{c}'),
            Some(c @ ('\\' | '\'' | '"')) => text.push(c),
            Some('u' | 'U') => {
                let digits: String = chars.by_ref().take(4).map(|(_, digit)| digit).collect();
                let code = (digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .then(|| u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
                text.push(
                    code.flatten()
                        .ok_or(SearchError::Syntax { at: start + 1 + at, what: "`\\u` takes four digits" })?,
                );
            }
            Some(c @ ('_' | '%')) if escapes == Escapes::OfLike => text.push(c),
            _ => return Err(SearchError::Syntax { at: start + 1 + at, what: "this escape does not exist here" }),
        }
    }
    Ok(text)
}

/// `text` as a literal.
pub(in super::super) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    escape(text, &mut out);
    out.push('\'');
    out
}

/// A literal for `LIKE` that matches what starts with `text`.
pub(super) fn quote_prefix(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        if matches!(c, '_' | '%') {
            out.push('\\');
        }
        escape(c.encode_utf8(&mut [0; 4]), &mut out);
    }
    out.push_str("%'");
    out
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\\' | '\'' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
}
