//! The composition root: a configuration in, a running gateway out. Every stage is called from `exchange`; none calls another.

mod admin;
mod batch;
mod body;
mod budget;
mod build;
mod call;
mod coding;
mod control;
mod ending;
mod etag;
mod exchange;
mod flow;
mod graphql;
mod inner;
mod jwks;
mod mcp;
mod media;
mod opening;
mod paced;
mod parts;
mod plan;
mod reload;
mod request;
mod respond;
mod response;
mod rpc;
mod search;
mod shared;
mod snapshot;
mod stand_ins;
mod status;
mod stored;
mod stored_status;
mod threads;
mod trace;
mod upload;
mod verify;
mod whole;
mod worker;

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

pub use build::{Keys, PolicyFiles, Watched, build, keys, keyset, policy_files};
pub use coding::{CodingError, decode};
pub use respond::Refusal;
pub use shared::now;
pub use snapshot::{RoutePlan, Site, Snapshot};
pub use status::{Histogram, RouteStatus, Status};
pub use stored_status::StoredStatus;

use crate::{
    audit::{self, Log},
    config::Config,
    crypto::SigningKey,
    listener,
    model::{Diagnostic, Event, Lifecycle, Problem},
    vault::{Control, Vault},
};
use budget::Budgets;
use reload::Reloader;
use shared::Shared;
use threads::{Doors, Threads};

/// Why the gateway did not start, or did not stop cleanly.
#[derive(Debug)]
pub enum StartError {
    /// Mistakes in the configuration.
    Configuration(Vec<Diagnostic>),
    /// The access log cannot be opened or written.
    Audit {
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
    },
    /// A port, a thread or another thing of the system.
    System {
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
    },
}

impl From<Vec<Diagnostic>> for StartError {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Configuration(diagnostics)
    }
}

/// A running gateway. Dropping it without [`Gateway::stop`] leaves its threads to the end of the process.
pub struct Gateway {
    shared: Arc<Shared>,
    reloader: Arc<Reloader>,
    threads: Threads,
    addresses: Vec<(String, SocketAddr)>,
    admin: SocketAddr,
    /// Answers the operator's vault commands; absent without an embedded vault.
    vault: Option<Control>,
}

impl Gateway {
    /// Opens what exists (keys, log), binds, and serves.
    ///
    /// # Errors
    /// Mistakes of the configuration, a log that cannot be trusted or written, ports that are taken.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        let keys = keys(config)?;
        let status = Arc::new(Status::default());
        let mut watched = Watched::default();
        let vault = open_vault(config)?;
        let snapshot = build(config, 1, &status, vault.as_ref(), &mut watched)?;
        let doors = bind(config, &snapshot)?;
        let admin = TcpListener::bind(config.admin.address)
            .map_err(|error| taken("admin.address", config.admin.address, &error))?;
        let admin_address = admin.local_addr().map_err(system)?;
        let log = open_log(config, &keys)?;
        let control = vault.map_or(Ok(None), |vault| vault_control(config, vault))?;
        let addresses = doors.iter().map(|door| (door.name.to_string(), door.address)).collect();
        let wires = doors.iter().map(|door| Arc::clone(&door.wire)).collect();
        let started = Lifecycle::PolicyLoaded { policy: snapshot.policy.fingerprint().to_string() };
        let budgets = Budgets::new(keys.subject_ref.clone());
        budgets.restore(&snapshot.budget, &log_dir(config), now());
        let shared = Arc::new(Shared::new(snapshot, log, status, budgets, wires));
        let _ = shared.log.append(&Event::Lifecycle { at: shared.now(), what: started });
        let reloader = Arc::new(Reloader::new(config, Arc::clone(&shared), &doors, watched));
        let threads = Threads::spawn(config, &shared, doors, &reloader, admin).map_err(system)?;
        tracing::info!(workers = threads.workers(), admin.address = %admin_address, "serving");
        Ok(Self { shared, reloader, threads, addresses, admin: admin_address, vault: control })
    }

    /// The listeners, by name, with the address each is bound to.
    #[must_use]
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// The admin listener's address.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Reads the configuration again: applies all of it, or changes nothing and says why.
    ///
    /// # Errors
    /// Every mistake of the configuration on disk.
    pub fn reload(&self) -> Result<(), Vec<Diagnostic>> {
        self.reloader.reload()
    }

    /// Stops accepting, lets exchanges end for at most `[timeouts] drain`, and closes the log.
    ///
    /// # Errors
    /// When the log could not be closed cleanly.
    pub fn stop(self) -> Result<(), StartError> {
        self.shared.draining.store(true, Ordering::Relaxed);
        // A command that is under way ends first.
        drop(self.vault);
        let patience = self.shared.snapshot.load().timeouts.drain.duration();
        let cut = self.threads.stop(patience);
        if cut > 0 {
            tracing::warn!(exchanges = cut, "exchanges were cut at the end of `timeouts.drain`");
        }
        self.shared.log.close().map_err(|error| StartError::Audit {
            what: format!("the access log was not closed cleanly: {error}"),
            help: "run `fieldgate audit verify`".to_owned(),
        })
    }
}

