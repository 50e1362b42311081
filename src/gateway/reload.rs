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
    threads::Door,
};
use crate::{
    config::Config,
    listener::Limits,
    model::{Diagnostic, Event, Lifecycle, Problem},
    tls,
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
    stamps: Stamps,
}

/// Modification time and length of every file that was read; absent when it cannot be read.
type Stamps = Vec<Option<(SystemTime, u64)>>;

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
    audit: (PathBuf, PathBuf),
}

impl Fixed {
    fn of(config: &Config) -> Self {
        Self {
            listeners: config.listeners.iter().map(|listener| (listener.name.clone(), listener.address)).collect(),
            admin: config.admin.address,
            name: config.gateway.name.clone(),
            tenant: config.gateway.tenant.clone(),
            root_key: config.path(&config.gateway.root_key),
            audit: (config.path(&config.audit.dir), config.path(&config.audit.signing_key)),
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
            (self.audit.0 != other.audit.0, "audit.dir"),
            (self.audit.1 != other.audit.1, "audit.signing_key"),
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
            state: Mutex::new(State { watched, stamps }),
        }
    }

    /// Reads everything again and puts it in force, or changes nothing.
    pub(super) fn reload(&self) -> Result<(), Vec<Diagnostic>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.apply(&mut state)
    }

    /// Reloads when a file that was read has changed since.
    pub(super) fn reload_if_changed(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if stamps(&state.watched) != state.stamps {
            // Reported by `apply`.
            let _ = self.apply(&mut state);
        }
    }

    fn apply(&self, state: &mut State) -> Result<(), Vec<Diagnostic>> {
        let mut watched = Watched::default();
        watched.file(&self.path);
        let outcome = self.build(&mut watched);
        // A broken configuration is looked at again when it changes, and so is what was in force before it.
        if outcome.is_err() {
            watched.merge(&state.watched);
        }
        state.stamps = stamps(&watched);
        state.watched = watched;
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
        let after = build(&config, before.generation + 1, &self.shared.status, watched)?;
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

fn stamps(watched: &Watched) -> Stamps {
    watched.paths().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
