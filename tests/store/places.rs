//! `claim` for runners that have so many places for each handler.

use crate::given::{HANDLER, insert_many, json, new_job, request};
use flowmonkey_jobs::job::NewJob;
use flowmonkey_jobs::store::{Claim, ClaimRequest, HandlerPlaces};
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    a_handler_gets_no_more_jobs_than_it_has_places,
    the_places_hold_across_priorities,
    no_places_take_nothing,
    other_handlers_fill_the_rest,
    more_places_than_the_limit_are_the_limit,
    the_order_holds_with_places,
    more_is_said_when_the_limit_kept_jobs_back,
    no_more_is_said_when_none_is_left,
    the_heartbeat_interval_is_written_on_the_job,
    delayed_jobs_of_a_higher_priority_hide_nothing,
    exhausted_jobs_hide_nothing,
}

on_postgres! {
    more_is_not_said_when_the_limit_took_the_last,
    more_is_said_when_a_rival_holds_all_that_is_due,
    a_claim_looks_past_a_hundred_rows_that_rivals_hold,
}

fn places(handler: &str, places: u32) -> HandlerPlaces {
    HandlerPlaces { handler: handler.into(), places: Some(places), fleet_max: None }
}

/// A job that has been due since this moment.
async fn due(f: &Fixture, handler: &str, priority: i16, run_at: i64) -> String {
    let job = NewJob { priority, ..NewJob::new(handler, json("1")) };
    let id = f.store.create(job).await.unwrap().job.id;
    f.set(&id, &format!("run_at = {run_at}")).await;
    id
}

async fn claim(f: &Fixture, handlers: &[HandlerPlaces], limit: u32) -> Claim {
    f.store.claim(&ClaimRequest { handlers: handlers.to_vec(), ..request(limit) }).await.unwrap()
}

async fn ids(f: &Fixture, handlers: &[HandlerPlaces], limit: u32) -> Vec<String> {
    claim(f, handlers, limit).await.jobs.into_iter().map(|job| job.lease.job_id).collect()
}

/// Handler and due time of what was claimed.
async fn taken(f: &Fixture, handlers: &[HandlerPlaces], limit: u32) -> Vec<(String, i64)> {
    claim(f, handlers, limit).await.jobs.into_iter().map(|job| (job.handler, job.run_at)).collect()
}

async fn a_handler_gets_no_more_jobs_than_it_has_places(f: Fixture) {
    let mut expected = Vec::new();
    for at in 0..10 {
        expected.push(due(&f, "a", 0, at).await);
    }
    for (count, batch) in [(3, 0..3), (1, 3..4), (6, 4..10), (2, 10..10)] {
        assert_eq!(ids(&f, &[places("a", count)], 100).await, expected[batch]);
    }
}

async fn the_places_hold_across_priorities(f: Fixture) {
    let mut expected = Vec::new();
    for priority in 0..10 {
        for at in 0..2 {
            expected.push(due(&f, "a", priority, 100 - i64::from(priority) + at).await);
        }
    }
    for batch in expected.chunks(3) {
        assert_eq!(ids(&f, &[places("a", 3)], 100).await, batch);
    }
}

async fn no_places_take_nothing(f: Fixture) {
    due(&f, "a", 0, 1).await;
    let claimed = claim(&f, &[places("a", 0)], 10).await;
    assert!(claimed.jobs.is_empty() && !claimed.more);
    due(&f, "b", 9, 2).await;
    assert_eq!(taken(&f, &[places("a", 0), places("b", 1)], 10).await, [("b".to_owned(), 2)]);
    // Of two wishes for one handler the smaller counts.
    assert!(taken(&f, &[places("a", 5), places("a", 0)], 10).await.is_empty());
}

async fn other_handlers_fill_the_rest(f: Fixture) {
    for at in 0..6 {
        due(&f, "a", 0, at).await;
        due(&f, "b", 5, at).await;
    }
    let unlimited = HandlerPlaces { handler: "b".into(), places: None, fleet_max: None };
    let claimed = taken(&f, &[places("a", 2), unlimited], 5).await;
    let expected = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2)];
    assert_eq!(claimed, expected.map(|(handler, at)| (handler.to_owned(), at)));
}

async fn more_places_than_the_limit_are_the_limit(f: Fixture) {
    for at in 0..6 {
        due(&f, "a", 0, at).await;
    }
    for count in [u32::MAX, 3, 2] {
        assert_eq!(taken(&f, &[places("a", count)], 2).await.len(), 2, "{count}");
    }
}

async fn the_order_holds_with_places(f: Fixture) {
    for at in 0..12 {
        due(&f, ["a", "b", "c"][at % 3], [1, 0][at % 2], at as i64).await;
    }
    let handlers = [places("c", 3), places("a", 1), places("b", 2)];
    let claimed = taken(&f, &handlers, 10).await;
    // Priority 0 has the odd times; of each handler the first in line.
    let expected = [("b", 1), ("a", 3), ("c", 5), ("b", 7), ("c", 11), ("c", 2)];
    assert_eq!(claimed, expected.map(|(handler, at)| (handler.to_owned(), at)));
}

