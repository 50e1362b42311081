//! What a run is asked to do.

use std::sync::Arc;

use super::Verb;
use crate::model::{ClassSet, ClassTable};

/// One run over one resource.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What it does.
    pub verb: Verb,
    /// What it works on: `upstream/resource`.
    pub object: String,
    /// The classes of the configuration.
    pub classes: Arc<ClassTable>,
    /// Those whose values are changed; the others are not even counted.
    pub scope: ClassSet,
    /// Records that are written at once: 1 to 64.
    pub concurrency: usize,
    /// How far it goes.
    pub extent: Extent,
}

impl Settings {
    /// The names of the classes in scope, sorted.
    #[must_use]
    pub fn class_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.scope.iter().map(|class| self.classes.name(class).to_owned()).collect();
        names.sort();
        names
    }
}

/// How far a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every record, until a pass over the listing finds nothing to do.
    All,
    /// As many records as this, then it is over.
    Pilot(u64),
}
