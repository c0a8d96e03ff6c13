//! A runner, which is the real program, over one language's handlers and a database of its own.

use flowmonkey_jobs::job::{Job, JsonText, NewJob, Status};
use flowmonkey_tests::database::{Database, Fixture};
use flowmonkey_tests::program::{Folder, PATIENCE, Process};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a runner allows: everything that the behaviours need.
pub(crate) const ALLOWED: &str = r#"
[allow]
context = true
idempotency = true
queue = ["*"]
http = ["http://127.0.0.1:*"]
private-addresses = ["127.0.0.1"]
[handlers.behaviours.config]
region = "eu"
token = { env = "PATH" }
"#;
/// The same, but for the grants.
pub(crate) const NOTHING_ALLOWED: &str = "";

pub(crate) struct Rig {
    pub(crate) fixture: Fixture,
    folder: Folder,
    language: String,
    runner: Process,
}

/// The folder with one of the language's handlers, as `cargo xtask test` built it: manifest and component.
pub(crate) fn built(language: &str, handler: &str) -> PathBuf {
    let guests = std::env::var_os("FLOWMONKEY_GUESTS").map(PathBuf::from);
    let guests =
        guests.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-handlers"));
    guests.join("languages").join(language).join(handler)
}

impl Rig {
    /// Starts a runner for these handlers of the language.
    pub(crate) async fn start(language: &str, handlers: &[&str], settings: &str, fixture: Fixture) -> Self {
        let url = match &fixture.database {
            Database::Postgres(database) => database.url.clone(),
            Database::Sqlite(database) => format!("sqlite:{}", database.path.display()),
        };
        let folder = Folder::with_database(url);
        for handler in handlers {
            let from = built(language, handler);
            let entries = std::fs::read_dir(&from)
                .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask test` builds it", from.display()));
            for file in entries.map(|entry| entry.unwrap().path()) {
                let name = file.file_name().unwrap().to_str().unwrap().to_owned();
                folder.write(&format!("handlers/{handler}/{name}"), std::fs::read(&file).unwrap());
            }
        }
        let runner = spawn(&folder, settings);
        Rig { fixture, folder, language: language.to_owned(), runner }
    }

    /// Puts another runner in the place of this one, which is not there any more.
    pub(crate) fn restart(&mut self, settings: &str) {
        self.runner = spawn(&self.folder, settings);
    }

    pub(crate) fn runner(&mut self) -> &mut Process {
        &mut self.runner
    }

    /// All that the runner wrote since it began, one JSON object a line.
    pub(crate) fn log(&self) -> Vec<Value> {
        let log = self.runner.log();
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The lines that a job's attempt wrote. That it has finished is told after them.
    pub(crate) async fn lines(&self, job: &str) -> Vec<Value> {
        let look = async {
            loop {
                let lines = self.log().into_iter().filter(|line| line["job_id"] == job);
                let (ended, lines): (Vec<Value>, Vec<Value>) =
                    lines.partition(|line| line["message"] == "attempt finished");
                if !ended.is_empty() {
                    return lines.into_iter().filter(|line| line["target"] == "flowmonkey::guest").collect();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.expect("the attempt's end in the log")
    }

    pub(crate) async fn enqueue(&self, handler: &str, input: &Value) -> String {
        let input = JsonText::parse(&input.to_string()).unwrap();
        self.create(NewJob::new(handler, input)).await
    }

    pub(crate) async fn create(&self, job: NewJob) -> String {
        self.fixture.store.create(job).await.unwrap().job.id
    }

    /// The job once it fits. The bound is for faults alone.
    pub(crate) async fn wait_for(&self, id: &str, fits: impl Fn(&Job) -> bool) -> Job {
        let look = async {
            loop {
                let job = self.fixture.store.get(id).await.unwrap().unwrap();
                if fits(&job) {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, look).await {
            Ok(job) => job,
            Err(_) => panic!(
                "{}: it never came to that: {:?}\n{}",
                self.language,
                self.fixture.store.get(id).await,
                self.runner.log()
            ),
        }
    }

    pub(crate) async fn ended(&self, id: &str) -> Job {
        self.wait_for(id, |job| matches!(job.status, Status::Completed | Status::Failed | Status::Cancelled))
            .await
    }
}

fn spawn(folder: &Folder, settings: &str) -> Process {
    folder.write("flowmonkey.toml", settings);
    let mut runner = folder.spawn(&[
        "run",
        "--handlers",
        "handlers",
        "--log-format",
        "json",
        "--poll-interval",
        "50ms",
        "--heartbeat-interval",
        "200ms",
        "--stalled-threshold",
        "1s",
        "--reap-interval",
        "200ms",
        "--max-concurrent",
        "8",
    ]);
    runner.wait_for_log("runner started");
    runner
}
