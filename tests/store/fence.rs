//! At most one attempt's outcome is recorded: what a lost lease writes, and what is written twice.

use crate::given::{
    Loss, claim_one, error, get, json, progress, reap_one, record, recording, retry_at_once, running, silence,
};
use flowmonkey_jobs::job::{Lease, Status, Transition, Wake};
use flowmonkey_jobs::store::{Recorded, StoreError};
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    a_late_outcome_changes_nothing,
    a_late_write_of_a_guest_changes_nothing,
    a_wrong_instance_changes_nothing,
    recording_twice_is_recording_once,
    recording_twice_counts_also_after_the_job_went_on,
    the_first_outcome_of_an_attempt_stands,
    the_outcome_of_an_earlier_attempt_is_another_one,
    one_recording_twice_in_a_batch_is_one,
    two_outcomes_of_one_attempt_in_a_batch_are_one,
    an_old_and_a_new_lease_of_one_job_in_a_batch_are_told_apart,
}

fn ends() -> [Transition; 5] {
    [
        Transition::Complete(Some(json("\"late\""))),
        Transition::Fail(error("LATE")),
        retry_at_once("LATE"),
        Transition::Wait { until: Wake::Signal("late".into()), reason: None },
        Transition::Release,
    ]
}

async fn a_late_outcome_changes_nothing(f: Fixture) {
    for loss in Loss::ALL {
        let lease = running(&f).await;
        loss.befall(&f, &lease).await;
        let before = f.row(&lease.job_id).await;
        for end in ends() {
            // That one is no late outcome but the same again; see below.
            if matches!((loss, &end), (Loss::Completed, Transition::Complete(_))) {
                continue;
            }
            assert_eq!(record(&f, &lease, end.clone()).await, Recorded::LeaseLost, "{loss:?} {end:?}");
            assert_eq!(f.row(&lease.job_id).await, before, "{loss:?} {end:?}");
        }
        f.execute("delete from fm_jobs").await;
        assert_eq!(record(&f, &lease, Transition::Release).await, Recorded::LeaseLost, "deleted");
    }
}

async fn guest_writes(f: &Fixture, lease: &Lease) -> [Result<(), StoreError>; 4] {
    [
        f.store.save_checkpoint(lease, "page", &json("2")).await,
        f.store.delete_checkpoint(lease, "page").await,
        f.store.clear_checkpoints(lease).await,
        f.store.progress(lease, &progress(99.0, Some("late"))).await,
    ]
}

async fn a_late_write_of_a_guest_changes_nothing(f: Fixture) {
    for loss in Loss::ALL {
        let lease = running(&f).await;
        f.store.save_checkpoint(&lease, "page", &json("1")).await.unwrap();
        loss.befall(&f, &lease).await;
        let before = f.row(&lease.job_id).await;
        for (at, write) in guest_writes(&f, &lease).await.into_iter().enumerate() {
            assert!(matches!(write, Err(StoreError::LeaseLost)), "{loss:?} {at}: {write:?}");
        }
        assert_eq!(f.row(&lease.job_id).await, before, "{loss:?}");
        f.execute("delete from fm_jobs").await;
        for write in guest_writes(&f, &lease).await {
            assert!(matches!(write, Err(StoreError::LeaseLost)), "deleted: {write:?}");
        }
    }
}

async fn a_wrong_instance_changes_nothing(f: Fixture) {
    let lease = running(&f).await;
    f.store.save_checkpoint(&lease, "page", &json("1")).await.unwrap();
    let wrong = Lease { instance_id: String::new(), ..lease.clone() };
    let before = f.row(&lease.job_id).await;
    assert_eq!(record(&f, &wrong, Transition::Complete(None)).await, Recorded::LeaseLost);
    assert!(guest_writes(&f, &wrong).await.iter().all(Result::is_err));
    assert_eq!(f.row(&lease.job_id).await, before);
    assert_eq!(record(&f, &lease, Transition::Complete(None)).await, Recorded::Written);
}

