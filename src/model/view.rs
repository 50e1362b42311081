//! The ladder of views, and which rung a caller has for each class.

use std::{fmt, str::FromStr};

use super::class::{ClassId, ClassSet};

/// How far a caller sees a field; ordered from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum View {
    /// A placeholder of the type the client expects. The default: what nothing permits is not shown.
    #[default]
    Redact,
    /// A stable keyed stand-in, shaped like the class.
    Pseudonym,
    /// The class's partial form; carries U+2022.
    Mask,
    /// The value.
    Reveal,
}

impl View {
    /// From least to most.
    pub const LADDER: [Self; 4] = [Self::Redact, Self::Pseudonym, Self::Mask, Self::Reveal];

    /// The name used in policies, records and the matrix.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redact => "redact",
            Self::Pseudonym => "pseudonym",
            Self::Mask => "mask",
            Self::Reveal => "reveal",
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a view.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown view; one of `reveal`, `mask`, `pseudonym`, `redact` is expected")]
pub struct UnknownView;

impl FromStr for View {
    type Err = UnknownView;

    fn from_str(text: &str) -> Result<Self, UnknownView> {
        Self::LADDER.into_iter().find(|view| view.as_str() == text).ok_or(UnknownView)
    }
}

/// The view of every class for one caller: `redact` unless something raised it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Views([View; ClassId::LIMIT]);

impl Default for Views {
    fn default() -> Self {
        Self([View::Redact; ClassId::LIMIT])
    }
}

impl Views {
    /// The view of `class`.
    #[must_use]
    pub fn get(&self, class: ClassId) -> View {
        self.0.get(class.index()).copied().unwrap_or_default()
    }

    /// Sets the view of `class`.
    pub fn set(&mut self, class: ClassId, view: View) {
        if let Some(slot) = self.0.get_mut(class.index()) {
            *slot = view;
        }
    }

    /// What both may see: an agent never sees more than the human it acts for.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for (mine, theirs) in both.0.iter_mut().zip(other.0) {
            *mine = (*mine).min(theirs);
        }
        both
    }

    /// The same views, none above `most`.
    #[must_use]
    pub fn at_most(&self, most: View) -> Self {
        let mut capped = self.clone();
        for view in &mut capped.0 {
            *view = (*view).min(most);
        }
        capped
    }

    /// The classes of `among` that are shown exactly at `view`.
    #[must_use]
    pub fn at(&self, view: View, among: ClassSet) -> ClassSet {
        among.iter().filter(|class| self.get(*class) == view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_is_ordered_and_absent_means_redact() {
        assert!(View::Redact < View::Pseudonym && View::Pseudonym < View::Mask && View::Mask < View::Reveal);
        assert_eq!(Views::default().get(ClassId::new(3).unwrap()), View::Redact);
    }

    #[test]
    fn meet_takes_the_lower_rung() {
        let class = ClassId::new(1).unwrap();
        let (mut human, mut agent) = (Views::default(), Views::default());
        human.set(class, View::Mask);
        agent.set(class, View::Reveal);
        assert_eq!(human.meet(&agent).get(class), View::Mask);
        assert_eq!(agent.at_most(View::Mask).get(class), View::Mask);
        assert_eq!(agent.at_most(View::Mask).get(ClassId::new(2).unwrap()), View::Redact);
    }
}
