use crate::fleet::{self, MAIL, enqueue, on_both_stores, outcomes, wait_for, wait_for_status};
use flowmonkey_jobs::job::Status;
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    a_guest_that_listens_saves_its_work_and_goes_on_elsewhere
    a_guest_that_does_not_listen_is_interrupted_and_costs_no_attempt
    a_quick_guest_may_finish_while_the_runner_drains
    a_stopped_runner_claims_no_more
}

async fn a_guest_that_listens_saves_its_work_and_goes_on_elsewhere(Fixture { store, .. }: Fixture) {
    let catalog = fleet::catalog(5);
    let first = fleet::runner(&store, &catalog).runner_id("first").build().unwrap();
    first.start();
    let id = enqueue(&store, "report-generate", &fleet::report(3000, r#", "pauseMsPerBatch": 150"#)).await;
    wait_for(&store, &id, |job| job.checkpoint.is_some()).await;
    first.stop().await;
    let job = store.get(&id).await.unwrap().unwrap();
    assert_eq!((job.status, job.attempts, outcomes(&job)), (Status::Pending, 0, vec!["released"]));

    let second = fleet::runner(&store, &catalog).runner_id("second").build().unwrap();
    second.start();
    let job = wait_for_status(&store, &id, Status::Completed).await;
    assert_eq!((job.attempts, job.runner_id.as_deref()), (1, Some("second")));
    let result: serde_json::Value = serde_json::from_str(job.result.unwrap().as_str()).unwrap();
    assert_eq!(result["lines"], 3000);
    assert!(result["resumedFromLine"].as_u64().unwrap() > 1);
    second.stop().await;
}

async fn a_guest_that_does_not_listen_is_interrupted_and_costs_no_attempt(Fixture { store, .. }: Fixture) {
    let timeout = Duration::from_millis(50);
    let runner = fleet::runner(&store, &fleet::catalog(5)).drain_timeout(timeout).build().unwrap();
    runner.start();
    let id = enqueue(&store, "spin", "{}").await;
    wait_for_status(&store, &id, Status::Running).await;
    runner.stop().await;
    let job = store.get(&id).await.unwrap().unwrap();
    assert_eq!((job.status, job.attempts, outcomes(&job)), (Status::Pending, 0, vec!["released"]));
    assert_eq!(runner.active_count(), 0);
}

async fn a_quick_guest_may_finish_while_the_runner_drains(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &fleet::catalog(5)).build().unwrap();
    runner.start();
    // Its only pause is after the only batch; it looks for a directive after that and is done anyway.
    let id = enqueue(&store, "flaky", r#"{"failures": 0}"#).await;
    runner.stop().await;
    let job = store.get(&id).await.unwrap().unwrap();
    match job.status {
        Status::Completed => assert_eq!(outcomes(&job), ["completed"]),
        Status::Pending => assert_eq!(job.attempts, 0, "given back, or never claimed: {job:?}"),
        other => panic!("{other}: {job:?}"),
    }
}

async fn a_stopped_runner_claims_no_more(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &fleet::catalog(5)).build().unwrap();
    runner.start();
    runner.start();
    let before = enqueue(&store, "email-send", MAIL).await;
    wait_for_status(&store, &before, Status::Completed).await;
    runner.stop().await;
    runner.stop().await;
    runner.start();
    let after = enqueue(&store, "email-send", MAIL).await;
    let other = fleet::runner(&store, &fleet::catalog(5)).runner_id("other").build().unwrap();
    other.start();
    let job = wait_for_status(&store, &after, Status::Completed).await;
    assert_eq!(job.runner_id.as_deref(), Some("other"));
    assert_eq!(runner.completed_count(), 1);
    other.stop().await;
}
