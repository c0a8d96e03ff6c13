//! `purge`: finished jobs go once their time is over.

use crate::given::{insert_many, new_job};
use crate::hold::lock;
use flowmonkey_jobs::job::{NewJob, Status, Unique};
use flowmonkey_jobs::store::Retention;
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    each_status_is_kept_for_its_own_time,
    what_is_kept_for_good_is_never_deleted,
    jobs_that_have_not_ended_are_never_deleted,
    the_oldest_go_first_up_to_the_limit,
    the_limit_holds_for_all_statuses_together,
    jobs_of_a_live_execution_stay,
    the_holder_of_a_key_stays_until_its_time_is_over,
}

on_postgres! {
    rows_that_a_rival_holds_are_skipped,
}

const MINUTE: Duration = Duration::from_secs(60);
const ALL: Retention = Retention { completed: Some(MINUTE), failed: Some(MINUTE), cancelled: Some(MINUTE) };
const ENDS: [Status; 3] = [Status::Completed, Status::Failed, Status::Cancelled];

/// A job that changed for the last time so many minutes ago.
async fn aged(f: &Fixture, id: &str, status: Status, minutes: i64) {
    let updated_at = f.now().await - minutes * 60_000;
    f.execute(&format!(
        "insert into fm_jobs (id, handler, input, status, created_at, updated_at)
        values ('{id}', 'h', '1', '{status}', 1, {updated_at})"
    ))
    .await;
}

async fn purge(f: &Fixture, retention: Retention, limit: u32) -> u64 {
    f.store.purge(&retention, limit).await.unwrap()
}

async fn left(f: &Fixture) -> Vec<String> {
    let jobs = f.store.list(&Default::default()).await.unwrap();
    let mut ids: Vec<_> = jobs.into_iter().map(|job| job.id).collect();
    ids.sort();
    ids
}

async fn each_status_is_kept_for_its_own_time(f: Fixture) {
    let retention =
        Retention { completed: Some(10 * MINUTE), failed: Some(20 * MINUTE), cancelled: Some(30 * MINUTE) };
    for status in ENDS {
        for minutes in [9, 11, 21, 31] {
            aged(&f, &format!("{status}-{minutes:02}"), status, minutes).await;
        }
    }
    assert_eq!(purge(&f, retention, 100).await, 3 + 2 + 1);
    let expected = ["cancelled-09", "cancelled-11", "cancelled-21", "completed-09", "failed-09", "failed-11"];
    assert_eq!(left(&f).await, expected);
    assert_eq!(purge(&f, retention, 100).await, 0);
}

async fn what_is_kept_for_good_is_never_deleted(f: Fixture) {
    for status in ENDS {
        aged(&f, status.as_str(), status, 1_000_000).await;
    }
    assert!(Retention::default().is_for_good());
    assert_eq!(purge(&f, Retention::default(), 100).await, 0);
    let only_failed = Retention { failed: Some(MINUTE), ..Retention::default() };
    assert_eq!(purge(&f, only_failed, 100).await, 1);
    assert_eq!(left(&f).await, ["cancelled", "completed"]);
    // A time that no clock reaches.
    let endless = Retention { completed: Some(Duration::MAX), cancelled: None, failed: None };
    assert_eq!(purge(&f, endless, 100).await, 0);
}

async fn jobs_that_have_not_ended_are_never_deleted(f: Fixture) {
    for status in [Status::Pending, Status::Running] {
        aged(&f, status.as_str(), status, 1_000_000).await;
    }
    assert_eq!(purge(&f, ALL, 100).await, 0);
    assert_eq!(left(&f).await, ["pending", "running"]);
}

async fn the_oldest_go_first_up_to_the_limit(f: Fixture) {
    for (id, minutes) in [("b", 20), ("a", 50), ("d", 40), ("c", 30)] {
        aged(&f, id, Status::Completed, minutes).await;
    }
    assert_eq!(purge(&f, ALL, 0).await, 0);
    assert_eq!(purge(&f, ALL, 1).await, 1);
    assert_eq!(left(&f).await, ["b", "c", "d"]);
    assert_eq!(purge(&f, ALL, 2).await, 2);
    assert_eq!(left(&f).await, ["b"]);
    assert_eq!(purge(&f, ALL, 2).await, 1);
}

async fn the_limit_holds_for_all_statuses_together(f: Fixture) {
    insert_many(&f, 30, "status, updated_at", "'completed', i").await;
    for (at, status) in ENDS.into_iter().cycle().take(9).enumerate() {
        aged(&f, &format!("{at}"), status, 10).await;
    }
    for count in [20, 19, 0] {
        assert_eq!(purge(&f, ALL, 20).await, count);
    }
}

async fn jobs_of_a_live_execution_stay(f: Fixture) {
    let statuses = ["pending", "running", "waiting", "cancelling", "cancelled", "completed", "failed"];
    for status in statuses {
        f.execute(&format!(
            "insert into fm_executions (id, flow_id, flow_version, status)
            values ('{status}', 'f', '1', '{status}')"
        ))
        .await;
        aged(&f, status, Status::Completed, 10).await;
        f.set(status, &format!("execution_id = '{status}'")).await;
    }
    assert_eq!(purge(&f, ALL, 100).await, 3);
    assert_eq!(left(&f).await, ["cancelling", "pending", "running", "waiting"]);
    f.execute("update fm_executions set status = 'completed'").await;
    assert_eq!(purge(&f, ALL, 100).await, 4);
}

async fn the_holder_of_a_key_stays_until_its_time_is_over(f: Fixture) {
    let keyed = NewJob { unique: Some(Unique::within("k", 60 * MINUTE)), ..new_job() };
    let id = f.store.create(keyed.clone()).await.unwrap().job.id;
    f.store.cancel(&id).await.unwrap();
    f.set(&id, "updated_at = 1").await;
    assert_eq!(purge(&f, ALL, 100).await, 0);
    assert!(!f.store.create(keyed.clone()).await.unwrap().is_new);
    let now = f.now().await;
    f.execute(&format!("update fm_unique_periods set expires_at = {now}")).await;
    assert_eq!(purge(&f, ALL, 100).await, 1);
    assert_eq!(f.number("select count(*) from fm_unique_periods").await, 0);
    assert!(f.store.create(keyed).await.unwrap().is_new);
}

async fn rows_that_a_rival_holds_are_skipped(f: Fixture) {
    for (id, minutes) in [("a", 50), ("b", 40), ("c", 30)] {
        aged(&f, id, Status::Failed, minutes).await;
    }
    let mut rival = f.pg().begin().await.unwrap();
    lock(&mut rival, "a").await;
    assert_eq!(purge(&f, ALL, 1).await, 1);
    rival.rollback().await.unwrap();
    assert_eq!(left(&f).await, ["a", "c"]);
    assert_eq!(purge(&f, ALL, 100).await, 2);
}
