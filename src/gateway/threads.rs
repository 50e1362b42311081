//! The threads of a gateway: one per worker with its own runtime, and one that controls.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use tokio::{runtime, sync::watch};

use super::{
    control,
    reload::Reloader,
    shared::Shared,
    snapshot::Site,
    worker::{Handler, Worker},
};
use crate::{
    config::Config,
    listener::{self, Limits, Wire},
    tls,
};

/// A bound listener: one socket per worker, and the TLS that a reload may change.
pub(super) struct Door {
    pub(super) name: Arc<str>,
    pub(super) address: SocketAddr,
    pub(super) tls: Arc<ArcSwap<tls::Server>>,
    pub(super) limits: Arc<ArcSwap<Limits>>,
    pub(super) wire: Arc<Wire>,
    sockets: Vec<TcpListener>,
}

impl Door {
    pub(super) fn new(site: &Site, address: SocketAddr, sockets: Vec<TcpListener>) -> Self {
        Self {
            name: Arc::clone(&site.listener),
            address,
            tls: Arc::new(ArcSwap::new(Arc::clone(&site.tls))),
            limits: Arc::new(ArcSwap::from_pointee(site.limits.clone())),
            wire: Arc::new(Wire::new(Arc::clone(&site.listener))),
            sockets,
        }
    }
}

/// Every listener.
pub(super) type Doors = Vec<Door>;

/// How many workers `config` asks for.
pub(super) fn workers(config: &Config) -> usize {
    match config.gateway.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        some => some.min(MAX_WORKERS),
    }
}

/// Worker threads at most.
const MAX_WORKERS: usize = 256;

/// Running threads.
pub(super) struct Threads {
    shared: Arc<Shared>,
    shutdown: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    control: JoinHandle<()>,
}

impl Threads {
    pub(super) fn spawn(
        config: &Config,
        shared: &Arc<Shared>,
        mut doors: Doors,
        reloader: &Arc<Reloader>,
        admin: TcpListener,
    ) -> std::io::Result<Self> {
        let (shutdown, stopping) = watch::channel(false);
        let mut threads = Vec::new();
        for index in 0..workers(config) {
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            let worker = Worker::new(Arc::clone(shared));
            let mine: Vec<_> = doors
                .iter_mut()
                .filter_map(|door| {
                    let settings = listener::Settings {
                        name: Arc::clone(&door.name),
                        tls: Arc::clone(&door.tls),
                        limits: Arc::clone(&door.limits),
                        wire: Arc::clone(&door.wire),
                    };
                    Some((door.sockets.pop()?, settings))
                })
                .collect();
            let (worker, stopping, shared) = (Handler(Arc::new(worker)), stopping.clone(), Arc::clone(shared));
            let run = move || work(&runtime, worker, mine, &stopping, &shared);
            threads.push(std::thread::Builder::new().name(format!("worker-{index}")).spawn(run)?);
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (reloader, shared_) = (Arc::clone(reloader), Arc::clone(shared));
        let run = move || runtime.block_on(control::run(shared_, reloader, admin, stopping));
        let control = std::thread::Builder::new().name("control".to_owned()).spawn(run)?;
        Ok(Self { shared: Arc::clone(shared), shutdown, workers: threads, control })
    }

    /// How many workers there are.
    pub(super) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Ends every thread; gives the number of exchanges that were cut.
    pub(super) fn stop(self, patience: Duration) -> usize {
        self.shutdown.send_replace(true);
        let until = Instant::now() + patience;
        while self.workers.iter().any(|worker| !worker.is_finished()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        let cut = self.shared.status.active.load(Ordering::Relaxed);
        self.shared.cut.send_replace(true);
        for thread in self.workers.into_iter().chain([self.control]) {
            // A worker that panicked has said so; the others still end.
            let _ = thread.join();
        }
        cut
    }
}

/// One worker's life: its listeners until they are drained, or until the drain is over.
fn work(
    runtime: &runtime::Runtime,
    handler: Handler,
    doors: Vec<(TcpListener, listener::Settings)>,
    stopping: &watch::Receiver<bool>,
    shared: &Arc<Shared>,
) {
    runtime.block_on(async {
        // Ends with the runtime.
        tokio::spawn(shared.log.bell());
        let mut serving = tokio::task::JoinSet::new();
        for (socket, settings) in doors {
            serving.spawn(listener::serve(socket, settings, handler.clone(), stopping.clone()));
        }
        drop(handler);
        let served = async {
            while let Some(ended) = serving.join_next().await {
                if let Ok(Err(error)) = ended {
                    tracing::error!(error = %error, "a listener stopped");
                }
            }
        };
        tokio::select! {
            () = served => {}
            () = shared.cut() => {}
        }
    });
}
