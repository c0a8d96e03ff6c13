use crate::fleet::{self, MAIL, enqueue, on_both_stores, outcomes, wait_for, wait_for_status};
use flowmonkey_jobs::catalog::HandlerSettings;
use flowmonkey_jobs::job::{Job, NewJob, RetryPolicy, Status};
use flowmonkey_jobs::runner::{Runner, SettingsError};
use flowmonkey_jobs::sandbox::{Compilation, Limits, Sandbox, SandboxConfig};
use flowmonkey_tests::database::Fixture;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

on_both_stores! {
    every_kind_of_job_ends_as_it_must
    a_second_attempt_goes_on_from_the_checkpoint
    an_unknown_handlers_job_stays_pending
    no_more_run_at_once_than_allowed
    two_runners_share_the_jobs_and_none_runs_twice
    the_last_progress_is_kept
    a_lost_lease_stops_the_guest_and_drops_its_outcome
    a_cancelled_job_stops_its_guest
    a_guest_that_writes_after_its_lease_is_lost_hears_of_it
}

async fn every_kind_of_job_ends_as_it_must(Fixture { store, .. }: Fixture) {
    let limits = Limits { fuel: Some(200_000_000), ..Limits::default() };
    let retry = RetryPolicy { base: Duration::from_millis(1), ..RetryPolicy::default() };
    let catalog = fleet::with_settings(5, HandlerSettings { limits, retry, ..Default::default() });
    let runner = fleet::runner(&store, &catalog).runner_id("worker-1").build().unwrap();
    runner.start();
    let mail = enqueue(&store, "email-send", MAIL).await;
    let bad = enqueue(&store, "email-send", r#"{"to": "nobody", "subject": "", "body": ""}"#).await;
    let flaky = enqueue(&store, "flaky", "{}").await;
    let spin = enqueue(&store, "spin", "{}").await;

    let mail = wait_for_status(&store, &mail, Status::Completed).await;
    assert_eq!((mail.attempts, mail.runner_id.as_deref(), mail.error), (1, Some("worker-1"), None));
    let usage = mail.history[0].usage.unwrap();
    assert!(usage.fuel.unwrap() > 1000 && usage.memory_bytes >= 65_536 && usage.wall_us > 0, "{usage:?}");

    let bad = wait_for_status(&store, &bad, Status::Failed).await;
    assert_eq!((bad.attempts, code(&bad)), (1, "BAD_ADDRESS"));

    let flaky = wait_for_status(&store, &flaky, Status::Completed).await;
    assert_eq!(outcomes(&flaky), ["retried", "retried", "completed"]);
    assert_eq!(flaky.history[0].error.as_ref().unwrap().code, "FLAKY");

    let spin = wait_for_status(&store, &spin, Status::Failed).await;
    assert_eq!((outcomes(&spin), code(&spin)), (vec!["retried", "retried", "failed"], "OUT_OF_FUEL"));
    assert_eq!(spin.history[2].usage.unwrap().fuel, Some(200_000_000));
    assert!(spin.error.unwrap().backtrace[0].contains("spin"));

    runner.stop().await;
    assert_eq!((runner.active_count(), runner.completed_count(), runner.failed_count()), (0, 2, 2));
}

fn code(job: &Job) -> &str {
    &job.error.as_ref().unwrap().code
}

async fn a_second_attempt_goes_on_from_the_checkpoint(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &fleet::catalog(5)).build().unwrap();
    runner.start();
    let input = fleet::report(3000, r#", "failAtLine": 1800"#);
    let id = enqueue(&store, "report-generate", &input).await;
    let job = wait_for_status(&store, &id, Status::Completed).await;
    let result: serde_json::Value = serde_json::from_str(job.result.unwrap().as_str()).unwrap();
    assert_eq!((&result["lines"], &result["attempt"]), (&3000.into(), &2.into()));
    assert_eq!(result["resumedFromLine"], 1501);
    assert_eq!(result["byRegion"]["north"]["count"], 3000, "no line is counted twice");
    runner.stop().await;
}

async fn an_unknown_handlers_job_stays_pending(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &fleet::catalog(5)).build().unwrap();
    let unknown = enqueue(&store, "nobody-has-this", "{}").await;
    runner.start();
    let known = enqueue(&store, "email-send", MAIL).await;
    wait_for_status(&store, &known, Status::Completed).await;
    runner.stop().await;
    let job = store.get(&unknown).await.unwrap().unwrap();
    assert_eq!((job.status, job.attempts, job.history.len()), (Status::Pending, 0, 0));
}

async fn no_more_run_at_once_than_allowed(Fixture { store, .. }: Fixture) {
    let max = NonZeroU32::new(2).unwrap();
    let runner = fleet::runner(&store, &fleet::catalog(8)).max_concurrent(max).build().unwrap();
    for _ in 0..4 {
        enqueue(&store, "spin", "{}").await;
    }
    let mail = enqueue(&store, "email-send", MAIL).await;
    runner.start();
    fleet::until("both places are taken", || runner.active_count() == 2).await;
    let one = enqueue(&store, "spin", "{}").await;
    // Cancelling one that runs frees a place, which the oldest takes; never a third.
    let running = store
        .list(&flowmonkey_jobs::store::ListFilter { status: Some(Status::Running), ..Default::default() })
        .await
        .unwrap();
    assert_eq!(running.len(), 2);
    for job in &running {
        store.cancel(&job.id).await.unwrap();
    }
    assert!(runner.active_count() <= 2);
    store.cancel(&one).await.unwrap();
    assert_eq!(store.get(&mail).await.unwrap().unwrap().status, Status::Pending);
    runner.release();
    runner.stop().await;
}

