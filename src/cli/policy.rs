//! `fieldgate policy`: who sees what, and which policies decided. Builds what `serve` builds and asks it.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use clap::{Subcommand, ValueEnum};

use super::Failure;
use crate::{
    config::Config,
    gateway::{Snapshot, Status, Watched, build, now},
    model::{Action, ClassSet, Principal},
    policy::{MatrixSettings, Question, Seat},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Print roles × classes with the view each gets.
    Matrix {
        /// The configuration file.
        #[arg(long, short, default_value = "fieldgate/fieldgate.toml")]
        config: PathBuf,
        /// Resources of the API maps; default: all.
        #[arg(long)]
        resource: Vec<String>,
        /// Actions: `read`, `list`, `create`, `update`, `delete`, `export`.
        #[arg(long, default_value = "read")]
        action: Vec<Action>,
        /// The purpose callers claim.
        #[arg(long)]
        purpose: Option<String>,
        /// Callers name a case.
        #[arg(long)]
        case: bool,
        /// How to print it.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Name the policies that decide for one principal and one route.
    Explain {
        /// The configuration file.
        #[arg(long, short, default_value = "fieldgate/fieldgate.toml")]
        config: PathBuf,
        /// A `[[principal]]`, or a role.
        #[arg(long = "as")]
        who: String,
        /// A route of an API map, such as `customer.read`.
        #[arg(long)]
        route: String,
        /// The purpose that is claimed.
        #[arg(long)]
        purpose: Option<String>,
        /// A case is named.
        #[arg(long)]
        case: bool,
        /// The caller's address.
        #[arg(long, default_value = "127.0.0.1")]
        from: IpAddr,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Format {
    Text,
    Csv,
    Json,
}

pub(super) fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Matrix { config, resource, action, purpose, case, format } => {
            let snapshot = load(&config)?;
            let known = resources(&snapshot);
            let wanted = |name: &&str| resource.is_empty() || resource.iter().any(|wanted| wanted == name);
            if let Some(unknown) = resource.iter().find(|name| !known.contains(&name.as_str())) {
                return Err(Failure::usage(format!("no route has the resource `{unknown}`"), listed(&known)));
            }
            let settings = MatrixSettings {
                classes: snapshot.classes.iter().map(|(id, _)| id).collect(),
                resources: known.iter().copied().filter(wanted).collect(),
                actions: action,
                purpose: purpose.as_deref(),
                case,
                route: "",
                upstream: "",
                now: now(),
                network: IpAddr::from([127, 0, 0, 1]),
            };
            let matrix = snapshot.policy.matrix(&settings, &snapshot.policy.seats());
            let text = match format {
                Format::Text => matrix.to_text(),
                Format::Csv => matrix.to_csv(),
                Format::Json => matrix.to_json(),
            };
            println!("{}", text.trim_end());
            Ok(())
        }
        Verb::Explain { config, who, route, purpose, case, from } => {
            let snapshot = load(&config)?;
            let principal = principal(&snapshot, &who)?;
            explain(&snapshot, &principal, &route, purpose.as_deref(), case, from)
        }
    }
}

fn load(path: &std::path::Path) -> Result<Snapshot, Failure> {
    let config = Config::load(path)?;
    Ok(build(&config, 0, &Status::default(), None, &mut Watched::default())?)
}

fn resources(snapshot: &Snapshot) -> Vec<&str> {
    let mut known: Vec<&str> =
        snapshot.sites().flat_map(|site| site.all_routes()).map(|route| &**route.resource()).collect();
    known.sort_unstable();
    known.dedup();
    known
}

fn listed(names: &[&str]) -> String {
    format!("use one of {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
}

fn principal(snapshot: &Snapshot, who: &str) -> Result<Arc<Principal>, Failure> {
    if let Some(principal) = snapshot.identity.configured(who) {
        return Ok(Arc::clone(principal));
    }
    let seats = snapshot.policy.seats();
    let seat = seats.iter().find(|seat: &&Seat| seat.name == who);
    seat.map(|seat| Arc::clone(&seat.principal)).ok_or_else(|| {
        let names: Vec<&str> = seats.iter().map(|seat| seat.name.as_str()).collect();
        Failure::usage(format!("neither a `[[principal]]` nor a role is called `{who}`"), listed(&names))
    })
}

fn explain(
    snapshot: &Snapshot,
    principal: &Principal,
    route: &str,
    purpose: Option<&str>,
    case: bool,
    network: IpAddr,
) -> Result<(), Failure> {
    let mut asked = 0;
    for site in snapshot.sites() {
        let Some(plan) = site.all_routes().find(|plan| &**plan.name() == route) else { continue };
        asked += 1;
        let classes: ClassSet = plan.classes();
        let question = Question {
            principal,
            action: plan.action(),
            resource: plan.resource(),
            route,
            upstream: &site.upstream_name,
            classes,
            purpose,
            case,
            now: now(),
            network,
        };
        println!("listener `{}`:", site.listener);
        println!("{}", snapshot.policy.explain(&question).trim_end());
    }
    if asked > 0 {
        return Ok(());
    }
    let mut known: Vec<&str> = snapshot.sites().flat_map(|site| site.all_routes()).map(|plan| &**plan.name()).collect();
    known.sort_unstable();
    known.dedup();
    Err(Failure::usage(format!("no route is called `{route}`"), listed(&known)))
}
