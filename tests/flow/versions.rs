//! Pins, canaries, pauses and removals, as jobs meet them.

use crate::fleet::{self, on_both_stores, wait_for, wait_for_status};
use crate::pushed::{Host, Pusher, enqueue, said};
use flowmonkey_jobs::job::Status;
use flowmonkey_jobs::store::Activation;
use flowmonkey_tests::database::Fixture;
use std::collections::BTreeMap;
use std::time::Duration;

on_both_stores! {
    a_job_runs_the_version_that_it_names
    a_version_that_is_not_there_is_waited_for
    a_canary_runs_for_its_share_until_it_is_promoted
    an_aborted_canary_is_used_no_more
    a_paused_handlers_jobs_stay_pending
    a_removed_handlers_jobs_stay_pending
}

async fn a_job_runs_the_version_that_it_names(Fixture { store, .. }: Fixture) {
    let pusher = Pusher::new(&store);
    let old = pusher.say("1", Some(Activation::All)).await;
    pusher.say("2", Some(Activation::All)).await;
    pusher.say("3", None).await;
    let host = Host::start(&store);
    for (pin, expected) in
        [(None, "2"), (Some("1"), "1"), (Some("3"), "3"), (Some("2"), "2"), (Some("1"), "1")]
    {
        let id = enqueue(&store, pin).await;
        let job = wait_for_status(&store, &id, Status::Completed).await;
        assert_eq!(said(&job), expected, "pinned to {pin:?}");
        let ran = job.history[0].ran.as_ref().unwrap();
        assert_eq!(ran.version, expected);
        assert_eq!(ran.digest == old, expected == "1");
    }
    host.runner.stop().await;
}

async fn a_version_that_is_not_there_is_waited_for(Fixture { store, .. }: Fixture) {
    let pusher = Pusher::new(&store);
    pusher.say("1", Some(Activation::All)).await;
    let host = Host::start(&store);
    let id = enqueue(&store, Some("2")).await;
    let job = wait_for(&store, &id, |job| !job.history.is_empty()).await;
    assert_eq!((job.status, job.attempts), (Status::Pending, 0));
    assert_eq!(job.history[0].outcome, "postponed");
    assert!(job.history[0].ran.is_none());
    let error = job.error.unwrap();
    assert_eq!(error.code, "HANDLER_LOAD_FAILED");
    assert!(error.message.contains("version 2 of the handler say"), "{error}");
    pusher.say("2", None).await;
    let job = wait_for_status(&store, &id, Status::Completed).await;
    assert_eq!((said(&job).as_str(), job.attempts), ("2", 1));
    host.runner.stop().await;
}

const JOBS: usize = 300;

/// How many jobs ran which version.
async fn run_many(store: &flowmonkey_jobs::store::SharedStore) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut ids = Vec::new();
    for _ in 0..JOBS {
        ids.push(enqueue(store, None).await);
    }
    for id in ids {
        let job = wait_for_status(store, &id, Status::Completed).await;
        *counts.entry(said(&job)).or_default() += 1;
    }
    counts
}

async fn both_loaded(host: &Host, versions: usize) {
    fleet::until("as many versions", || host.catalog.versions().len() == versions).await;
}

async fn a_canary_runs_for_its_share_until_it_is_promoted(Fixture { store, .. }: Fixture) {
    let pusher = Pusher::new(&store);
    pusher.say("1", Some(Activation::All)).await;
    let host = Host::start(&store);
    pusher.say("2", Some(Activation::Canary(30))).await;
    both_loaded(&host, 2).await;
    let counts = run_many(&store).await;
    // 30 % of 300, and five times the standard deviation of 8.
    assert!((50..130).contains(&counts["2"]), "{counts:?}");
    assert_eq!(counts["1"] + counts["2"], JOBS);
    assert_eq!(store.promote_canary("say", "test").await.unwrap(), "2");
    both_loaded(&host, 1).await;
    assert_eq!(run_many(&store).await.into_keys().collect::<Vec<_>>(), ["2"]);
    host.runner.stop().await;
}

async fn an_aborted_canary_is_used_no_more(Fixture { store, .. }: Fixture) {
    let pusher = Pusher::new(&store);
    pusher.say("1", Some(Activation::All)).await;
    pusher.say("2", Some(Activation::Canary(99))).await;
    let host = Host::start(&store);
    both_loaded(&host, 2).await;
    store.abort_canary("say", "test").await.unwrap();
    both_loaded(&host, 1).await;
    assert_eq!(run_many(&store).await.into_keys().collect::<Vec<_>>(), ["1"]);
    host.runner.stop().await;
}

async fn a_paused_handlers_jobs_stay_pending(Fixture { store, .. }: Fixture) {
    Pusher::new(&store).say("1", Some(Activation::All)).await;
    let host = Host::start(&store);
    let before = enqueue(&store, None).await;
    wait_for_status(&store, &before, Status::Completed).await;
    assert!(store.set_handler_paused("say", true, "test").await.unwrap());
    let id = enqueue(&store, None).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let job = store.get(&id).await.unwrap().unwrap();
    assert_eq!((job.status, job.attempts), (Status::Pending, 0));
    assert!(store.set_handler_paused("say", false, "test").await.unwrap());
    wait_for_status(&store, &id, Status::Completed).await;
    host.runner.stop().await;
}

async fn a_removed_handlers_jobs_stay_pending(Fixture { store, .. }: Fixture) {
    let pusher = Pusher::new(&store);
    pusher.say("1", Some(Activation::All)).await;
    let host = Host::start(&store);
    fleet::until("it is there", || host.catalog.resolve("say").is_some()).await;
    store.remove_handler("say", false, "test").await.unwrap();
    fleet::until("it is gone", || host.catalog.resolve("say").is_none()).await;
    let id = enqueue(&store, None).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(store.get(&id).await.unwrap().unwrap().status, Status::Pending);
    // The same name for another component: it must not be taken for the one that was removed.
    let manifest = "version = '1'";
    let component = flowmonkey_tests::guests::saying("another", 1);
    let new = pusher.examine("say", manifest, component, None).await.unwrap();
    store.push_version(&new, Some(Activation::All), "test").await.unwrap();
    assert_eq!(said(&wait_for_status(&store, &id, Status::Completed).await), "another");
    host.runner.stop().await;
}
