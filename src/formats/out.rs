//! What stands in place of a leaf, spelled as the format of the body wants it: whoever decides about a leaf never knows
//! whether it was a JSON token, a cell or the text of an element.

use super::{csv, json, xml};
use crate::model::Leaf;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// A JSON token.
    Json,
    /// A cell between two of this delimiter.
    Cell {
        /// The delimiter.
        delimiter: u8,
        /// It was quoted, and stays so.
        quoted: bool,
    },
    /// Text of XML, between two tags.
    Text,
    /// The value of an XML attribute, between two of this quote.
    Attribute(u8),
    /// As it is: the reader spells it.
    Plain,
}

/// Where a handler writes.
#[derive(Debug)]
pub struct Out<'a> {
    bytes: &'a mut Vec<u8>,
    spelling: Spelling,
}

impl<'a> Out<'a> {
    /// Appends to `bytes` in this spelling.
    #[inline]
    #[must_use]
    pub fn new(bytes: &'a mut Vec<u8>, spelling: Spelling) -> Self {
        Self { bytes, spelling }
    }

    /// The same spelling, into other bytes.
    #[must_use]
    pub fn beside<'b>(&self, bytes: &'b mut Vec<u8>) -> Out<'b> {
        Out { bytes, spelling: self.spelling }
    }

    /// Bytes so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.bytes.len()
    }

    /// A text that stands in place of another. In a cell it never starts a formula.
    #[inline]
    pub fn text(&mut self, text: &str) {
        match self.spelling {
            Spelling::Json => json::quote(text, self.bytes),
            Spelling::Cell { delimiter, quoted } => csv::stand_in(text, delimiter, quoted, self.bytes),
            Spelling::Text => xml::escape(text, None, self.bytes),
            Spelling::Attribute(quote) => xml::escape(text, Some(quote), self.bytes),
            Spelling::Plain => self.bytes.extend_from_slice(text.as_bytes()),
        }
    }

    /// A text that has to be read back as it is: a stored form on its way to the CRM.
    pub fn exact(&mut self, text: &str) {
        match self.spelling {
            Spelling::Cell { delimiter, quoted } => csv::cell(text, delimiter, quoted, self.bytes),
            Spelling::Json | Spelling::Text | Spelling::Attribute(_) | Spelling::Plain => self.text(text),
        }
    }

    /// A text that `write` appends and that JSON does not have to escape; whether it did.
    #[inline]
    pub fn plain(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let start = self.bytes.len();
        let written = match self.spelling {
            Spelling::Json => {
                self.bytes.push(b'"');
                let written = write(self.bytes);
                self.bytes.push(b'"');
                written
            }
            Spelling::Cell { delimiter, quoted } => {
                let written = !quoted && write(self.bytes);
                written && csv::is_bare(self.bytes.get(start..).unwrap_or_default(), delimiter)
            }
            Spelling::Text | Spelling::Attribute(_) => {
                let is_bare = |byte: &u8| !matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\'' | 0..0x20);
                write(self.bytes) && self.bytes.get(start..).unwrap_or_default().iter().all(is_bare)
            }
            Spelling::Plain => write(self.bytes),
        };
        if !written {
            self.bytes.truncate(start);
        }
        written
    }

    /// Nothing, where something was: an empty cell, where the format has no word for it.
    pub fn null(&mut self) {
        match self.spelling {
            Spelling::Json => self.bytes.extend_from_slice(b"null"),
            Spelling::Cell { .. } => self.exact(""),
            Spelling::Text | Spelling::Attribute(_) | Spelling::Plain => {}
        }
    }

    /// A zero in place of a number.
    pub fn zero(&mut self) {
        self.token("0");
    }

    /// `false` in place of a boolean.
    pub fn no(&mut self) {
        self.token("false");
    }

    /// The leaf itself, where its bytes are not copied.
    pub fn same(&mut self, leaf: Leaf<'_>) {
        match leaf {
            Leaf::Text(text) => self.exact(text),
            Leaf::Number(number) => self.token(number),
            Leaf::Bool(value) => self.token(if value { "true" } else { "false" }),
            Leaf::Null => self.null(),
        }
    }

    fn token(&mut self, token: &str) {
        match self.spelling {
            Spelling::Json => self.bytes.extend_from_slice(token.as_bytes()),
            _ => self.exact(token),
        }
    }
}
