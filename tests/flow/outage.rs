//! The database goes away while jobs run, and comes back.

use crate::fleet::{self, MAIL, enqueue, outcomes, wait_for_status};
use flowmonkey_jobs::job::Status;
use flowmonkey_jobs::store::{PgStore, SharedStore};
use flowmonkey_tests::cluster::EmptyPostgres;
use flowmonkey_tests::proxy::{Proxy, server_of};
use std::sync::Arc;

struct Wired {
    /// For the test: its wire is never cut.
    direct: SharedStore,
    /// For the runner.
    wired: SharedStore,
    proxy: Proxy,
    database: EmptyPostgres,
}

async fn wired() -> Wired {
    let database = EmptyPostgres::create();
    let url = database.url();
    let direct = Arc::new(PgStore::migrate(&url).await.unwrap());
    let proxy = Proxy::start(server_of(&url)).await;
    let wired = Arc::new(PgStore::connect(&proxy.url(&url), 8).await.unwrap());
    Wired { direct, wired, proxy, database }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_waits_for_the_database_and_is_recorded_once() {
    let Wired { direct, wired, proxy, database: _database } = wired().await;
    let runner = fleet::runner(&wired, &fleet::catalog(5)).build().unwrap();
    runner.start();
    let id = enqueue(&direct, "report-generate", &fleet::report(500, r#", "pauseMsPerBatch": 300"#)).await;
    wait_for_status(&direct, &id, Status::Running).await;
    // While the guest pauses; it cannot save its checkpoint then, and fails for that.
    proxy.cut();
    let later = enqueue(&direct, "email-send", MAIL).await;
    fleet::until("it has tried again and again", || proxy.refused() >= 8).await;
    assert_eq!(direct.get(&id).await.unwrap().unwrap().status, Status::Running);
    assert_eq!(direct.get(&later).await.unwrap().unwrap().status, Status::Pending);
    proxy.mend();
    let job = wait_for_status(&direct, &id, Status::Completed).await;
    assert_eq!(outcomes(&job).last(), Some(&"completed"));
    assert_eq!(job.history.iter().filter(|entry| entry.outcome == "completed").count(), 1);
    wait_for_status(&direct, &later, Status::Completed).await;
    runner.stop().await;
    assert_eq!(runner.superseded_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_runner_outlives_an_outage() {
    let Wired { direct, wired, proxy, database: _database } = wired().await;
    let runner = fleet::runner(&wired, &fleet::catalog(5)).build().unwrap();
    runner.start();
    for _ in 0..3 {
        proxy.cut();
        let seen = proxy.refused();
        fleet::until("it keeps asking", || proxy.refused() > seen + 1).await;
        proxy.mend();
        let id = enqueue(&direct, "email-send", MAIL).await;
        wait_for_status(&direct, &id, Status::Completed).await;
    }
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_during_an_outage_ends_and_leaves_the_job_to_the_reaper() {
    let Wired { direct, wired, proxy, database } = wired().await;
    let drain = std::time::Duration::from_millis(50);
    let runner = fleet::runner(&wired, &fleet::catalog(5)).drain_timeout(drain).build().unwrap();
    runner.start();
    let id = enqueue(&direct, "spin", "{}").await;
    wait_for_status(&direct, &id, Status::Running).await;
    proxy.cut();
    let stopped = tokio::time::timeout(flowmonkey_tests::program::PATIENCE, runner.stop()).await;
    assert!(stopped.is_ok(), "a dead database must not keep a runner from ending");
    assert_eq!(direct.get(&id).await.unwrap().unwrap().status, Status::Running);
    database.execute("update fm_jobs set heartbeat_at = 1");
    let reaped = direct.reap(std::time::Duration::from_secs(60), 10).await.unwrap();
    assert_eq!((reaped.len(), reaped[0].status), (1, Status::Pending), "nothing is lost");
}
