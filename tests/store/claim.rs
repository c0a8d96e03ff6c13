//! `claim`: which jobs, in which order, and what a claim writes.

use crate::given::{
    HANDLER, claim, claim_one, get, in_status, json, new_job, pending, pending_in_order, places, record,
    request, running,
};
use flowmonkey_jobs::job::{NewJob, Start, Status, Transition, Wake};
use flowmonkey_jobs::store::ClaimRequest;
use flowmonkey_tests::database::Fixture;
use std::collections::HashSet;
use std::time::Duration;

on_both_stores! {
    a_claim_begins_an_attempt,
    a_claim_hands_out_what_the_attempt_needs,
    every_attempt_is_counted,
    an_instance_never_repeats,
    only_handlers_that_were_asked_for,
    nothing_is_claimed_for_nobody,
    a_handler_asked_for_twice_counts_once,
    a_job_is_not_claimed_before_it_is_due,
    a_job_that_waits_for_a_signal_is_not_due,
    a_job_without_attempts_left_is_not_claimed,
    only_pending_jobs_are_claimed,
    lower_priority_numbers_go_first,
    the_oldest_due_goes_first_within_a_priority,
    the_order_holds_across_handlers,
    a_backlog_is_worked_off_in_batches,
    what_comes_late_is_found_behind_what_was_claimed,
    what_comes_late_is_found_where_nothing_else_is_left,
    what_comes_late_goes_first_soon,
    a_claim_ends_the_wait,
}

async fn a_claim_begins_an_attempt(f: Fixture) {
    let created = pending(&f).await;
    let before = f.now().await;
    let claimed = claim_one(&f).await;
    let job = get(&f, &created.id).await;
    assert_eq!((job.status, job.attempts), (Status::Running, 1));
    assert_eq!(job.runner_id.as_deref(), Some("runner-1"));
    assert_eq!(job.instance_id, Some(claimed.lease.instance_id));
    assert_eq!((job.heartbeat_at, job.updated_at), (Some(claimed.claimed_at), claimed.claimed_at));
    assert!((before..=f.now().await).contains(&claimed.claimed_at));
    assert!(job.history.is_empty());
}

async fn a_claim_hands_out_what_the_attempt_needs(f: Fixture) {
    f.execute("insert into fm_executions (id, flow_id, flow_version) values ('e', 'f', '1')").await;
    let new = NewJob {
        execution_id: Some("e".into()),
        step_id: Some("s".into()),
        priority: 4,
        max_attempts: 7,
        ..new_job()
    };
    let created = f.store.create(new).await.unwrap().job;
    let lease = claim_one(&f).await.lease;
    f.store.save_checkpoint(&lease, "page", &json("12345678901234567890")).await.unwrap();
    record(&f, &lease, Transition::Release).await;

    let job = get(&f, &created.id).await;
    let claimed = claim_one(&f).await;
    assert_eq!((claimed.lease.job_id, claimed.handler.as_str()), (created.id, HANDLER));
    assert_eq!((claimed.attempt, claimed.max_attempts, claimed.priority), (1, 7, 4));
    assert_eq!((claimed.execution_id.as_deref(), claimed.step_id.as_deref()), (Some("e"), Some("s")));
    assert_eq!(Some(claimed.run_at), job.run_at);
    assert_eq!((claimed.input, claimed.checkpoint), (job.input, job.checkpoint.clone()));
    let stored: serde_json::Map<_, _> = serde_json::from_str(job.checkpoint.unwrap().as_str()).unwrap();
    assert_eq!(stored["page"].as_u64(), Some(12_345_678_901_234_567_890));
}

async fn every_attempt_is_counted(f: Fixture) {
    let job = pending(&f).await;
    for attempt in 1..=3 {
        let claimed = claim_one(&f).await;
        assert_eq!((claimed.attempt, claimed.max_attempts), (attempt, 3));
        record(&f, &claimed.lease, crate::given::retry_at_once("X")).await;
        assert_eq!(get(&f, &job.id).await.attempts, attempt);
    }
}

