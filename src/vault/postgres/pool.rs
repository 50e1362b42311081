//! A few connections on a thread of their own, whoever asks. A connection that broke is replaced at the next
//! question: a server that comes back is used again without a restart; while it is gone every question is answered
//! with an error at once.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::{Semaphore, oneshot},
};
use tokio_postgres::{Client, Row, Statement, error::SqlState, types::ToSql};

use super::{super::VaultError, connect::Route};

/// Tries of one question: on a fresh connection, and after a deadlock.
const TRIES: usize = 4;

/// A parameter of a statement.
pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// What is done with a connection. May be done again, so what it writes says the same when it is written twice.
pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failed>> + Send + 'a>>;

/// Why it did not work.
pub(super) enum Failed {
    /// Another connection, or another moment, may do.
    Again(VaultError),
    /// It would not work again either.
    Final(VaultError),
}

impl From<VaultError> for Failed {
    fn from(error: VaultError) -> Self {
        Self::Final(error)
    }
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        let moment = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
        let again = error.code().is_none_or(|code| moment.contains(code) || code.code().starts_with("57P"));
        if again { Self::Again(error.into()) } else { Self::Final(error.into()) }
    }
}

impl From<tokio_postgres::Error> for VaultError {
    /// The server's message without its detail, which can show parts of rows.
    fn from(error: tokio_postgres::Error) -> Self {
        let said = error.as_db_error().map(|said| format!("{} ({})", said.message(), said.code().code()));
        Self::Unavailable(said.unwrap_or_else(|| error.to_string()))
    }
}

/// The connections.
pub(super) struct Pool {
    shared: Arc<Shared>,
    handle: Handle,
    /// Dropped with the pool, which ends the thread.
    _end: oneshot::Sender<()>,
}

struct Shared {
    route: Route,
    idle: Mutex<Vec<Session>>,
    permits: Semaphore,
}

impl Pool {
    pub(super) fn start(route: Route, connections: usize) -> Result<Self, VaultError> {
        let unavailable = |error: std::io::Error| VaultError::Unavailable(error.to_string());
        let runtime = Builder::new_current_thread().enable_all().build().map_err(unavailable)?;
        let (handle, (end, ended)) = (runtime.handle().clone(), oneshot::channel::<()>());
        let run = move || drop(runtime.block_on(ended));
        std::thread::Builder::new().name("vault-postgres".to_owned()).spawn(run).map_err(unavailable)?;
        let shared = Shared { route, idle: Mutex::new(Vec::new()), permits: Semaphore::new(connections) };
        Ok(Self { shared: Arc::new(shared), handle, _end: end })
    }

    /// Does `work` on a connection, within `limit`.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl for<'a> Fn(&'a mut Session) -> Work<'a, T> + Send + Sync + 'static,
    ) -> Result<T, VaultError> {
        let task = self.handle.spawn(Arc::clone(&self.shared).within(limit, work));
        task.await.unwrap_or_else(|_| Err(ended()))
    }

    /// As [`Self::run`], for a caller that can wait: at start-up.
    pub(super) fn run_here<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl for<'a> Fn(&'a mut Session) -> Work<'a, T> + Send + Sync + 'static,
    ) -> Result<T, VaultError> {
        let (answer, done) = std::sync::mpsc::channel();
        let task = Arc::clone(&self.shared).within(limit, work);
        self.handle.spawn(async move { answer.send(task.await) });
        done.recv().unwrap_or_else(|_| Err(ended()))
    }
}

fn ended() -> VaultError {
    VaultError::Unavailable("its thread has ended".to_owned())
}

impl Shared {
    async fn within<T>(
        self: Arc<Self>,
        limit: Duration,
        work: impl for<'a> Fn(&'a mut Session) -> Work<'a, T>,
    ) -> Result<T, VaultError> {
        let done = tokio::time::timeout(limit, self.attempts(work)).await;
        done.unwrap_or_else(|_| Err(VaultError::Unavailable("no answer in time".to_owned())))
    }

    async fn attempts<T>(&self, work: impl for<'a> Fn(&'a mut Session) -> Work<'a, T>) -> Result<T, VaultError> {
        let gone = || VaultError::Unavailable("its connections were closed".to_owned());
        let _permit = self.permits.acquire().await.map_err(|_| gone())?;
        let mut last = gone();
        for _ in 0..TRIES {
            let mut session = match self.idle() {
                Some(session) => session,
                None => Session { client: self.route.connect().await?, statements: HashMap::new() },
            };
            match work(&mut session).await {
                Ok(done) => {
                    self.lay_down(session);
                    return Ok(done);
                }
                Err(Failed::Again(error)) => last = error,
                Err(Failed::Final(error)) => return Err(error),
            }
        }
        Err(last)
    }

    fn idle(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|session| !session.client.is_closed());
        idle.pop()
    }

    fn lay_down(&self, session: Session) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }
}

/// One connection with the statements it knows. After an error it is closed, which also ends its transaction.
pub(super) struct Session {
    client: Client,
    statements: HashMap<&'static str, Statement>,
}

impl Session {
    pub(super) async fn query(&mut self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Failed> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.query(&statement, parameters).await?)
    }

    /// How many rows were changed.
    pub(super) async fn execute(&mut self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<u64, Failed> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.execute(&statement, parameters).await?)
    }

    async fn prepared(&mut self, sql: &'static str) -> Result<Statement, Failed> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    /// Several statements without parameters.
    pub(super) async fn batch(&mut self, sql: &str) -> Result<(), Failed> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Starts a transaction that other writers share the vault with.
    pub(super) async fn begin(&mut self, lock: &'static str) -> Result<(), Failed> {
        self.batch("BEGIN").await?;
        self.query(lock, &[]).await.map(drop)
    }

    pub(super) async fn commit(&mut self) -> Result<(), Failed> {
        self.batch("COMMIT").await
    }
}
