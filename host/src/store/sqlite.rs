//! The embedded store: SQLite in WAL mode, for one machine. One writer at a time, any number of
//! readers, other processes welcome.

mod create;
mod effects;
mod executions;
mod guest;
mod handlers;
mod jobs;
mod leases;
mod listen;
mod record;
mod schedules;
mod sql;

pub use sql::STATEMENTS;

use super::StoreError;
use super::notice::{NOTICES_MAX, Notice};
use super::postgres::migration_error;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};
use std::path::Path;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep};

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const BUSY_PAUSE: Duration = Duration::from_millis(20);
const READERS_MAX: u32 = 4;

/// Jobs in one file. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    /// One connection, so that writers of this process queue here and not in SQLite's busy loop.
    writer: SqlitePool,
    readers: SqlitePool,
    /// What this process wrote, for its own runners.
    notices: broadcast::Sender<Notice>,
}

impl SqliteStore {
    /// Opens a file, creating it and its tables as needed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened or is locked for too long,
    /// [`StoreError::Schema`] when it was made by a newer version.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, true).await
    }

    /// Opens a file that exists, and brings its tables up to date.
    ///
    /// # Errors
    /// As [`SqliteStore::open`]; [`StoreError::Unavailable`] when there is no such file.
    pub async fn open_existing(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, false).await
    }

    async fn open_with(path: &Path, create: bool) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .foreign_keys(true)
            // Full, not normal: a committed job survives a power cut (sqlite.org/pragma.html#pragma_synchronous).
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let named = |error: StoreError| match error {
            StoreError::Unavailable(why) => StoreError::Unavailable(format!("{}: {why}", path.display())),
            other => other,
        };
        let writing = options.clone().journal_mode(SqliteJournalMode::Wal);
        let writer = connect(writing).await.map_err(|error| named(error.into()))?;
        migrate(&writer).await.map_err(named)?;
        let applied = sqlx::query_scalar::<_, i64>(sql::SCHEMA_VERSION).fetch_one(&writer).await?;
        super::check_version(applied, sql::MIGRATIONS.len())?;
        let readers = pool(READERS_MAX).connect_lazy_with(options);
        Ok(SqliteStore { writer, readers, notices: broadcast::Sender::new(NOTICES_MAX) })
    }

    /// Takes the write lock at once: a transaction that reads first and writes later can fail halfway.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("begin immediate").await?)
    }

    /// Tells the runners of this process, if there are any.
    fn tell(&self, notice: Notice) {
        let _ = self.notices.send(notice);
    }

    /// Ends all connections. Calls afterwards fail.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(connections).acquire_timeout(3 * BUSY_TIMEOUT)
}

/// The connection that writes. A file that becomes a WAL file, or is recovered after a crash, answers "busy"
/// to others without waiting for their timeout (sqlite.org/wal.html#sometimes_queries_return_sqlite_busy_in_wal_mode).
async fn connect(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match pool(1).connect_with(options.clone()).await {
            Err(sqlx::Error::Database(error)) if is_busy(&*error) && Instant::now() < deadline => {
                sleep(BUSY_PAUSE).await;
            }
            connected => return connected,
        }
    }
}

fn is_busy(error: &dyn sqlx::error::DatabaseError) -> bool {
    const SQLITE_BUSY: u32 = 5;
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

/// Under the write lock as a whole: sqlx locks nothing on SQLite, and two programs that open a new file
/// at once would both create the tables.
async fn migrate(writer: &SqlitePool) -> Result<(), StoreError> {
    let mut transaction = writer.begin_with("begin immediate").await?;
    // Not `run`: inside a future that must be `Send` it does not compile for a connection by reference.
    let applied = migrator().run_direct(None, &mut *transaction, false).await;
    applied.map_err(|error| migration_error(&error))?;
    Ok(transaction.commit().await?)
}

fn migrator() -> Migrator {
    let migrations = sql::MIGRATIONS.iter().zip(1..).map(|((name, text), version)| {
        Migration::new(version, (*name).into(), MigrationType::Simple, text.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}
