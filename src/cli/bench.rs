//! What every sweep works on: a resource of an upstream, its keys and its vault, and how fast the CRM may be called.

use std::{path::PathBuf, sync::Arc, time::Instant};

use super::Failure;
use crate::{
    config::Config,
    crm::{Api, SweepRule},
    crypto,
    keyring::Keyring,
    model::{Diagnostic, FieldRule, Problem},
    protect::Store,
    sweep::{Budget, CrmRecords, Jitter, Pace, SweepError, SystemClock},
    upstream::{self, Upstream},
    vault::{self, Vault},
};

/// What to work on, and how fast.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// The configuration file.
    #[arg(long, short, default_value = "fieldgate/fieldgate.toml")]
    pub(super) config: PathBuf,
    /// The upstream; default: the only one.
    #[arg(long)]
    upstream: Option<String>,
    /// The resource, which the map describes as `[map.sweep.RESOURCE]`.
    #[arg(long)]
    pub(super) resource: String,
    /// A file with another secret for the upstream's `credential_header`: that of an account which automations ignore.
    #[arg(long)]
    credential: Option<PathBuf>,
    /// Calls per second that the CRM allows; default: `calls_per_second` of `[map.limits]`.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    calls_per_second: Option<u32>,
    /// How much of that is taken, in percent; default: `share_percent` of `[map.limits]`.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    share: Option<u32>,
}

/// All of it, opened.
pub(super) struct Bench {
    pub(super) config: Config,
    pub(super) api: Api,
    pub(super) rule: SweepRule,
    pub(super) records: CrmRecords,
    pub(super) budget: Budget<SystemClock>,
    pub(super) pace: Pace,
    /// `upstream/resource`.
    pub(super) object: String,
}

impl Bench {
    /// Opens what `target` names.
    pub(super) fn open(target: &Target) -> Result<Self, Failure> {
        let config = Config::load(&target.config)?;
        let (index, settings) = choose(&config, target.upstream.as_deref())?;
        let api = map(&config, index, settings)?;
        let rule = api.sweep(&target.resource).cloned().ok_or_else(|| no_rule(&api, &target.resource))?;
        let upstream = connect(&config, index, settings, target)?;
        let fields: &[FieldRule] = api.routes().get(rule.read.index).map_or(&[], |route| &route.response.fields);
        let records = CrmRecords::new(upstream, &rule, fields);
        let limit = api.limit();
        let pace = Pace::share_of(
            target.calls_per_second.unwrap_or(limit.calls_per_second),
            target.share.unwrap_or(limit.share_percent),
        );
        let seed = crypto::random::<8>().map_err(|error| Failure::system(error, "try again"))?;
        let budget = Budget::new(SystemClock::new(Instant::now()), pace, Jitter::new(u64::from_be_bytes(seed)));
        let object = format!("{}/{}", settings.name, rule.resource);
        Ok(Self { config, api, rule, records, budget, pace, object })
    }

    /// The fields of a record.
    pub(super) fn fields(&self) -> &[FieldRule] {
        self.api.routes().get(self.rule.read.index).map_or(&[], |route| &route.response.fields)
    }

    /// The domain of e-mail tokens; empty when there is none.
    pub(super) fn token_domain(&self) -> &str {
        self.config.vault.as_ref().and_then(|vault| vault.token_domain.as_deref()).unwrap_or_default()
    }

