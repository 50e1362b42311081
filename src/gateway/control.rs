//! The control thread: the admin listener, the watch on changed files, and the issuers' keys.

use std::{net::TcpListener, sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{admin, jwks::Fetcher, reload::Reloader, shared::Shared};

/// How often files are looked at.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// How often it is decided whether an issuer's keys are due.
const KEYS_EVERY: Duration = Duration::from_secs(1);

/// Runs until the gateway stops.
pub(super) async fn run(
    shared: Arc<Shared>,
    reloader: Arc<Reloader>,
    admin: TcpListener,
    mut stopping: watch::Receiver<bool>,
) {
    let admin = tokio::spawn(admin::serve(admin, Arc::clone(&shared)));
    let keys = tokio::spawn(fetch_keys(Arc::clone(&shared)));
    let watching = async {
        loop {
            tokio::time::sleep(WATCH_EVERY).await;
            // Building a configuration reads files: on this thread it holds up nothing but health checks.
            reloader.reload_if_changed();
        }
    };
    tokio::select! {
        () = watching => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    keys.abort();
    // `/readyz` goes on saying that the gateway drains until its exchanges have ended.
    shared.cut().await;
    admin.abort();
}

async fn fetch_keys(shared: Arc<Shared>) {
    let mut fetcher = Fetcher::default();
    loop {
        let snapshot = shared.snapshot.load_full();
        fetcher.round(&snapshot.identity).await;
        drop(snapshot);
        tokio::time::sleep(KEYS_EVERY).await;
    }
}
