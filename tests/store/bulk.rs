//! `create_many`: many jobs in one call, all or none.

use crate::given::{json, new_job, request};
use flowmonkey_jobs::job::{NewJob, Status, Unique};
use flowmonkey_jobs::store::{Created, StoreError};
use flowmonkey_tests::database::Fixture;
use std::collections::HashMap;
use std::time::Duration;

on_both_stores! {
    thousands_of_jobs_are_created_in_their_order,
    a_batch_tells_new_jobs_from_those_that_hold_their_keys,
    every_field_of_a_job_in_a_batch_is_its_own,
    one_bad_job_and_none_is_created,
    one_missing_execution_and_none_is_created,
    an_empty_batch_is_nothing,
    batches_with_the_same_keys_in_opposite_orders_do_not_deadlock,
}

const HOUR: Duration = Duration::from_secs(3600);

fn numbered(at: usize) -> NewJob {
    NewJob { input: json(&at.to_string()), ..new_job() }
}

fn active(key: &str) -> NewJob {
    NewJob { unique: Some(Unique::active(key)), ..new_job() }
}

fn within(key: &str) -> NewJob {
    NewJob { unique: Some(Unique::within(key, HOUR)), ..new_job() }
}

async fn create_many(f: &Fixture, jobs: Vec<NewJob>) -> Vec<Created> {
    f.store.create_many(jobs).await.unwrap()
}

async fn claimed(f: &Fixture, limit: u32) -> Vec<String> {
    f.store.claim(&request(limit)).await.unwrap().jobs.into_iter().map(|job| job.lease.job_id).collect()
}

async fn thousands_of_jobs_are_created_in_their_order(f: Fixture) {
    const COUNT: usize = 3000;
    let created = create_many(&f, (0..COUNT).map(numbered).collect()).await;
    assert_eq!(created.len(), COUNT);
    for (at, one) in created.iter().enumerate() {
        assert!(one.is_new && one.job.status == Status::Pending);
        assert_eq!(one.job.input.as_str(), at.to_string());
    }
    let ids: Vec<_> = created.into_iter().map(|one| one.job.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b));
    for expected in ids.chunks(1000) {
        assert_eq!(claimed(&f, 1000).await, expected);
    }
    assert_eq!(f.number("select count(*) from fm_jobs").await, COUNT as i64);
}

async fn a_batch_tells_new_jobs_from_those_that_hold_their_keys(f: Fixture) {
    let held = f.store.create(active("held")).await.unwrap().job.id;
    let timed = f.store.create(within("timed")).await.unwrap().job.id;
    f.store.cancel(&timed).await.unwrap();
    let batch = vec![
        numbered(0),
        active("a"),
        active("held"),
        within("b"),
        active("a"),
        within("b"),
        within("timed"),
        NewJob { handler: "other".into(), ..active("a") },
        within("a"),
        numbered(9),
    ];
    let created = create_many(&f, batch).await;
    let new: Vec<_> = created.iter().map(|one| one.is_new).collect();
    assert_eq!(new, [true, true, false, true, false, false, false, true, true, true]);
    let ids: Vec<_> = created.iter().map(|one| &one.job.id).collect();
    assert_eq!((ids[4], ids[5]), (ids[1], ids[3]));
    assert_eq!((ids[2], ids[6]), (&held, &timed));
    assert_eq!(created[6].job.status, Status::Cancelled);
    assert_eq!(f.number("select count(*) from fm_jobs").await, 2 + 6);
    assert_eq!(
        claimed(&f, 10).await.iter().collect::<Vec<_>>(),
        [&held, ids[0], ids[1], ids[3], ids[8], ids[9]]
    );
}

