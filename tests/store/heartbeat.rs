//! `heartbeat`: who lives, and what each lease hears.

use crate::given::{Loss, claim_one, get, pending_in_order, reap_one, record, running, silence};
use flowmonkey_jobs::job::{Lease, Transition};
use flowmonkey_jobs::store::LeaseState::{self, Cancelled, Held, Lost};
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    a_beat_moves_the_heartbeat_and_nothing_else,
    every_lease_hears_of_its_own_fate,
    a_cancelled_attempt_hears_of_it_at_every_beat,
    answers_come_in_the_order_of_the_leases,
    an_old_and_a_new_lease_of_one_job_are_told_apart,
    a_beat_of_a_lost_lease_changes_nothing,
    a_wrong_instance_is_lost,
    a_beat_for_nobody_is_no_error,
}

async fn beat(f: &Fixture, lease: &Lease) -> LeaseState {
    f.store.heartbeat(std::slice::from_ref(lease)).await.unwrap()[0]
}

async fn a_beat_moves_the_heartbeat_and_nothing_else(f: Fixture) {
    let lease = running(&f).await;
    let before = f.now().await;
    f.set(&lease.job_id, "heartbeat_at = 1").await;
    let old = f.row(&lease.job_id).await;
    assert_eq!(beat(&f, &lease).await, Held);
    assert!(get(&f, &lease.job_id).await.heartbeat_at.unwrap() >= before);
    f.set(&lease.job_id, "heartbeat_at = 1").await;
    assert_eq!(f.row(&lease.job_id).await, old);
}

async fn every_lease_hears_of_its_own_fate(f: Fixture) {
    for loss in Loss::ALL {
        let lease = running(&f).await;
        assert_eq!(beat(&f, &lease).await, Held);
        loss.befall(&f, &lease).await;
        let expected = if matches!(loss, Loss::Cancelled) { Cancelled } else { Lost };
        assert_eq!(beat(&f, &lease).await, expected, "{loss:?}");
        f.execute("delete from fm_jobs").await;
        assert_eq!(beat(&f, &lease).await, Lost, "deleted");
    }
}

async fn a_cancelled_attempt_hears_of_it_at_every_beat(f: Fixture) {
    let lease = running(&f).await;
    f.store.cancel(&lease.job_id).await.unwrap();
    let before = f.row(&lease.job_id).await;
    for _ in 0..2 {
        assert_eq!(beat(&f, &lease).await, Cancelled);
    }
    assert_eq!(f.row(&lease.job_id).await, before);
}

async fn answers_come_in_the_order_of_the_leases(f: Fixture) {
    pending_in_order(&f, 4).await;
    let mut leases: Vec<Lease> = crate::given::claim(&f, 4).await.into_iter().map(|job| job.lease).collect();
    f.store.cancel(&leases[1].job_id).await.unwrap();
    record(&f, &leases[2], Transition::Complete(None)).await;
    leases.push(Lease { job_id: "unknown".into(), instance_id: "x".into() });
    let expected = [Held, Cancelled, Lost, Held, Lost];
    assert_eq!(f.store.heartbeat(&leases).await.unwrap(), expected);
    leases.reverse();
    let reversed: Vec<_> = expected.into_iter().rev().collect();
    assert_eq!(f.store.heartbeat(&leases).await.unwrap(), reversed);
}

/// A runner that was away may claim again what the reaper took from it, while the first guest still
/// runs.
async fn an_old_and_a_new_lease_of_one_job_are_told_apart(f: Fixture) {
    let old = running(&f).await;
    silence(&f, &old.job_id).await;
    reap_one(&f).await;
    let new = claim_one(&f).await.lease;
    for (leases, expected) in [([&old, &new], [Lost, Held]), ([&new, &old], [Held, Lost])] {
        assert_eq!(f.store.heartbeat(&leases.map(Lease::clone)).await.unwrap(), expected);
    }
    f.store.cancel(&new.job_id).await.unwrap();
    assert_eq!(f.store.heartbeat(&[new, old]).await.unwrap(), [Cancelled, Lost]);
}

async fn a_beat_of_a_lost_lease_changes_nothing(f: Fixture) {
    for loss in Loss::ALL {
        let lease = running(&f).await;
        loss.befall(&f, &lease).await;
        f.set(&lease.job_id, "heartbeat_at = 1").await;
        let before = f.row(&lease.job_id).await;
        beat(&f, &lease).await;
        assert_eq!(f.row(&lease.job_id).await, before, "{loss:?}");
        f.execute("delete from fm_jobs").await;
    }
}

async fn a_wrong_instance_is_lost(f: Fixture) {
    let lease = running(&f).await;
    for instance_id in ["", "x", &lease.instance_id.to_uppercase(), "'"] {
        let wrong = Lease { instance_id: instance_id.into(), ..lease.clone() };
        assert_eq!(beat(&f, &wrong).await, Lost, "{instance_id}");
    }
    assert_eq!(beat(&f, &lease).await, Held);
}

async fn a_beat_for_nobody_is_no_error(f: Fixture) {
    assert_eq!(f.store.heartbeat(&[]).await.unwrap(), []);
}
