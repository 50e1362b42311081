//! The integration binary: one file per noun.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail by panicking too")]

mod rewrite;
mod rewrite_guard;
mod rewrite_oracle;
mod rewriter;
