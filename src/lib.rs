//! Fieldgate: a TLS reverse proxy that protects personal and payment data in CRM APIs field by field, decides per role who
//! sees what, and records every access durably before a byte of it leaves. See `docs/ARCHITECTURE.md`.

pub mod audit;
pub mod cli;
pub mod config;
pub mod crm;
pub mod crypto;
pub mod detect;
pub mod discover;
pub mod formats;
pub mod gateway;
pub mod identity;
pub mod keyring;
pub mod listener;
pub mod model;
pub mod policy;
pub mod protect;
pub mod rewrite;
pub mod sandbox;
pub mod sweep;
pub mod tls;
pub mod upstream;
pub mod vault;
