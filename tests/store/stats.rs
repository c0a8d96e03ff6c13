//! `stats`: how many jobs each handler has.

use crate::given::{HANDLER, insert_many, pending};
use flowmonkey_jobs::job::Status;
use flowmonkey_jobs::store::{HandlerStats, STATS_COUNT_MAX, STATS_WINDOW};
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    no_jobs_are_no_handlers,
    every_state_of_every_handler_is_counted,
    the_oldest_due_job_says_how_long_the_line_is,
    jobs_that_ended_long_ago_are_not_counted,
    exhausted_jobs_are_not_counted,
    a_handler_with_one_kind_of_job_is_listed,
    counting_ends_at_its_limit,
    counting_changes_nothing,
}

async fn stats(f: &Fixture) -> Vec<HandlerStats> {
    f.store.stats().await.unwrap()
}

/// So many rows of a handler, whose remaining columns are these assignments.
async fn rows(f: &Fixture, handler: &str, count: usize, assignments: &str) {
    let handler = handler.replace('\'', "''");
    for _ in 0..count {
        let id = pending(f).await.id;
        f.set(&id, &format!("handler = '{handler}', {assignments}")).await;
    }
}

/// Without what hangs on the moment.
fn timeless(stats: Vec<HandlerStats>) -> Vec<HandlerStats> {
    stats.into_iter().map(|one| HandlerStats { oldest_due_ms: None, ..one }).collect()
}

async fn no_jobs_are_no_handlers(f: Fixture) {
    assert_eq!(stats(&f).await, []);
}

async fn every_state_of_every_handler_is_counted(f: Fixture) {
    let later = format!("priority = 3, run_at = {}", f.now().await + 3_600_000);
    let (running, completed) = ("status = 'running'", "status = 'completed'");
    for (handler, factor) in [("b", 1), ("a'", 2)] {
        rows(&f, handler, factor, "run_at = 1, priority = 9").await;
        rows(&f, handler, 1, "run_at = 2, priority = 0").await;
        rows(&f, handler, 2 * factor, &later).await;
        rows(&f, handler, 3 * factor, "run_at = null, priority = 5").await;
        rows(&f, handler, 4 * factor, running).await;
        rows(&f, handler, 5 * factor, completed).await;
        rows(&f, handler, 6 * factor, "status = 'failed'").await;
        rows(&f, handler, 7 * factor, "status = 'cancelled', run_at = null").await;
    }
    let expected = |handler: &str, factor: u64| HandlerStats {
        handler: handler.into(),
        due: factor + 1,
        later: 2 * factor,
        waiting: 3 * factor,
        running: 4 * factor,
        completed: 5 * factor,
        failed: 6 * factor,
        cancelled: 7 * factor,
        oldest_due_ms: None,
    };
    assert_eq!(timeless(stats(&f).await), [expected("a'", 2), expected("b", 1)]);
}

async fn the_oldest_due_job_says_how_long_the_line_is(f: Fixture) {
    let now = f.now().await;
    for (handler, priority, age) in [("a", 9, 90_000), ("a", 0, 60_000), ("b", 4, 5_000), ("c", 0, -90_000)] {
        rows(&f, handler, 1, &format!("priority = {priority}, run_at = {}", now - age)).await;
    }
    let stats = stats(&f).await;
    let passed = f.now().await - now;
    let oldest: Vec<_> = stats.iter().map(|one| one.oldest_due_ms).collect();
    let [Some(a), Some(b), None] = oldest.as_slice() else { panic!("{oldest:?}") };
    assert!((90_000..=90_000 + passed).contains(a), "{a} after {passed}");
    assert!((5_000..=5_000 + passed).contains(b), "{b} after {passed}");
}

async fn jobs_that_ended_long_ago_are_not_counted(f: Fixture) {
    let window = STATS_WINDOW.as_millis() as i64;
    let (old, young) = (f.now().await - window - 60_000, f.now().await - window + 60_000);
    for status in [Status::Completed, Status::Failed, Status::Cancelled] {
        rows(&f, "old", 1, &format!("status = '{status}', updated_at = {old}")).await;
        rows(&f, "both", 1, &format!("status = '{status}', updated_at = {old}")).await;
        rows(&f, "both", 2, &format!("status = '{status}', updated_at = {young}")).await;
    }
    let stats = stats(&f).await;
    let [both] = stats.as_slice() else { panic!("{stats:?}") };
    assert_eq!((both.completed, both.failed, both.cancelled), (2, 2, 2));
}

async fn exhausted_jobs_are_not_counted(f: Fixture) {
    rows(&f, "a", 2, "attempts = 3, max_attempts = 3").await;
    assert_eq!(stats(&f).await, []);
    rows(&f, "a", 1, "attempts = 2, max_attempts = 3").await;
    assert_eq!(stats(&f).await[0].due, 1);
}

async fn a_handler_with_one_kind_of_job_is_listed(f: Fixture) {
    for assignments in ["status = 'running'", "status = 'failed'", "run_at = null"] {
        rows(&f, "a", 1, assignments).await;
        let stats = stats(&f).await;
        assert_eq!(stats.len(), 1, "{assignments}");
        let of = &stats[0];
        assert_eq!((of.due, of.running + of.failed + of.waiting, of.oldest_due_ms), (0, 1, None));
        f.execute("delete from fm_jobs").await;
    }
}

/// A backlog of millions must cost what one of ten thousand does.
async fn counting_ends_at_its_limit(f: Fixture) {
    let max = u64::from(STATS_COUNT_MAX);
    insert_many(&f, STATS_COUNT_MAX as usize + 500, "priority, run_at", "i % 10, i").await;
    let due = |stats: Vec<HandlerStats>| (stats[0].handler.clone(), stats[0].due);
    assert_eq!(due(stats(&f).await), (HANDLER.into(), max));
    f.execute("update fm_jobs set run_at = null").await;
    assert_eq!(stats(&f).await[0].waiting, max);
    f.execute(&format!("update fm_jobs set run_at = {}", f.now().await + 3_600_000)).await;
    assert_eq!(stats(&f).await[0].later, max);
    f.execute("update fm_jobs set status = 'running'").await;
    assert_eq!(stats(&f).await[0].running, max);
    f.execute(&format!("update fm_jobs set status = 'failed', updated_at = {}", f.now().await)).await;
    assert_eq!(stats(&f).await[0].failed, max);
}

async fn counting_changes_nothing(f: Fixture) {
    let id = pending(&f).await.id;
    let before = f.row(&id).await;
    stats(&f).await;
    assert_eq!(f.row(&id).await, before);
}
