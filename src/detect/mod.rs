//! Free text in, findings (span, entity, score) out. Never logs what it matched.

use crate::model::Entity;

/// A finding: bytes `start..end` of the text, on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it is.
    pub entity: Entity,
    /// 0–100.
    pub score: u8,
}

/// The compiled recognisers.
#[derive(Debug, Default)]
pub struct Detector {}

impl Detector {
    /// All recognisers.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }

    /// Replaces `findings` with those of `text`: sorted, not overlapping.
    pub fn scan(&self, _text: &str, findings: &mut Vec<Finding>) {
        findings.clear();
    }
}
