//! Jobs that nobody keeps once they are completed.

use crate::given::{
    claim_one, error, get, json, new_job, reap_one, recording, running, running_of, silence,
    waiting_execution,
};
use flowmonkey_jobs::job::{Lease, NewJob, Status, Transition, Unique, UniqueScope};
use flowmonkey_jobs::store::{Recorded, Recording};
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    a_completed_job_that_is_not_kept_is_gone,
    what_must_stay_stays,
    a_lost_lease_forgets_nothing,
    kept_and_forgotten_ones_go_together,
}

fn forgotten(lease: &Lease) -> Recording {
    Recording { keep: false, ..recording(lease, Transition::Complete(Some(json("1")))) }
}

async fn is_there(f: &Fixture, lease: &Lease) -> bool {
    f.store.get(&lease.job_id).await.unwrap().is_some()
}

async fn a_completed_job_that_is_not_kept_is_gone(f: Fixture) {
    let lease = running(&f).await;
    // Again, as when the first answer got lost.
    for _ in 0..2 {
        assert_eq!(f.store.record(&[forgotten(&lease)]).await.unwrap(), [Recorded::Written]);
        assert!(!is_there(&f, &lease).await);
    }
}

async fn what_must_stay_stays(f: Fixture) {
    let unique = Unique { key: "k".into(), scope: UniqueScope::For(Duration::from_secs(60)) };
    f.store.create(NewJob { unique: Some(unique), ..new_job() }).await.unwrap();
    let keyed = claim_one(&f).await.lease;
    waiting_execution(&f, "e", "send").await;
    let step = running_of(&f, "e", "send").await;
    let failed = running(&f).await;
    let failure = Recording { keep: false, ..recording(&failed, Transition::Fail(error("X"))) };
    let answers = f.store.record(&[forgotten(&keyed), forgotten(&step), failure]).await.unwrap();
    assert_eq!(answers, [Recorded::Written; 3]);
    let status = async |lease: &Lease| get(&f, &lease.job_id).await.status;
    assert_eq!(status(&keyed).await, Status::Completed);
    assert_eq!(status(&step).await, Status::Completed);
    assert_eq!(status(&failed).await, Status::Failed);
    assert!(f.store.execution("e").await.unwrap().unwrap().wake_at.is_some());
}

async fn a_lost_lease_forgets_nothing(f: Fixture) {
    let old = running(&f).await;
    silence(&f, &old.job_id).await;
    reap_one(&f).await;
    let new = claim_one(&f).await.lease;
    let other = running(&f).await;
    let answers = f.store.record(&[forgotten(&old), forgotten(&other)]).await.unwrap();
    assert_eq!(answers, [Recorded::LeaseLost, Recorded::Written]);
    assert_eq!(get(&f, &new.job_id).await.status, Status::Running);
    assert!(!is_there(&f, &other).await);
}

async fn kept_and_forgotten_ones_go_together(f: Fixture) {
    let leases = [running(&f).await, running(&f).await, running(&f).await];
    let [kept, gone, lost] = &leases;
    assert_eq!(f.store.record(&[forgotten(lost)]).await.unwrap(), [Recorded::Written]);
    let batch = [recording(kept, Transition::Complete(None)), forgotten(gone), forgotten(lost)];
    assert_eq!(f.store.record(&batch).await.unwrap(), [Recorded::Written; 3]);
    assert_eq!(get(&f, &kept.job_id).await.history.len(), 1);
    assert!(!is_there(&f, gone).await);
}
