//! Many callers at once: nobody gets what another has, nobody waits in a circle.

use crate::given::{STALLED, claim, json, pending_in_order, recording, request};
use flowmonkey_jobs::job::{Lease, Transition};
use flowmonkey_jobs::store::{ClaimRequest, Recorded, StoreError};
use flowmonkey_tests::database::Fixture;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::task::JoinSet;

on_both_stores! {
    concurrent_claims_are_disjoint_and_complete,
    concurrent_reaps_are_disjoint_and_complete,
    overlapping_batches_in_opposite_orders_do_not_deadlock,
}

const ROUNDS: usize = 25;

async fn concurrent_claims_are_disjoint_and_complete(f: Fixture) {
    let ids: HashSet<String> = pending_in_order(&f, 100).await.into_iter().collect();
    let mut claimers = JoinSet::new();
    for at in 0..5 {
        let store = Arc::clone(&f.store);
        let request = ClaimRequest { runner_id: format!("runner-{at}"), ..request(3) };
        claimers.spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let batch = store.claim(&request).await.unwrap().jobs;
                // A rival may hold all that is left for a moment; each of them takes what it holds.
                if batch.is_empty() {
                    return claimed;
                }
                claimed.extend(batch.into_iter().map(|job| job.lease.job_id));
            }
        });
    }
    let mut claimed = claimers.join_all().await.concat();
    claimed.extend(claim(&f, 100).await.into_iter().map(|job| job.lease.job_id));
    assert_eq!(claimed.len(), ids.len());
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>(), ids);
}

async fn concurrent_reaps_are_disjoint_and_complete(f: Fixture) {
    let ids: HashSet<String> = pending_in_order(&f, 40).await.into_iter().collect();
    claim(&f, 40).await;
    f.execute("update fm_jobs set heartbeat_at = 1").await;
    let mut reapers = JoinSet::new();
    for _ in 0..4 {
        let store = Arc::clone(&f.store);
        reapers.spawn(async move { store.reap(STALLED, 40).await.unwrap() });
    }
    let mut reaped = reapers.join_all().await.concat();
    reaped.extend(f.store.reap(STALLED, 40).await.unwrap());
    let reaped: Vec<_> = reaped.into_iter().map(|reaped| reaped.lease.job_id).collect();
    assert_eq!(reaped.len(), ids.len());
    assert_eq!(reaped.into_iter().collect::<HashSet<_>>(), ids);
}

/// Two runners think that they hold the same leases; both beat and both record.
async fn overlapping_batches_in_opposite_orders_do_not_deadlock(f: Fixture) {
    for round in 0..ROUNDS {
        pending_in_order(&f, 20).await;
        let leases: Vec<Lease> = claim(&f, 20).await.into_iter().map(|job| job.lease).collect();
        let turned: Vec<Lease> = leases.iter().rev().cloned().collect();
        let end = |leases: &[Lease], end: Transition| -> Vec<_> {
            leases.iter().map(|lease| recording(lease, end.clone())).collect()
        };
        let completed = end(&leases, Transition::Complete(Some(json("1"))));
        let released = end(&turned, Transition::Release);
        let (beats, beats_turned, first, second) = tokio::join!(
            f.store.heartbeat(&leases),
            f.store.heartbeat(&turned),
            f.store.record(&completed),
            f.store.record(&released)
        );
        assert!(beats.is_ok() && beats_turned.is_ok(), "{round}: {beats:?} {beats_turned:?}");
        let written = written(first) + written(second);
        assert_eq!(written, leases.len(), "one outcome an attempt");
        f.execute("delete from fm_jobs").await;
    }
}

fn written(answers: Result<Vec<Recorded>, StoreError>) -> usize {
    answers.unwrap().into_iter().filter(|answer| *answer == Recorded::Written).count()
}
