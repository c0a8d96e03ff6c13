//! Unique keys: which second job there must not be, and until when.

use crate::given::{claim_one, error, get, json, new_job, pg_store, record};
use crate::hold::{blocked, hold, start};
use flowmonkey_jobs::job::{NewJob, Status, Transition, Unique, Wake};
use flowmonkey_jobs::store::{Changed, Created};
use flowmonkey_tests::database::Fixture;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

on_both_stores! {
    a_second_create_finds_the_job_that_holds_the_key,
    a_key_is_free_again_once_its_job_has_ended,
    a_key_belongs_to_its_handler,
    keys_are_compared_to_the_letter,
    a_job_whose_key_another_holds_is_not_retried,
    a_retried_job_holds_its_key_again,
    a_key_for_a_time_is_held_whatever_becomes_of_the_job,
    a_key_for_a_time_is_free_once_the_time_is_over,
    a_key_for_a_time_goes_with_its_job,
    the_two_scopes_of_one_key_do_not_disturb_each_other,
    many_creates_at_once_with_one_key_make_one_job,
}

on_postgres! {
    a_create_waits_for_a_rival_with_its_key_and_finds_the_rivals_job,
    a_create_waits_for_a_rival_with_its_key_and_goes_ahead_when_that_gives_up,
    a_create_finds_its_key_free_when_the_holder_it_waited_for_has_ended,
}

const KEY: &str = "order '1'/größe";
const HOUR: Duration = Duration::from_secs(3600);

fn active() -> Unique {
    Unique::active(KEY)
}

fn for_an_hour() -> Unique {
    Unique::within(KEY, HOUR)
}

fn keyed(unique: Unique) -> NewJob {
    NewJob { unique: Some(unique), ..new_job() }
}

async fn create(f: &Fixture, unique: Unique) -> Created {
    f.store.create(keyed(unique)).await.unwrap()
}

async fn create_new(f: &Fixture, unique: Unique) -> String {
    let created = create(f, unique).await;
    assert!(created.is_new, "{:?} holds the key", created.job);
    created.job.id
}

/// That a create finds the holder, says so, and changes nothing.
async fn assert_held(f: &Fixture, unique: Unique, holder: &str) {
    let (before, jobs) = (f.row(holder).await, f.number("select count(*) from fm_jobs").await);
    let second = NewJob { input: json("2"), priority: 5, ..keyed(unique) };
    let found = f.store.create(second).await.unwrap();
    assert!(!found.is_new, "{:?}", found.job);
    assert_eq!(format!("{:?}", found.job), format!("{:?}", get(f, holder).await));
    assert_eq!(f.row(holder).await, before);
    assert_eq!(f.number("select count(*) from fm_jobs").await, jobs);
}

/// Ends the only job that is due.
async fn end(f: &Fixture, id: &str, status: Status) {
    let transition = match status {
        Status::Completed => Transition::Complete(None),
        Status::Failed => Transition::Fail(error("X")),
        _ => {
            assert_eq!(f.store.cancel(id).await.unwrap(), Changed::Yes);
            return;
        }
    };
    let lease = claim_one(f).await.lease;
    assert_eq!(lease.job_id, id);
    record(f, &lease, transition).await;
}

const ENDS: [Status; 3] = [Status::Completed, Status::Failed, Status::Cancelled];

async fn a_second_create_finds_the_job_that_holds_the_key(f: Fixture) {
    let id = create_new(&f, active()).await;
    assert_eq!(get(&f, &id).await.unique_key.as_deref(), Some(KEY));
    assert_held(&f, active(), &id).await;
    let lease = claim_one(&f).await.lease;
    assert_held(&f, active(), &id).await;
    record(&f, &lease, Transition::Wait { until: Wake::Signal("paid".into()), reason: None }).await;
    assert_held(&f, active(), &id).await;
    f.set(&id, "attempts = max_attempts").await;
    assert_held(&f, active(), &id).await;
}