/// They travel as columns, one array each.
async fn every_field_of_a_job_in_a_batch_is_its_own(f: Fixture) {
    f.execute("insert into fm_executions (id, flow_id, flow_version) values ('e', 'f', '1')").await;
    let second = NewJob {
        handler: "b".into(),
        execution_id: Some("e".into()),
        step_id: Some("s".into()),
        start: flowmonkey_jobs::job::Start::At(1234),
        priority: 7,
        max_attempts: 9,
        heartbeat_timeout: Some(HOUR),
        ..active("k")
    };
    let created = create_many(&f, vec![numbered(1), second, numbered(3)]).await;
    let job = &created[1].job;
    assert_eq!((job.handler.as_str(), job.run_at, job.priority, job.max_attempts), ("b", Some(1234), 7, 9));
    assert_eq!((job.execution_id.as_deref(), job.step_id.as_deref()), (Some("e"), Some("s")));
    assert_eq!((job.unique_key.as_deref(), job.heartbeat_timeout_ms), (Some("k"), Some(3_600_000)));
    for other in [&created[0].job, &created[2].job] {
        assert_eq!((other.run_at, other.priority, other.max_attempts), (Some(other.created_at), 0, 3));
        assert_eq!((&other.execution_id, &other.unique_key), (&None, &None));
    }
}

async fn assert_nothing_is_stored(f: &Fixture) {
    assert_eq!(f.number("select count(*) from fm_jobs").await, 0);
    assert_eq!(f.number("select count(*) from fm_unique_periods").await, 0);
}

async fn one_bad_job_and_none_is_created(f: Fixture) {
    for bad in [NewJob { priority: 10, ..new_job() }, NewJob { handler: String::new(), ..new_job() }] {
        let created = f.store.create_many(vec![numbered(0), active("a"), bad, within("b")]).await;
        assert!(matches!(created, Err(StoreError::Invalid(_))), "{created:?}");
        assert_nothing_is_stored(&f).await;
    }
}

async fn one_missing_execution_and_none_is_created(f: Fixture) {
    let bad = || NewJob { execution_id: Some("nope".into()), ..new_job() };
    let batches = [
        vec![numbered(0), bad(), numbered(2)],
        vec![active("a"), bad(), active("c")],
        vec![within("a"), bad(), within("c")],
        vec![NewJob { unique: Some(Unique::within("a", HOUR)), ..bad() }, within("b")],
    ];
    for batch in batches {
        match f.store.create_many(batch.clone()).await {
            Err(StoreError::Invalid(why)) => assert!(why.contains("execution"), "{why}"),
            other => panic!("{other:?}"),
        }
        assert_nothing_is_stored(&f).await;
    }
    // Their keys are free, and the store goes on.
    let created = create_many(&f, vec![active("a"), within("a"), within("c")]).await;
    assert!(created.iter().all(|one| one.is_new));
}

async fn an_empty_batch_is_nothing(f: Fixture) {
    assert!(create_many(&f, Vec::new()).await.is_empty());
    assert_nothing_is_stored(&f).await;
}

async fn batches_with_the_same_keys_in_opposite_orders_do_not_deadlock(f: Fixture) {
    const KEYS: usize = 30;
    for round in 0..25 {
        let keyed = |at: usize| {
            let key = format!("{round}/{at}");
            if at.is_multiple_of(2) { active(&key) } else { within(&key) }
        };
        let (forth, back) = ((0..KEYS).map(keyed), (0..KEYS).rev().map(keyed));
        let (forth, back, again) = tokio::join!(
            f.store.create_many(forth.clone().collect()),
            f.store.create_many(back.collect()),
            f.store.create_many(forth.collect())
        );
        let (forth, mut back, again) = (forth.unwrap(), back.unwrap(), again.unwrap());
        back.reverse();
        let mut new: HashMap<usize, usize> = HashMap::new();
        for batch in [&forth, &back, &again] {
            for (at, one) in batch.iter().enumerate() {
                assert_eq!(one.job.id, forth[at].job.id, "round {round}, key {at}");
                *new.entry(at).or_default() += usize::from(one.is_new);
            }
        }
        assert!(new.values().all(|count| *count == 1), "round {round}: {new:?}");
        assert_eq!(f.execute("delete from fm_jobs").await, KEYS as u64);
    }
}
