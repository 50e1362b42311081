//! Text that no map describes: findings and values that the caller sent itself are taken out.

use super::{
    Plan, Tools,
    leaf::{Noted, Viewer},
    seen::{Seen, is_empty},
};
use crate::model::{ClassSet, Entity, Sensitive, Sighting};

/// What the caller of an error body may see of a plain text, and what that was. A line that holds a finding goes whole.
#[must_use]
pub fn text_view(plan: &Plan, text: &str) -> (String, Option<Sighting>) {
    let mut viewer = Viewer::new(plan);
    viewer.known = Known::new(&plan.known);
    let mut seen = Seen::new(plan.subject.clone(), false);
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if viewer.search(plan, line, &mut Noted { seen: &mut seen, at: 0 }) {
            shown.push_str(&viewer.take_shown());
            shown.push_str(if line.ends_with('\n') { "\n" } else { "" });
        } else {
            shown.push_str(line);
        }
    }
    (shown, seen.take().into_iter().find(|sighting| !is_empty(sighting)))
}

/// Whether `text` (a header, a file name) holds a finding or one of `known`. Tokens are what headers are for.
#[must_use]
pub fn carries_personal(tools: &Tools, known: &[Sensitive<String>], text: &str) -> bool {
    let known = Known::new(known);
    let found = |text: &str| {
        let mut findings = Vec::new();
        if tools.detector.worth_scanning(text) {
            tools.detector.scan(text, &mut findings);
        }
        findings.iter().any(|finding| finding.entity != Entity::Secret) || known.is_in(text)
    };
    found(text) || decoded(text).is_some_and(|text| found(&text))
}

/// The classes of which the detectors find something in `text`.
#[must_use]
pub fn classes_in(tools: &Tools, text: &str) -> ClassSet {
    let mut findings = Vec::new();
    if tools.detector.worth_scanning(text) {
        tools.detector.scan(text, &mut findings);
    }
    findings.iter().filter_map(|finding| tools.classes.of_entity(finding.entity)).collect()
}

/// Whether `text` is one finding and nothing else.
#[must_use]
pub fn is_one_finding(tools: &Tools, text: &str) -> bool {
    let mut findings = Vec::new();
    tools.detector.scan(text, &mut findings);
    matches!(findings.as_slice(), [one] if text.get(one.start..one.end) == Some(text.trim()))
}

/// Values that must not be echoed, in lower case.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<Sensitive<String>>);

/// Shorter values are looked for as whole words only: a `1` is in every number.
pub(super) const FREE_STANDING_BYTES: usize = 4;

impl Known {
    pub(super) fn new(values: &[Sensitive<String>]) -> Self {
        let values = values.iter().filter(|value| !value.expose().trim().is_empty());
        Self(values.map(|value| Sensitive::new(value.expose().trim().to_ascii_lowercase())).collect())
    }

    /// Whether `text` holds one of the values.
    pub(super) fn is_in(&self, text: &str) -> bool {
        !self.spans(text).is_empty()
    }

    /// Where the values are in `text`: sorted, not overlapping.
    fn spans(&self, text: &str) -> Vec<(usize, usize)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let lower = text.to_ascii_lowercase();
        let mut spans = Vec::new();
        for value in &self.0 {
            let value = value.expose().as_str();
            let found = lower.match_indices(value).map(|(start, _)| (start, start + value.len()));
            spans.extend(found.filter(|(start, end)| {
                value.len() >= FREE_STANDING_BYTES
                    || (is_edge(lower.get(..*start), true) && is_edge(lower.get(*end..), false))
            }));
        }
        spans.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::with_capacity(spans.len());
        for (start, end) in spans {
            match merged.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        merged
    }
}

pub(super) fn is_edge(side: Option<&str>, before: bool) -> bool {
    let side = side.unwrap_or_default();
    let next = if before { side.chars().next_back() } else { side.chars().next() };
    !next.is_some_and(char::is_alphanumeric)
}

/// `text` with `%40` and `\u0040` undone, when that makes a difference: an echoed query hides its values so.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut rest, mut changed) = (text.as_bytes(), false);
    while let [first, after @ ..] = rest {
        let (digits, skip) = match (first, after) {
            (b'%', [high, low, ..]) => (str::from_utf8(&[*high, *low]).map(str::to_owned), 3),
            (b'\\', [b'u', digits @ ..]) if digits.len() >= 4 => {
                (str::from_utf8(digits.get(..4).unwrap_or_default()).map(str::to_owned), 6)
            }
            _ => (Ok(String::new()), 1),
        };
        let code = digits.ok().and_then(|digits| u32::from_str_radix(&digits, 16).ok());
        let text_code = if skip == 6 { code.and_then(char::from_u32) } else { None };
        match (code, text_code) {
            (_, Some(c)) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            (Some(byte), None) if skip == 3 => bytes.push(u8::try_from(byte).unwrap_or(b'?')),
            _ => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
                continue;
            }
        }
        changed = true;
        rest = rest.get(skip..).unwrap_or_default();
    }
    changed.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(values: &[&str]) -> Known {
        Known::new(&values.iter().map(|value| Sensitive::new((*value).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn long_values_are_found_anywhere_and_short_ones_as_words() {
        let known = known(&["Jane", "42", ""]);
        assert_eq!(known.spans("jane's JANE 42 142 42."), [(0, 4), (7, 11), (12, 14), (19, 21)]);
        assert!(super::Known::default().spans("x").is_empty());
    }

    #[test]
    fn overlapping_values_are_one_span() {
        assert_eq!(known(&["abcdef", "defghi"]).spans("xabcdefghix"), [(1, 10)]);
    }

    #[test]
    fn percent_and_unicode_escapes_are_undone() {
        assert_eq!(decoded("a%40b+c\\u0040d").as_deref(), Some("a@b c@d"));
        assert_eq!(decoded("100% of a\\u00"), None);
        assert_eq!(decoded("plain"), None);
    }
}
