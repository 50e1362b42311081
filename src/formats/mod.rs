//! Formats of bodies: chunks in, leaves to whoever decides about them, the same bytes with the edits spliced in out.
//! Knows what a map selects, never what a class or a view is.

pub mod form;
pub mod json;
pub mod multipart;
pub mod path;