async fn a_key_is_free_again_once_its_job_has_ended(f: Fixture) {
    for status in ENDS {
        let first = create_new(&f, active()).await;
        end(&f, &first, status).await;
        let second = create_new(&f, active()).await;
        assert_ne!(first, second);
        assert_held(&f, active(), &second).await;
        end(&f, &second, Status::Cancelled).await;
    }
}

async fn a_key_belongs_to_its_handler(f: Fixture) {
    for unique in [active(), for_an_hour()] {
        let first = create_new(&f, unique.clone()).await;
        let other = NewJob { handler: "other".into(), ..keyed(unique.clone()) };
        let other = f.store.create(other).await.unwrap();
        assert!(other.is_new && other.job.id != first);
        assert_held(&f, unique, &first).await;
    }
}

async fn keys_are_compared_to_the_letter(f: Fixture) {
    for scope in [|key: &str| Unique::active(key), |key: &str| Unique::within(key, HOUR)] {
        for key in ["a", "A", "a ", " a", "ä", "a\u{308}", "0", "00", "%", "_"] {
            create_new(&f, scope(key)).await;
        }
        create_new(&f, scope(&"k".repeat(256))).await;
    }
}

async fn a_job_whose_key_another_holds_is_not_retried(f: Fixture) {
    for status in [Status::Failed, Status::Cancelled] {
        let old = create_new(&f, active()).await;
        end(&f, &old, status).await;
        let new = create_new(&f, active()).await;
        let before = f.row(&old).await;
        assert_eq!(f.store.retry(&old).await.unwrap(), Changed::KeyTaken);
        let lease = claim_one(&f).await.lease;
        assert_eq!(f.store.retry(&old).await.unwrap(), Changed::KeyTaken);
        assert_eq!(f.row(&old).await, before);
        assert_eq!(lease.job_id, new);
        record(&f, &lease, Transition::Complete(None)).await;
        // Nobody holds it any more.
        assert_eq!(f.store.retry(&old).await.unwrap(), Changed::Yes);
        end(&f, &old, Status::Completed).await;
    }
}

async fn a_retried_job_holds_its_key_again(f: Fixture) {
    let id = create_new(&f, active()).await;
    end(&f, &id, Status::Failed).await;
    assert_eq!(f.store.retry(&id).await.unwrap(), Changed::Yes);
    assert_held(&f, active(), &id).await;
}

async fn a_key_for_a_time_is_held_whatever_becomes_of_the_job(f: Fixture) {
    for status in ENDS {
        let id = create_new(&f, for_an_hour()).await;
        assert_held(&f, for_an_hour(), &id).await;
        end(&f, &id, status).await;
        assert_held(&f, for_an_hour(), &id).await;
        assert_eq!(get(&f, &id).await.status, status);
        // Nor does its key keep it from being retried.
        if status != Status::Completed {
            assert_eq!(f.store.retry(&id).await.unwrap(), Changed::Yes);
        }
        f.execute("delete from fm_jobs").await;
    }
}

async fn a_key_for_a_time_is_free_once_the_time_is_over(f: Fixture) {
    let first = create_new(&f, for_an_hour()).await;
    let expires = "select period.expires_at - job.created_at from fm_unique_periods as period
        join fm_jobs as job on job.id = period.job_id";
    let left = f.number(expires).await - HOUR.as_millis() as i64;
    // SQLite reads the clock for each of its two statements.
    assert!((-1000..=1000).contains(&left), "{left} ms off");
    let later = f.now().await + 1_000_000;
    f.execute(&format!("update fm_unique_periods set expires_at = {later}")).await;
    assert_held(&f, for_an_hour(), &first).await;
    let now = f.now().await;
    f.execute(&format!("update fm_unique_periods set expires_at = {now}")).await;

    let second = create_new(&f, for_an_hour()).await;
    assert_held(&f, for_an_hour(), &second).await;
    // The first one still runs; its end changes nothing for the key.
    assert_eq!(f.store.cancel(&first).await.unwrap(), Changed::Yes);
    f.execute(&format!("delete from fm_jobs where id = '{first}'")).await;
    assert_held(&f, for_an_hour(), &second).await;
    assert_eq!(f.number("select count(*) from fm_unique_periods").await, 1);
}

