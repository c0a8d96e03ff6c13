//! `announce`, `withdraw` and `runners`: who lives and what they can run.

use flowmonkey_jobs::store::RunnerRow;
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    an_announced_runner_is_seen,
    announcing_again_replaces_the_handlers,
    a_silent_runner_is_not_seen,
    announcing_again_is_a_sign_of_life,
    a_runner_that_stops_is_gone,
    the_long_dead_are_removed_with_the_next_that_stops,
}

const MINUTE: Duration = Duration::from_secs(60);

fn runner(id: &str, handlers: &[&str]) -> RunnerRow {
    RunnerRow {
        id: id.into(),
        handlers: handlers.iter().map(|&name| name.to_owned()).collect(),
        versions: Vec::new(),
    }
}

async fn age(f: &Fixture, id: &str, seconds: u64) {
    let ms = seconds * 1000;
    let sql = format!("update fm_runners set heartbeat_at = heartbeat_at - {ms} where id = '{id}'");
    assert_eq!(f.execute(&sql).await, 1);
}

async fn an_announced_runner_is_seen(f: Fixture) {
    assert_eq!(f.store.runners(MINUTE).await.unwrap(), []);
    let rows = [runner("a", &["x", "größe \"'", ""]), runner("b'", &[])];
    for row in rows.iter().rev() {
        f.store.announce(row).await.unwrap();
    }
    assert_eq!(f.store.runners(MINUTE).await.unwrap(), rows);
}

async fn announcing_again_replaces_the_handlers(f: Fixture) {
    f.store.announce(&runner("a", &["x", "y"])).await.unwrap();
    let started = "select started_at from fm_runners";
    f.execute("update fm_runners set started_at = 5").await;
    f.store.announce(&runner("a", &["z"])).await.unwrap();
    assert_eq!(f.store.runners(MINUTE).await.unwrap(), [runner("a", &["z"])]);
    assert_eq!(f.number(started).await, 5);
}

async fn a_silent_runner_is_not_seen(f: Fixture) {
    for id in ["a", "b"] {
        f.store.announce(&runner(id, &[])).await.unwrap();
    }
    age(&f, "a", 3600).await;
    assert_eq!(f.store.runners(MINUTE).await.unwrap(), [runner("b", &[])]);
    assert_eq!(f.store.runners(120 * MINUTE).await.unwrap().len(), 2);
}

async fn announcing_again_is_a_sign_of_life(f: Fixture) {
    f.store.announce(&runner("a", &[])).await.unwrap();
    age(&f, "a", 3600).await;
    f.store.announce(&runner("a", &[])).await.unwrap();
    assert_eq!(f.store.runners(MINUTE).await.unwrap().len(), 1);
}

async fn a_runner_that_stops_is_gone(f: Fixture) {
    for id in ["a", "b"] {
        f.store.announce(&runner(id, &[])).await.unwrap();
    }
    f.store.withdraw("a").await.unwrap();
    f.store.withdraw("never announced").await.unwrap();
    assert_eq!(f.store.runners(MINUTE).await.unwrap(), [runner("b", &[])]);
}

async fn the_long_dead_are_removed_with_the_next_that_stops(f: Fixture) {
    for (id, hours) in [("dead", 25), ("silent", 23), ("stops", 0)] {
        f.store.announce(&runner(id, &[])).await.unwrap();
        age(&f, id, hours * 3600).await;
    }
    f.store.withdraw("stops").await.unwrap();
    assert_eq!(f.store.runners(Duration::MAX).await.unwrap(), [runner("silent", &[])]);
}
