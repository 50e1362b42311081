//! A text next to a record: what the record hides is hidden in the text too, and what the detectors find is shown as its class.

use std::{cell::OnceCell, cmp::Reverse, sync::Arc};

use hashbrown::HashMap;

use super::{
    Plan,
    plain::{self, is_edge},
    seen::{Seen, is_empty},
    shown::{Hidden, Known},
};
use crate::{
    model::{Sensitive, Sighting, View},
    protect,
};

/// The values that texts must not say, each with what stands for it.
#[derive(Debug, Default)]
pub(super) struct Twin {
    values: Vec<Value>,
    /// The values by their first bytes, so that a text is read once however many they are.
    starts: HashMap<[u8; START_BYTES], Vec<usize>>,
    /// Whether there are values of one byte, of two, and so on.
    lengths: [bool; START_BYTES],
}

/// First bytes by which values are found; shorter values are padded with zeros.
const START_BYTES: usize = 4;

/// A value that texts must not say.
#[derive(Debug)]
struct Value {
    /// In lower case.
    text: Sensitive<String>,
    shown: String,
    found: Found,
}

/// Where a value counts as said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Anywhere, when it is long enough to mean something inside of a word.
    Anywhere,
    /// As a word: a part of a name, which may be a part of other words as well.
    AsWord,
}

/// A part of a text that goes.
struct Span {
    start: usize,
    end: usize,
    shown: String,
}

impl Twin {
    pub(super) fn new<'a>(hidden: impl Iterator<Item = &'a Hidden>) -> Self {
        let mut twin = Self::default();
        for hidden in hidden {
            let value = hidden.value.expose().trim();
            if hidden.known != Known::Unknown || value.chars().count() >= SHORTEST_UNKNOWN {
                twin.add(value, &hidden.shown, Found::Anywhere);
            }
            if hidden.known == Known::Name {
                for word in value.split(|c: char| !c.is_alphanumeric()).filter(|word| is_word_of_name(word)) {
                    twin.add(word, &hidden.shown, Found::AsWord);
                }
            }
        }
        // Of equal texts the one that counts in more places.
        twin.values.sort_by(|one, other| {
            let key = |value: &Value| value.found == Found::AsWord;
            one.text.expose().cmp(other.text.expose()).then(key(one).cmp(&key(other)))
        });
        twin.values.dedup_by(|later, first| later.text == first.text);
        for (at, value) in twin.values.iter().enumerate() {
            let text = value.text.expose().as_bytes();
            twin.starts.entry(start(text)).or_default().push(at);
            if let Some(length) = twin.lengths.get_mut(text.len().min(START_BYTES).saturating_sub(1)) {
                *length = true;
            }
        }
        twin
    }

    fn add(&mut self, value: &str, shown: &str, found: Found) {
        // A value of which no character could be told apart in a text.
        if value.chars().any(char::is_alphanumeric) {
            let text = Sensitive::new(folded(value));
            self.values.push(Value { text, shown: shown.to_owned(), found });
        }
    }

    /// Every value that texts must not say.
    pub(super) fn values(&self) -> impl Iterator<Item = &Sensitive<String>> {
        self.values.iter().map(|value| &value.text)
    }

    fn spans(&self, text: &str, spans: &mut Vec<Span>) {
        if self.values.is_empty() {
            return;
        }
        let lower = folded(text);
        let bytes = lower.as_bytes();
        for at in 0..bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            for (length, _) in (1..=START_BYTES).zip(self.lengths).filter(|(_, there)| *there) {
                let Some(found) = rest.get(..length).and_then(|first| self.starts.get(&start(first))) else { continue };
                for value in found.iter().filter_map(|at| self.values.get(*at)) {
                    let wanted = value.text.expose().as_str();
                    let end = at + wanted.len();
                    let anywhere = value.found == Found::Anywhere && wanted.len() >= plain::FREE_STANDING_BYTES;
                    let there = rest.starts_with(wanted.as_bytes())
                        && (anywhere || is_edge(lower.get(..at), true) && is_edge(lower.get(end..), false));
                    if there {
                        spans.push(Span { start: at, end, shown: value.shown.clone() });
                    }
                }
            }
        }
    }

    /// Whether `text` says a value, in whatever spelling.
    pub(super) fn is_said(&self, text: &str) -> bool {
        let mut spans = Vec::new();
        self.spans(text, &mut spans);
        !spans.is_empty() || self.is_hinted(text)
    }

    /// What the caller may see of `text` without what the record hides; `None` when that is all of it.
    pub(super) fn replaced(&self, text: &str) -> Option<String> {
        let mut spans = Vec::new();
        self.spans(text, &mut spans);
        (!spans.is_empty()).then(|| spliced(text, spans))
    }

    /// Whether `text` says a value in another spelling: with `%40` or `\u0040`.
    pub(super) fn is_hinted(&self, text: &str) -> bool {
        plain::decoded(text).is_some_and(|decoded| self.replaced(&decoded).is_some())
    }

    /// What the caller may see of the free text `text`, and what that was; `None` when it is all of it.
    pub(super) fn prose(&self, plan: &Plan, text: &str) -> (Option<String>, Option<Sighting>) {
        let tools = &plan.tools;
        let mut seen = Seen::new(plan.subject.clone(), false);
        let Some((id, class)) = tools.classes.free_text().and_then(|id| Some((id, tools.classes.get(id)?))) else {
            return (Some(protect::MARK.to_string()), None);
        };
        if text.trim().is_empty() {
            return (None, None);
        }
        let view = plan.views.get(id);
        seen.note(id, view, 0);
        let shown = if view != View::Reveal || self.is_hinted(text) {
            let mut shown = String::new();
            tools.protector.span(class, view.min(View::Mask), text, &mut shown);
            Some(shown)
        } else {
            let mut spans = Vec::new();
            let mut findings = Vec::new();
            if tools.detector.worth_scanning(text) {
                tools.detector.scan(text, &mut findings);
            }
            for finding in &findings {
                let (Some(found), Some(id)) =
                    (text.get(finding.start..finding.end), tools.classes.of_entity(finding.entity))
                else {
                    continue;
                };
                let Some(class) = tools.classes.get(id) else { continue };
                let view = plan.views.get(id);
                seen.note(id, view, 0);
                if view != View::Reveal {
                    let mut shown = String::new();
                    tools.protector.span(class, view, found, &mut shown);
                    spans.push(Span { start: finding.start, end: finding.end, shown });
                }
            }
            self.spans(text, &mut spans);
            (!spans.is_empty()).then(|| spliced(text, spans))
        };
        (shown, seen.take().into_iter().find(|sighting| !is_empty(sighting)))
    }
}

