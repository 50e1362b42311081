//! Characters of a document in, tokens out (specification §2.1).

use super::{GraphQlError, MAX_TOKENS, Name};

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// `! $ & ( ) : = @ [ ] { | }`.
    Mark(char),
    /// `...`.
    Spread,
    Name(Name),
    /// As it is spelled.
    Number(String),
    /// Unescaped.
    Text(String),
}

/// The tokens of `text`, each with its first byte.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, GraphQlError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        if tokens.len() == MAX_TOKENS {
            return Err(GraphQlError::Limit { what: "tokens", limit: MAX_TOKENS });
        }
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error<T>(&self, what: &'static str) -> Result<T, GraphQlError> {
        Err(GraphQlError::Syntax { at: self.at, what })
    }

    fn take(&mut self, start: &str) -> bool {
        let there = self.rest().starts_with(start);
        if there {
            self.at += start.len();
        }
        there
    }

    /// The next characters that are all `wanted`.
    fn run(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn next(&mut self) -> Result<Option<(usize, Token)>, GraphQlError> {
        loop {
            self.run(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | ',' | '\u{feff}'));
            if !self.take("#") {
                break;
            }
            self.run(|c| !matches!(c, '\n' | '\r'));
        }
        let start = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok(None) };
        let token = match first {
            '!' | '$' | '&' | '(' | ')' | ':' | '=' | '@' | '[' | ']' | '{' | '|' | '}' => {
                self.at += 1;
                Token::Mark(first)
            }
            '.' if self.take("...") => Token::Spread,
            '"' => Token::Text(if self.take("\"\"\"") { self.block()? } else { self.string()? }),
            '-' | '0'..='9' => Token::Number(self.number()?),
            c if is_name_start(c) => Token::Name(self.run(|c| is_name_start(c) || c.is_ascii_digit()).into()),
            _ => return self.error("a token is expected"),
        };
        Ok(Some((start, token)))
    }

    fn number(&mut self) -> Result<String, GraphQlError> {
        let start = self.at;
        self.take("-");
        let whole = self.run(|c| c.is_ascii_digit());
        let sound = !whole.is_empty() && (whole == "0" || !whole.starts_with('0'));
        let mut sound = sound;
        if self.take(".") {
            sound &= !self.run(|c| c.is_ascii_digit()).is_empty();
        }
        if self.take("e") || self.take("E") {
            if !self.take("+") {
                self.take("-");
            }
            sound &= !self.run(|c| c.is_ascii_digit()).is_empty();
        }
        // A name or a dot right behind a number is no token of its own (§2.9.1).
        let ends = !self.rest().starts_with(|c: char| is_name_start(c) || c == '.' || c.is_ascii_digit());
        if sound && ends {
            return Ok(self.text.get(start..self.at).unwrap_or_default().to_owned());
        }
        self.error("a number is malformed")
    }

    fn string(&mut self) -> Result<String, GraphQlError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            text.push_str(self.run(|c| !matches!(c, '"' | '\\' | '\n' | '\r')));
            if self.take("\"") {
                return Ok(text);
            }
            if !self.take("\\") {
                return self.error("a text has no end on its line");
            }
            let Some(escape) = self.rest().chars().next() else { return self.error("a text has no end") };
            self.at += escape.len_utf8();
            text.push(match escape {
                '"' | '\\' | '/' => escape,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => self.unicode()?,
                _ => return self.error("an escape is unknown"),
            });
        }
    }

    fn unicode(&mut self) -> Result<char, GraphQlError> {
        const WRONG: &str = "an escape is no character";
        if self.take("{") {
            let digits = self.run(|c| c.is_ascii_hexdigit());
            let code = u32::from_str_radix(digits, 16).ok().filter(|_| digits.len() <= 8).and_then(char::from_u32);
            return match code {
                Some(c) if self.take("}") => Ok(c),
                _ => self.error(WRONG),
            };
        }
        let first = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).map_or_else(|| self.error(WRONG), Ok);
        }
        if !self.take("\\u") {
            return self.error(WRONG);
        }
        let second = self.unit()?;
        let code =
            second.checked_sub(0xdc00).filter(|low| *low < 0x400).map(|low| 0x1_0000 + ((first - 0xd800) << 10) + low);
        code.and_then(char::from_u32).map_or_else(|| self.error(WRONG), Ok)
    }

    fn unit(&mut self) -> Result<u32, GraphQlError> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(unit) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return self.error("four hexadecimal digits are expected");
        };
        self.at += 4;
        Ok(unit)
    }

    /// A block text: what its lines have in common in front of them, and empty lines around it, are no part of it (§2.9.4).
    fn block(&mut self) -> Result<String, GraphQlError> {
        let mut raw = String::new();
        loop {
            raw.push_str(self.run(|c| !matches!(c, '"' | '\\')));
            if self.take("\"\"\"") {
                break;
            }
            if self.take("\\\"\"\"") {
                raw.push_str("\"\"\"");
                continue;
            }
            let Some(c) = self.rest().chars().next() else { return self.error("a block text has no end") };
            raw.push(c);
            self.at += c.len_utf8();
        }
        let raw = raw.replace("\r\n", "\n").replace('\r', "\n");
        let blank = |line: &str| line.trim_matches([' ', '\t']).is_empty();
        let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
        let common = raw.split('\n').skip(1).filter(|line| !blank(line)).map(indent).min().unwrap_or(0);
        let mut lines: Vec<&str> = raw.split('\n').collect();
        for line in lines.iter_mut().skip(1) {
            *line = line.get(common..).unwrap_or_default();
        }
        let first = lines.iter().position(|line| !blank(line)).unwrap_or(lines.len());
        let last = lines.iter().rposition(|line| !blank(line)).map_or(first, |last| last + 1);
        Ok(lines.get(first..last).unwrap_or_default().join("\n"))
    }
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}