async fn more_is_said_when_the_limit_kept_jobs_back(f: Fixture) {
    for at in 0..5 {
        due(&f, "a", 0, at).await;
    }
    for left in [3, 1] {
        let claimed = claim(&f, &[places("a", 100)], 2).await;
        assert_eq!((claimed.jobs.len(), claimed.more), (2, true), "{left} are left");
    }
}

async fn no_more_is_said_when_none_is_left(f: Fixture) {
    assert!(!claim(&f, &[places("a", 5)], 10).await.more);
    for at in 0..3 {
        due(&f, "a", 0, at).await;
    }
    due(&f, "other", 0, 0).await;
    f.store
        .create(NewJob { start: flowmonkey_jobs::job::Start::After(Duration::from_secs(60)), ..new_job() })
        .await
        .unwrap();
    let handlers = [places("a", 5), places(HANDLER, 5)];
    let claimed = claim(&f, &handlers, 10).await;
    assert_eq!((claimed.jobs.len(), claimed.more), (3, false));
    let claimed = claim(&f, &handlers, 10).await;
    assert_eq!((claimed.jobs.len(), claimed.more), (0, false));
    // What has no place is not waiting for this runner.
    for at in 0..3 {
        due(&f, "a", 0, at).await;
    }
    let claimed = claim(&f, &[places("a", 1)], 10).await;
    assert_eq!((claimed.jobs.len(), claimed.more), (1, false));
}

async fn the_heartbeat_interval_is_written_on_the_job(f: Fixture) {
    for seconds in [1, 25, 1_000_000_000] {
        let id = due(&f, "a", 0, 1).await;
        let heartbeat_interval = Duration::from_secs(seconds);
        let request = ClaimRequest { handlers: vec![places("a", 1)], heartbeat_interval, ..request(1) };
        assert_eq!(f.store.claim(&request).await.unwrap().jobs.len(), 1);
        let column = |name: &str| format!("select cast({name} as bigint) from fm_jobs where id = '{id}'");
        let expected = (seconds as i64 * 1000).min(i64::from(i32::MAX));
        assert_eq!(f.number(&column("beat_ms")).await, expected);
        // What FlowMonkey's own reaper goes by is never less than before, nor than that.
        assert_eq!(f.number(&column("heartbeat_ms")).await, expected.max(30_000));
    }
}

async fn delayed_jobs_of_a_higher_priority_hide_nothing(f: Fixture) {
    let later = f.now().await + 3_600_000;
    insert_many(&f, 500, "priority, run_at", &format!("i % 9, {later}")).await;
    let id = due(&f, HANDLER, 9, 1).await;
    for count in [1, 100] {
        assert_eq!(ids(&f, &[places(HANDLER, count)], 1).await, std::slice::from_ref(&id));
        f.set(&id, "status = 'pending'").await;
    }
    // Nor do those of the same priority.
    f.execute("update fm_jobs set priority = 9").await;
    assert_eq!(ids(&f, &[places(HANDLER, 100)], 10).await, [id]);
}

async fn exhausted_jobs_hide_nothing(f: Fixture) {
    insert_many(&f, 500, "priority, run_at, attempts, max_attempts", "i % 10, 1, 3, 3").await;
    let id = due(&f, HANDLER, 9, 5).await;
    let claimed = claim(&f, &[places(HANDLER, 2)], 10).await;
    assert_eq!(claimed.jobs.iter().map(|job| &job.lease.job_id).collect::<Vec<_>>(), [&id]);
    assert!(!claimed.more);
    assert!(ids(&f, &[places(HANDLER, 100)], 100).await.is_empty());
}

async fn more_is_not_said_when_the_limit_took_the_last(f: Fixture) {
    for at in 0..2 {
        due(&f, "a", 0, at).await;
    }
    let claimed = claim(&f, &[places("a", 100)], 2).await;
    assert_eq!((claimed.jobs.len(), claimed.more), (2, false));
}

async fn more_is_said_when_a_rival_holds_all_that_is_due(f: Fixture) {
    for at in 0..3 {
        due(&f, "a", 0, at).await;
    }
    let mut rival = f.pg().begin().await.unwrap();
    sqlx::query("select id from fm_jobs for update").fetch_all(&mut *rival).await.unwrap();
    for count in [1, 3, 100] {
        let claimed = claim(&f, &[places("a", count)], 10).await;
        assert_eq!((claimed.jobs.len(), claimed.more), (0, true), "{count}");
    }
    rival.rollback().await.unwrap();
    assert_eq!(taken(&f, &[places("a", 100)], 10).await.len(), 3);
}

/// Others claim at the same moment, and take the first in line.
async fn a_claim_looks_past_a_hundred_rows_that_rivals_hold(f: Fixture) {
    insert_many(&f, 110, "run_at", "i").await;
    let mut rival = f.pg().begin().await.unwrap();
    let first = "select id from fm_jobs order by run_at limit 100 for update";
    assert_eq!(sqlx::query(first).fetch_all(&mut *rival).await.unwrap().len(), 100);
    let claimed = claim(&f, &[places(HANDLER, 100)], 4).await;
    let times: Vec<_> = claimed.jobs.iter().map(|job| job.run_at).collect();
    assert_eq!((times, claimed.more), (vec![101, 102, 103, 104], true));
    rival.rollback().await.unwrap();
}