/// Within a batch, and over the attempts of one job, refunded ones too.
async fn an_instance_never_repeats(f: Fixture) {
    let ids = pending_in_order(&f, 5).await;
    let mut instances = HashSet::new();
    for _ in 0..4 {
        for claimed in claim(&f, 10).await {
            assert!(!claimed.lease.instance_id.is_empty());
            instances.insert(claimed.lease.instance_id.clone());
            record(&f, &claimed.lease, Transition::Release).await;
        }
    }
    assert_eq!(instances.len(), 4 * ids.len());
}

async fn only_handlers_that_were_asked_for(f: Fixture) {
    let handlers = ["a", "A", "a ", "b", "c'", "größe"];
    for handler in handlers {
        f.store.create(NewJob::new(handler, json("1"))).await.unwrap();
    }
    let asked = ["a", "c'", "größe", "unknown"].map(places).to_vec();
    let claimed = f.store.claim(&ClaimRequest { handlers: asked, ..request(10) }).await.unwrap().jobs;
    let mut claimed: Vec<_> = claimed.into_iter().map(|job| job.handler).collect();
    claimed.sort();
    assert_eq!(claimed, ["a", "c'", "größe"]);
    assert_eq!(f.number("select count(*) from fm_jobs where status = 'pending'").await, 3);
}

async fn nothing_is_claimed_for_nobody(f: Fixture) {
    let job = pending(&f).await;
    let before = f.row(&job.id).await;
    for (handlers, limit) in [(vec![], 10), (vec![places(HANDLER)], 0)] {
        assert!(f.store.claim(&ClaimRequest { handlers, ..request(limit) }).await.unwrap().jobs.is_empty());
    }
    assert_eq!(f.row(&job.id).await, before);
}

async fn a_handler_asked_for_twice_counts_once(f: Fixture) {
    let ids = pending_in_order(&f, 4).await;
    let handlers = vec![places(HANDLER); 3];
    let claimed = f.store.claim(&ClaimRequest { handlers, ..request(3) }).await.unwrap().jobs;
    let claimed: Vec<_> = claimed.into_iter().map(|job| job.lease.job_id).collect();
    assert_eq!(claimed, ids[..3]);
}

async fn a_job_is_not_claimed_before_it_is_due(f: Fixture) {
    let job = f
        .store
        .create(NewJob { start: Start::After(Duration::from_secs(3600)), ..new_job() })
        .await
        .unwrap()
        .job;
    assert!(claim(&f, 10).await.is_empty());
    f.set(&job.id, "run_at = run_at - 3600000").await;
    assert_eq!(claim_one(&f).await.lease.job_id, job.id);
}

async fn a_job_that_waits_for_a_signal_is_not_due(f: Fixture) {
    let job = pending(&f).await;
    f.set(&job.id, "run_at = null").await;
    assert!(claim(&f, 10).await.is_empty());
}

async fn a_job_without_attempts_left_is_not_claimed(f: Fixture) {
    for (attempts, max, claimable) in
        [(0, 1, true), (2, 3, true), (1, 1, false), (3, 3, false), (9, 3, false)]
    {
        let job = pending(&f).await;
        f.set(&job.id, &format!("attempts = {attempts}, max_attempts = {max}")).await;
        assert_eq!(claim(&f, 10).await.len(), usize::from(claimable), "{attempts} of {max}");
    }
}

async fn only_pending_jobs_are_claimed(f: Fixture) {
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Pending) {
        in_status(&f, status).await;
    }
    assert!(claim(&f, 10).await.is_empty());
}

/// One at a time, so that the statement chooses and not the order of its answer.
async fn lower_priority_numbers_go_first(f: Fixture) {
    let mut ids = Vec::new();
    // The later created is the more urgent, and due later.
    for (priority, run_at) in [(9, 1), (5, 2), (1, 3), (0, 4)] {
        let job = f.store.create(NewJob { priority, ..new_job() }).await.unwrap().job;
        f.set(&job.id, &format!("run_at = {run_at}")).await;
        ids.insert(0, job.id);
    }
    for id in ids {
        assert_eq!(claim(&f, 1).await[0].lease.job_id, id);
    }
}

