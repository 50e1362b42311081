//! Where and why a body stopped being one that may pass: positions, never values.

/// Where a document stopped being one that may pass.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[error("{fault} at byte {at}")]
pub struct FormatError {
    /// Byte of the input.
    pub at: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a document.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Something else was expected here.
    #[error("unexpected byte")]
    Unexpected,
    /// RFC 8259 §8.1: no byte order mark.
    #[error("byte order mark")]
    ByteOrderMark,
    /// RFC 8259 §7: a control character, or an escape that JSON does not have.
    #[error("control character or unknown escape in a string")]
    String,
    /// Not UTF-8.
    #[error("invalid utf-8")]
    Utf8,
    /// A `\ud800`–`\udfff` without its other half in a protected string or a member name.
    #[error("lone surrogate in a protected string or a member name")]
    LoneSurrogate,
    /// Not a number.
    #[error("malformed number")]
    Number,
    /// More after the value.
    #[error("bytes after the end of the document")]
    Trailing,
    /// The end is missing.
    #[error("the document is cut short")]
    Truncated,
    /// A NUL: UTF-16 that does not say so would hide every name from the map.
    #[error("zero byte")]
    Nul,
    /// Past [`super::Limits::depth`].
    #[error("nested too deeply")]
    TooDeep,
    /// Past [`super::Limits::value_bytes`].
    #[error("value or member name too long")]
    ValueTooLong,
    /// Past [`super::Limits::record_bytes`].
    #[error("filtered object or event too long")]
    ObjectTooLong,
    /// The document makes more of the selectors than can be followed.
    #[error("too many combinations of selectors")]
    TooComplex,
    /// A control character that XML 1.0 does not have (§2.2).
    #[error("control character")]
    Control,
    /// `<!DOCTYPE`, or another declaration: it could make names and texts out of nothing.
    #[error("document type declaration")]
    Doctype,
    /// A reference to something else than a character or one of the five entities of XML.
    #[error("reference to an entity that is not known")]
    Entity,
    /// A tag that is none, or that closes another element than the open one.
    #[error("malformed tag")]
    Tag,
    /// Another version than XML 1.0 or another encoding than UTF-8.
    #[error("another version than 1.0 or another encoding than UTF-8")]
    Encoding,
    /// A name of an element or attribute that says something personal, in a document that no map describes.
    #[error("personal data in the name of an element or attribute")]
    PersonalName,
    /// A quote inside an unquoted cell, or something between a closing quote and the delimiter (RFC 4180 §2).
    #[error("stray quote in a cell")]
    StrayQuote,
    /// A carriage return outside of quotes that no line feed follows.
    #[error("carriage return without a line feed")]
    BareReturn,
    /// More or fewer cells than the header line has.
    #[error("row with another number of cells than the header line")]
    Ragged,
    /// The header line holds one of the six delimiters outside of quotes that is not the one.
    #[error("header line with another delimiter than the map says, or with two")]
    Delimiter,
    /// More columns than [`super::csv::MAX_COLUMNS`].
    #[error("too many columns")]
    TooManyColumns,
    /// A chunk after an error.
    #[error("the document failed before")]
    Failed,
}
