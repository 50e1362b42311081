//! Principal, action and classes in; a Permit or a Denied out.

use std::sync::Arc;

use crate::model::Views;

/// Proof that policy allowed an exchange; only `policy` makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    views: Views,
    rules: Arc<[Arc<str>]>,
}

impl Permit {
    /// The view of each class that was asked about; `redact` for the others.
    #[must_use]
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// Ids of the policies that decided.
    #[must_use]
    pub fn rules(&self) -> &Arc<[Arc<str>]> {
        &self.rules
    }
}