async fn the_oldest_due_goes_first_within_a_priority(f: Fixture) {
    let ids = pending_in_order(&f, 3).await;
    // Created last, due first: no job starves while younger ones run.
    let first = pending(&f).await.id;
    f.set(&first, "run_at = 0").await;
    for id in [&first, &ids[0], &ids[1], &ids[2]] {
        assert_eq!(claim(&f, 1).await[0].lease.job_id, *id);
    }
}

async fn the_order_holds_across_handlers(f: Fixture) {
    let mut expected = Vec::new();
    for at in 0..9 {
        let handler = ["a", "b", "c"][at % 3];
        let job = f.store.create(NewJob::new(handler, json("1"))).await.unwrap().job;
        f.set(&job.id, &format!("run_at = {at}")).await;
        expected.push(job.id);
    }
    let handlers = ["c", "a", "b"].map(places).to_vec();
    for batch in expected.chunks(4) {
        let claimed =
            f.store.claim(&ClaimRequest { handlers: handlers.clone(), ..request(4) }).await.unwrap().jobs;
        let claimed: Vec<_> = claimed.into_iter().map(|job| job.lease.job_id).collect();
        assert_eq!(claimed, batch);
    }
}

async fn a_backlog_is_worked_off_in_batches(f: Fixture) {
    pending_in_order(&f, 10).await;
    let mut sizes = Vec::new();
    for limit in [3, 4, 100, 1] {
        sizes.push(claim(&f, limit).await.len());
    }
    assert_eq!(sizes, [3, 4, 3, 0]);
}

async fn a_claim_ends_the_wait(f: Fixture) {
    let lease = running(&f).await;
    let wait = Transition::Wait { until: Wake::At(1), reason: Some("later".into()) };
    record(&f, &lease, wait).await;
    assert!(get(&f, &lease.job_id).await.waiting.is_some());
    claim_one(&f).await;
    assert_eq!(get(&f, &lease.job_id).await.waiting, None);
}

/// Due one after the other.
async fn many(f: &Fixture, jobs: i64) {
    let due = (0..jobs).map(|at| NewJob { start: Start::At(1000 + at), ..new_job() });
    f.store.create_many(due.collect()).await.unwrap();
}

async fn due_first(f: &Fixture) -> String {
    f.store.create(NewJob { start: Start::At(1), ..new_job() }).await.unwrap().job.id
}

/// A claim of many may begin where the last one ended.
async fn what_comes_late_is_found_behind_what_was_claimed(f: Fixture) {
    for between in [1, 100] {
        many(&f, 100 + between).await;
        assert_eq!(claim(&f, 100).await.len(), 100);
        let late = due_first(&f).await;
        let mut claimed = Vec::new();
        loop {
            let next = f.store.claim(&request(100)).await.unwrap();
            claimed.extend(next.jobs.into_iter().map(|job| job.lease.job_id));
            if !next.more {
                break;
            }
        }
        assert!(claimed.contains(&late), "{between} between: it was left behind");
        assert_eq!(claimed.len() as i64, between + 1);
    }
}

async fn what_comes_late_is_found_where_nothing_else_is_left(f: Fixture) {
    many(&f, 101).await;
    assert_eq!(claim(&f, 100).await.len(), 100);
    f.execute("delete from fm_jobs where status = 'pending'").await;
    let late = due_first(&f).await;
    assert_eq!(claim(&f, 100).await[0].lease.job_id, late);
}

async fn what_comes_late_goes_first_soon(f: Fixture) {
    many(&f, 300).await;
    for _ in 0..2 {
        assert_eq!(claim(&f, 100).await.len(), 100);
    }
    let late = due_first(&f).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(claim(&f, 100).await[0].lease.job_id, late);
}
