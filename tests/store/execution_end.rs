//! Jobs that end, and the workflow executions that wait for them.

use crate::given::{
    Loss, STALLED, claim, claim_one, error, execution_row, get, job_of, json, reap_one, record, recording,
    retry_at_once, running, running_of, silence, value, waiting_execution,
};
use crate::hold::{blocked, hold, start};
use flowmonkey_jobs::job::{Lease, Status, Transition, Wake};
use flowmonkey_jobs::store::{Changed, Execution, Recorded};
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    a_completed_job_wakes_the_execution_that_waits_at_its_step,
    no_result_is_written_as_null,
    a_step_may_have_any_name,
    numbers_keep_every_digit,
    only_an_execution_that_waits_at_that_step_is_told,
    a_job_without_step_or_execution_tells_nobody,
    a_failed_job_fails_its_execution,
    a_job_that_goes_on_leaves_its_execution_alone,
    a_job_that_stalls_on_its_last_attempt_fails_its_execution,
    a_retried_job_lets_its_execution_wait_again,
    a_retried_job_leaves_an_execution_alone_that_failed_for_another_reason,
    recording_twice_tells_the_execution_once,
    a_lost_lease_changes_no_execution,
    jobs_of_two_executions_end_in_one_batch,
}

on_postgres! {
    an_outcome_that_waits_for_the_executions_engine_keeps_what_both_wrote,
    an_outcome_that_waits_sees_that_the_execution_waits_no_more,
    a_job_that_cannot_be_told_to_its_execution_is_not_recorded,
}

async fn execution(f: &Fixture, id: &str) -> Execution {
    f.store.execution(id).await.unwrap().unwrap()
}

fn complete(result: &str) -> Transition {
    Transition::Complete(Some(json(result)))
}

/// A column of an execution's error.
async fn error_text(f: &Fixture, id: &str, name: &str) -> Option<String> {
    f.text(&format!("select error ->> '{name}' from fm_executions where id = '{id}'")).await
}

