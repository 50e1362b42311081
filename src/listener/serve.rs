//! The accept loop of one worker.

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};

use super::{Handler, Limits, Wire, connection, wire::Count};
use crate::tls;

/// What the workers of one listener share.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The listener's name: part of every `Peer`.
    pub name: Arc<str>,
    /// Certificates and client authentication; read once per connection.
    pub tls: Arc<ArcSwap<tls::Server>>,
    /// The limits; read once per connection.
    pub limits: Arc<ArcSwap<Limits>>,
    /// The counters.
    pub wire: Arc<Wire>,
}

/// How long accepting rests after an error such as `EMFILE`, which would otherwise come back at once.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Accepts on `listener` and serves each connection as a task of the current runtime, until `shutdown` holds `true`;
/// then winds every connection down and returns when the last one is done. Dropping the future ends them at once.
///
/// # Errors
/// When the socket cannot be watched by the runtime.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    settings: Settings,
    handler: H,
    mut shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    let drains = shutdown.clone();
    loop {
        tokio::select! {
            biased;
            () = drained(&mut shutdown) => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => note(&ended),
            accepted = listener.accept() => match accepted {
                Ok((socket, address)) => {
                    let Some(slot) = settings.wire.admit(address.ip(), &settings.limits.load()) else { continue };
                    // Responses are written whole; waiting for more would only delay them.
                    let _ = socket.set_nodelay(true);
                    connections.spawn(connection::serve(
                        socket, address, slot, settings.clone(), handler.clone(), drains.clone(),
                    ));
                }
                Err(error) if is_of_one_connection(&error) => settings.wire.count(Count::AcceptError),
                Err(error) => {
                    settings.wire.count(Count::AcceptError);
                    tracing::warn!(listener.name = %settings.name, %error, "accept failed");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            },
        }
    }
    // The socket closes first, so that the kernel sends new connections to the other workers.
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        note(&ended);
    }
    Ok(())
}

/// A panic ends its connection and nothing else; its message may hold values and is not repeated.
fn note(ended: &Result<(), JoinError>) {
    if ended.as_ref().is_err_and(JoinError::is_panic) {
        tracing::error!("a connection ended with a panic");
    }
}

/// Ready once the listener drains; a sender that is gone will never say anything else and counts as draining.
pub(crate) async fn drained(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|drain| *drain).await;
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
