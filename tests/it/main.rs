//! The integration tests: one binary, one file per noun.

mod canary;
mod fuzz;
mod harness;
mod http;
mod kill;
mod layering;
mod protection;
mod record;
mod reload;
mod stream;
