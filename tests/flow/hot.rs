//! Versions that are swapped while jobs run.

use crate::fleet::{self, on_both_stores, wait_for_status};
use crate::pushed::{Host, Pusher, enqueue, garbage, said};
use flowmonkey_jobs::catalog::Handler;
use flowmonkey_jobs::job::{JsonText, NewJob, Status};
use flowmonkey_jobs::store::{Activation, ListFilter, SharedStore, VersionRole};
use flowmonkey_tests::database::Fixture;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

const JOBS: usize = 3000;
const PUSHES: usize = 50;

on_both_stores! {
    what_cannot_be_loaded_leaves_the_old_version_running
    a_first_version_that_cannot_be_loaded_burns_no_attempt
    a_version_that_is_pushed_reaches_a_runner_without_polling
}

/// Fifty pushes, every fifth rolled back, while two runners work through thousands of jobs.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_pushes_under_load_lose_nothing_and_mix_nothing() {
    let fixture = Fixture::postgres().await;
    let store = fixture.store.clone();
    let pusher = Pusher::new(&store);
    let mut digests = BTreeMap::new();
    digests.insert("0".to_owned(), pusher.say("0", Some(Activation::All)).await);
    let hosts = [Host::start(&store), Host::start(&store)];
    let filling = tokio::spawn(fill(store.clone()));
    let mut seen: Vec<Weak<Handler>> = Vec::new();
    for number in 1..=PUSHES {
        let version = number.to_string();
        let digest = pusher.say(&version, Some(Activation::All)).await;
        digests.insert(version, digest);
        if number % 5 == 0 {
            store.roll_back("say", "test").await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        seen.extend(
            hosts.iter().filter_map(|host| host.catalog.resolve("say")).map(|one| Arc::downgrade(&one)),
        );
    }
    filling.await.unwrap();
    let open = "select count(*) from fm_jobs where status in ('pending', 'running')";
    let end = tokio::time::Instant::now() + flowmonkey_tests::program::PATIENCE;
    while fixture.number(open).await > 0 {
        assert!(tokio::time::Instant::now() < end, "jobs are left: {}", fixture.number(open).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let versions = check_all(&store, &digests).await;
    assert!(versions.len() > 5, "only these ran: {versions:?}");
    // The last push was rolled back.
    let last = (PUSHES - 1).to_string();
    for host in &hosts {
        fleet::until("the last version is there", || {
            host.catalog.resolve("say").is_some_and(|one| one.version == last)
        })
        .await;
    }
    let is_old = |one: &Weak<Handler>| one.upgrade().is_some_and(|one| one.version != last);
    fleet::until("old versions are freed", || !seen.iter().any(is_old)).await;
    for host in hosts {
        host.runner.stop().await;
    }
}

async fn fill(store: SharedStore) {
    let job = || NewJob::new("say", JsonText::parse("null").unwrap());
    for _ in 0..JOBS / 50 {
        store.create_many((0..50).map(|_| job()).collect()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Each job completed in one attempt, which returned the very version that is recorded for it.
async fn check_all(store: &SharedStore, digests: &BTreeMap<String, String>) -> BTreeSet<String> {
    let filter = ListFilter { limit: 2 * JOBS as u32, ..ListFilter::default() };
    let jobs = store.list(&filter).await.unwrap();
    assert_eq!(jobs.len(), JOBS);
    let mut versions = BTreeSet::new();
    for job in jobs {
        assert_eq!((job.status, job.attempts, job.history.len()), (Status::Completed, 1, 1), "{job:?}");
        let ran = job.history[0].ran.clone().unwrap();
        assert_eq!(said(&job), ran.version);
        assert_eq!(digests[&ran.version], ran.digest);
        versions.insert(ran.version);
    }
    versions
}

async fn what_cannot_be_loaded_leaves_the_old_version_running(Fixture { store, .. }: Fixture) {
    let pusher = Pusher::new(&store);
    pusher.say("good", Some(Activation::All)).await;
    let host = Host::start(&store);
    let first = enqueue(&store, None).await;
    wait_for_status(&store, &first, Status::Completed).await;
    store.push_version(&garbage("say", "bad"), Some(Activation::All), "test").await.unwrap();
    fleet::until("it is refused", || !host.runner.refused().is_empty()).await;
    let [refused] = host.runner.refused().try_into().unwrap();
    assert_eq!((refused.version.as_str(), refused.role), ("bad", VersionRole::Refused));
    assert!(refused.error.as_ref().unwrap().starts_with("HANDLER_LOAD_FAILED: "), "{refused:?}");
    let meanwhile = enqueue(&store, None).await;
    let job = wait_for_status(&store, &meanwhile, Status::Completed).await;
    assert_eq!((said(&job).as_str(), job.attempts), ("good", 1));
    // The fleet sees it.
    let shown = async || {
        let runners = store.runners(Duration::from_secs(60)).await.unwrap();
        runners.into_iter().flat_map(|runner| runner.versions).any(|one| one.role == VersionRole::Refused)
    };
    let end = tokio::time::Instant::now() + flowmonkey_tests::program::PATIENCE;
    while !shown().await {
        assert!(tokio::time::Instant::now() < end, "nobody is told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pusher.say("better", Some(Activation::All)).await;
    fleet::until("it recovers", || host.runner.refused().is_empty()).await;
    fleet::until("better is there", || {
        host.catalog.resolve("say").is_some_and(|one| one.version == "better")
    })
    .await;
    host.runner.stop().await;
}

async fn a_first_version_that_cannot_be_loaded_burns_no_attempt(Fixture { store, .. }: Fixture) {
    store.push_version(&garbage("say", "bad"), Some(Activation::All), "test").await.unwrap();
    let host = Host::start(&store);
    let id = enqueue(&store, None).await;
    fleet::until("it is refused", || !host.runner.refused().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let job = store.get(&id).await.unwrap().unwrap();
    assert_eq!((job.status, job.attempts, job.history.len()), (Status::Pending, 0, 0));
    Pusher::new(&store).say("good", Some(Activation::All)).await;
    let job = wait_for_status(&store, &id, Status::Completed).await;
    assert_eq!(job.attempts, 1);
    host.runner.stop().await;
}

async fn a_version_that_is_pushed_reaches_a_runner_without_polling(Fixture { store, .. }: Fixture) {
    let pusher = Pusher::new(&store);
    let catalog = crate::pushed::empty_catalog();
    let policy = flowmonkey_jobs::catalog::Policy::default();
    let stored = flowmonkey_jobs::catalog::StoredHandlers::new(catalog.clone(), store.clone(), policy);
    let never = Duration::from_secs(3600);
    let runner = flowmonkey_jobs::runner::Runner::builder(store.clone())
        .handlers(catalog.clone())
        .stored_handlers(stored)
        .poll_interval(never)
        .handlers_interval(never);
    let runner = runner.build().unwrap();
    runner.start();
    for version in ["1", "2", "3"] {
        pusher.say(version, Some(Activation::All)).await;
        fleet::until("it is there", || catalog.resolve("say").is_some_and(|one| one.version == version))
            .await;
        let id = enqueue(&store, None).await;
        assert_eq!(said(&wait_for_status(&store, &id, Status::Completed).await), version);
    }
    runner.stop().await;
}
