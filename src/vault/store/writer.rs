//! The one thread that writes the store: jobs of many callers go into one transaction and one sync; a caller hears of
//! it when it is durable. A job that fails leaves the others alone; a store that fails ends the batch for everybody.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use redb::Database;
use tokio::sync::oneshot;

use super::{
    super::VaultError,
    Current,
    tables::{Tables, Writing},
};

/// Jobs that may wait.
pub(super) const QUEUE_JOBS: usize = 4_096;
/// Jobs of one transaction.
const BATCH_JOBS: usize = 1_024;

/// What became of the transaction.
#[derive(Debug, Clone)]
enum Fate {
    Durable,
    Lost(String),
}

type Done = Box<dyn FnOnce(Fate) + Send>;
type Job = Box<dyn FnOnce(&mut Tables<Writing<'_>>) -> Result<Done, (VaultError, Done)> + Send>;

/// Handle of the thread; dropping it ends the thread after what is queued.
pub(super) struct Writer {
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(db: Database, current: Arc<Current>) -> Result<Self, VaultError> {
        let (queue, jobs) = sync_channel(QUEUE_JOBS);
        let thread = std::thread::Builder::new().name("vault".to_owned()).spawn(move || run(&db, &current, &jobs));
        let thread = thread.map_err(|error| VaultError::Unavailable(error.to_string()))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs `work` in a write transaction; resolves when its outcome is durable. `work` checks before it changes
    /// anything: what it changed before it returned an error (but the store's own) stays.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tables<Writing<'_>>) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, VaultError> {
        let (answer, outcome) = oneshot::channel();
        let job: Job = Box::new(move |tables| match work(tables) {
            Err(VaultError::Store(source)) => {
                let done: Done = Box::new(move |fate| drop(answer.send(Err(lost(fate)))));
                Err((VaultError::Store(source), done))
            }
            result => Ok(Box::new(move |fate| {
                let _ = answer.send(match fate {
                    Fate::Durable => result,
                    Fate::Lost(_) => Err(lost(fate)),
                });
            })),
        });
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => VaultError::Busy(QUEUE_JOBS),
            TrySendError::Disconnected(_) => gone(),
        })?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was logged by its hook; its callers were told that the vault is gone.
            let _ = thread.join();
        }
    }
}

fn lost(fate: Fate) -> VaultError {
    match fate {
        Fate::Lost(why) => VaultError::Unavailable(why),
        Fate::Durable => gone(),
    }
}

fn gone() -> VaultError {
    VaultError::Unavailable("its writer has ended".to_owned())
}

fn run(db: &Database, current: &Current, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let batch = std::iter::once(first).chain(jobs.try_iter().take(BATCH_JOBS - 1));
        let mut waiting = Vec::new();
        let fate = match transact(db, batch, &mut waiting).and_then(|()| current.renew(db)) {
            Ok(()) => Fate::Durable,
            Err(error) => {
                tracing::error!(error = %error, "vault could not write");
                Fate::Lost(error.to_string())
            }
        };
        waiting.into_iter().for_each(|done| done(fate.clone()));
    }
}

/// One transaction. A crash before `commit` returns leaves the store as it was; redb finds the last whole commit.
fn transact(db: &Database, batch: impl Iterator<Item = Job>, waiting: &mut Vec<Done>) -> Result<(), VaultError> {
    let mut transaction = db.begin_write()?;
    // Two syncs per commit, and after a crash the store opens at once instead of walking through all of it.
    transaction.set_quick_repair(true);
    {
        let mut tables = Tables::write(&transaction)?;
        for job in batch {
            match job(&mut tables) {
                Ok(done) => waiting.push(done),
                Err((error, done)) => {
                    waiting.push(done);
                    return Err(error);
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}