    /// Keys and vault. While a gateway runs, it has an embedded vault open: then this says so.
    pub(super) fn store(&self) -> Result<(Store, Vault), Failure> {
        let needed = |section: &str, make: &str| {
            let what = format!("`{}` has no `[{section}]` section", self.config.file());
            Failure::usage(what, format!("add it, and make what it names with `{make}`"))
        };
        let keys = self.config.keys.as_ref().ok_or_else(|| needed("keys", "fieldgate keys new"))?;
        let settings = self.config.vault.as_ref().ok_or_else(|| needed("vault", "fieldgate vault init"))?;
        let keyset = Keyring::new(keys, self.config.base()).load().map_err(|error| {
            let help = error.help();
            Failure::system(error, help)
        })?;
        let keyset = Arc::new(keyset);
        let settings = vault::Settings { dir: self.config.path(&settings.dir), ..settings.clone() };
        let vault = Vault::open(&settings, Arc::clone(&keyset)).map_err(|error| {
            let help = error.help();
            Failure::system(error, help)
        })?;
        Ok((Store::new(keyset, self.token_domain(), self.config.gateway.region.as_deref()), vault))
    }
}

fn choose<'c>(config: &'c Config, name: Option<&str>) -> Result<(usize, &'c upstream::Settings), Failure> {
    let all = || config.upstreams.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = match (name, config.upstreams.as_slice()) {
        (None, [only]) => Some((0, only)),
        (None, _) => None,
        (Some(name), upstreams) => upstreams.iter().enumerate().find(|(_, one)| one.name == name),
    };
    found.ok_or_else(|| match name {
        None => Failure::usage("there are several upstreams", format!("name one with `--upstream`: {}", all())),
        Some(name) => Failure::usage(format!("there is no upstream `{name}`"), format!("name one of: {}", all())),
    })
}

fn map(config: &Config, index: usize, settings: &upstream::Settings) -> Result<Api, Failure> {
    let path = config.path(&settings.map);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let what = format!("the API map cannot be read: {error}");
        let help = "give the path of a map, such as `crm/sandbox.toml`";
        vec![config.diagnose(&Problem::new(format!("upstream.{index}.map"), what, help))]
    })?;
    Ok(Api::parse(&path.display().to_string(), &text, &config.classes)?)
}

fn connect(
    config: &Config,
    index: usize,
    settings: &upstream::Settings,
    target: &Target,
) -> Result<Arc<Upstream>, Failure> {
    let mut settings = settings.clone();
    if let Some(file) = &target.credential {
        let file = std::path::absolute(file).map_err(|error| Failure::system(error, "give the path of a file"))?;
        settings.credential_file = Some(file);
    }
    let at = format!("upstream.{index}");
    let upstream = Upstream::new(&settings, &|path| config.path(path), &at);
    let upstream =
        upstream.map_err(|problems| problems.iter().map(|one| config.diagnose(one)).collect::<Vec<Diagnostic>>())?;
    if !upstream.has_credential() {
        return Err(Failure::usage(
            format!("upstream `{}` has no credential of its own", settings.name),
            "set `credential_header` and `credential_file`: a sweep has no caller whose credential it could pass on",
        ));
    }
    Ok(Arc::new(upstream))
}

fn no_rule(api: &Api, resource: &str) -> Failure {
    let known: Vec<&str> = api.sweeps().iter().map(|rule| &*rule.resource).collect();
    let help = match known.is_empty() {
        true => format!("add [map.sweep.{resource}] to `{}`; docs/migration.md shows one", api.file()),
        false => format!("add it to `{}`, or name one of: {}", api.file(), known.join(", ")),
    };
    Failure::usage(format!("the map does not say how `{resource}` is swept"), help)
}

/// Why a run ended early, and what to do.
pub(super) fn failure(error: &SweepError) -> Failure {
    let (help, code) = match error {
        SweepError::Journal(_) => {
            ("make room or correct the rights, then start again: the run goes on where it was", 74)
        }
        SweepError::Crm(_) | SweepError::TooLong(_) => ("start again later: the run goes on where it was", 75),
        SweepError::Unavailable(_) => ("mend it, then start again: the run goes on where it was", 75),
        SweepError::Unsound { .. } => ("report this; check with `fieldgate keys list` which keys are active", 70),
        SweepError::Altered { .. } => {
            ("find out with `fieldgate probe` what this column takes, write it into the map, then start again", 65)
        }
    };
    Failure::System { what: error.to_string(), help: help.to_owned(), code }
}
