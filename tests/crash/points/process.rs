//! The process that dies: this test program again, told to run one test alone.

use super::killer::NOTE;
use flowmonkey_jobs::job::Lease;
use flowmonkey_jobs::store::{PgStore, SharedStore, SqliteStore};
use flowmonkey_tests::database::{Database, Fixture};
use flowmonkey_tests::program::PATIENCE;
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const PART: &str = "FLOWMONKEY_TEST_CRASH_PART";
const STORE: &str = "FLOWMONKEY_TEST_CRASH_STORE";
const SIGKILL: i32 = 9;

/// What the process was doing when it died.
pub(crate) struct Hit {
    pub(crate) leases: Vec<Lease>,
    /// Whether the call had come to its end.
    pub(crate) ended: bool,
    /// What the call wrote, where it can be looked for.
    pub(crate) wrote: Value,
}

/// Runs a test in a process of its own, which plays this part, until it has killed itself.
pub(crate) async fn until_killed(f: &Fixture, test: &str, part: &str) -> Hit {
    let address = match &f.database {
        Database::Postgres(database) => database.url.clone(),
        Database::Sqlite(database) => database.path.to_str().unwrap().to_owned(),
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(PART, part).env(STORE, address);
    let started_at = Started::now(f).await;
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    started_at.until_alone(f).await;
    let out = String::from_utf8_lossy(&ended.stdout);
    let note = out.lines().find_map(|line| Some(line.split_once(NOTE)?.1));
    let (Some(SIGKILL), Some(note)) = (ended.status.signal(), note) else {
        panic!("{part}: never reached: {out}{}", String::from_utf8_lossy(&ended.stderr));
    };
    let note: Value = serde_json::from_str(note).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let lease = |pair: &Value| Lease { job_id: text(&pair[0]), instance_id: text(&pair[1]) };
    let leases = note["leases"].as_array().unwrap().iter().map(lease).collect();
    Hit { leases, ended: note["ended"] == true, wrote: note["wrote"].clone() }
}

/// When the process began, by the clock of a Postgres server.
struct Started(Option<String>);

impl Started {
    async fn now(f: &Fixture) -> Self {
        match f.database {
            Database::Postgres(_) => Started(f.text("select clock_timestamp()::text").await),
            Database::Sqlite(_) => Started(None),
        }
    }

    /// Waits until the server has done whatever the dead process asked for: it ends a connection's statement
    /// before it looks whether anybody is there. SQLite works inside the process, and died with it.
    async fn until_alone(&self, f: &Fixture) {
        let Some(since) = &self.0 else { return };
        let others = format!(
            "select count(*) from pg_stat_activity where datname = current_database()
                 and backend_start > '{since}' and pid <> pg_backend_pid()"
        );
        while f.number(&others).await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

/// The part this process shall play; nothing in the parent.
pub(crate) fn part() -> Option<String> {
    std::env::var(PART).ok()
}

/// Where the parent's database is.
pub(crate) fn address() -> String {
    std::env::var(STORE).unwrap()
}

/// Plays a part over the parent's database. It must die of it: what goes on for too long, or comes to an end,
/// has missed its crash point.
pub(crate) fn play<F: Future<Output = ()>>(part: impl FnOnce(SharedStore) -> F) {
    std::thread::spawn(|| {
        std::thread::sleep(PATIENCE / 2);
        std::process::exit(1);
    });
    let address = address();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store: SharedStore = if address.starts_with("postgres") {
            Arc::new(PgStore::connect(&address, 8).await.unwrap())
        } else {
            Arc::new(SqliteStore::open_existing(Path::new(&address)).await.unwrap())
        };
        part(store).await;
    });
}