async fn a_key_for_a_time_goes_with_its_job(f: Fixture) {
    let first = create_new(&f, for_an_hour()).await;
    f.execute("delete from fm_jobs").await;
    assert_eq!(f.number("select count(*) from fm_unique_periods").await, 0);
    assert_ne!(create_new(&f, for_an_hour()).await, first);
}

async fn the_two_scopes_of_one_key_do_not_disturb_each_other(f: Fixture) {
    let live = create_new(&f, active()).await;
    let timed = create_new(&f, for_an_hour()).await;
    assert_held(&f, active(), &live).await;
    assert_held(&f, for_an_hour(), &timed).await;
    f.store.cancel(&live).await.unwrap();
    f.store.cancel(&timed).await.unwrap();
    let next = create_new(&f, active()).await;
    assert_held(&f, for_an_hour(), &timed).await;
    assert_held(&f, active(), &next).await;
}

async fn many_creates_at_once_with_one_key_make_one_job(f: Fixture) {
    for round in 0..5 {
        for unique in [Unique::active(format!("{round}")), Unique::within(format!("{round}"), HOUR)] {
            let mut creators = JoinSet::new();
            for _ in 0..16 {
                let (store, job) = (Arc::clone(&f.store), keyed(unique.clone()));
                creators.spawn(async move { store.create(job).await.unwrap() });
            }
            let created = creators.join_all().await;
            assert_eq!(created.iter().filter(|one| one.is_new).count(), 1, "{unique:?}");
            assert!(created.iter().all(|one| one.job.id == created[0].job.id), "{unique:?}");
        }
    }
    assert_eq!(f.number("select count(*) from fm_jobs").await, 10);
}

async fn a_create_waits_for_a_rival_with_its_key_and_finds_the_rivals_job(f: Fixture) {
    for unique in [active(), for_an_hour()] {
        let mut rival = f.pg().begin().await.unwrap();
        let theirs = pg_store(&f).await.create_in(&mut rival, keyed(unique.clone())).await.unwrap();
        assert!(theirs.is_new);
        let ours = start(&f, |store| async move { store.create(keyed(unique)).await });
        blocked(f.pg()).await;
        rival.commit().await.unwrap();
        let ours = ours.await.unwrap().unwrap();
        assert_eq!((ours.is_new, ours.job.id), (false, theirs.job.id));
    }
    assert_eq!(f.number("select count(*) from fm_jobs").await, 2);
}

async fn a_create_waits_for_a_rival_with_its_key_and_goes_ahead_when_that_gives_up(f: Fixture) {
    for unique in [active(), for_an_hour()] {
        let mut rival = f.pg().begin().await.unwrap();
        let theirs = pg_store(&f).await.create_in(&mut rival, keyed(unique.clone())).await.unwrap();
        let job = keyed(unique.clone());
        let ours = start(&f, |store| async move { store.create(job).await });
        blocked(f.pg()).await;
        rival.rollback().await.unwrap();
        let ours = ours.await.unwrap().unwrap();
        assert!(ours.is_new && ours.job.id != theirs.job.id);
        assert_held(&f, unique, &ours.job.id).await;
    }
    assert_eq!(f.number("select count(*) from fm_jobs").await, 2);
}

async fn a_create_finds_its_key_free_when_the_holder_it_waited_for_has_ended(f: Fixture) {
    let holder = create_new(&f, active()).await;
    let mut rival = f.pg().begin().await.unwrap();
    hold(&mut rival, "update fm_jobs set status = 'completed'", &holder).await;
    let ours = start(&f, |store| async move { store.create(keyed(active())).await });
    blocked(f.pg()).await;
    rival.commit().await.unwrap();
    let ours = ours.await.unwrap().unwrap();
    assert!(ours.is_new && ours.job.id != holder);
}
