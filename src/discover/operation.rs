//! What both inputs come down to: a method and a path with what goes in and what comes out.

use super::{leaf::Leaf, schema::Body};

/// One thing an API can be asked to do.
#[derive(Debug, Clone, Default)]
pub(super) struct Operation {
    pub(super) method: String,
    /// The path with its variables in braces.
    pub(super) path: String,
    /// The document's own name for it.
    pub(super) id: String,
    pub(super) tag: String,
    pub(super) query: Vec<Parameter>,
    pub(super) variables: Vec<Parameter>,
    pub(super) request: Content,
    pub(super) response: Content,
}

/// A query parameter or a path variable.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameter {
    pub(super) name: String,
    /// One for a scalar; one for each member of an object.
    pub(super) leaves: Vec<Leaf>,
    /// Written `name[member]`.
    pub(super) object: bool,
    /// Written `name=a&name=b`, or `name=a,b`.
    pub(super) several: Option<&'static str>,
}

/// A body, as far as it can be read.
#[derive(Debug, Clone, Default)]
pub(super) enum Content {
    /// There is none.
    #[default]
    Empty,
    /// In a format of maps: `json`, `form`.
    Known(&'static str, Body),
    /// Why it cannot be mapped.
    Unmapped(String),
}

/// The format a map gives to `media`. Formats whose schemas say nothing of their shape (CSV, events) or speak of another one
/// (XML: selectors start at the root element, schemas below it) are for a person to map.
pub(super) fn format_of(media: &str) -> Option<&'static str> {
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "*/*" | "application/json" | "text/json" => Some("json"),
        "application/x-www-form-urlencoded" => Some("form"),
        other if other.ends_with("+json") => Some("json"),
        _ => None,
    }
}
