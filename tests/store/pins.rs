//! Jobs that are pinned to a version, and what they remember of the code that ran.

use crate::given::{
    HANDLER, claim_one, error, get, json, new_job, reap_one, record, recording, retry_at_once, silence,
};
use flowmonkey_jobs::job::{Lease, NewJob, Ran, Transition, Unique, Wake};
use flowmonkey_jobs::store::{
    Changed, ListFilter, Recorded, Recording, RunnerRow, RunnerVersion, VersionRole,
};
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    a_pin_is_stored_shown_and_claimed,
    a_pin_stays_whatever_ends_an_attempt,
    a_pin_that_is_no_name_is_refused,
    the_code_that_ran_is_in_the_history,
    a_runner_tells_which_versions_it_has,
}

fn pinned(version: &str) -> NewJob {
    NewJob { pinned_version: Some(version.into()), ..new_job() }
}

fn ran(version: &str) -> Ran {
    Ran { version: version.into(), digest: "a".repeat(64) }
}

async fn a_pin_is_stored_shown_and_claimed(f: Fixture) {
    let pin = "1.2 größe'";
    let unique = NewJob { unique: Some(Unique::active("k")), ..pinned(pin) };
    let created = f.store.create_many(vec![unique.clone(), new_job()]).await.unwrap();
    let shown: Vec<_> = created.iter().map(|one| one.job.pinned_version.as_deref()).collect();
    assert_eq!(shown, [Some(pin), None]);
    // Also in the row of whoever holds the key, and in lists.
    let holder = f.store.create(NewJob { pinned_version: None, ..unique }).await.unwrap();
    assert_eq!((holder.is_new, holder.job.pinned_version.as_deref()), (false, Some(pin)));
    let listed = f.store.list(&ListFilter::default()).await.unwrap();
    assert_eq!(listed.iter().filter(|job| job.pinned_version.as_deref() == Some(pin)).count(), 1);
    f.set(&created[1].job.id, "priority = 5").await;
    let claimed = crate::given::claim(&f, 10).await;
    let pins: Vec<_> = claimed.iter().map(|one| one.pinned_version.as_deref()).collect();
    assert_eq!(pins, [Some(pin), None]);
}

async fn a_pin_stays_whatever_ends_an_attempt(f: Fixture) {
    let id = f.store.create(pinned("7")).await.unwrap().job.id;
    let again = async |f: &Fixture| {
        let claimed = claim_one(f).await;
        assert_eq!(claimed.pinned_version.as_deref(), Some("7"));
        claimed.lease
    };
    let lease = again(&f).await;
    record(&f, &lease, retry_at_once("X")).await;
    let lease = again(&f).await;
    record(&f, &lease, Transition::Wait { until: Wake::At(0), reason: None }).await;
    let lease = again(&f).await;
    silence(&f, &lease.job_id).await;
    reap_one(&f).await;
    let lease = again(&f).await;
    record(&f, &lease, Transition::Fail(error("X"))).await;
    assert_eq!(f.store.retry(&id).await.unwrap(), Changed::Yes);
    again(&f).await;
    assert_eq!(get(&f, &id).await.pinned_version.as_deref(), Some("7"));
}

async fn a_pin_that_is_no_name_is_refused(f: Fixture) {
    for pin in ["", "a\n", &"x".repeat(129)] {
        assert!(f.store.create(pinned(pin)).await.is_err(), "{pin:?}");
    }
    assert_eq!(f.number("select count(*) from fm_jobs").await, 0);
}

async fn recorded(f: &Fixture, lease: &Lease, end: Transition, ran: Option<Ran>) {
    let ended = Recording { ran, ..recording(lease, end) };
    assert_eq!(f.store.record(&[ended]).await.unwrap(), [Recorded::Written]);
}

async fn the_code_that_ran_is_in_the_history(f: Fixture) {
    let id = f.store.create(new_job()).await.unwrap().job.id;
    recorded(&f, &claim_one(&f).await.lease, retry_at_once("X"), Some(ran("größe \"1\""))).await;
    recorded(&f, &claim_one(&f).await.lease, Transition::Release, None).await;
    let end = Transition::Complete(Some(json("{\"a\": null}")));
    recorded(&f, &claim_one(&f).await.lease, end, Some(ran("2"))).await;
    let job = get(&f, &id).await;
    let told: Vec<_> = job.history.iter().map(|entry| (entry.outcome.as_str(), entry.ran.clone())).collect();
    let first = ran("größe \"1\"");
    assert_eq!(told, [("retried", Some(first)), ("released", None), ("completed", Some(ran("2")))]);
    assert_eq!(job.history[0].error, Some(error("X")));
    assert!(job.history.iter().all(|entry| entry.usage.is_some()));
    // As keys of the entry, for whoever reads the table.
    let row = f.text("select cast(history as text) from fm_jobs").await.unwrap();
    let row: serde_json::Value = serde_json::from_str(&row).unwrap();
    assert_eq!((&row[2]["version"], &row[2]["digest"]), (&"2".into(), &"a".repeat(64).into()));
    assert_eq!((row[1].get("version"), row[1]["error"].is_null()), (None, true));
}

async fn a_runner_tells_which_versions_it_has(f: Fixture) {
    let version = |role, error: Option<&str>| RunnerVersion {
        handler: HANDLER.into(),
        version: "2".into(),
        digest: "a".repeat(64),
        role,
        error: error.map(str::to_owned),
    };
    let mut row = RunnerRow { id: "r".into(), handlers: vec![HANDLER.into()], versions: Vec::new() };
    for versions in [
        vec![version(VersionRole::Active, None), version(VersionRole::Canary, None)],
        vec![version(VersionRole::Refused, Some("HANDLER_LOAD_FAILED: größe"))],
        Vec::new(),
    ] {
        row.versions = versions;
        f.store.announce(&row).await.unwrap();
        assert_eq!(f.store.runners(Duration::MAX).await.unwrap(), std::slice::from_ref(&row));
    }
    f.execute("update fm_runners set versions = '[{\"of\": \"a later program\"}]'").await;
    assert_eq!(f.store.runners(Duration::MAX).await.unwrap(), [row], "what it has is unknown, not an error");
}