async fn two_runners_share_the_jobs_and_none_runs_twice(Fixture { store, .. }: Fixture) {
    let catalog = fleet::catalog(10);
    let runners = ["a", "b"].map(|id| fleet::runner(&store, &catalog).runner_id(id).build().unwrap());
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(enqueue(&store, "email-send", MAIL).await);
    }
    runners.iter().for_each(Runner::start);
    for id in &ids {
        let job = wait_for_status(&store, id, Status::Completed).await;
        assert_eq!((job.attempts, outcomes(&job)), (1, vec!["completed"]));
    }
    for runner in &runners {
        runner.stop().await;
    }
    let completed: u64 = runners.iter().map(Runner::completed_count).sum();
    assert_eq!(completed, 60);
}

async fn the_last_progress_is_kept(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &fleet::catalog(5)).build().unwrap();
    runner.start();
    let id = enqueue(&store, "report-generate", &fleet::report(2500, "")).await;
    let job = wait_for_status(&store, &id, Status::Completed).await;
    assert_eq!(job.progress.unwrap().percent, 100.0, "though reports follow each other closely");
    runner.stop().await;
}

async fn a_lost_lease_stops_the_guest_and_drops_its_outcome(f: Fixture) {
    let store = f.store.clone();
    // Its first beat finds nothing held; the next is an hour away, so the reaper comes first.
    let slow = fleet::runner(&store, &fleet::catalog(5)).heartbeat_interval(Duration::from_secs(3600));
    let slow = slow.runner_id("slow").build().unwrap();
    slow.start();
    let id = enqueue(&store, "report-generate", &fleet::report(3000, r#", "pauseMsPerBatch": 100"#)).await;
    wait_for_status(&store, &id, Status::Running).await;
    f.set(&id, "heartbeat_at = 1").await;
    let reaped = store.reap(Duration::from_secs(60), 10).await.unwrap();
    assert_eq!(reaped[0].runner_id.as_deref(), Some("slow"));
    // Its own claim loop may take the job again: that is another attempt, with another lease.
    let job = wait_for_status(&store, &id, Status::Completed).await;
    assert_eq!(outcomes(&job), ["stalled", "completed"]);
    fleet::until("the superseded outcome is dropped", || slow.superseded_count() == 1).await;
    slow.stop().await;
    let after = store.get(&id).await.unwrap().unwrap();
    assert_eq!((after.updated_at, outcomes(&after)), (job.updated_at, vec!["stalled", "completed"]));
}

async fn a_cancelled_job_stops_its_guest(Fixture { store, .. }: Fixture) {
    let grace = Duration::from_millis(20);
    let runner = fleet::runner(&store, &fleet::catalog(5)).cancel_grace(grace).build().unwrap();
    runner.start();
    let id = enqueue(&store, "spin", "{}").await;
    wait_for_status(&store, &id, Status::Running).await;
    store.cancel(&id).await.unwrap();
    fleet::until("the guest is gone", || runner.active_count() == 0).await;
    let job = store.get(&id).await.unwrap().unwrap();
    assert_eq!((job.status, outcomes(&job)), (Status::Cancelled, vec!["cancelled"]));
    runner.stop().await;
}

async fn a_guest_that_writes_after_its_lease_is_lost_hears_of_it(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &fleet::catalog(5)).heartbeat_interval(Duration::from_secs(3600));
    let runner = runner.build().unwrap();
    runner.start();
    let input = fleet::report(100_000 / 8, r#", "pauseMsPerBatch": 50"#);
    let id = enqueue(&store, "report-generate", &input).await;
    wait_for(&store, &id, |job| job.status == Status::Running && job.checkpoint.is_some()).await;
    store.cancel(&id).await.unwrap();
    let at_cancel = store.get(&id).await.unwrap().unwrap();
    // No heartbeat will tell it: its next checkpoint does.
    fleet::until("the guest ends by itself", || runner.active_count() == 0).await;
    let after = store.get(&id).await.unwrap().unwrap();
    assert_eq!((after.status, after.checkpoint), (Status::Cancelled, at_cancel.checkpoint));
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_make_no_sense_are_refused() {
    let stored = Fixture::sqlite().await;
    let none = Runner::builder(stored.store.clone()).build().err();
    assert_eq!(none, Some(SettingsError::NoHandlers));
    let catalog = Arc::new(flowmonkey_jobs::catalog::Catalog::new(Arc::new(
        Sandbox::new(&SandboxConfig::new(Compilation::InProcess)).unwrap(),
    )));
    let builder = || Runner::builder(stored.store.clone()).handlers(catalog.clone());
    assert!(builder().runner_id("").build().is_err());
    assert!(builder().poll_interval(Duration::ZERO).build().is_err());
    assert!(builder().build().is_ok(), "no handlers yet is fine: they may be loaded later");
    assert!(
        stored
            .store
            .create(NewJob {
                priority: 99,
                ..NewJob::new("x", flowmonkey_jobs::job::JsonText::parse("1").unwrap())
            })
            .await
            .is_err()
    );
}
