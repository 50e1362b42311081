//! The embedded store is open in the gateway, and nobody else can open it. So the gateway answers the operator's
//! commands itself: on a Unix socket inside the vault's folder (0700), mode 0600, one line of JSON each way. Who can
//! connect could read the files as well; the erasures they ask for are signed here.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Receipt, Stats, Vault, VaultError};
use crate::{crypto::SigningKey, model::Timestamp};

/// What a command asks of the running gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// [`Vault::erase`], once the keyset has this epoch.
    Erase {
        /// `(resource, record id)`.
        records: Vec<(String, String)>,
        /// The epoch with the new subject-wrapping key.
        epoch: u64,
    },
    /// [`Vault::roll`], once the keyset has this epoch.
    Roll {
        /// The epoch with the new subject-wrapping key.
        epoch: u64,
    },
    /// [`Vault::backup`].
    Backup {
        /// Where to; absolute, the gateway has another working directory.
        path: PathBuf,
    },
    /// [`Vault::stats`].
    Stats,
    /// [`Vault::reindex_tokens`].
    Reindex,
}

/// What the gateway answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The erasure is durable; the key file has to have this epoch when the older keys are destroyed.
    Erased {
        /// The proof.
        receipt: Box<Receipt>,
        /// The epoch of the keyset it was done under.
        epoch: u64,
    },
    /// The roll is durable.
    Rolled {
        /// The epoch of the keyset it was done under.
        epoch: u64,
    },
    /// So many rows were written or changed.
    Rows {
        /// How many.
        rows: u64,
    },
    /// How much is in the vault.
    Stats(Stats),
    /// The gateway has not loaded the key file of that epoch yet: ask again.
    NotYet,
    /// It was refused.
    Refused {
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
    },
}

/// The thread that answers; dropping it ends it.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Answers on `dir/control.sock`. `dir` is the vault's folder, whose store this process has open.
    ///
    /// # Errors
    /// When the socket cannot be made: its path may have at most 107 bytes.
    pub fn start(
        dir: &Path,
        vault: Vault,
        signer: Arc<SigningKey>,
        clock: fn() -> Timestamp,
    ) -> Result<Self, VaultError> {
        let path = dir.join(SOCKET);
        // Left by a process that was killed: whoever has the store open owns the name.
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(VaultError::file(&path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(VaultError::file(&path))?;
        let ending = Arc::new(AtomicBool::new(false));
        let server = Server { vault, signer, clock, ending: Arc::clone(&ending) };
        let thread = std::thread::Builder::new().name("vault-control".to_owned());
        let thread = thread.spawn(move || server.run(&listener)).map_err(VaultError::file(&path))?;
        Ok(Self { path, ending, thread: Some(thread) })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        // The thread waits for a connection; with this one it sees that it has to end. If it cannot be made, it is
        // left waiting.
        if let (Ok(_), Some(thread)) = (UnixStream::connect(&self.path), self.thread.take()) {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

struct Server {
    vault: Vault,
    signer: Arc<SigningKey>,
    clock: fn() -> Timestamp,
    ending: Arc<AtomicBool>,
}

impl Server {
    fn run(&self, listener: &UnixListener) {
        let runtime = match tokio::runtime::Builder::new_current_thread().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(error = %error, "vault commands are not answered"),
        };
        for stream in listener.incoming() {
            if self.ending.load(Ordering::Relaxed) {
                return;
            }
            let served = stream.and_then(|stream| {
                let ask = read(&stream)?;
                let answer = self.vault.answer(ask, Arc::clone(&self.signer), (self.clock)());
                write(&stream, &runtime.block_on(answer))
            });
            if let Err(error) = served {
                tracing::warn!(error = %error, "a vault command was not answered");
            }
        }
    }
}

impl Vault {
    /// Does what a command asks.
    pub async fn answer(&self, ask: Ask, signer: Arc<SigningKey>, now: Timestamp) -> Answer {
        match &ask {
            Ask::Erase { epoch, .. } | Ask::Roll { epoch } if self.epoch() < *epoch => return Answer::NotYet,
            _ => {}
        }
        let done = self.done(ask, signer, now).await;
        done.unwrap_or_else(|error| Answer::Refused { what: error.to_string(), help: error.help().into() })
    }

    async fn done(&self, ask: Ask, signer: Arc<SigningKey>, now: Timestamp) -> Result<Answer, VaultError> {
        Ok(match ask {
            Ask::Erase { records, .. } => {
                let records: Vec<_> = records.iter().map(|(resource, id)| (resource.as_str(), id.as_str())).collect();
                let erased = self.erase(&records, signer, now).await?;
                Answer::Erased { receipt: Box::new(erased.receipt), epoch: erased.roll.epoch }
            }
            Ask::Roll { .. } => Answer::Rolled { epoch: self.roll().await?.epoch },
            Ask::Backup { path } => Answer::Rows { rows: self.backup(&path)? },
            Ask::Stats => Answer::Stats(self.stats().await?),
            Ask::Reindex => Answer::Rows { rows: self.reindex_tokens().await? },
        })
    }
}

/// Asks the process that has the vault in `dir` open.
///
/// # Errors
/// When none answers.
pub fn ask(dir: &Path, ask: &Ask) -> Result<Answer, VaultError> {
    let path = dir.join(SOCKET);
    let stream = UnixStream::connect(&path).map_err(|_| VaultError::Locked(dir.to_owned()))?;
    let line = serde_json::to_string(ask).map_err(io::Error::other).map_err(VaultError::file(&path))?;
    let done = (&stream).write_all(format!("{line}\n").as_bytes()).and_then(|()| line_of(&stream));
    let answer = done.map_err(VaultError::file(&path))?;
    serde_json::from_str(&answer).map_err(io::Error::other).map_err(VaultError::file(&path))
}

fn read(stream: &UnixStream) -> io::Result<Ask> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    serde_json::from_str(&line_of(stream)?).map_err(io::Error::other)
}

fn write(mut stream: &UnixStream, answer: &Answer) -> io::Result<()> {
    let line = serde_json::to_string(answer).map_err(io::Error::other)?;
    stream.write_all(format!("{line}\n").as_bytes())
}

fn line_of(stream: &UnixStream) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE_BYTES)).read_line(&mut line)?;
    if line.ends_with('\n') { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

const SOCKET: &str = "control.sock";
/// Longest wait for a line of a connected command.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest line: about a thousand records to erase at once.
const MAX_LINE_BYTES: u64 = 256 * 1024;