fn bind(config: &Config, snapshot: &Snapshot) -> Result<Doors, StartError> {
    let workers = threads::workers(config);
    let mut doors = Doors::new();
    for settings in &config.listeners {
        let Some(site) = snapshot.site(&settings.name) else { continue };
        let mut sockets = Vec::with_capacity(workers);
        let mut address = settings.address;
        for _ in 0..workers {
            let socket = listener::bind(address, workers > 1)
                .map_err(|error| taken(&settings.name, settings.address, &error))?;
            // Port 0 asks for any: the other workers share the port that was given.
            address = socket.local_addr().map_err(system)?;
            sockets.push(socket);
        }
        doors.push(threads::Door::new(site, address, sockets));
    }
    Ok(doors)
}

fn signing_key(config: &Config) -> Result<SigningKey, StartError> {
    let path = config.path(&config.audit.signing_key);
    let wrong = |what: String| {
        let help = "make the log and its key with `fieldgate audit init`, or correct the path";
        StartError::Configuration(vec![config.diagnose(&Problem::new("audit.signing_key", what, help))])
    };
    let text =
        std::fs::read_to_string(&path).map_err(|error| wrong(format!("the signing key cannot be read: {error}")))?;
    SigningKey::parse(&text).map_err(|error| wrong(error.to_string()))
}

fn open_log(config: &Config, keys: &Keys) -> Result<Log, StartError> {
    let key = signing_key(config)?;
    let settings = audit::Settings { dir: log_dir(config), ..config.audit.clone() };
    Log::open(&settings, key, keys.subject_ref.clone(), &config.gateway.name, now).map_err(|error| StartError::Audit {
        what: format!("the access log in `{}` cannot be opened: {error}", settings.dir.display()),
        help: "run `fieldgate audit verify` and follow its report; a new log is made by `fieldgate audit init`"
            .to_owned(),
    })
}

fn open_vault(config: &Config) -> Result<Option<Vault>, StartError> {
    let (Some(keyset), Some(settings)) = (keyset(config)?, &config.vault) else { return Ok(None) };
    let settings = settings.at(&config.path("".as_ref()));
    Vault::open(&settings, keyset).map(Some).map_err(|error| {
        let problem = Problem::new("vault", format!("the vault cannot be opened: {error}"), error.help());
        StartError::Configuration(vec![config.diagnose(&problem)])
    })
}

/// Nobody else can open an embedded vault while the gateway runs: `fieldgate vault …` asks this one. Tables in
/// PostgreSQL the command opens itself.
fn vault_control(config: &Config, vault: Vault) -> Result<Option<Control>, StartError> {
    let Some(settings) = config.vault.as_ref().filter(|settings| settings.url.is_none()) else { return Ok(None) };
    let started = Control::start(&config.path(&settings.dir), vault, Arc::new(signing_key(config)?), now);
    started.map(Some).map_err(|error| {
        let problem = Problem::new("vault", format!("vault commands cannot be answered: {error}"), error.help());
        StartError::Configuration(vec![config.diagnose(&problem)])
    })
}

fn log_dir(config: &Config) -> PathBuf {
    config.path(&config.audit.dir)
}

fn taken(what: &str, address: SocketAddr, error: &std::io::Error) -> StartError {
    StartError::System {
        what: format!("`{what}` cannot listen on {address}: {error}"),
        help: "stop what uses the port, or choose another".to_owned(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as `map_err(system)`")]
fn system(error: std::io::Error) -> StartError {
    StartError::System { what: error.to_string(), help: "free system resources and start again".to_owned() }
}
