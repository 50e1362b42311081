//! The command line: one file per subcommand.

mod audit;
mod bench;
mod check;
mod demo;
mod discover;
mod exit;
mod files;
mod identity;
mod init;
mod keys;
mod policy;
mod probe;
mod progress;
mod protect;
mod scan;
mod serve;
mod tls;
mod vault;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::sweep;
pub use exit::Failure;
pub use init::{Arguments as Init, Made, write as write_configuration};

/// Protects personal data in CRM APIs field by field, and records every access.
#[derive(Debug, Parser)]
#[command(name = "fieldgate", version, about, max_term_width = 110)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the gateway.
    Serve(ConfigArgument),
    /// Build everything that `serve` would build, and report every mistake.
    Check(ConfigArgument),
    /// Propose an API map, from an OpenAPI document or recorded traffic, with a class and a reason for each field.
    Discover(discover::Arguments),
    /// Write a working configuration, certificates and keys for one CRM.
    Init(init::Arguments),
    /// Show it working: a sample CRM, the gateway, and what four callers each get.
    Demo(demo::Arguments),
    /// API keys.
    #[command(subcommand)]
    Identity(identity::Verb),
    /// What policy gives to whom, and why.
    #[command(subcommand)]
    Policy(policy::Verb),
    /// Find personal data and secrets in a text: JSON lines that say where and what, without the values.
    Scan(scan::Arguments),
    /// The keys that stored values are sealed under.
    Keys(keys::Arguments),
    /// Learn what the CRM's columns take, with canaries in a scratch record.
    Probe(probe::Arguments),
    /// Bring what the CRM holds already into its stored form. Counts only, unless told to `--run`.
    Protect(protect::Arguments),
    /// The exact reverse of `protect`. Counts only, unless told to `--run`.
    Unprotect(protect::Arguments),
    /// Seal anew what is not under the active keys. Counts only, unless told to `--run`.
    Rewrap(protect::Arguments),
    /// The access log.
    #[command(subcommand)]
    Audit(audit::Verb),
    /// The store of subject keys and tokens: make, back up, erase people.
    Vault(vault::Arguments),
    /// Certificates for trying things out.
    #[command(subcommand)]
    Tls(tls::Verb),
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
struct ConfigArgument {
    /// The configuration file.
    #[arg(long, short, default_value = "fieldgate/fieldgate.toml")]
    config: PathBuf,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let command = Command::parse();
    let done = match command.verb {
        Verb::Serve(arguments) => serve::run(&arguments.config),
        Verb::Check(arguments) => check::run(&arguments.config),
        Verb::Discover(arguments) => discover::run(&arguments),
        Verb::Init(arguments) => init::run(&arguments),
        Verb::Demo(arguments) => demo::run(&arguments),
        Verb::Identity(verb) => identity::run(verb),
        Verb::Policy(verb) => policy::run(verb),
        Verb::Scan(arguments) => scan::run(&arguments),
        Verb::Keys(arguments) => keys::run(arguments),
        Verb::Probe(arguments) => probe::run(&arguments),
        Verb::Protect(arguments) => protect::run(sweep::Verb::Protect, &arguments),
        Verb::Unprotect(arguments) => protect::run(sweep::Verb::Unprotect, &arguments),
        Verb::Rewrap(arguments) => protect::run(sweep::Verb::Rewrap, &arguments),
        Verb::Audit(verb) => audit::run(verb),
        Verb::Vault(arguments) => vault::run(arguments),
        Verb::Tls(verb) => tls::run(verb),
    };
    exit::code(done)
}
