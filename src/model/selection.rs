//! What a GraphQL document selects, by the names that its answer uses.

use std::collections::BTreeMap;

/// The fields selected in one place, by response key (an alias, or the field's own name).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// By response key.
    pub keys: BTreeMap<String, Selected>,
}

/// A field that is selected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selected {
    /// Its name in the schema.
    pub field: String,
    /// What is selected of it; nothing of a leaf.
    pub inner: Selection,
}