/// The plan for what no map describes. What the records next to it hide is looked for in every text of a part that says some of
/// it, and in no other: it may be very much.
pub(super) struct Other<'t> {
    plain: &'t Arc<Plan>,
    twin: &'t Twin,
    hiding: OnceCell<Arc<Plan>>,
}

impl<'t> Other<'t> {
    pub(super) fn new(plain: &'t Arc<Plan>, twin: &'t Twin) -> Self {
        Self { plain, twin, hiding: OnceCell::new() }
    }

    /// How the JSON value `raw` is shown.
    pub(super) fn of(&self, raw: &[u8]) -> Arc<Plan> {
        let said = serde_json::from_slice(raw).map_or(true, |value| self.is_said(&value));
        if !said {
            return Arc::clone(self.plain);
        }
        let hiding = self.hiding.get_or_init(|| {
            let known = self.plain.known.iter().chain(self.twin.values()).cloned().collect();
            Arc::new(Plan { known, ..(**self.plain).clone() })
        });
        Arc::clone(hiding)
    }

    fn is_said(&self, value: &serde_json::Value) -> bool {
        use serde_json::Value;
        match value {
            Value::String(text) => self.twin.is_said(text),
            Value::Number(number) => self.twin.is_said(&number.to_string()),
            Value::Array(items) => items.iter().any(|item| self.is_said(item)),
            Value::Object(members) => {
                members.iter().any(|(name, value)| self.twin.is_said(name) || self.is_said(value))
            }
            Value::Null | Value::Bool(_) => false,
        }
    }
}

/// `text` with every span replaced; where spans meet, all of it goes, and the longest says what is shown.
fn spliced(text: &str, mut spans: Vec<Span>) -> String {
    spans.sort_by_key(|span| (span.start, Reverse(span.end)));
    let mut merged: Vec<(Span, usize)> = Vec::with_capacity(spans.len());
    for span in spans {
        let length = span.end - span.start;
        match merged.last_mut() {
            Some((last, longest)) if span.start < last.end => {
                last.end = last.end.max(span.end);
                if length > *longest {
                    (last.shown, *longest) = (span.shown, length);
                }
            }
            _ => merged.push((span, length)),
        }
    }
    let (mut shown, mut kept) = (String::with_capacity(text.len()), 0);
    for (span, _) in merged {
        shown.push_str(text.get(kept..span.start).unwrap_or_default());
        shown.push_str(&span.shown);
        kept = span.end;
    }
    shown.push_str(text.get(kept..).unwrap_or_default());
    shown
}

fn start(text: &[u8]) -> [u8; START_BYTES] {
    let mut start = [0; START_BYTES];
    start.iter_mut().zip(text).for_each(|(slot, byte)| *slot = *byte);
    start
}

/// `text` in lower case, every character at its place.
fn folded(text: &str) -> String {
    let fold = |c: char| {
        let mut lower = c.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(lower), None) if lower.len_utf8() == c.len_utf8() => lower,
            _ => c,
        }
    };
    text.chars().map(fold).collect()
}

/// Initials and particles are in every text.
fn is_word_of_name(word: &str) -> bool {
    word.chars().count() >= SHORTEST_NAME && word.chars().all(char::is_alphabetic)
}

/// Characters of a word that may be a name by itself.
const SHORTEST_NAME: usize = 3;

/// Characters of a value that nobody knows: a shorter one (`yes`, `12`) is a word of every text.
const SHORTEST_UNKNOWN: usize = 4;
