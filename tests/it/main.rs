//! The integration binary: one file per noun.

mod rewrite;
mod rewrite_guard;
mod rewrite_oracle;
mod rewriter;
