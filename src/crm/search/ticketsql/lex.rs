//! Tokens as RT cuts them, and nothing that RT would skip or cut elsewhere.

use super::super::{
    SearchError,
    cursor::{Kind, Lexer, Token},
};

const SYMBOLS: [&str; 9] = ["!=", "<=", ">=", "=", "<", ">", "(", ")", ","];
/// RT takes these off the front of whatever starts with them.
const CUT_OFF: [&str; 8] = ["AND", "OR", "IS", "LIKE", "STARTSWITH", "ENDSWITH", "SHALLOW", "NOT"];

/// Cuts `text` into tokens.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, SearchError> {
    let mut lexer = Lexer::new(text);
    while let Some(byte) = lexer.skip_blanks() {
        match byte {
            b'\'' | b'"' => {
                let length = quoted(&lexer, char::from(byte))?;
                lexer.push(Kind::Text, length);
            }
            b'+' | b'-' => {
                let digits = lexer.rest().bytes().skip(1).take_while(u8::is_ascii_digit).count();
                if digits == 0 {
                    return Err(lexer.error("a number is expected"));
                }
                lexer.push(Kind::Number, 1 + digits);
            }
            _ if is_word(byte) => word(&mut lexer)?,
            _ => lexer.symbol(&SYMBOLS)?,
        }
    }
    Ok(lexer.tokens)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'{' | b'}')
}

fn word(lexer: &mut Lexer<'_>) -> Result<(), SearchError> {
    let rest = lexer.rest();
    let custom = rest.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("CF.{"));
    let length = match custom.then(|| rest.find('}')).flatten() {
        Some(end) => {
            let tail = rest.get(end + 1..).unwrap_or_default();
            let column = [".LargeContent", ".Content"]
                .iter()
                .find(|column| tail.get(..column.len()).is_some_and(|start| start.eq_ignore_ascii_case(column)));
            end + 1 + column.map_or(0, |column| column.len())
        }
        None => lexer.run(is_word),
    };
    let word = rest.get(..length).unwrap_or_default();
    if word.chars().any(char::is_control) {
        return Err(lexer.error("a control character in a name"));
    }
    let cut = |start: &&&str| word.get(..start.len()).is_some_and(|word| word.eq_ignore_ascii_case(start));
    if CUT_OFF.iter().find(cut).is_some_and(|start| start.len() != length) {
        return Err(lexer.error("write this word in quotes"));
    }
    let number = word.bytes().all(|byte| byte.is_ascii_digit());
    lexer.push(if number { Kind::Number } else { Kind::Word }, length);
    Ok(())
}

/// The length of the quoted text that starts here, quotes included.
fn quoted(lexer: &Lexer<'_>, quote: char) -> Result<usize, SearchError> {
    let mut escaped = false;
    for (at, c) in lexer.rest().char_indices().skip(1) {
        match c {
            c if c.is_control() => {
                return Err(SearchError::Syntax { at: lexer.at + at, what: "a control character in a text" });
            }
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Ok(at + 1),
            _ => {}
        }
    }
    Err(lexer.error("this quoted text does not end"))
}

/// What a quoted `literal` means.
pub(super) fn unquote(literal: &str) -> String {
    unescape(literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default())
}

/// RT also unescapes what is not quoted.
pub(super) fn unescape(text: &str) -> String {
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

/// Whether RT reads the value `text` as a custom field although it is quoted.
pub(super) fn is_column(text: &str) -> bool {
    text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("CF."))
}

/// `text` as a literal.
pub(in super::super) fn quote(text: &str) -> Result<String, SearchError> {
    if is_column(text) || text.chars().any(char::is_control) {
        return Err(SearchError::Syntax {
            at: 0,
            what: "a value that is not a column and has no control characters is expected",
        });
    }
    Ok(escaped(text))
}

pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('\'');
    out
}
