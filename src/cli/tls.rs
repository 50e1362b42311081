//! `fieldgate tls`: an own authority and certificates, for trying things out and for clients.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{Failure, init::write_private};
use crate::{gateway::now, tls::generate};

#[derive(Debug, Subcommand)]
#[expect(clippy::enum_variant_names, reason = "the names of the subcommands")]
pub(super) enum Verb {
    /// Make an authority: `ca.pem` and `ca.key`.
    NewCa {
        /// The folder to write to.
        #[arg(long, default_value = "certs")]
        dir: PathBuf,
    },
    /// Make a server certificate signed by the authority in the folder.
    NewServer {
        /// The folder with `ca.pem` and `ca.key`.
        #[arg(long, default_value = "certs")]
        dir: PathBuf,
        /// File name without extension.
        #[arg(long, default_value = "gateway")]
        name: String,
        /// DNS names and addresses the certificate is for.
        #[arg(required = true)]
        hosts: Vec<String>,
    },
    /// Make a client certificate signed by the authority in the folder.
    NewClient {
        /// The folder with `ca.pem` and `ca.key`.
        #[arg(long, default_value = "certs")]
        dir: PathBuf,
        /// File name without extension.
        #[arg(long, default_value = "client")]
        name: String,
        /// The URI the certificate names its holder by, such as `spiffe://example.com/agent/jane`.
        uri: String,
    },
}

pub(super) fn run(verb: Verb) -> Result<(), Failure> {
    let (dir, name, pair) = match verb {
        Verb::NewCa { dir } => (dir, "ca".to_owned(), generate::ca("Fieldgate local authority", now()).map_err(made)?),
        Verb::NewServer { dir, name, hosts } => {
            let pair = generate::server(&read(&dir)?, &hosts, now()).map_err(made)?;
            (dir, name, pair)
        }
        Verb::NewClient { dir, name, uri } => {
            let pair = generate::client(&read(&dir)?, &uri, now()).map_err(made)?;
            (dir, name, pair)
        }
    };
    write(&dir, &name, &pair)?;
    println!("{}", dir.join(format!("{name}.pem")).display());
    Ok(())
}

fn made(error: impl std::fmt::Display) -> Failure {
    Failure::usage(error, "correct the names; DNS names, addresses and URIs are accepted")
}

fn read(dir: &Path) -> Result<generate::Pair, Failure> {
    let file = |name: &str| {
        std::fs::read_to_string(dir.join(name)).map_err(|error| {
            Failure::system(format!("`{}`: {error}", dir.join(name).display()), "run `fieldgate tls new-ca` first")
        })
    };
    Ok(generate::Pair { certificate: file("ca.pem")?, key: file("ca.key")?.into() })
}

/// Writes `name.pem` and `name.key` (mode 0600); refuses to overwrite a key.
pub(super) fn write(dir: &Path, name: &str, pair: &generate::Pair) -> Result<(), Failure> {
    write_private(&dir.join(format!("{name}.key")), pair.key.expose())?;
    let path = dir.join(format!("{name}.pem"));
    std::fs::write(&path, &pair.certificate)
        .map_err(|error| Failure::system(error, "check the folder's permissions"))?;
    Ok(())
}
