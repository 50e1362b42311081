//! What policy answers: a [`Permit`] or a [`Denied`].

use std::sync::Arc;

use crate::model::{ClassSet, Effect, View, Views};

/// Proof that policy allowed an exchange; only `policy` makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    views: Views,
    rules: Arc<[Arc<str>]>,
}

impl Permit {
    pub(super) fn new(views: Views, rules: Arc<[Arc<str>]>) -> Self {
        Self { views, rules }
    }

    /// The permit of the operator who runs a sweep with the keys and the CRM's credential in his hands: no caller is
    /// there to decide about, and nothing is shown to one. `tests/it/layering.rs` lets only `sweep` ask for it.
    #[must_use]
    pub fn for_maintenance() -> Self {
        Self { views: Views::default(), rules: Arc::from([]) }
    }

    /// A permit with `views`, for the tests of what needs one.
    #[cfg(test)]
    #[allow(dead_code)]
    pub(crate) fn for_tests(views: Views) -> Self {
        Self { views, rules: Arc::from([]) }
    }

    /// The view of each class that was asked about; `redact` for the others.
    #[must_use]
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// Ids of the policies that decided, sorted: of the action, and of the view of every class asked about.
    #[must_use]
    pub fn rules(&self) -> &Arc<[Arc<str>]> {
        &self.rules
    }

    /// Names of choices to pass something by that policy made; records carry them. None exist yet.
    #[must_use]
    pub fn notes(&self) -> &[&'static str] {
        &[]
    }

    /// Whether all of `classes` are shown as they are.
    #[must_use]
    pub fn effect(&self, classes: ClassSet) -> Effect {
        let revealed = self.views.at(View::Reveal, classes);
        if classes.minus(revealed).is_empty() { Effect::Permit } else { Effect::PermitProtected }
    }
}

/// Policy refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nothing permits it, or something forbids it.
    #[error("policy does not permit this action on this resource")]
    NotPermitted {
        /// The policies that forbid it, sorted; empty when none permits it.
        rules: Arc<[Arc<str>]>,
    },
    /// It is refused as it was asked, and permitted for another purpose.
    #[error("policy permits this action on this resource for a stated purpose only")]
    PurposeRequired {
        /// The purposes it is permitted for, in configured order; never empty.
        codes: Vec<Arc<str>>,
        /// Whether a case has to be named too.
        needs_case: bool,
        /// The policies that forbid it as it was asked, sorted.
        rules: Arc<[Arc<str>]>,
    },
    /// The purpose given is not a configured one.
    #[error("the purpose is not a configured one")]
    UnknownPurpose {
        /// The configured purposes.
        codes: Vec<Arc<str>>,
    },
}

impl Denied {
    /// The code of the problem body and of the record.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotPermitted { .. } => "forbidden",
            Self::PurposeRequired { .. } => "purpose_required",
            Self::UnknownPurpose { .. } => "unknown_purpose",
        }
    }

    /// Ids of the policies that forbade it, sorted.
    #[must_use]
    pub fn rules(&self) -> &[Arc<str>] {
        match self {
            Self::NotPermitted { rules } | Self::PurposeRequired { rules, .. } => rules,
            Self::UnknownPurpose { .. } => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ClassId;

    #[test]
    fn one_hidden_class_makes_the_effect_protected() {
        let (shown, hidden) = (ClassId::new(0).unwrap(), ClassId::new(1).unwrap());
        let mut views = Views::default();
        views.set(shown, View::Reveal);
        views.set(hidden, View::Mask);
        let permit = Permit::for_tests(views);
        assert_eq!(permit.effect([shown].into_iter().collect()), Effect::Permit);
        assert_eq!(permit.effect([shown, hidden].into_iter().collect()), Effect::PermitProtected);
        assert_eq!(permit.effect(ClassSet::EMPTY), Effect::Permit);
    }
}
