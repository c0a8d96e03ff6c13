//! A cancelled job's guest hears of it when it asks, and ends in any case.

use crate::fleet::{self, enqueue, on_both_stores, outcomes, wait_for, wait_for_status};
use flowmonkey_jobs::job::{NewJob, Status};
use flowmonkey_jobs::runner::RunnerBuilder;
use flowmonkey_jobs::store::{SharedStore, SqliteStore};
use flowmonkey_tests::database::{Database, Fixture};
use std::sync::Arc;
use std::time::Duration;

on_both_stores! {
    a_cancel_is_heard_of_between_two_heartbeats
    a_cancel_by_another_program_is_heard_of_too
    a_guest_that_asks_ends_by_itself
    a_cancelled_execution_stops_its_guests
}

/// No heartbeat comes in time: only a notice can tell.
fn without_heartbeats(store: &SharedStore) -> RunnerBuilder {
    fleet::runner(store, &fleet::catalog(5)).heartbeat_interval(Duration::from_secs(3600))
}

async fn a_cancel_is_heard_of_between_two_heartbeats(Fixture { store, .. }: Fixture) {
    let runner = without_heartbeats(&store).cancel_grace(Duration::from_millis(20)).build().unwrap();
    runner.start();
    let id = enqueue(&store, "spin", "{}").await;
    wait_for_status(&store, &id, Status::Running).await;
    store.cancel(&id).await.unwrap();
    fleet::until("the guest is gone", || runner.active_count() == 0).await;
    let job = store.get(&id).await.unwrap().unwrap();
    assert_eq!((job.status, outcomes(&job)), (Status::Cancelled, vec!["cancelled"]));
    runner.stop().await;
}

async fn a_cancel_by_another_program_is_heard_of_too(f: Fixture) {
    let other: SharedStore = match &f.database {
        Database::Postgres(database) => Arc::new(database.store().await),
        Database::Sqlite(database) => Arc::new(SqliteStore::open(&database.path).await.unwrap()),
    };
    let runner = without_heartbeats(&f.store).cancel_grace(Duration::from_millis(20)).build().unwrap();
    runner.start();
    let id = enqueue(&f.store, "spin", "{}").await;
    wait_for_status(&f.store, &id, Status::Running).await;
    other.cancel(&id).await.unwrap();
    fleet::until("the guest is gone", || runner.active_count() == 0).await;
    runner.stop().await;
}

/// The grace period is an hour: it is not interrupted, it listens.
async fn a_guest_that_asks_ends_by_itself(Fixture { store, .. }: Fixture) {
    let runner = without_heartbeats(&store).cancel_grace(Duration::from_secs(3600)).build().unwrap();
    runner.start();
    let id = enqueue(&store, "probe", r#"{"do": "beat-until-told"}"#).await;
    wait_for_status(&store, &id, Status::Running).await;
    store.cancel(&id).await.unwrap();
    fleet::until("the guest is gone", || runner.active_count() == 0).await;
    assert_eq!(store.get(&id).await.unwrap().unwrap().status, Status::Cancelled);
    runner.stop().await;
}

async fn a_cancelled_execution_stops_its_guests(f: Fixture) {
    let store = f.store.clone();
    f.execute("insert into fm_executions (id, flow_id, flow_version) values ('e1', 'f', '1')").await;
    let runner = without_heartbeats(&store).cancel_grace(Duration::from_millis(20)).build().unwrap();
    runner.start();
    let input = flowmonkey_jobs::job::JsonText::parse("{}").unwrap();
    let job = NewJob { execution_id: Some("e1".into()), ..NewJob::new("spin", input) };
    let id = store.create(job).await.unwrap().job.id;
    wait_for_status(&store, &id, Status::Running).await;
    assert!(store.cancel_execution("e1").await.unwrap());
    fleet::until("the guest is gone", || runner.active_count() == 0).await;
    let job = wait_for(&store, &id, |job| job.status == Status::Cancelled).await;
    assert_eq!(outcomes(&job), ["cancelled"]);
    runner.stop().await;
}
