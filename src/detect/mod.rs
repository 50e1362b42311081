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

    /// Whether `text` can hold a finding at all.
    #[must_use]
    pub fn worth_scanning(&self, text: &str) -> bool {
        text.contains('@')
    }

    /// Replaces `findings` with those of `text`: sorted, not overlapping.
    pub fn scan(&self, text: &str, findings: &mut Vec<Finding>) {
        findings.clear();
        let mut start = 0;
        for word in text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '"' | ',' | '<' | '>' | ';' | '/'))
        {
            let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            if bare.split_once('@').is_some_and(|(local, host)| !local.is_empty() && host.contains('.')) {
                findings.push(Finding { start, end: start + bare.len(), entity: Entity::Email, score: 90 });
            }
            start += word.len();
        }
    }
}
