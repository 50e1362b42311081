//! Reload: the configuration on disk replaces the one in force as a whole, or nothing changes and everybody is told.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::SystemTime,
};

use arc_swap::ArcSwap;

use super::{
    build::{Watched, build},
    shared::Shared,
    snapshot::Snapshot,
    threads::Door,
};
use crate::{
    audit,
    config::{Config, LogSettings},
    listener::Limits,
    model::{Diagnostic, Event, Lifecycle, Problem},
    tls,
    vault::{self, VaultError},
};

/// Knows what was read and how to read it again.
pub(super) struct Reloader {
    path: PathBuf,
    shared: Arc<Shared>,
    doors: BTreeMap<Arc<str>, Swaps>,
    fixed: Fixed,
    state: Mutex<State>,
}

struct State {
    watched: Watched,
    /// As the files were when they were read.
    stamps: Stamps,
    /// As they were when a change was seen first.
    changing: Option<Stamps>,
}

/// Modification time and length of every file that was read; absent when it cannot be read.
type Stamps = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// What of a listener a reload replaces.
type Swaps = (Arc<ArcSwap<tls::Server>>, Arc<ArcSwap<Limits>>);

/// What a running process cannot change.
#[derive(PartialEq, Eq)]
struct Fixed {
    listeners: Vec<(String, SocketAddr)>,
    admin: SocketAddr,
    name: String,
    tenant: String,
    root_key: PathBuf,
    workers: usize,
    audit: audit::Settings,
    vault: Option<vault::Settings>,
    log: LogSettings,
}

impl Fixed {
    fn of(config: &Config) -> Self {
        Self {
            listeners: config.listeners.iter().map(|listener| (listener.name.clone(), listener.address)).collect(),
            admin: config.admin.address,
            name: config.gateway.name.clone(),
            tenant: config.gateway.tenant.clone(),
            root_key: config.path(&config.gateway.root_key),
            workers: config.gateway.workers,
            audit: config.audit.clone(),
            vault: config.vault.clone(),
            log: config.log.clone(),
        }
    }

    /// The first key that differs.
    fn differs(&self, other: &Self) -> Option<&'static str> {
        [
            (self.listeners != other.listeners, "listener"),
            (self.admin != other.admin, "admin.address"),
            (self.name != other.name, "gateway.name"),
            (self.tenant != other.tenant, "gateway.tenant"),
            (self.root_key != other.root_key, "gateway.root_key"),
            (self.workers != other.workers, "gateway.workers"),
            (self.audit != other.audit, "audit"),
            (self.vault != other.vault, "vault"),
            (self.log != other.log, "log"),
        ]
        .into_iter()
        .find_map(|(differs, key)| differs.then_some(key))
    }
}

impl Reloader {
    pub(super) fn new(config: &Config, shared: Arc<Shared>, doors: &[Door], watched: Watched) -> Self {
        let stamps = stamps(&watched);
        Self {
            path: PathBuf::from(config.file()),
            shared,
            doors: doors
                .iter()
                .map(|door| (Arc::clone(&door.name), (Arc::clone(&door.tls), Arc::clone(&door.limits))))
                .collect(),
            fixed: Fixed::of(config),
            state: Mutex::new(State { watched, stamps, changing: None }),
        }
    }

