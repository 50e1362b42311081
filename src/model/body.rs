//! What an API map says about a body: its format, its protected fields, its links.

use super::{class::ClassId, selector::Selector};

/// A leaf of a document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Leaf<'a> {
    /// A string, unescaped.
    Text(&'a str),
    /// A number as it is spelled: `1e400` and 19 digits stay what they are.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

/// The format a route's body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BodyFormat {
    /// One JSON text (RFC 8259).
    #[default]
    Json,
    /// One JSON text per line (NDJSON, JSON Lines); every line is a document of its own.
    Ndjson,
    /// Rows of cells (RFC 4180); every row is a document of its own whose members are named by the header line.
    Csv(Delimiter),
    /// A stream of events (WHATWG HTML §9.2); the data of every event is a document of its own: JSON, else free text.
    Sse,
    /// One XML document (XML 1.0, SOAP): elements are members by local name, attributes members named `@name`.
    Xml,
    /// `application/x-www-form-urlencoded` (WHATWG URL §5): requests only; `$.name` selects the pairs of that name.
    Form,
    /// `multipart/form-data` (RFC 7578): requests only; `$.name` selects the fields and the text files of that name.
    Multipart,
    /// Several calls in one body: each is matched, decided and recorded as the call that it is.
    Batch(Batch),
    /// JSON-RPC messages of an MCP server (streamable HTTP): the route's tools say what is where.
    Mcp,
    /// A GraphQL request and its answer: the route's roots say what is where.
    GraphQl,
    /// Bytes that hold nothing protected: relayed as they are. Has to be written down in the map.
    Opaque,
    /// No body is expected.
    Empty,
}

impl BodyFormat {
    /// Whether a map may name fields of such a body.
    #[must_use]
    pub fn has_fields(self) -> bool {
        !matches!(self, Self::Batch(_) | Self::Mcp | Self::GraphQl | Self::Opaque | Self::Empty)
    }

    /// Whether the body is a sequence of documents rather than one.
    #[must_use]
    pub fn is_sequence(self) -> bool {
        matches!(self, Self::Ndjson | Self::Csv(_) | Self::Sse)
    }
}

/// What stands between two cells of a row: the six that Salesforce Bulk 2.0 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Delimiter {
    /// The one of the six that the header line has outside of quotes.
    #[default]
    Auto,
    /// `,`
    Comma,
    /// A tab.
    Tab,
    /// `|`
    Pipe,
    /// `;`
    Semicolon,
    /// `^`
    Caret,
    /// `` ` ``
    Backquote,
}

impl Delimiter {
    /// Every one that is a byte.
    pub const ALL: [Self; 6] = [Self::Comma, Self::Tab, Self::Pipe, Self::Semicolon, Self::Caret, Self::Backquote];

    /// Its byte; none when the header line decides.
    #[must_use]
    pub fn byte(self) -> Option<u8> {
        Some(match self {
            Self::Auto => return None,
            Self::Comma => b',',
            Self::Tab => b'\t',
            Self::Pipe => b'|',
            Self::Semicolon => b';',
            Self::Caret => b'^',
            Self::Backquote => b'`',
        })
    }

    /// How a map writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Comma => "comma",
            Self::Tab => "tab",
            Self::Pipe => "pipe",
            Self::Semicolon => "semicolon",
            Self::Caret => "caret",
            Self::Backquote => "backquote",
        }
    }
}

/// What happens to a file of a form that is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Files {
    /// The request is refused: nobody can look into it.
    #[default]
    Refuse,
    /// It is passed on as it is. Has to be written down in the map.
    Pass,
}

/// How a body holds several calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Batch {
    /// OData `$batch`: `multipart/mixed` with change sets (OData 4.01 Part 1 §11.7.7), or JSON `{"requests":[…]}`.
    OData,
    /// Salesforce `/composite`: `{"compositeRequest":[…]}`.
    SalesforceComposite,
    /// Salesforce `/composite/batch`: `{"batchRequests":[…]}`.
    SalesforceBatch,
}

/// What the CRM's column takes; learnt by `fieldgate probe`, written in the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Column {
    /// Longest value in characters; a longer one is refused before the CRM is called.
    pub max_chars: Option<u32>,
    /// The CRM changes the case of what it stores, so sealed values are spelled in lower-case base32.
    pub folds_case: bool,
}

/// A selector and the class of what it selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRule {
    /// Which nodes.
    pub selector: Selector,
    /// Their class; objects and arrays are protected leaf by leaf.
    pub class: ClassId,
    /// The text is base64 of UTF-8 text: decoded, protected, encoded again (attachments).
    pub base64: bool,
    /// What fits into it.
    pub column: Column,
}

/// One body of a route.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BodyMap {
    /// Its format.
    pub format: BodyFormat,
    /// The protected fields.
    pub fields: Vec<FieldRule>,
    /// Strings that are absolute links to the CRM and are rewritten to point at the gateway.
    pub links: Vec<Selector>,
    /// Objects and arrays whose every leaf has to be known: what nothing selects below them is withheld and counted.
    pub closed: Vec<Selector>,
    /// Leaves that are known to hold nothing personal.
    pub plain: Vec<Selector>,
    /// The elements that are records of their own in a list: `$.items[*]`.
    pub record: Option<Selector>,
    /// Parts of a form that are JSON documents with fields of their own, by name.
    pub parts: Vec<(String, BodyMap)>,
    /// What happens to files that are no text.
    pub files: Files,
    /// The record's id, relative to the record (`$.id`); absent when the path names the subject.
    pub subject: Option<Selector>,
}
