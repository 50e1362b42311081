//! The engine against a CRM, keys and a clock that are made up: every run repeats exactly.

mod fake;
mod journal;
mod kill;
mod model;
mod probe;
mod run;
mod stored;

pub(super) use fake::FakeClock;
