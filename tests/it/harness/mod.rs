//! A world to test in: the sample CRM, a gateway in front of it, and callers. Everything on loopback, in a folder of its
//! own.

mod client;
mod command;
mod fake;
mod fixtures;
mod line;
mod session;
mod setup;
mod stored;
mod tls;
mod world;

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

pub use client::{Answer, Client};
pub use command::{Said, fieldgate};
pub use fake::{Asked, Fake};
pub use fixtures::{Canary, Fixtures, Recorded};
pub use line::Line;
pub use session::{Hello, Session, get};
pub use setup::Setup;
pub(crate) use setup::TOKEN;
pub use tls::{client_tls, raw};
pub use world::World;

/// Every file below `dir`.
pub fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

/// A port nobody listens on, each once in this process: what the system hands out is handed out again, to another world or to a
/// connection, before the gateway has bound it. Below the system's own range.
pub fn free_port() -> SocketAddr {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    loop {
        let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + std::process::id() * 131;
        let port = u16::try_from(20_000 + next % 10_000).unwrap();
        if let Ok(socket) = TcpListener::bind(("127.0.0.1", port)) {
            return socket.local_addr().unwrap();
        }
    }
}
