//! The production store: Postgres 14 or newer.

mod claim;
mod create;
mod effects;
mod ends;
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
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// A call that takes longer is given up and counts as [`StoreError::Unavailable`]: a database that
/// hangs must look like one that is away.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection that answered so short a time ago is taken for alive; a call that finds it dead says so.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// How long a call waits for a connection, new or from the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// One for claims and one for outcomes, if there are so many that something is left for other calls. These calls come
/// one after the other, and the longest of them; a pool that hands its connections out in turn would have every one
/// of the server's processes go through the same plans, tables and indexes.
const CONNECTIONS_FOR_GROUPS: u32 = 2;

/// Jobs in Postgres. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct PgStore {
    pool: PgPool,
    /// For calls that take or end many jobs at once.
    groups: PgPool,
    /// Where the last claims ended.
    ends: Arc<ends::Ends>,
}

impl PgStore {
    /// Connects, and checks that the tables are those of this version.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a URL that cannot be read, [`StoreError::Unavailable`] with the
    /// address (never the password) when there is no database, [`StoreError::Schema`] when
    /// [`PgStore::migrate`] has to run first.
    pub async fn connect(url: &str, connections_max: u32) -> Result<Self, StoreError> {
        let store = Self::open(url, connections_max).await?;
        store.check_schema().await?;
        Ok(store)
    }

    /// Creates or extends the tables up to this version, then connects. Safe to run from several
    /// places at once.
    ///
    /// # Errors
    /// As [`PgStore::connect`]; [`StoreError::Schema`] when the tables are newer than this program.
    pub async fn migrate(url: &str) -> Result<Self, StoreError> {
        let store = Self::open(url, 2).await?;
        let mut migrated = store.apply_migrations().await;
        // Another program's migration may end connections.
        if matches!(migrated, Err(StoreError::Unavailable(_))) {
            migrated = store.apply_migrations().await;
        }
        migrated.map(|()| store)
    }

    /// On a connection of its own, without a bound: to make an index anew, or to wait for who does, takes its time.
    async fn apply_migrations(&self) -> Result<(), StoreError> {
        let options = self.pool.connect_options().as_ref().clone();
        let alone = PgPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT);
        let alone = alone.connect_lazy_with(options);
        let migrated = migrator().run(&alone).await;
        alone.close().await;
        migrated.map_err(|error| migration_error(&error))
    }

    async fn open(url: &str, connections_max: u32) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| StoreError::Invalid(format!("the database URL cannot be read: {error}")))?
            .application_name("flowmonkey");
        let address = describe(&options);
        let connections = |connections_max| {
            PgPoolOptions::new()
                .max_connections(connections_max)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                // One that was just used is not asked whether it lives: that would be another way there and back.
                .test_before_acquire(false)
                .before_acquire(|connection, known| Box::pin(is_alive(connection, known.idle_for)))
                .after_connect(|connection, _| Box::pin(set_up(connection)))
                .connect_lazy_with(options.clone())
        };
        let others = connections_max.saturating_sub(CONNECTIONS_FOR_GROUPS);
        let (pool, groups) = if others < CONNECTIONS_FOR_GROUPS {
            let pool = connections(connections_max);
            (pool.clone(), pool)
        } else {
            (connections(others), connections(CONNECTIONS_FOR_GROUPS))
        };
        let store = PgStore { pool, groups, ends: Arc::default() };
        // The pool would retry a refused connection until its time is over, and then only say so.
        let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, store.first_connection()).await;
        match connected {
            Ok(Ok(())) => Ok(store),
            Ok(Err(error)) => Err(StoreError::Unavailable(format!("{address}: {error}"))),
            Err(_) => Err(StoreError::Unavailable(format!(
                "{address}: no answer within {} s",
                ACQUIRE_TIMEOUT.as_secs()
            ))),
        }
    }

    async fn first_connection(&self) -> Result<(), sqlx::Error> {
        use sqlx::{ConnectOptions, Connection};
        self.pool.connect_options().connect().await?.close().await
    }

    async fn check_schema(&self) -> Result<(), StoreError> {
        let applied = sqlx::query_scalar::<_, i64>(sql::SCHEMA_VERSION).fetch_one(&self.pool).await?;
        super::check_version(applied, sql::MIGRATIONS.len())
    }

    /// Runs a call with a deadline.
    async fn call<T, F>(&self, call: F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        within_deadline(async { Ok::<_, StoreError>(call.await?) }).await
    }

    /// Ends all connections. Calls afterwards fail.
    pub async fn close(&self) {
        self.pool.close().await;
        self.groups.close().await;
    }
}

/// What each connection begins with. The server ends a call a little before the client gives it up, so that
/// it holds no locks and no connection that nobody waits for. A transaction whose process is stopped in the
/// middle of it (SIGSTOP, a debugger) is ended too; while a component is on its way, it counts as idle.
///
/// Our statements go from rows that they know to others by their keys. To read or hash whole tables is what the
/// planner prefers while they are small, or while it believes that hardly any job runs: it may not. What is left does
/// not hang on statistics, so each statement is planned once, which takes longer than to run it. Compiling such short
/// statements would take a thousand times what it saves.
pub const SESSION: &str = "set plan_cache_mode = force_generic_plan; set jit = off; set statement_timeout = '28s'; \
    set idle_in_transaction_session_timeout = '300s'; set enable_hashjoin = off; set enable_mergejoin = off; \
    set enable_seqscan = off";

/// Whether a connection of the pool still works, as far as it is worth to know.
async fn is_alive(connection: &mut PgConnection, idle_for: Duration) -> Result<bool, sqlx::Error> {
    use sqlx::Connection;
    Ok(idle_for < TRUSTED_FOR || connection.ping().await.is_ok())
}

async fn set_up(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SESSION).execute(connection).await.map(drop)
}

/// Runs a call of one or several statements with a deadline.
async fn within_deadline<T, E: From<StoreError>>(call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    within(CALL_TIMEOUT, call).await
}

async fn within<T, E: From<StoreError>>(
    deadline: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(deadline, call).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::timed_out(deadline).into()),
    }
}

/// The address of a database without its password.
fn describe(options: &PgConnectOptions) -> String {
    let (user, host, port) = (options.get_username(), options.get_host(), options.get_port());
    let database = options.get_database().unwrap_or(user);
    format!("postgres://{user}@{host}:{port}/{database}")
}

fn migrator() -> Migrator {
    let migrations = sql::MIGRATIONS.iter().zip(1..).map(|((name, text), version)| {
        Migration::new(version, (*name).into(), MigrationType::Simple, text.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

pub(super) fn migration_error(error: &sqlx::migrate::MigrateError) -> StoreError {
    use sqlx::migrate::MigrateError::{Execute, ExecuteMigration, VersionMismatch, VersionMissing};
    match error {
        VersionMissing(version) | VersionMismatch(version) => StoreError::Schema(format!(
            "the database has migration {version}, which this program does not know; \
             use the version of flowmonkey that made it, or a newer one"
        )),
        Execute(sqlx::Error::Io(error)) => StoreError::Unavailable(error.to_string()),
        // 57: an operator, or a migration, ended the connection.
        Execute(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("57")) => {
            StoreError::Unavailable(error.message().to_owned())
        }
        ExecuteMigration(sqlx::Error::Database(error), _) if error.code().as_deref() == Some("55P03") => {
            StoreError::Schema(format!(
                "the tables cannot be migrated while an open transaction holds them ({}); \
                 end it, see pg_stat_activity, and repeat",
                error.message()
            ))
        }
        other => StoreError::Schema(format!("the tables cannot be migrated: {other}")),
    }
}
