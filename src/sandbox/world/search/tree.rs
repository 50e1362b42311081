//! Conditions joined by AND, OR and NOT, in three-valued logic (ISO/IEC 9075: false, unknown, true).

/// What a condition is for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    False,
    Unknown,
    True,
}

impl Truth {
    pub(super) fn of(fact: bool) -> Self {
        if fact { Self::True } else { Self::False }
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.min(other)
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.max(other)
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

/// A condition over leaves; an empty `All` is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree<L> {
    Leaf(L),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl<L> Tree<L> {
    pub(super) fn negate(self) -> Self {
        Self::Not(Box::new(self))
    }

    pub(super) fn truth(&self, leaf: &impl Fn(&L) -> Truth) -> Truth {
        match self {
            Self::Leaf(own) => leaf(own),
            Self::Not(inner) => inner.truth(leaf).negated(),
            Self::All(parts) => parts.iter().fold(Truth::True, |truth, part| truth.and(part.truth(leaf))),
            Self::Any(parts) => parts.iter().fold(Truth::False, |truth, part| truth.or(part.truth(leaf))),
        }
    }

    /// The same shape over other leaves.
    pub(super) fn map<M, E>(self, leaf: &impl Fn(L) -> Result<Tree<M>, E>) -> Result<Tree<M>, E> {
        let all = |parts: Vec<Self>| parts.into_iter().map(|part| part.map(leaf)).collect::<Result<_, E>>();
        Ok(match self {
            Self::Leaf(own) => leaf(own)?,
            Self::Not(inner) => inner.map(leaf)?.negate(),
            Self::All(parts) => Tree::All(all(parts)?),
            Self::Any(parts) => Tree::Any(all(parts)?),
        })
    }
}
