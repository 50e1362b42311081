//! Selectors of API maps: the part of JSONPath (RFC 9535) that a streaming rewriter can follow.

use std::{fmt, str::FromStr};

/// One segment of a selector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// `.name`, `['name']`.
    Name(String),
    /// `[0]`: non-negative (an index from the end would need the whole array first).
    Index(u64),
    /// `.*`, `[*]`.
    Wildcard,
    /// `..name`, `..*`, `..[0]`: the inner step at any depth.
    Descendant(Box<Step>),
    /// `[?@.name == 'Card']`: members and elements that are objects whose member has that string value.
    WhereEquals {
        /// The sibling's name.
        member: String,
        /// The string it must equal.
        value: String,
    },
}

/// A parsed selector; `$` alone selects the document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selector {
    steps: Vec<Step>,
    text: String,
}

impl Selector {
    /// Segments per selector.
    pub const MAX_STEPS: usize = 32;

    /// The segments.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The name it ends with, if it ends with one.
    #[must_use]
    pub fn last_name(&self) -> Option<&str> {
        let mut last = self.steps.last()?;
        while let Step::Descendant(inner) = last {
            last = inner;
        }
        match last {
            Step::Name(name) => Some(name),
            _ => None,
        }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a selector was refused; `at` is a byte offset into its text.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[error("{what} at byte {at} of the selector")]
pub struct SelectorError {
    /// Byte offset.
    pub at: usize,
    /// What was expected or is not supported.
    pub what: &'static str,
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let mut reader = Reader { text, at: 0 };
        reader.expect("$", "a selector starts with `$`")?;
        let mut steps = Vec::new();
        while reader.at < text.len() {
            if steps.len() == Self::MAX_STEPS {
                return Err(reader.error("more than 32 segments"));
            }
            steps.push(reader.segment()?);
        }
        Ok(Self { steps, text: text.to_owned() })
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn segment(&mut self) -> Result<Step, SelectorError> {
        if self.take("..") {
            let inner = if self.rest().starts_with('[') { self.bracket()? } else { self.dotted()? };
            return Ok(Step::Descendant(Box::new(inner)));
        }
        if self.take(".") {
            return self.dotted();
        }
        self.bracket()
    }

    fn dotted(&mut self) -> Result<Step, SelectorError> {
        if self.take("*") {
            return Ok(Step::Wildcard);
        }
        self.shorthand_name().map(Step::Name)
    }

    /// RFC 9535 §2.5.1.1 `member-name-shorthand`.
    fn shorthand_name(&mut self) -> Result<String, SelectorError> {
        let rest = self.rest();
        let first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        if !rest.starts_with(first) {
            return Err(self.error("a member name is expected; write `['…']` for other names"));
        }
        let end = rest.find(|c: char| !(first(c) || c.is_ascii_digit())).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default().to_owned();
        self.at += end;
        Ok(name)
    }

    fn bracket(&mut self) -> Result<Step, SelectorError> {
        self.expect("[", "`.`, `..` or `[` is expected")?;
        self.blanks();
        let step = if self.take("*") {
            Step::Wildcard
        } else if self.take("?") {
            self.filter()?
        } else if self.rest().starts_with(['\'', '"']) {
            Step::Name(self.quoted()?)
        } else {
            Step::Index(self.index()?)
        };
        self.blanks();
        self.expect("]", "`]` is expected (one selector per bracket; slices and unions are not supported)")?;
        Ok(step)
    }

    fn filter(&mut self) -> Result<Step, SelectorError> {
        self.blanks();
        let grouped = self.take("(");
        self.blanks();
        self.expect("@", "a filter compares a member of `@` with a string")?;
        let member = if self.take(".") {
            self.shorthand_name()?
        } else {
            self.expect("[", "`.name` or `['name']` is expected after `@`")?;
            let name = self.quoted()?;
            self.expect("]", "`]` is expected")?;
            name
        };
        self.blanks();
        self.expect("==", "only `==` is supported in a filter")?;
        self.blanks();
        let value = self.quoted()?;
        self.blanks();
        if grouped {
            self.expect(")", "`)` is expected")?;
        }
        Ok(Step::WhereEquals { member, value })
    }

    /// RFC 9535 §2.1 integers: no leading zero, at most 2^53 − 1.
    fn index(&mut self) -> Result<u64, SelectorError> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest.get(..end).unwrap_or_default();
        let canonical = digits == "0" || !digits.starts_with('0');
        match digits.parse::<u64>() {
            Ok(index) if canonical && index < 1 << 53 => {
                self.at += end;
                Ok(index)
            }
            _ => Err(self.error("a quoted name, `*`, `?` or a non-negative index is expected")),
        }
    }

    /// RFC 9535 §2.3.1.1 string literals with their escapes.
    fn quoted(&mut self) -> Result<String, SelectorError> {
        let mut chars = self.rest().char_indices();
        let quote = match chars.next() {
            Some((_, quote @ ('\'' | '"'))) => quote,
            _ => return Err(self.error("a quoted string is expected")),
        };
        let (start, mut out) = (self.at, String::new());
        while let Some((offset, c)) = chars.next() {
            self.at = start + offset;
            match c {
                c if c == quote => {
                    self.at += 1;
                    return Ok(out);
                }
                '\\' => match chars.next().map(|(_, escaped)| escaped) {
                    Some('b') => out.push('\u{8}'),
                    Some('f') => out.push('\u{c}'),
                    Some('n') => out.push('\n'),
                    Some('r') => out.push('\r'),
                    Some('t') => out.push('\t'),
                    Some(escaped @ ('/' | '\\')) => out.push(escaped),
                    Some(escaped) if escaped == quote => out.push(escaped),
                    Some('u') => {
                        let code =
                            self.text.get(self.at + 2..self.at + 6).and_then(|hex| u32::from_str_radix(hex, 16).ok());
                        match code.and_then(char::from_u32) {
                            Some(decoded) => out.push(decoded),
                            None => return Err(self.error("`\\u` needs four hex digits of a scalar value")),
                        }
                        chars.nth(3);
                    }
                    _ => return Err(self.error("unknown escape")),
                },
                c if c < ' ' => return Err(self.error("a control character must be escaped")),
                c => out.push(c),
            }
        }
        self.at = start;
        Err(self.error("the string is not closed"))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str, what: &'static str) -> Result<(), SelectorError> {
        if self.take(token) { Ok(()) } else { Err(self.error(what)) }
    }

    fn blanks(&mut self) {
        while self.rest().starts_with([' ', '\t', '\n', '\r']) {
            self.at += 1;
        }
    }

    fn error(&self, what: &'static str) -> SelectorError {
        SelectorError { at: self.at, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<Step> {
        text.parse::<Selector>().unwrap().steps
    }

    #[test]
    fn names_indices_wildcards_descendants_and_filters_parse() {
        let name = |n: &str| Step::Name(n.into());
        assert_eq!(steps("$"), []);
        assert_eq!(
            steps("$.a['b c'][0][*].*"),
            [name("a"), name("b c"), Step::Index(0), Step::Wildcard, Step::Wildcard]
        );
        assert_eq!(steps("$..email"), [Step::Descendant(Box::new(name("email")))]);
        assert_eq!(
            steps("$.CustomFields[?@.name == 'Card'].values[*]"),
            [
                name("CustomFields"),
                Step::WhereEquals { member: "name".into(), value: "Card".into() },
                name("values"),
                Step::Wildcard
            ]
        );
        assert_eq!(steps(r#"$["a\u00e9\"b"]"#), [name("aé\"b")]);
    }

    #[test]
    fn what_cannot_be_followed_is_refused_with_its_place() {
        for (text, at) in [
            ("", 0),
            ("a", 0),
            ("$.", 2),
            ("$[-1]", 2),
            ("$[01]", 2),
            ("$[0:2]", 3),
            ("$['a','b']", 5),
            ("$[?@.a > 1]", 7),
            ("$['a", 2),
            ("$.a b", 3),
            ("$[?length(@) == 1]", 3),
        ] {
            assert_eq!(text.parse::<Selector>().unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn thirty_two_segments_pass_and_one_more_does_not() {
        assert!(format!("${}", ".a".repeat(32)).parse::<Selector>().is_ok());
        assert!(format!("${}", ".a".repeat(33)).parse::<Selector>().is_err());
    }
}
