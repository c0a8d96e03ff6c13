//! Jobs that are leased before there is a place for them.

use crate::fleet::{self, MAIL, enqueue, on_both_stores, outcomes, wait_for_status};
use flowmonkey_jobs::job::{JsonText, NewJob, Status};
use flowmonkey_jobs::runner::Runner;
use flowmonkey_jobs::store::{ListFilter, SharedStore};
use flowmonkey_jobs::telemetry::EventKind;
use flowmonkey_tests::database::Fixture;
use flowmonkey_tests::program::PATIENCE;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

on_both_stores! {
    what_waits_is_given_back_when_the_runner_stops
    a_turn_that_does_not_come_is_given_back
    what_is_leased_ahead_begins_in_its_order
    long_attempts_lease_nothing_ahead
    a_job_that_is_cancelled_while_it_waits_never_begins
}

const QUICK: usize = 1500;
const SLOW: usize = 40;

fn mails(count: usize, priority: i16) -> Vec<NewJob> {
    let job = NewJob::new("email-send", JsonText::parse(MAIL).unwrap());
    vec![NewJob { priority, ..job }; count]
}

async fn in_status(store: &SharedStore, handler: &str, status: Status) -> usize {
    let filter = ListFilter { status: Some(status), handler: Some(handler.into()), limit: 1000 };
    store.list(&filter).await.unwrap().len()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// A runner with one place, taken by a guest that never ends, which holds others of its kind that wait: many quick jobs
/// before them have made it lease ahead.
async fn with_waiting(store: &SharedStore) -> Arc<Runner> {
    store.create_many(mails(QUICK, 0)).await.unwrap();
    let slow = NewJob { priority: 1, ..NewJob::new("spin", JsonText::parse("{}").unwrap()) };
    store.create_many(vec![slow; SLOW]).await.unwrap();
    let runner = fleet::runner(store, &fleet::catalog(1)).max_concurrent(NonZeroU32::MIN);
    let runner = Arc::new(runner.drain_timeout(Duration::from_secs(600)).build().unwrap());
    let mut events = runner.events().subscribe();
    runner.start();
    let begun = async {
        loop {
            // So many that some may be passed over, but not the last.
            match events.recv().await {
                Ok(event) if event.kind == EventKind::Started && event.handler == "spin" => return,
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.unwrap();
    until("several are leased", async || in_status(store, "spin", Status::Running).await > 1).await;
    runner
}

async fn assert_given_back(store: &SharedStore) {
    until("all but one are given back", async || {
        in_status(store, "spin", Status::Pending).await == SLOW - 1
            && in_status(store, "spin", Status::Running).await == 1
    })
    .await;
    let filter = ListFilter { status: Some(Status::Pending), handler: Some("spin".into()), limit: 1000 };
    let jobs = store.list(&filter).await.unwrap();
    assert!(jobs.iter().all(|job| job.attempts == 0), "no attempt is lost");
    let released = jobs.iter().filter(|job| !job.history.is_empty());
    let released: Vec<_> = released.map(outcomes).collect();
    assert!(!released.is_empty() && released.iter().flatten().all(|outcome| *outcome == "released"));
}

async fn end(runner: &Runner) {
    runner.release();
    runner.stop().await;
}

async fn what_waits_is_given_back_when_the_runner_stops(Fixture { store, .. }: Fixture) {
    let runner = with_waiting(&store).await;
    let stopping = {
        let runner = runner.clone();
        tokio::spawn(async move { runner.stop().await })
    };
    // The attempt that has begun goes on meanwhile.
    assert_given_back(&store).await;
    runner.release();
    stopping.await.unwrap();
    assert_eq!(runner.active_count(), 0);
}

async fn a_turn_that_does_not_come_is_given_back(Fixture { store, .. }: Fixture) {
    let runner = with_waiting(&store).await;
    assert_given_back(&store).await;
    assert_eq!(runner.active_count(), 1);
    end(&runner).await;
}

async fn what_is_leased_ahead_begins_in_its_order(Fixture { store, .. }: Fixture) {
    let mut expected = Vec::new();
    for priority in [7, 0, 3] {
        let created = store.create_many(mails(200, priority)).await.unwrap();
        expected.extend(created.into_iter().map(|created| (priority, created.job.run_at, created.job.id)));
    }
    expected.sort();
    let catalog = fleet::with_threads(1);
    let runner = fleet::runner(&store, &catalog).max_concurrent(NonZeroU32::MIN).build().unwrap();
    let mut events = runner.events().subscribe();
    runner.start();
    let mut begun = Vec::new();
    while begun.len() < expected.len() {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        if event.kind == EventKind::Started {
            begun.push(event.job_id);
        }
    }
    assert_eq!(begun, expected.into_iter().map(|(.., id)| id).collect::<Vec<_>>());
    runner.stop().await;
}

async fn long_attempts_lease_nothing_ahead(Fixture { store, .. }: Fixture) {
    for _ in 0..30 {
        enqueue(&store, "spin", "{}").await;
    }
    let runner = fleet::runner(&store, &fleet::catalog(4)).max_concurrent(NonZeroU32::new(4).unwrap());
    let runner = runner.build().unwrap();
    runner.start();
    until("places are taken", async || in_status(&store, "spin", Status::Running).await == 4).await;
    // Long enough for many claims.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(in_status(&store, "spin", Status::Running).await, 4);
    end(&runner).await;
}

async fn a_job_that_is_cancelled_while_it_waits_never_begins(Fixture { store, .. }: Fixture) {
    let runner = with_waiting(&store).await;
    let mut events = runner.events().subscribe();
    let filter = ListFilter { status: Some(Status::Running), handler: Some("spin".into()), limit: 1000 };
    // The first of them is the one that has begun.
    let mut leased = store.list(&filter).await.unwrap();
    leased.sort_by_key(|job| (job.run_at, job.id.clone()));
    let waiting = leased.pop().unwrap();
    store.cancel(&waiting.id).await.unwrap();
    wait_for_status(&store, &waiting.id, Status::Cancelled).await;
    end(&runner).await;
    while let Ok(event) = events.try_recv() {
        assert!(event.job_id != waiting.id || event.kind != EventKind::Started, "it began: {event:?}");
    }
    assert_eq!(store.get(&waiting.id).await.unwrap().unwrap().status, Status::Cancelled);
}
