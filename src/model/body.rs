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
    /// `application/x-www-form-urlencoded` (WHATWG URL §5): requests only; `$.name` selects the pairs of that name.
    Form,
    /// `multipart/form-data` (RFC 7578): requests only; `$.name` selects the fields and the text files of that name.
    Multipart,
    /// Several calls in one body: each is matched, decided and recorded as the call that it is.
    Batch(Batch),
    /// Bytes that hold nothing protected: relayed as they are. Has to be written down in the map.
    Opaque,
    /// No body is expected.
    Empty,
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
    /// The elements that are records of their own in a list: `$.items[*]`.
    pub record: Option<Selector>,
    /// Parts of a form that are JSON documents with fields of their own, by name.
    pub parts: Vec<(String, BodyMap)>,
    /// What happens to files that are no text.
    pub files: Files,
    /// The record's id, relative to the record (`$.id`); absent when the path names the subject.
    pub subject: Option<Selector>,
}
