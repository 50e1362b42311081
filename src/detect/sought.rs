//! What to look for, and how sure a finding must be to count.

use crate::model::Entity;

/// Entities and the least score of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sought([u8; Entity::ALL.len()]);

impl Sought {
    /// The least score that counts where nothing else is configured. Check digits that one number in ten has by chance,
    /// without a word or a layout that speaks for them, score less.
    pub const THRESHOLD: u8 = 60;

    /// Nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self([NEVER; Entity::ALL.len()])
    }

    /// `entities` from [`Self::THRESHOLD`] on.
    #[must_use]
    pub fn these(entities: &[Entity]) -> Self {
        entities.iter().fold(Self::nothing(), |sought, entity| sought.with(*entity, Self::THRESHOLD))
    }

    /// Besides, `entity` from the score `threshold` on (0–100).
    #[must_use]
    pub fn with(mut self, entity: Entity, threshold: u8) -> Self {
        if let Some(least) = self.0.get_mut(entity as usize) {
            *least = threshold.min(MOST);
        }
        self
    }

    /// Whether `entity` is looked for at all.
    #[must_use]
    pub fn has(&self, entity: Entity) -> bool {
        self.least(entity) != NEVER
    }

    /// Whether a finding of `entity` with `score` counts.
    #[must_use]
    pub fn wants(&self, entity: Entity, score: u8) -> bool {
        score >= self.least(entity)
    }

    /// How many digits must be near each other for anything to be found that has no other sign.
    pub(super) fn least_digits(&self) -> u8 {
        let few = Entity::ALL.into_iter().any(|entity| self.has(entity) && !Entity::ALWAYS.contains(&entity));
        match (self.has(Entity::Secret), few) {
            (true, _) => 1,
            (_, true) => FEW_DIGITS,
            _ => MANY_DIGITS,
        }
    }

    /// The least score of `entity` that counts; more than any finding has where it is not looked for.
    #[must_use]
    pub fn least(&self, entity: Entity) -> u8 {
        self.0.get(entity as usize).copied().unwrap_or(NEVER)
    }
}

impl Default for Sought {
    fn default() -> Self {
        Self::these(&Entity::ALWAYS)
    }
}

/// The year of a birth date, an Indian PAN, `1.2.3.4`.
const FEW_DIGITS: u8 = 4;
/// A telephone number.
const MANY_DIGITS: u8 = 7;
const MOST: u8 = 100;
const NEVER: u8 = u8::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_counts_from_its_threshold_on() {
        let sought = Sought::nothing().with(Entity::PlPesel, 40);
        assert!(sought.wants(Entity::PlPesel, 40) && !sought.wants(Entity::PlPesel, 39));
        assert!(!sought.wants(Entity::Card, 100) && !sought.has(Entity::Card));
        assert!(Sought::default().has(Entity::Card) && !Sought::default().has(Entity::PlPesel));
    }
}
