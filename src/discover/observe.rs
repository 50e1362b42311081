//! Values in, counts of what detectors find in them out. No value is kept.

use serde_json::Value;

use super::leaf::Seen;
use crate::{detect::Detector, model::Entity};

/// Counts what is found in one scalar.
pub(super) fn value(value: &Value, detector: &Detector, seen: &mut Seen) {
    match value {
        Value::String(text) => self::text(text, detector, seen),
        Value::Number(number) => self::text(&number.to_string(), detector, seen),
        _ => {}
    }
}

/// Counts what is found in one text.
pub(super) fn text(text: &str, detector: &Detector, seen: &mut Seen) {
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    seen.values = seen.values.saturating_add(1);
    if text.split_whitespace().nth(4).is_some() {
        seen.prose = seen.prose.saturating_add(1);
    }
    let end = text.char_indices().nth(MAX_CHARS).map_or(text.len(), |(at, _)| at);
    let text = text.get(..end).unwrap_or(text);
    let mut findings = Vec::new();
    detector.scan(text, &mut findings);
    let Some(widest) = findings.iter().max_by_key(|finding| finding.end - finding.start) else { return };
    let covered = widest.end - widest.start;
    let place = Entity::ALL.iter().position(|entity| *entity == widest.entity);
    // A sign at either end (`+`, `<…>`) belongs to the value.
    if covered * 10 >= text.len() * 8 {
        if let Some(count) = place.and_then(|at| seen.whole.get_mut(at)) {
            *count = count.saturating_add(1);
        }
    } else {
        seen.part = seen.part.saturating_add(1);
    }
}

/// Characters of one value that are looked at.
const MAX_CHARS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_by_what_covers_them() {
        let mut seen = Seen::default();
        for value in
            ["jane@example.com", " jane@example.com ", "write to jane@example.com, please, soon", "order 4711", ""]
        {
            text(value, &Detector::new(), &mut seen);
        }
        let emails = Entity::ALL.iter().position(|entity| *entity == Entity::Email).unwrap();
        assert_eq!((seen.values, seen.whole[emails], seen.part, seen.prose), (4, 2, 1, 1));
    }
}
