//! A seeded generator of call-centre notes with labels, in several languages, and of lines that hold nothing personal but
//! look like it: what recall and precision are measured on where no other texts are at hand. Nobody in it exists.

mod templates;
mod values;

use self::{
    templates::{HARMLESS, NOTES},
    values::Random,
};
use crate::model::Entity;

/// A note and where what is in it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, one line.
    pub text: String,
    /// What is in it, in order.
    pub labels: Vec<Label>,
}

/// A value of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it is.
    pub entity: Entity,
}

/// Notes without end, the same for the same seed.
#[derive(Debug, Clone)]
pub struct Notes {
    random: Random,
    templates: &'static [&'static str],
}

impl Notes {
    /// Notes that hold values of every entity.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), templates: &NOTES }
    }

    /// Lines with order, tracking and serial numbers, hashes, times and the like, and nothing personal.
    #[must_use]
    pub fn harmless(seed: u64) -> Self {
        Self { random: Random::new(seed ^ 0x6861_726d), templates: &HARMLESS }
    }

    /// A value of `entity` as it may be written.
    #[must_use]
    pub fn value(&mut self, entity: Entity) -> String {
        values::of(entity, &mut self.random)
    }

    fn note(&mut self) -> Note {
        let (mut text, mut labels) = (String::new(), Vec::new());
        let mut rest = *self.random.pick(self.templates);
        while let Some((before, slot, after)) = slot(rest) {
            text.push_str(before);
            let start = text.len();
            match Entity::named(slot) {
                Some(entity) => {
                    text.push_str(&values::of(entity, &mut self.random));
                    labels.push(Label { start, end: text.len(), entity });
                }
                None => text.push_str(&values::filler(slot, &mut self.random)),
            }
            rest = after;
        }
        text.push_str(rest);
        Note { text, labels }
    }
}

impl Iterator for Notes {
    type Item = Note;

    fn next(&mut self) -> Option<Note> {
        Some(self.note())
    }
}

/// Splits `text` at its first `{slot}`.
fn slot(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (slot, after) = rest.split_once('}')?;
    Some((before, slot, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_notes() {
        let notes = |seed| Notes::new(seed).take(50).collect::<Vec<_>>();
        assert_eq!(notes(7), notes(7));
        assert_ne!(notes(7), notes(8));
    }

    #[test]
    fn labels_are_where_the_values_are_and_of_every_entity() {
        let mut seen = std::collections::BTreeSet::new();
        for note in Notes::new(1).take(3000) {
            for label in note.labels {
                let value = &note.text[label.start..label.end];
                assert!(value.trim() == value && value.len() >= 4, "{value}");
                seen.insert(label.entity);
            }
        }
        assert_eq!(seen.len(), Entity::ALL.len(), "{seen:?}");
    }

    #[test]
    fn every_slot_of_every_template_is_known() {
        for template in NOTES.iter().chain(&HARMLESS) {
            let mut rest = *template;
            while let Some((_, name, after)) = slot(rest) {
                assert!(Entity::named(name).is_some() || values::FILLERS.contains(&name), "{name}");
                rest = after;
            }
        }
        assert!(HARMLESS.iter().all(|template| !NOTES.contains(template)));
    }
}