/// The answer to the first call may get lost; the runner then repeats it.
async fn recording_twice_is_recording_once(f: Fixture) {
    for end in ends() {
        let lease = running(&f).await;
        assert_eq!(record(&f, &lease, end.clone()).await, Recorded::Written);
        let before = f.row(&lease.job_id).await;
        for _ in 0..2 {
            assert_eq!(record(&f, &lease, end.clone()).await, Recorded::Written, "{end:?}");
        }
        assert_eq!(f.row(&lease.job_id).await, before, "{end:?}");
        assert_eq!(get(&f, &lease.job_id).await.history.len(), 1);
        f.execute("delete from fm_jobs").await;
    }
}

async fn recording_twice_counts_also_after_the_job_went_on(f: Fixture) {
    let first = running(&f).await;
    record(&f, &first, retry_at_once("X")).await;
    let second = claim_one(&f).await.lease;
    let before = f.row(&first.job_id).await;
    assert_eq!(record(&f, &first, retry_at_once("X")).await, Recorded::Written);
    assert_eq!(f.row(&first.job_id).await, before);
    assert_eq!(record(&f, &second, Transition::Complete(None)).await, Recorded::Written);
}

async fn the_first_outcome_of_an_attempt_stands(f: Fixture) {
    let lease = running(&f).await;
    record(&f, &lease, Transition::Fail(error("FIRST"))).await;
    let before = f.row(&lease.job_id).await;
    for end in [Transition::Complete(None), retry_at_once("SECOND"), Transition::Release] {
        assert_eq!(record(&f, &lease, end).await, Recorded::LeaseLost);
    }
    assert_eq!(f.row(&lease.job_id).await, before);
}

async fn the_outcome_of_an_earlier_attempt_is_another_one(f: Fixture) {
    let first = running(&f).await;
    record(&f, &first, retry_at_once("X")).await;
    let second = claim_one(&f).await.lease;
    f.store.cancel(&second.job_id).await.unwrap();
    assert_eq!(record(&f, &second, retry_at_once("X")).await, Recorded::LeaseLost);
    assert_eq!(get(&f, &second.job_id).await.history.len(), 2);
}

async fn one_recording_twice_in_a_batch_is_one(f: Fixture) {
    let lease = running(&f).await;
    let one = recording(&lease, Transition::Complete(Some(json("1"))));
    let answers = f.store.record(&[one.clone(), one]).await.unwrap();
    assert_eq!(answers, [Recorded::Written, Recorded::Written]);
    assert_eq!(get(&f, &lease.job_id).await.history.len(), 1);
}

/// Which of them is not said; that the answers tell the truth is.
async fn two_outcomes_of_one_attempt_in_a_batch_are_one(f: Fixture) {
    let lease = running(&f).await;
    let batch = [
        recording(&lease, Transition::Complete(Some(json("1")))),
        recording(&lease, Transition::Fail(error("X"))),
    ];
    let answers = f.store.record(&batch).await.unwrap();
    let job = get(&f, &lease.job_id).await;
    let expected = match job.status {
        Status::Completed => [Recorded::Written, Recorded::LeaseLost],
        Status::Failed => [Recorded::LeaseLost, Recorded::Written],
        other => panic!("{other}"),
    };
    assert_eq!((answers.as_slice(), job.history.len()), (expected.as_slice(), 1));
}

async fn an_old_and_a_new_lease_of_one_job_in_a_batch_are_told_apart(f: Fixture) {
    for turned in [false, true] {
        let old = running(&f).await;
        silence(&f, &old.job_id).await;
        reap_one(&f).await;
        let new = claim_one(&f).await.lease;
        let mut batch = [
            recording(&old, Transition::Complete(Some(json("\"old\"")))),
            recording(&new, Transition::Complete(Some(json("\"new\"")))),
        ];
        let mut expected = [Recorded::LeaseLost, Recorded::Written];
        if turned {
            batch.reverse();
            expected.reverse();
        }
        assert_eq!(f.store.record(&batch).await.unwrap(), expected);
        let job = get(&f, &new.job_id).await;
        assert_eq!(job.result.unwrap().as_str(), "\"new\"");
        assert_eq!(job.history.len(), 2);
    }
}
