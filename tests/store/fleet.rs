//! `claim` where a handler may run so many jobs at once over the whole fleet.

use crate::given::{insert_many, json, request};
use crate::hold::start;
use flowmonkey_jobs::job::{NewJob, Transition};
use flowmonkey_jobs::store::{Claim, ClaimRequest, HandlerPlaces, Recorded};
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    no_more_run_than_the_fleet_may,
    what_runs_elsewhere_counts,
    a_job_that_ends_makes_room,
    the_bound_is_one_handlers,
    the_smaller_of_places_and_room_counts,
    only_what_the_bound_keeps_back_is_not_more,
    of_many_rivals_together_no_more_run_than_may,
}

on_postgres! {
    a_handler_that_a_rival_is_counting_is_left_for_the_next_look,
    a_request_without_a_bound_waits_for_no_count,
}

const BOUNDED: &str = "email-send";

fn bounded(handler: &str, places: Option<u32>, fleet_max: u32) -> HandlerPlaces {
    HandlerPlaces { handler: handler.into(), places, fleet_max: Some(fleet_max) }
}

fn unbounded(handler: &str) -> HandlerPlaces {
    HandlerPlaces { handler: handler.into(), places: None, fleet_max: None }
}

fn ask(handlers: &[HandlerPlaces], limit: u32) -> ClaimRequest {
    ClaimRequest { handlers: handlers.to_vec(), ..request(limit) }
}

async fn claim(f: &Fixture, handlers: &[HandlerPlaces], limit: u32) -> Claim {
    f.store.claim(&ask(handlers, limit)).await.unwrap()
}

/// How many jobs are claimed, and whether there is more.
async fn taken(f: &Fixture, handlers: &[HandlerPlaces], limit: u32) -> (usize, bool) {
    let claim = claim(f, handlers, limit).await;
    (claim.jobs.len(), claim.more)
}

async fn due(f: &Fixture, handler: &str, count: usize) {
    let jobs = (0..count).map(|_| NewJob::new(handler, json("1"))).collect();
    f.store.create_many(jobs).await.unwrap();
}

async fn no_more_run_than_the_fleet_may(f: Fixture) {
    due(&f, BOUNDED, 10).await;
    assert_eq!(taken(&f, &[bounded(BOUNDED, None, 0)], 10).await, (0, false));
    for (max, expected) in [(3, 3), (3, 0), (2, 0), (4, 1), (u32::MAX, 6), (u32::MAX, 0)] {
        assert_eq!(taken(&f, &[bounded(BOUNDED, None, max)], 10).await, (expected, false), "{max}");
    }
}

async fn what_runs_elsewhere_counts(f: Fixture) {
    due(&f, BOUNDED, 10).await;
    assert_eq!(taken(&f, &[unbounded(BOUNDED)], 4).await.0, 4);
    f.execute("update fm_jobs set runner_id = 'another' where status = 'running'").await;
    assert_eq!(taken(&f, &[bounded(BOUNDED, None, 4)], 10).await, (0, false));
    assert_eq!(taken(&f, &[bounded(BOUNDED, None, 5)], 10).await, (1, false));
    // Who asks without a bound has none.
    assert_eq!(taken(&f, &[unbounded(BOUNDED)], 10).await.0, 5);
}

async fn a_job_that_ends_makes_room(f: Fixture) {
    due(&f, BOUNDED, 4).await;
    let one = [bounded(BOUNDED, None, 1)];
    let first = claim(&f, &one, 10).await.jobs.remove(0);
    let mut lease = first.lease;
    for end in [Transition::Complete(None), Transition::Release] {
        assert_eq!(taken(&f, &one, 10).await, (0, false));
        assert_eq!(crate::given::record(&f, &lease, end).await, Recorded::Written);
        lease = claim(&f, &one, 10).await.jobs.remove(0).lease;
    }
    f.store.cancel(&lease.job_id).await.unwrap();
    assert_eq!(taken(&f, &one, 10).await, (1, false));
}

