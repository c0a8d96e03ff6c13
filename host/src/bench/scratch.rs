//! Databases to measure in, which nobody else has and which go when they were used.

use anyhow::Context;
use flowmonkey_jobs::store::{PgStore, SharedStore, SqliteStore};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// When jobs are due, as SQL, and how they rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    priority: u8,
    run_at: &'static str,
}

impl Due {
    pub(super) const BEFORE: Due = Due { priority: 5, run_at: "fm_clock.now - 1000000 + n / 100" };
    pub(super) const LATER: Due = Due { priority: 0, run_at: "fm_clock.now + 3600000 + n" };
    pub(super) const NEVER: Due = Due { priority: 5, run_at: "null" };
}

/// A database of its own.
pub(super) enum Scratch {
    /// On a server of the user's.
    Postgres { server: String, name: String },
    /// A file in a folder of its own.
    Sqlite { folder: PathBuf },
}

impl Scratch {
    /// A database on this server, with our tables.
    pub(super) async fn postgres(server: &str) -> anyhow::Result<Self> {
        let name = format!("flowmonkey_bench_{}", uuid::Uuid::new_v4().simple());
        let scratch = Scratch::Postgres { server: server.to_owned(), name: name.clone() };
        let create = execute_postgres(server, &format!("create database {name}")).await;
        create.context("a database to measure in; the user needs the right to create one")?;
        PgStore::migrate(&scratch.url()?).await?.close().await;
        Ok(scratch)
    }

    /// A file with our tables.
    pub(super) async fn sqlite() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("flowmonkey-bench-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let scratch = Scratch::Sqlite { folder };
        drop(scratch.store(1).await?);
        Ok(scratch)
    }

    /// Measures in it, and ends it whatever came of that.
    pub(super) async fn used<T>(
        self,
        measure: impl AsyncFnOnce(&Scratch) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let measured = measure(&self).await;
        self.end().await?;
        measured
    }

    pub(super) fn is_postgres(&self) -> bool {
        matches!(self, Scratch::Postgres { .. })
    }

    /// As `--database-url` has it.
    pub(super) fn url(&self) -> anyhow::Result<String> {
        Ok(match self {
            Scratch::Postgres { server, name } => {
                PgConnectOptions::from_str(server)?.database(name).to_url_lossy().to_string()
            }
            Scratch::Sqlite { folder } => format!("sqlite:{}", folder.join("jobs.db").display()),
        })
    }

    pub(super) async fn store(&self, connections: u32) -> anyhow::Result<SharedStore> {
        Ok(match self {
            Scratch::Postgres { .. } => Arc::new(PgStore::connect(&self.url()?, connections).await?),
            Scratch::Sqlite { folder } => Arc::new(SqliteStore::open(&folder.join("jobs.db")).await?),
        })
    }

    /// Runs statements.
    pub(super) async fn execute(&self, statements: &str) -> anyhow::Result<()> {
        match self {
            Scratch::Postgres { .. } => execute_postgres(&self.url()?, statements).await,
            Scratch::Sqlite { folder } => {
                let options = SqliteConnectOptions::new().filename(folder.join("jobs.db"));
                let mut connection: SqliteConnection = options.connect().await?;
                sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await?;
                Ok(connection.close().await?)
            }
        }
    }

    /// The first column of the first row.
    pub(super) async fn number(&self, query: &str) -> anyhow::Result<i64> {
        Ok(match self {
            Scratch::Postgres { .. } => {
                let mut connection = PgConnection::connect(&self.url()?).await?;
                sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut connection).await?
            }
            Scratch::Sqlite { folder } => {
                let options = SqliteConnectOptions::new().filename(folder.join("jobs.db"));
                let mut connection: SqliteConnection = options.connect().await?;
                sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut connection).await?
            }
        })
    }

    /// The first column of the first row of a query on Postgres; nothing on SQLite.
    pub(super) async fn text(&self, query: &str) -> anyhow::Result<String> {
        if !self.is_postgres() {
            return Ok(String::new());
        }
        let mut connection = PgConnection::connect(&self.url()?).await?;
        Ok(sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut connection).await?)
    }

    /// So many pending jobs of a handler, due one after the other in the past.
    pub(super) async fn fill(&self, handler: &str, jobs: u64) -> anyhow::Result<()> {
        self.fill_with(handler, handler, jobs, Due::BEFORE).await
    }

    /// So many pending jobs of a handler, with ids that grow as ours do.
    pub(super) async fn fill_with(
        &self,
        ids: &str,
        handler: &str,
        jobs: u64,
        due: Due,
    ) -> anyhow::Result<()> {
        if jobs == 0 {
            return Ok(());
        }
        self.insert(ids, handler, jobs, due).await?;
        if self.is_postgres() {
            self.execute("vacuum analyze fm_jobs").await?;
            // A checkpoint in the middle of what is measured would hit one of the sides.
            let _ = self.execute("checkpoint").await;
        }
        Ok(())
    }

    /// As [`fill_with`](Scratch::fill_with), and leaves the upkeep to the server.
    pub(super) async fn insert(&self, ids: &str, handler: &str, jobs: u64, due: Due) -> anyhow::Result<()> {
        let Due { priority, run_at } = due;
        let insert = "insert into fm_jobs (id, handler, input, priority, run_at)";
        let input = r#"'{"to": "ada@example.com", "subject": "Hi"}'"#;
        match self {
            Scratch::Postgres { .. } => {
                let jobs = format!(
                    "{insert} select '{ids}-' || lpad(n::text, 20, '0'), '{handler}', {input}, {priority}, {run_at}
                    from generate_series(1, {jobs}) as n, (select fm_now_ms() as now offset 0) as fm_clock"
                );
                self.execute(&jobs).await
            }
            Scratch::Sqlite { .. } => {
                let jobs = format!(
                    "begin immediate;
                    with recursive counter (n) as (select 1 union all select n + 1 from counter where n < {jobs})
                    {insert} select '{ids}-' || printf('%020d', n), '{handler}', {input}, {priority}, {run_at}
                    from counter, fm_clock; commit; pragma wal_checkpoint(truncate);"
                );
                self.execute(&jobs).await
            }
        }
    }

    /// No jobs, and no space that they took.
    pub(super) async fn clear(&self) -> anyhow::Result<()> {
        match self {
            Scratch::Postgres { .. } => self.execute("truncate fm_jobs cascade").await,
            Scratch::Sqlite { .. } => {
                self.execute("delete from fm_jobs; pragma wal_checkpoint(truncate);").await
            }
        }
    }

    async fn end(self) -> anyhow::Result<()> {
        match &self {
            Scratch::Postgres { server, name } => {
                execute_postgres(server, &format!("drop database if exists {name} with (force)")).await
            }
            Scratch::Sqlite { folder } => Ok(std::fs::remove_dir_all(folder)?),
        }
    }
}

async fn execute_postgres(url: &str, statements: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await.context("Postgres, to measure with")?;
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await?;
    Ok(connection.close().await?)
}
