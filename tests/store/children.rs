//! Jobs that a running attempt creates.

use crate::given::{
    Loss, claim, error, execution_row, get, job_of, json, places, record, request, running, running_of,
    value, waiting_execution,
};
use crate::hold::{blocked, hold, start};
use flowmonkey_jobs::job::{Lease, NewJob, Start, Status, Transition, Unique, Wake};
use flowmonkey_jobs::store::{ClaimRequest, Created, EffectFault, StoreError};
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    a_child_is_a_pending_job_with_what_was_asked,
    a_child_belongs_to_its_parents_execution_and_to_no_step,
    the_end_of_a_child_leaves_the_step_alone,
    a_cancelled_execution_takes_the_children_along,
    a_lost_lease_creates_nothing,
    a_child_with_a_key_that_is_held_is_the_holder,
    a_handler_that_has_its_fill_gets_no_more,
    what_is_not_pending_does_not_count,
    a_full_handler_still_finds_who_holds_a_key,
    what_is_no_job_is_refused,
}

on_postgres! {
    a_child_that_waits_for_a_rival_finds_its_lease_lost,
}

const CHILD: &str = "digest-send";
const ROOM: u32 = 1000;

fn child() -> NewJob {
    NewJob::new(CHILD, json(r#"{"n": 1}"#))
}

fn keyed(key: &str) -> NewJob {
    NewJob { unique: Some(Unique::active(key)), ..child() }
}

async fn create(f: &Fixture, lease: &Lease, job: NewJob) -> Created {
    f.store.create_child(lease, job, ROOM).await.unwrap()
}

async fn claim_child(f: &Fixture) -> Lease {
    let request = ClaimRequest { handlers: vec![places(CHILD)], ..request(1) };
    f.store.claim(&request).await.unwrap().jobs.remove(0).lease
}

async fn children(f: &Fixture) -> i64 {
    f.number(&format!("select count(*) from fm_jobs where handler = '{CHILD}'")).await
}

fn is_lost<T>(result: &Result<T, EffectFault>) -> bool {
    matches!(result, Err(EffectFault::Store(StoreError::LeaseLost)))
}

async fn a_child_is_a_pending_job_with_what_was_asked(f: Fixture) {
    let lease = running(&f).await;
    let parent = f.row(&lease.job_id).await;
    let asked = NewJob {
        start: Start::After(Duration::from_secs(3600)),
        priority: 7,
        max_attempts: 9,
        unique: Some(Unique::active("k")),
        ..child()
    };
    let created = create(&f, &lease, asked).await;
    assert!(created.is_new);
    let job = get(&f, &created.job.id).await;
    assert_eq!((job.status, job.handler.as_str(), job.attempts), (Status::Pending, CHILD, 0));
    assert_eq!((job.priority, job.max_attempts, job.unique_key.as_deref()), (7, 9, Some("k")));
    assert_eq!(job.run_at, Some(job.created_at + 3_600_000));
    assert_eq!((value(&job.input), job.execution_id, job.step_id), (value(&child().input), None, None));
    assert_eq!(f.row(&lease.job_id).await, parent, "nothing becomes of the parent");
}

async fn a_child_belongs_to_its_parents_execution_and_to_no_step(f: Fixture) {
    for id in ["e", "other"] {
        waiting_execution(&f, id, "s").await;
    }
    let lease = running_of(&f, "e", "s").await;
    let asked = NewJob { execution_id: Some("other".into()), step_id: Some("s".into()), ..child() };
    let job = create(&f, &lease, asked.clone()).await.job;
    assert_eq!((job.execution_id.as_deref(), job.step_id), (Some("e"), None));
    // Nor does one of no execution get into any.
    let alone = running(&f).await;
    let job = create(&f, &alone, asked).await.job;
    assert_eq!((job.execution_id, job.step_id), (None, None));
}

async fn the_end_of_a_child_leaves_the_step_alone(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let lease = running_of(&f, "e", "s").await;
    let before = execution_row(&f, "e").await;
    let asked = NewJob { execution_id: Some("e".into()), step_id: Some("s".into()), ..child() };
    for end in [Transition::Complete(Some(json("\"child\""))), Transition::Fail(error("CHILD"))] {
        create(&f, &lease, asked.clone()).await;
        record(&f, &claim_child(&f).await, end).await;
        assert_eq!(execution_row(&f, "e").await, before);
    }
    record(&f, &lease, Transition::Complete(Some(json("\"parent\"")))).await;
    let execution = f.store.execution("e").await.unwrap().unwrap();
    assert_eq!(value(&execution.context)["s"], "parent");
    assert!(execution.wake_at.is_some());
}

async fn a_cancelled_execution_takes_the_children_along(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let lease = running_of(&f, "e", "s").await;
    let id = create(&f, &lease, child()).await.job.id;
    assert!(f.store.cancel_execution("e").await.unwrap());
    assert_eq!(get(&f, &id).await.status, Status::Cancelled);
    assert!(is_lost(&f.store.create_child(&lease, child(), ROOM).await));
}

async fn a_lost_lease_creates_nothing(f: Fixture) {
    for loss in Loss::ALL {
        let lease = running(&f).await;
        loss.befall(&f, &lease).await;
        for job in [child(), keyed("k")] {
            assert!(is_lost(&f.store.create_child(&lease, job, ROOM).await), "{loss:?}");
        }
        f.execute("delete from fm_jobs").await;
        assert!(is_lost(&f.store.create_child(&lease, child(), ROOM).await), "deleted");
    }
    let lease = running(&f).await;
    let wrong = Lease { instance_id: String::new(), ..lease.clone() };
    assert!(is_lost(&f.store.create_child(&wrong, child(), ROOM).await));
    assert_eq!(children(&f).await, 0);
    assert!(create(&f, &lease, child()).await.is_new);
}

async fn a_child_with_a_key_that_is_held_is_the_holder(f: Fixture) {
    let lease = running(&f).await;
    let first = create(&f, &lease, keyed("k")).await;
    let again = create(&f, &lease, keyed("k")).await;
    assert_eq!((first.is_new, again.is_new, &again.job.id), (true, false, &first.job.id));
    assert!(create(&f, &lease, keyed("other")).await.is_new);
    // The next attempt of the parent finds it as well, also once it runs.
    let child = claim_child(&f).await;
    record(&f, &lease, crate::given::retry_at_once("X")).await;
    let next = claim(&f, 1).await.remove(0).lease;
    assert_eq!(create(&f, &next, keyed("k")).await.job.id, child.job_id);
    record(&f, &child, Transition::Complete(None)).await;
    assert!(create(&f, &next, keyed("k")).await.is_new, "its key is free again");
}

async fn a_handler_that_has_its_fill_gets_no_more(f: Fixture) {
    let lease = running(&f).await;
    for at in 0..3 {
        f.store.create_child(&lease, child(), 3).await.unwrap_or_else(|why| panic!("{at}: {why}"));
    }
    for max in [0, 1, 3] {
        let refused = f.store.create_child(&lease, child(), max).await;
        let is_full = |handler: &str, limit| handler == CHILD && limit == max;
        assert!(
            matches!(&refused, Err(EffectFault::QueueFull { handler, max }) if is_full(handler, *max)),
            "{max}: {refused:?}"
        );
    }
    assert_eq!(children(&f).await, 3);
    // It is that handler's affair alone.
    let other = NewJob::new("other", json("1"));
    assert!(f.store.create_child(&lease, other, 3).await.unwrap().is_new);
    claim_child(&f).await;
    assert!(f.store.create_child(&lease, child(), 3).await.unwrap().is_new, "there is room again");
}

async fn what_is_not_pending_does_not_count(f: Fixture) {
    let lease = running(&f).await;
    let ends = [Transition::Complete(None), Transition::Fail(error("X"))];
    for end in ends {
        create(&f, &lease, child()).await;
        record(&f, &claim_child(&f).await, end).await;
    }
    create(&f, &lease, child()).await;
    claim_child(&f).await;
    let id = create(&f, &lease, child()).await.job.id;
    f.store.cancel(&id).await.unwrap();
    assert_eq!(children(&f).await, 4);
    let waiting = f.store.create_child(&lease, child(), 1).await.unwrap();
    // One that waits for a signal is pending.
    let wait = Transition::Wait { until: Wake::Signal("paid".into()), reason: None };
    let claimed = claim_child(&f).await;
    assert_eq!(claimed.job_id, waiting.job.id);
    record(&f, &claimed, wait).await;
    assert!(f.store.create_child(&lease, child(), 1).await.is_err());
}

async fn a_full_handler_still_finds_who_holds_a_key(f: Fixture) {
    let lease = running(&f).await;
    let id = create(&f, &lease, keyed("k")).await.job.id;
    let found = f.store.create_child(&lease, keyed("k"), 1).await.unwrap();
    assert_eq!((found.is_new, found.job.id), (false, id));
    assert!(f.store.create_child(&lease, keyed("other"), 1).await.is_err());
    assert!(f.store.create_child(&lease, child(), 1).await.is_err());
}

async fn what_is_no_job_is_refused(f: Fixture) {
    let lease = running(&f).await;
    for job in [NewJob { priority: 10, ..child() }, NewJob { handler: String::new(), ..child() }, keyed("")] {
        let refused = f.store.create_child(&lease, job, ROOM).await;
        assert!(matches!(refused, Err(EffectFault::Store(StoreError::Invalid(_)))), "{refused:?}");
    }
    assert_eq!(f.number("select count(*) from fm_jobs").await, 1);
}

async fn a_child_that_waits_for_a_rival_finds_its_lease_lost(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    f.store.create(job_of("e", "s")).await.unwrap();
    let lease = claim(&f, 1).await.remove(0).lease;
    let mut rival = f.pg().begin().await.unwrap();
    hold(&mut rival, "update fm_jobs set instance_id = 'rival'", &lease.job_id).await;
    let create = start(&f, |store| async move { store.create_child(&lease, child(), ROOM).await });
    blocked(f.pg()).await;
    rival.commit().await.unwrap();
    assert!(is_lost(&create.await.unwrap()));
    assert_eq!(children(&f).await, 0);
}