async fn a_completed_job_wakes_the_execution_that_waits_at_its_step(f: Fixture) {
    waiting_execution(&f, "e", "send").await;
    let lease = running_of(&f, "e", "send").await;
    let before = f.now().await;
    assert_eq!(record(&f, &lease, complete(r#"{"sent": [1, "größe"]}"#)).await, Recorded::Written);
    let execution = execution(&f, "e").await;
    let expected = json(r#"{"kept": 9007199254740993, "send": {"sent": [1, "größe"]}}"#);
    assert_eq!(value(&execution.context), value(&expected));
    assert_eq!((execution.status.as_str(), execution.current_step.as_deref()), ("waiting", Some("send")));
    assert!((before..=f.now().await).contains(&execution.wake_at.unwrap()));
    assert_eq!(execution.error, None);
}

async fn no_result_is_written_as_null(f: Fixture) {
    for result in [None, Some(json("null"))] {
        waiting_execution(&f, "e", "send").await;
        let lease = running_of(&f, "e", "send").await;
        record(&f, &lease, Transition::Complete(result)).await;
        let execution = execution(&f, "e").await;
        let expected = json(r#"{"kept": 9007199254740993, "send": null}"#);
        assert_eq!(value(&execution.context), value(&expected));
        assert!(execution.wake_at.is_some());
        f.execute("delete from fm_executions").await;
    }
}

async fn a_step_may_have_any_name(f: Fixture) {
    for step in [r#"a.b"c"#, "$", "$.a", "[0]", "größe 😀", "it's", "\\", " ", "{}", "kept"] {
        waiting_execution(&f, "e", step).await;
        let lease = running_of(&f, "e", step).await;
        record(&f, &lease, complete("7")).await;
        let context = value(&execution(&f, "e").await.context);
        assert_eq!(context[step], 7, "{step}");
        let keys = if step == "kept" { 1 } else { 2 };
        assert_eq!(context.as_object().unwrap().len(), keys, "{step}: {context}");
        f.execute("delete from fm_executions").await;
    }
}

async fn numbers_keep_every_digit(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let lease = running_of(&f, "e", "s").await;
    record(&f, &lease, complete("[12345678901234567890123, 1.50, -0.000000000000000000000001]")).await;
    let context = execution(&f, "e").await.context.to_string();
    for number in ["9007199254740993", "12345678901234567890123", "1.50", "-0.000000000000000000000001"] {
        assert!(context.contains(number), "{context}");
    }
}

async fn only_an_execution_that_waits_at_that_step_is_told(f: Fixture) {
    let elsewhere = [
        "current_step = 'other'",
        "current_step = null",
        "current_step = 'S'",
        "status = 'pending'",
        "status = 'running'",
        "status = 'completed'",
        "status = 'failed'",
    ];
    for change in elsewhere {
        for end in [complete("1"), Transition::Fail(error("X"))] {
            waiting_execution(&f, "e", "s").await;
            let lease = running_of(&f, "e", "s").await;
            f.execute(&format!("update fm_executions set {change}")).await;
            let before = execution_row(&f, "e").await;
            assert_eq!(record(&f, &lease, end.clone()).await, Recorded::Written);
            assert_eq!(execution_row(&f, "e").await, before, "{change} {end:?}");
            assert_eq!(get(&f, &lease.job_id).await.status, end.leads_to());
            f.execute("delete from fm_executions").await;
        }
    }
}

async fn a_job_without_step_or_execution_tells_nobody(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let before = execution_row(&f, "e").await;
    for columns in ["step_id = null", "execution_id = null", "execution_id = null, step_id = null"] {
        for end in [complete("1"), Transition::Fail(error("X"))] {
            let lease = running_of(&f, "e", "s").await;
            f.set(&lease.job_id, columns).await;
            assert_eq!(record(&f, &lease, end).await, Recorded::Written);
            assert_eq!(execution_row(&f, "e").await, before, "{columns}");
        }
    }
}

async fn assert_failed_with(f: &Fixture, id: &str, lease: &Lease, code: &str) {
    let execution = execution(f, id).await;
    let job = get(f, &lease.job_id).await;
    assert_eq!((execution.status.as_str(), execution.wake_at), ("failed", None));
    let error = execution.error.unwrap();
    assert_eq!((error.code.as_str(), &error.message), (code, &job.error.unwrap().message));
    assert_eq!(error_text(f, id, "jobId").await.as_ref(), Some(&lease.job_id));
    assert_eq!(error_text(f, id, "stepId").await, job.step_id);
    assert_eq!(value(&execution.context), value(&json(r#"{"kept": 9007199254740993}"#)));
}

async fn a_failed_job_fails_its_execution(f: Fixture) {
    for step in ["send", r#"a.b"c'"#] {
        waiting_execution(&f, "e", step).await;
        f.execute("update fm_executions set wake_at = 5").await;
        let lease = running_of(&f, "e", step).await;
        record(&f, &lease, Transition::Fail(error("größe '\""))).await;
        assert_failed_with(&f, "e", &lease, "größe '\"").await;
        f.execute("delete from fm_executions").await;
    }
}

async fn a_job_that_goes_on_leaves_its_execution_alone(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let before = execution_row(&f, "e").await;
    let lease = running_of(&f, "e", "s").await;
    record(&f, &lease, retry_at_once("X")).await;
    let lease = claim_one(&f).await.lease;
    record(&f, &lease, Transition::Release).await;
    let lease = claim_one(&f).await.lease;
    record(&f, &lease, Transition::Wait { until: Wake::At(0), reason: None }).await;
    let lease = claim_one(&f).await.lease;
    silence(&f, &lease.job_id).await;
    reap_one(&f).await;
    assert_eq!(get(&f, &lease.job_id).await.status, Status::Pending);
    f.store.cancel(&lease.job_id).await.unwrap();
    f.store.retry(&lease.job_id).await.unwrap();
    assert_eq!(execution_row(&f, "e").await, before);
}

async fn a_job_that_stalls_on_its_last_attempt_fails_its_execution(f: Fixture) {
    for id in ["e", "other"] {
        waiting_execution(&f, id, "s").await;
    }
    let other = execution_row(&f, "other").await;
    let lease = running_of(&f, "e", "s").await;
    f.set(&lease.job_id, "max_attempts = 1").await;
    silence(&f, &lease.job_id).await;
    assert_eq!(f.store.reap(STALLED, 10).await.unwrap()[0].status, Status::Failed);
    assert_failed_with(&f, "e", &lease, "STALLED").await;
    assert_eq!(execution_row(&f, "other").await, other);
}

async fn a_retried_job_lets_its_execution_wait_again(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let lease = running_of(&f, "e", "s").await;
    record(&f, &lease, Transition::Fail(error("X"))).await;
    assert_eq!(f.store.retry(&lease.job_id).await.unwrap(), Changed::Yes);
    let reopened = execution(&f, "e").await;
    assert_eq!((reopened.status.as_str(), reopened.error, reopened.wake_at), ("waiting", None, None));
    // And goes on with what the job comes to in the end.
    let lease = claim_one(&f).await.lease;
    record(&f, &lease, complete("8")).await;
    let woken = execution(&f, "e").await;
    assert_eq!((woken.status.as_str(), &value(&woken.context)["s"]), ("waiting", &8.into()));
    assert!(woken.wake_at.is_some());
}

async fn a_retried_job_leaves_an_execution_alone_that_failed_for_another_reason(f: Fixture) {
    let changes = [
        "error = '{\"code\": \"X\", \"message\": \"m\", \"jobId\": \"another\", \"stepId\": \"s\"}'",
        "error = '{\"code\": \"X\", \"message\": \"m\"}'",
        "error = null",
        "current_step = 'other'",
        "status = 'cancelled'",
        "status = 'completed'",
    ];
    for change in changes {
        waiting_execution(&f, "e", "s").await;
        let lease = running_of(&f, "e", "s").await;
        record(&f, &lease, Transition::Fail(error("X"))).await;
        f.execute(&format!("update fm_executions set {change}")).await;
        let before = execution_row(&f, "e").await;
        assert_eq!(f.store.retry(&lease.job_id).await.unwrap(), Changed::Yes);
        assert_eq!(execution_row(&f, "e").await, before, "{change}");
        f.execute("delete from fm_executions").await;
    }
}

/// The answer to the first call may get lost, and the engine may be quicker than the repetition.
async fn recording_twice_tells_the_execution_once(f: Fixture) {
    for end in [complete("1"), Transition::Fail(error("X"))] {
        waiting_execution(&f, "e", "s").await;
        let lease = running_of(&f, "e", "s").await;
        let batch = [recording(&lease, end.clone()), recording(&lease, end.clone())];
        assert_eq!(f.store.record(&batch).await.unwrap(), [Recorded::Written; 2]);
        // A loop in the flow has come to the step again.
        f.execute(
            "update fm_executions set status = 'waiting', wake_at = null, error = null, context = '{}'",
        )
        .await;
        let before = execution_row(&f, "e").await;
        assert_eq!(record(&f, &lease, end).await, Recorded::Written);
        assert_eq!(execution_row(&f, "e").await, before);
        f.execute("delete from fm_executions").await;
    }
}

async fn a_lost_lease_changes_no_execution(f: Fixture) {
    for loss in Loss::ALL {
        waiting_execution(&f, "e", "s").await;
        let lease = running_of(&f, "e", "s").await;
        loss.befall(&f, &lease).await;
        f.execute("update fm_executions set status = 'waiting', wake_at = null, error = null").await;
        let before = execution_row(&f, "e").await;
        for end in [complete("\"late\""), Transition::Fail(error("LATE"))] {
            record(&f, &lease, end.clone()).await;
            assert_eq!(execution_row(&f, "e").await, before, "{loss:?} {end:?}");
        }
        f.execute("delete from fm_executions").await;
    }
}

async fn jobs_of_two_executions_end_in_one_batch(f: Fixture) {
    for (id, step) in [("e1", "a"), ("e2", "b"), ("e3", "c")] {
        waiting_execution(&f, id, step).await;
        f.store.create(job_of(id, step)).await.unwrap();
    }
    let other = execution_row(&f, "e3").await;
    let leases: Vec<Lease> = claim(&f, 3).await.into_iter().map(|job| job.lease).collect();
    let loner = running(&f).await;
    let batch = [
        recording(&leases[1], Transition::Fail(error("X"))),
        recording(&loner, complete("9")),
        recording(&leases[2], retry_at_once("X")),
        recording(&leases[0], complete("1")),
    ];
    assert_eq!(f.store.record(&batch).await.unwrap(), [Recorded::Written; 4]);
    assert_eq!(value(&execution(&f, "e1").await.context)["a"], 1);
    assert!(execution(&f, "e1").await.wake_at.is_some());
    assert_failed_with(&f, "e2", &leases[1], "X").await;
    assert_eq!(execution_row(&f, "e3").await, other);
}

async fn an_outcome_that_waits_for_the_executions_engine_keeps_what_both_wrote(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let lease = running_of(&f, "e", "s").await;
    let mut rival = f.pg().begin().await.unwrap();
    let sql = r#"update fm_executions set context = context || '{"theirs": 2}', step_count = 5"#;
    hold(&mut rival, sql, "e").await;
    let ended = recording(&lease, complete("1"));
    let ours = start(&f, |store| async move { store.record(&[ended]).await });
    blocked(f.pg()).await;
    rival.commit().await.unwrap();
    assert_eq!(ours.await.unwrap().unwrap(), [Recorded::Written]);
    let expected = json(r#"{"kept": 9007199254740993, "theirs": 2, "s": 1}"#);
    let execution = execution(&f, "e").await;
    assert_eq!(value(&execution.context), value(&expected));
    assert!(execution.wake_at.is_some());
    assert_eq!(f.number("select step_count::bigint from fm_executions").await, 5);
    assert_eq!(get(&f, &lease.job_id).await.status, Status::Completed);
}

async fn an_outcome_that_waits_sees_that_the_execution_waits_no_more(f: Fixture) {
    for end in [complete("1"), Transition::Fail(error("X"))] {
        waiting_execution(&f, "e", "s").await;
        let lease = running_of(&f, "e", "s").await;
        let mut rival = f.pg().begin().await.unwrap();
        hold(&mut rival, "update fm_executions set status = 'running', current_step = 'next'", "e").await;
        let ended = recording(&lease, end.clone());
        let ours = start(&f, |store| async move { store.record(&[ended]).await });
        blocked(f.pg()).await;
        rival.commit().await.unwrap();
        assert_eq!(ours.await.unwrap().unwrap(), [Recorded::Written]);
        let execution = execution(&f, "e").await;
        assert_eq!((execution.status.as_str(), execution.wake_at, execution.error), ("running", None, None));
        assert_eq!(get(&f, &lease.job_id).await.status, end.leads_to());
        f.execute("delete from fm_executions").await;
    }
}

/// Both or neither: else a crash between the two would leave the execution waiting for good.
async fn a_job_that_cannot_be_told_to_its_execution_is_not_recorded(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let lease = running_of(&f, "e", "s").await;
    f.execute("alter table fm_executions add constraint never_woken check (wake_at is null)").await;
    let before = f.row(&lease.job_id).await;
    assert!(f.store.record(&[recording(&lease, complete("1"))]).await.is_err());
    assert_eq!(f.row(&lease.job_id).await, before);
    f.execute("alter table fm_executions drop constraint never_woken").await;
    assert_eq!(record(&f, &lease, complete("1")).await, Recorded::Written);
}
