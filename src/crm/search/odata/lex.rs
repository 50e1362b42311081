//! Tokens of OData expressions.

use super::super::{
    SearchError,
    cursor::{Kind, Lexer, Token},
};

const SYMBOLS: [&str; 6] = ["(", ")", ",", ":", "=", "*"];

/// Cuts `text` into tokens. A path (`owner/email`) is one word; parameter aliases (`@p`), JSON literals and comments are refused.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, SearchError> {
    let mut lexer = Lexer::new(text);
    while let Some(byte) = lexer.skip_blanks() {
        match byte {
            b'\'' => {
                let length = quoted(&lexer, 0)?;
                lexer.push(Kind::Text, length);
            }
            _ if is_guid(lexer.rest()) => lexer.push(Kind::Number, GUID_BYTES),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => word(&mut lexer)?,
            b'0'..=b'9' | b'-' => {
                let length =
                    lexer.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'+' | b'-'));
                if !lexer.rest().bytes().take(2).any(|byte| byte.is_ascii_digit()) {
                    return Err(lexer.error("a number is expected"));
                }
                lexer.push(Kind::Number, length);
            }
            _ => lexer.symbol(&SYMBOLS)?,
        }
    }
    Ok(lexer.tokens)
}

fn word(lexer: &mut Lexer<'_>) -> Result<(), SearchError> {
    let length = lexer.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'$'));
    let word = lexer.rest().get(..length).unwrap_or_default();
    // `guid'…'`, `duration'…'`, `Sales.Pattern'Yellow'`: one literal.
    if lexer.rest().get(length..).is_some_and(|rest| rest.starts_with('\'')) {
        let text = quoted(lexer, length)?;
        lexer.push(Kind::Number, length + text);
        return Ok(());
    }
    let name = |part: &str| part.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$'));
    let star = lexer.rest().get(length..).is_some_and(|rest| rest.starts_with('*'));
    let path = if star { word.strip_suffix(['/', '.']).unwrap_or(word) } else { word };
    if !path.split(['.', '/']).all(name) {
        return Err(lexer.error("a path of names is expected"));
    }
    lexer.push(Kind::Word, length);
    Ok(())
}

/// The length of the quoted text that starts `ahead` bytes from here, quotes included; a quote inside is doubled.
fn quoted(lexer: &Lexer<'_>, ahead: usize) -> Result<usize, SearchError> {
    let text = lexer.rest().get(ahead..).unwrap_or_default();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' if chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                chars.next();
            }
            '\'' => return Ok(at + 1),
            c if c.is_control() => {
                return Err(SearchError::Syntax { at: lexer.at + ahead + at, what: "a control character in a text" });
            }
            _ => {}
        }
    }
    Err(SearchError::Syntax { at: lexer.at + ahead, what: "this quoted text does not end" })
}

/// What a quoted `literal` means.
pub(super) fn unquote(literal: &str) -> String {
    literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default().replace("''", "'")
}

/// `text` as a literal.
pub(in super::super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

const GUID_BYTES: usize = 36;

fn is_guid(rest: &str) -> bool {
    let mut bytes = rest.bytes();
    let guid = (0..GUID_BYTES).all(|at| match (at, bytes.next()) {
        (8 | 13 | 18 | 23, byte) => byte == Some(b'-'),
        (_, byte) => byte.is_some_and(|byte| byte.is_ascii_hexdigit()),
    });
    guid && !bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
