//! JSON (RFC 8259) with places: a body in, a tree whose nodes know their bytes out. Small bodies only, names unique.

use std::ops::Range;

use super::super::{SearchError, cursor::MAX_SEARCH_DEPTH};

/// A node and the bytes it stands at.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) is: Is,
}

#[derive(Debug)]
pub(super) enum Is {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Text(String),
    /// A number, `true`, `false` or `null`.
    Other,
}

/// Reads the whole of `text`.
pub(super) fn read(text: &str) -> Result<Node, SearchError> {
    let mut reader = Reader { text, at: 0 };
    let node = reader.node(0)?;
    reader.blanks();
    if reader.at < text.len() { Err(reader.error("the end of the body is expected")) } else { Ok(node) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn node(&mut self, depth: usize) -> Result<Node, SearchError> {
        if depth > MAX_SEARCH_DEPTH {
            return Err(SearchError::TooLarge { what: "levels of JSON", limit: MAX_SEARCH_DEPTH });
        }
        self.blanks();
        let start = self.at;
        let is = match self.next() {
            Some(b'{') => Is::Object(self.members(depth)?),
            Some(b'[') => Is::Array(self.elements(depth)?),
            Some(b'"') => Is::Text(self.string()?),
            _ => self.bare()?,
        };
        Ok(Node { span: start..self.at, is })
    }

    fn members(&mut self, depth: usize) -> Result<Vec<(String, Node)>, SearchError> {
        let mut members: Vec<(String, Node)> = Vec::new();
        self.at += 1;
        if self.take(b'}') {
            return Ok(members);
        }
        loop {
            self.blanks();
            let at = self.at;
            if self.next() != Some(b'"') {
                return Err(self.error("a name in quotes is expected"));
            }
            let name = self.string()?;
            if members.iter().any(|(known, _)| *known == name) {
                return Err(SearchError::Syntax { at, what: "this name stands twice" });
            }
            if !self.take(b':') {
                return Err(self.error("`:` is expected"));
            }
            let node = self.node(depth + 1)?;
            members.push((name, node));
            match (self.take(b','), self.take(b'}')) {
                (true, false) => {}
                (false, true) => return Ok(members),
                _ => return Err(self.error("`,` or `}` is expected")),
            }
        }
    }

    fn elements(&mut self, depth: usize) -> Result<Vec<Node>, SearchError> {
        let mut elements = Vec::new();
        self.at += 1;
        if self.take(b']') {
            return Ok(elements);
        }
        loop {
            elements.push(self.node(depth + 1)?);
            match (self.take(b','), self.take(b']')) {
                (true, false) => {}
                (false, true) => return Ok(elements),
                _ => return Err(self.error("`,` or `]` is expected")),
            }
        }
    }

    /// The text of the string that starts here.
    fn string(&mut self) -> Result<String, SearchError> {
        let start = self.at;
        let mut escaped = false;
        let rest = self.text.get(start + 1..).unwrap_or_default();
        let end = rest.bytes().position(|byte| match byte {
            _ if escaped => {
                escaped = false;
                false
            }
            b'\\' => {
                escaped = true;
                false
            }
            byte => byte == b'"',
        });
        let end = end.ok_or(SearchError::Syntax { at: start, what: "this string does not end" })?;
        self.at = start + end + 2;
        let literal = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(literal).map_err(|_| SearchError::Syntax { at: start, what: "this string is not JSON" })
    }

    fn bare(&mut self) -> Result<Is, SearchError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')).count();
        let literal = rest.get(..length).unwrap_or_default();
        if literal.is_empty() || serde_json::from_str::<serde_json::Value>(literal).is_err() {
            return Err(self.error("a value is expected"));
        }
        self.at += length;
        Ok(Is::Other)
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.next(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.blanks();
        let found = self.next() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn error(&self, what: &'static str) -> SearchError {
        SearchError::Syntax { at: self.at, what }
    }
}
