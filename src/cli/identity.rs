//! `fieldgate identity`: API keys. The key is printed once; only its keyed hash goes into the configuration.

use std::path::PathBuf;

use clap::Subcommand;

use super::Failure;
use crate::{config::Config, gateway, identity};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make an API key for a principal, and print it with the lines for the configuration.
    NewKey {
        /// The configuration file, for its root key.
        #[arg(long, short, default_value = "fieldgate/fieldgate.toml")]
        config: PathBuf,
        /// The key's public name, such as `desk-7`.
        #[arg(long)]
        id: String,
        /// The principal who calls with it.
        principal: String,
    },
}

pub(super) fn run(verb: Verb) -> Result<(), Failure> {
    let Verb::NewKey { config, id, principal } = verb;
    let config = Config::load(&config)?;
    let keys = gateway::keys(&config)?;
    let made = identity::new_api_key(&keys.api_key, &id)
        .map_err(|error| Failure::usage(error, "use 1–64 letters, digits, `.`, `_` and `-` for the id"))?;
    println!("# The key, shown once; hand it to `{principal}` on a safe way:");
    println!("{}", made.key.expose());
    println!("\n# For {}:", config.file());
    println!("[[identity.api_key]]\nid = \"{id}\"\nhash = \"{}\"\nprincipal = \"{principal}\"", made.hash);
    if !config.principals.iter().any(|known| known.id == principal) {
        println!("\n[[principal]]\nid = \"{principal}\"\nkind = \"human\"\nroles = [\"agent\"]");
    }
    Ok(())
}
