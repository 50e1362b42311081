//! A world to test in: the sample CRM, a gateway in front of it, and callers. Everything on loopback, in a folder of its
//! own.

mod client;
mod command;
mod line;
mod session;
mod setup;
mod tls;
mod world;

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

pub use client::{Answer, Client};
pub use command::{Said, fieldgate};
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

pub fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
