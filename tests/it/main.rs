//! The integration tests: one binary, one file per noun.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking too"
)]
#![allow(unreachable_pub, reason = "the fuzz targets are shared with another crate")]

mod batch;
mod budget;
mod canary;
mod canary_stored;
mod chunks;
mod clients;
mod closed;
mod commands;
mod detect;
mod dialects;
mod discover;
mod discover_command;
mod drift;
mod feeds;
mod fuzz;
mod gate;
mod graphql;
mod harness;
mod http;
mod identity;
mod keys;
mod kill;
mod layering;
mod load;
mod maps;
mod mcp;
mod messages;
mod moved;
mod oracle;
mod protection;
mod questions;
mod record;
mod reload;
mod review;
mod rewrite;
mod rewrite_guard;
mod rewrite_oracle;
mod rewrite_stored;
mod rewriter;
mod rotation;
mod scan;
mod storage;
mod stream;
mod sweep;
mod tls;
mod upload;
mod vault;
mod world;
mod write_back;
