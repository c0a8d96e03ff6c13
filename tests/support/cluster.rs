//! Databases on the test server: one a test, dropped with it.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use std::str::FromStr;

/// An empty database of its own.
pub struct EmptyPostgres {
    name: String,
    server: String,
}

impl EmptyPostgres {
    pub fn create() -> Self {
        let server = std::env::var("DATABASE_URL")
            .expect("DATABASE_URL names no Postgres server: set it, or run `cargo xtask test`");
        let name = format!("fm_test_{}", uuid::Uuid::new_v4().simple());
        execute(&server, format!("create database {name}"));
        EmptyPostgres { name, server }
    }

    /// Runs statements behind everybody's back.
    pub fn execute(&self, sql: &str) {
        execute(&self.url(), sql.to_owned());
    }

    pub fn url(&self) -> String {
        let options = PgConnectOptions::from_str(&self.server).unwrap().database(&self.name);
        options.to_url_lossy().to_string()
    }
}

impl Drop for EmptyPostgres {
    fn drop(&mut self) {
        execute(&self.server, format!("drop database if exists {} with (force)", self.name));
    }
}

/// On a thread of its own: callers may be inside a runtime, where blocking is not allowed.
fn execute(url: &str, statement: String) {
    let url = url.to_owned();
    let work = async move {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::spawn(move || runtime().block_on(work)).join().unwrap();
}
