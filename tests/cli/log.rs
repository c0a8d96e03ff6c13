//! Who reads what the program writes may be slow, stuck or gone.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use flowmonkey_jobs::job::{JsonText, NewJob};
use flowmonkey_jobs::store::{JobStore, SqliteStore};
use flowmonkey_tests::program::{Folder, PATIENCE, Process};
use std::io::{BufRead, BufReader, PipeReader};
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

const MAIL: &str = r#"{"to": "a@b.example", "subject": "s", "body": "b"}"#;
/// Each logs two lines; together more than a pipe holds and than may wait.
const JOBS: u64 = 20_000;
const DROPPED: &str = "log lines were dropped";

/// A runner with many jobs, which it can only complete if it does not wait for who reads what it writes.
struct Busy {
    _folder: Folder,
    runner: Process,
    store: SqliteStore,
    lines: PipeReader,
}

impl Busy {
    /// Only its log goes into the pipe, or all that it writes.
    async fn begin(is_all: bool) -> Self {
        let folder = Folder::with_database("sqlite:jobs.db");
        folder.handlers(&["email-send"]);
        folder.done(&["migrate"]);
        let store = SqliteStore::open(&folder.path().join("jobs.db")).await.unwrap();
        let mail = || NewJob::new("email-send", JsonText::parse(MAIL).unwrap());
        for _ in 0..JOBS / 1000 {
            store.create_many((0..1000).map(|_| mail()).collect()).await.unwrap();
        }
        let (lines, log) = std::io::pipe().unwrap();
        let out = if is_all { log.try_clone().unwrap().into() } else { Stdio::null() };
        let runner = folder.spawn_writing_to(&["run", "--handlers", "handlers"], out, log);
        Busy { _folder: folder, runner, store, lines }
    }

    async fn wait_until_completed(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stats = self.store.stats().await.unwrap();
            // Those that have ended are not counted to the last.
            if (stats[0].due, stats[0].running, stats[0].failed) == (0, 0, 0) {
                return;
            }
            assert!(Instant::now() < deadline, "it never came to that: {stats:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Reads on a thread of its own, so that a test can lose its patience.
fn read(lines: PipeReader) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || BufReader::new(lines).lines().try_for_each(|line| sender.send(line.unwrap())));
    receiver
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_stops_no_job() {
    let busy = Busy::begin(false).await;
    busy.wait_until_completed().await;
    // Whoever reads again hears how much is missing.
    let Busy { mut runner, lines, .. } = busy;
    let lines = read(lines);
    let (mut seen, mut dropped) = (0, 0);
    while dropped == 0 {
        let line = lines.recv_timeout(PATIENCE).unwrap();
        match line.contains(DROPPED) {
            true => dropped = line.rsplit_once("lines=").unwrap().1.parse().unwrap(),
            false => seen += 1,
        }
    }
    let few = 20;
    assert!((2 * JOBS..2 * JOBS + few).contains(&(seen + dropped)), "{seen} lines and {dropped} dropped");
    runner.signal("TERM");
    while !lines.recv_timeout(PATIENCE).unwrap().contains("runner stopped") {}
    assert_eq!(runner.wait(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_whose_log_nobody_reads_can_be_stopped() {
    for is_all in [false, true] {
        let mut busy = Busy::begin(is_all).await;
        busy.wait_until_completed().await;
        busy.runner.signal("TERM");
        assert_eq!(busy.runner.wait(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_reader_is_gone_stops_no_job() {
    let mut busy = Busy::begin(true).await;
    busy.lines = std::io::pipe().unwrap().0;
    busy.wait_until_completed().await;
    busy.runner.signal("TERM");
    assert_eq!(busy.runner.wait(), 0);
}
