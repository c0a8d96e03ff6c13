//! A fresh database for every test, of either engine, with a raw way in beside the store.

use crate::cluster::EmptyPostgres;
use flowmonkey_jobs::store::{PgStore, SharedStore, SqliteStore};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// What one case of the store suite gets: a migrated database that nobody else has.
pub struct Fixture {
    /// The store under test.
    pub store: SharedStore,
    /// The database below it.
    pub database: Database,
}

/// A database of either engine.
pub enum Database {
    /// On the server that `DATABASE_URL` names.
    Postgres(PgDatabase),
    /// In a folder of its own.
    Sqlite(SqliteDatabase),
}

impl Fixture {
    /// A migrated Postgres database.
    pub async fn postgres() -> Self {
        let database = PgDatabase::migrated().await;
        Fixture { store: Arc::new(database.store().await), database: Database::Postgres(database) }
    }

    /// A migrated SQLite file.
    pub async fn sqlite() -> Self {
        let database = SqliteDatabase::empty().await;
        Fixture { store: Arc::new(database.store().await), database: Database::Sqlite(database) }
    }

    /// The raw connections of a case that is about Postgres alone.
    pub fn pg(&self) -> &PgPool {
        match &self.database {
            Database::Postgres(database) => &database.pool,
            Database::Sqlite(_) => panic!("this case is about Postgres"),
        }
    }

    /// Runs one or several statements without parameters, and counts the rows they changed.
    pub async fn execute(&self, sql: &str) -> u64 {
        self.try_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// As [`Fixture::execute`], for statements that the database shall refuse.
    pub async fn try_execute(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql));
        Ok(match &self.database {
            Database::Postgres(database) => statement.execute(&database.pool).await?.rows_affected(),
            Database::Sqlite(database) => statement.execute(&database.pool).await?.rows_affected(),
        })
    }

    /// Changes one job behind the store's back: `set(&id, "heartbeat_at = heartbeat_at - 60000")`.
    pub async fn set(&self, id: &str, assignments: &str) {
        let rows = self.execute(&format!("update fm_jobs set {assignments} where id = '{id}'")).await;
        assert_eq!(rows, 1, "job {id}");
    }

    /// The number that a query finds.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql);
        match &self.database {
            Database::Postgres(database) => sqlx::query_scalar(sql).fetch_one(&database.pool).await.unwrap(),
            Database::Sqlite(database) => sqlx::query_scalar(sql).fetch_one(&database.pool).await.unwrap(),
        }
    }

    /// The text that a query finds, or null.
    pub async fn text(&self, sql: &str) -> Option<String> {
        let sql = AssertSqlSafe(sql);
        match &self.database {
            Database::Postgres(database) => sqlx::query_scalar(sql).fetch_one(&database.pool).await.unwrap(),
            Database::Sqlite(database) => sqlx::query_scalar(sql).fetch_one(&database.pool).await.unwrap(),
        }
    }

    /// The clock that decides what is due.
    pub async fn now(&self) -> i64 {
        match &self.database {
            Database::Postgres(_) => self.number("select fm_now_ms()").await,
            Database::Sqlite(_) => self.number("select now from fm_clock").await,
        }
    }

    /// Every column of a job, to see that nothing changed.
    pub async fn row(&self, id: &str) -> String {
        match &self.database {
            Database::Postgres(database) => {
                let query = sqlx::query_scalar("select job::text from fm_jobs as job where id = $1");
                query.bind(id).fetch_one(&database.pool).await.unwrap()
            }
            Database::Sqlite(database) => {
                let query = sqlx::query("select * from fm_jobs where id = $1").bind(id);
                let row = query.fetch_one(&database.pool).await.unwrap();
                let column = |at| row.try_get_unchecked::<Option<String>, _>(at).unwrap();
                format!("{:?}", (0..row.len()).map(column).collect::<Vec<_>>())
            }
        }
    }
}

/// A Postgres database with raw connections beside the store's.
pub struct PgDatabase {
    /// How programs reach it.
    pub url: String,
    /// Raw connections, for rival transactions.
    pub pool: PgPool,
    _database: EmptyPostgres,
}

impl PgDatabase {
    /// A database without tables.
    ///
    /// # Panics
    /// When `DATABASE_URL` is not set, or names no server that lets us create databases.
    pub async fn empty() -> Self {
        let database = EmptyPostgres::create();
        let url = database.url();
        let pool = PgPoolOptions::new().max_connections(4).connect_lazy(&url).unwrap();
        PgDatabase { url, pool, _database: database }
    }

    /// A database with the tables of this version.
    pub async fn migrated() -> Self {
        let database = PgDatabase::empty().await;
        PgStore::migrate(&database.url).await.unwrap().close().await;
        database
    }

    /// A store with enough connections for the races of one test.
    pub async fn store(&self) -> PgStore {
        PgStore::connect(&self.url, 8).await.unwrap()
    }
}

/// A SQLite file that is removed with this value.
pub struct SqliteDatabase {
    /// The file.
    pub path: PathBuf,
    /// Raw connections, for rival transactions.
    pub pool: SqlitePool,
    _folder: TempDir,
}

impl SqliteDatabase {
    /// A place for a file; nothing is there yet.
    pub async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let options = SqliteConnectOptions::new().filename(&path).foreign_keys(true);
        let pool = SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options);
        SqliteDatabase { path, pool, _folder: folder }
    }

    /// Opens the file as a program does, which creates it.
    pub async fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.path).await.unwrap()
    }
}

/// Whether somebody holds a SQLite file's write lock. No file has none.
pub fn is_locked(path: &Path) -> bool {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::ZERO);
    let ask = async {
        let mut connection = options.connect().await?;
        sqlx::raw_sql("begin immediate; rollback").execute(&mut connection).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    path.exists() && runtime.block_on(ask).is_err()
}
