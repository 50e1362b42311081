//! `fieldgate check`: builds exactly what `serve` builds, and binds nothing.

use std::path::Path;

use super::Failure;
use crate::{
    config::Config,
    gateway::{Status, Watched, build},
};

pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let config = Config::load(path)?;
    let snapshot = build(&config, 0, &Status::default(), None, &mut Watched::default())?;
    println!("{}: correct", path.display());
    for site in snapshot.sites() {
        let (name, routes) = (&site.listener, site.routes().len());
        println!("  listener `{name}`: {} -> upstream `{}`, {routes} routes", site.public_url, site.upstream_name);
    }
    println!("  policy {}", snapshot.policy.fingerprint());
    println!("  configuration {}", snapshot.fingerprint);
    Ok(())
}
