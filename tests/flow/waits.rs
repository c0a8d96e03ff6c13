//! Handlers that go on later.

use crate::fleet::{self, enqueue, on_both_stores, outcomes, wait_for, wait_for_status};
use flowmonkey_jobs::catalog::HandlerSettings;
use flowmonkey_jobs::job::{JsonText, NewJob, RetryPolicy, Status};
use flowmonkey_jobs::store::Changed;
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    a_job_that_waits_for_a_signal_gets_what_it_is_resumed_with
    a_job_that_waits_for_a_time_goes_on_by_itself
    a_handler_that_only_ever_waits_fails_in_the_end
    a_jobs_own_backoff_wins_over_its_handlers
}

async fn a_job_that_waits_for_a_signal_gets_what_it_is_resumed_with(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &fleet::catalog(5)).build().unwrap();
    runner.start();
    let id = enqueue(&store, "probe", r#"{"do": "wait-until-resumed"}"#).await;
    let job = wait_for(&store, &id, |job| job.waiting.is_some()).await;
    assert_eq!((job.status, job.attempts, job.waits, job.run_at), (Status::Pending, 0, 1, None));
    assert_eq!(job.waiting.unwrap().signal.as_deref(), Some("paid"));
    let payload = JsonText::parse(r#"{"amount": 12}"#).unwrap();
    assert_eq!(store.resume(&id, Some(&payload)).await.unwrap(), Changed::Yes);
    let job = wait_for_status(&store, &id, Status::Completed).await;
    assert_eq!(job.result.unwrap().as_str(), payload.as_str());
    assert_eq!((job.attempts, job.history.len()), (1, 2), "waiting cost no attempt");
    runner.stop().await;
}

async fn a_job_that_waits_for_a_time_goes_on_by_itself(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &fleet::catalog(5)).build().unwrap();
    runner.start();
    let id = enqueue(&store, "probe", r#"{"do": "wait", "n": 1}"#).await;
    wait_for(&store, &id, |job| job.waits >= 2).await;
    store.cancel(&id).await.unwrap();
    runner.stop().await;
}

async fn a_handler_that_only_ever_waits_fails_in_the_end(Fixture { store, .. }: Fixture) {
    let settings = HandlerSettings { waits_max: 3, ..HandlerSettings::default() };
    let runner = fleet::runner(&store, &fleet::with_settings(5, settings)).build().unwrap();
    runner.start();
    let id = enqueue(&store, "probe", r#"{"do": "wait", "n": 0}"#).await;
    let job = wait_for_status(&store, &id, Status::Failed).await;
    assert_eq!((job.error.as_ref().unwrap().code.as_str(), job.waits), ("WAIT_LIMIT", 3));
    assert_eq!(outcomes(&job), ["waiting", "waiting", "waiting", "failed"]);
    runner.stop().await;
}

async fn a_jobs_own_backoff_wins_over_its_handlers(Fixture { store, .. }: Fixture) {
    let day = Duration::from_secs(24 * 3600);
    let retry = RetryPolicy { base: day, cap: day, ..RetryPolicy::default() };
    let settings = HandlerSettings { retry, ..HandlerSettings::default() };
    let runner = fleet::runner(&store, &fleet::with_settings(5, settings)).build().unwrap();
    runner.start();
    let at_once = RetryPolicy { base: Duration::ZERO, ..RetryPolicy::default() };
    let input = JsonText::parse("{}").unwrap();
    let job = NewJob { retry: Some(at_once), ..NewJob::new("flaky", input) };
    let id = store.create(job).await.unwrap().job.id;
    wait_for_status(&store, &id, Status::Completed).await;
    runner.stop().await;
}
