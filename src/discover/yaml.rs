//! YAML 1.2 (RFC 9512) in, the value that the same document would have been as JSON out, within bounds.

use serde_json::Value;
use serde_saphyr::{
    budget::Budget,
    options::{DuplicateKeyPolicy, Options},
};

use super::DiscoverError;

/// Whether `text`, which is no JSON, is meant as a YAML document: one of the names that API documents begin with stands at the
/// start of a line.
pub(super) fn is_meant(text: &str) -> bool {
    let start = text.trim_start();
    let names = ["openapi:", "swagger:", "info:", "paths:", "---", "%YAML", "\"openapi\":", "'openapi':"];
    !start.starts_with(['{', '['])
        && start.lines().take(200).any(|line| names.iter().any(|name| line.starts_with(name)))
}

/// The one document of `text`.
///
/// # Errors
/// It is not valid YAML, has several documents, a name twice, or more than the bounds allow, aliases counted as often as they are
/// used.
pub(super) fn read(text: &str) -> Result<Value, DiscoverError> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let (line, column) = error.location().map_or((0, 0), |place| (place.line(), place.column()));
        let bound = matches!(error.without_snippet(), serde_saphyr::Error::Budget { .. });
        DiscoverError::NotYaml {
            line,
            column,
            bound: if bound { ", where it is larger or nested deeper than is read" } else { "" },
        }
    })
}

fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_documents = 1;
    budget.max_depth = MAX_DEPTH;
    budget.flow_nesting_limit = MAX_DEPTH;
    budget.max_nodes = MAX_NODES;
    budget.max_events = 2 * MAX_NODES;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    // `no` and `on` are words; a country or a preposition is not a truth.
    options.strict_booleans = true;
    options.legacy_octal_numbers = false;
    options.with_snippet = false;
    options
}

/// Levels of nesting: fewer than in JSON, because each takes more of the stack.
const MAX_DEPTH: usize = 64;
/// Scalars, lists and mappings of a document.
const MAX_NODES: usize = 4_000_000;