    /// Reads everything again and puts it in force, or changes nothing.
    pub(super) fn reload(&self) -> Result<(), Vec<Diagnostic>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.apply(&mut state)
    }

    /// Reloads when a file that was read has changed since, and has rested from one look to the next: half a policy file can
    /// be a valid one that lacks its last `forbid`.
    pub(super) fn reload_if_changed(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamps(&state.watched);
        if now == state.stamps {
            state.changing = None;
        } else if state.changing.as_ref() == Some(&now) {
            // Reported by `apply`.
            let _ = self.apply(&mut state);
        } else {
            state.changing = Some(now);
        }
    }

    fn apply(&self, state: &mut State) -> Result<(), Vec<Diagnostic>> {
        let mut watched = Watched::default();
        watched.file(&self.path);
        // Taken before anything is read: what is written meanwhile counts as a change.
        let before = stamps(&state.watched);
        let outcome = self.build(&mut watched);
        // A broken configuration is looked at again when it changes, and so is what was in force before it.
        if outcome.is_err() {
            watched.merge(&state.watched);
        }
        let mut now = stamps(&watched);
        now.extend(before.into_iter().filter(|(path, _)| watched.contains(path)));
        (state.stamps, state.watched, state.changing) = (now, watched, None);
        self.report(&outcome);
        outcome
    }

    fn build(&self, watched: &mut Watched) -> Result<(), Vec<Diagnostic>> {
        let config = Config::load(&self.path)?;
        if let Some(key) = self.fixed.differs(&Fixed::of(&config)) {
            let what = format!("`{key}` cannot change while the gateway runs");
            return Err(vec![config.diagnose(&Problem::new(key, what, "restart the gateway, or change it back"))]);
        }
        let before = self.shared.snapshot.load_full();
        let after = build(&config, before.generation + 1, &self.shared.status, before.vault.as_ref(), watched)?;
        adopt(&config, &before, &after)?;
        after.identity.inherit_keys(&before.identity);
        for site in after.sites() {
            if let Some((tls, limits)) = self.doors.get(&site.listener) {
                tls.store(Arc::clone(&site.tls));
                limits.store(Arc::new(site.limits.clone()));
            }
        }
        self.shared.snapshot.store(Arc::new(after));
        Ok(())
    }

    fn report(&self, outcome: &Result<(), Vec<Diagnostic>>) {
        let snapshot = self.shared.snapshot.load();
        let (word, counter) = match outcome {
            Ok(()) => ("applied", &self.shared.status.reloads_applied),
            Err(_) => ("refused", &self.shared.status.reloads_refused),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Ok(()) => tracing::info!(
                generation = snapshot.generation,
                config = &*snapshot.fingerprint,
                "configuration applied"
            ),
            Err(diagnostics) => {
                for diagnostic in diagnostics {
                    tracing::error!("{diagnostic}");
                }
                tracing::error!(mistakes = diagnostics.len(), "configuration refused, nothing was changed");
            }
        }
        let at = self.shared.now();
        let reloaded = Lifecycle::Reloaded { outcome: word, config: snapshot.fingerprint.to_string() };
        let _ = self.shared.log.append(&Event::Lifecycle { at, what: reloaded });
        if outcome.is_ok() {
            let loaded = Lifecycle::PolicyLoaded { policy: snapshot.policy.fingerprint().to_string() };
            let _ = self.shared.log.append(&Event::Lifecycle { at, what: loaded });
        }
    }
}

/// The vault uses the keys of `after` from now on.
fn adopt(config: &Config, before: &Snapshot, after: &Snapshot) -> Result<(), Vec<Diagnostic>> {
    let wrong = |what: String, help: &str| Err(vec![config.diagnose(&Problem::new("keys", what, help))]);
    match (&before.vault, &after.tools.store) {
        (_, None) => Ok(()),
        (None, Some(_)) => wrong(
            "a class is stored protected now, and the vault is opened at the start only".to_owned(),
            "restart the gateway",
        ),
        (Some(vault), Some(store)) => match wait(vault.with_keyset(Arc::clone(store.keys()))) {
            Ok(()) => Ok(()),
            Err(error) => wrong(format!("the vault does not take the key file: {error}"), error.help()),
        },
    }
}

/// Waits on a thread of its own: a reload may be asked for from inside a runtime.
fn wait(taken: impl Future<Output = Result<(), VaultError>> + Send) -> Result<(), VaultError> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_or_else(|error| Err(VaultError::Unavailable(error.to_string())), |runtime| runtime.block_on(taken))
    };
    let ended = std::thread::scope(|scope| scope.spawn(run).join());
    ended.unwrap_or_else(|_| Err(VaultError::Unavailable("its thread ended".to_owned())))
}

fn stamps(watched: &Watched) -> Stamps {
    watched.paths().map(|path| (path.clone(), stamp(path))).collect()
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