async fn the_bound_is_one_handlers(f: Fixture) {
    for handler in ["a", "b", "c"] {
        due(&f, handler, 5).await;
    }
    let asked = [bounded("a", None, 1), bounded("b", None, 2), unbounded("c")];
    let claimed = claim(&f, &asked, 100).await;
    let count = |handler: &str| claimed.jobs.iter().filter(|job| job.handler == handler).count();
    assert_eq!((count("a"), count("b"), count("c"), claimed.more), (1, 2, 5, false));
    // Of two wishes for one handler the smaller counts.
    assert_eq!(taken(&f, &[bounded("b", None, 9), bounded("b", None, 3)], 100).await, (1, false));
    assert_eq!(taken(&f, &[unbounded("b"), bounded("b", None, 4)], 100).await, (1, false));
}

async fn the_smaller_of_places_and_room_counts(f: Fixture) {
    due(&f, BOUNDED, 10).await;
    for (places, max, expected) in [(Some(2), 5, 2), (Some(0), 5, 0), (Some(5), 3, 1), (None, 4, 1)] {
        let asked = [bounded(BOUNDED, places, max)];
        assert_eq!(taken(&f, &asked, 10).await, (expected, false), "{places:?} {max}");
    }
}

async fn only_what_the_bound_keeps_back_is_not_more(f: Fixture) {
    due(&f, BOUNDED, 10).await;
    // The limit keeps some back that the bound would let through.
    assert_eq!(taken(&f, &[bounded(BOUNDED, None, 5)], 2).await, (2, true));
    assert_eq!(taken(&f, &[bounded(BOUNDED, None, 5)], 10).await, (3, false));
    assert_eq!(taken(&f, &[bounded(BOUNDED, None, 5)], 10).await, (0, false));
}

async fn of_many_rivals_together_no_more_run_than_may(f: Fixture) {
    insert_many(&f, 40, "status", "'pending'").await;
    let asked = ask(&[bounded(BOUNDED, None, 3)], 10);
    let running = "select count(*) from fm_jobs where status = 'running'";
    for _ in 0..25 {
        let rivals: Vec<_> = (0..4)
            .map(|_| {
                let asked = asked.clone();
                start(&f, |store| async move { store.claim(&asked).await.unwrap().jobs.len() })
            })
            .collect();
        let mut claimed = 0;
        for rival in rivals {
            claimed += rival.await.unwrap();
        }
        // At least one of them had the count for itself.
        assert_eq!((claimed, f.number(running).await), (3, 3));
        f.execute("update fm_jobs set status = 'pending', attempts = 0, instance_id = null").await;
    }
}

async fn a_handler_that_a_rival_is_counting_is_left_for_the_next_look(f: Fixture) {
    due(&f, BOUNDED, 2).await;
    due(&f, "other", 2).await;
    let mut rival = f.pg().begin().await.unwrap();
    let lock = "select pg_advisory_xact_lock(1718445676, hashtext('email-send'))";
    sqlx::query(lock).execute(&mut *rival).await.unwrap();
    let asked = [bounded(BOUNDED, None, 1), bounded("other", None, 1)];
    let claimed = claim(&f, &asked, 10).await;
    assert_eq!((claimed.jobs.len(), claimed.jobs[0].handler.as_str(), claimed.more), (1, "other", true));
    // Where it has no place anyway, nothing is missed.
    let asked_for_none = [bounded(BOUNDED, Some(0), 1)];
    assert_eq!(taken(&f, &asked_for_none, 10).await, (0, false));
    rival.commit().await.unwrap();
    assert_eq!(taken(&f, &asked, 10).await, (1, false));
}

async fn a_request_without_a_bound_waits_for_no_count(f: Fixture) {
    due(&f, BOUNDED, 2).await;
    let mut rival = f.pg().begin().await.unwrap();
    let lock = "select pg_advisory_xact_lock(1718445676, hashtext('email-send'))";
    sqlx::query(lock).execute(&mut *rival).await.unwrap();
    assert_eq!(taken(&f, &[unbounded(BOUNDED)], 10).await, (2, false));
}
