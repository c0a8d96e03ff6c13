//! What a runner promised at its claim, and how others look at its leases.

use crate::given::{HANDLER, Loss, get, pending, places, running};
use flowmonkey_jobs::job::{Lease, Status};
use flowmonkey_jobs::store::{ClaimRequest, LeaseState};
use flowmonkey_tests::database::Fixture;
use std::time::Duration;

on_both_stores! {
    no_job_is_reaped_before_its_runner_missed_three_beats,
    the_reapers_threshold_holds_for_quick_runners,
    stalled_jobs_are_found_by_the_same_rule,
    a_lease_state_says_whether_the_lease_holds,
    lease_states_come_in_the_order_of_the_leases,
    asking_for_lease_states_writes_nothing,
    nothing_is_said_about_no_leases,
}

/// A running job whose runner beats every so many seconds, and was silent for so many.
async fn silent(f: &Fixture, interval: u64, silence: u64) -> Lease {
    pending(f).await;
    let request = ClaimRequest {
        runner_id: "r".into(),
        handlers: vec![places(HANDLER)],
        limit: 1,
        heartbeat_interval: Duration::from_secs(interval),
    };
    let lease = f.store.claim(&request).await.unwrap().jobs.remove(0).lease;
    f.set(&lease.job_id, &format!("heartbeat_at = heartbeat_at - {}", silence * 1000)).await;
    lease
}

async fn reaped(f: &Fixture, seconds: u64) -> usize {
    f.store.reap(Duration::from_secs(seconds), 10).await.unwrap().len()
}

/// FlowMonkey's own rule. The slack is for a slow machine.
async fn no_job_is_reaped_before_its_runner_missed_three_beats(f: Fixture) {
    for (interval, silence, count) in [(1000, 2900, 0), (1000, 3001, 1), (2000, 5000, 0), (500, 1501, 1)] {
        let lease = silent(&f, interval, silence).await;
        assert_eq!(reaped(&f, 60).await, count, "{silence} s of {interval}");
        let expected = if count == 0 { Status::Running } else { Status::Pending };
        assert_eq!(get(&f, &lease.job_id).await.status, expected);
        f.execute("delete from fm_jobs").await;
    }
    // Some 24 days: three of them are more than an int holds.
    silent(&f, 2_147_483, 6_000_000).await;
    assert_eq!(reaped(&f, 60).await, 0);
    f.execute("update fm_jobs set heartbeat_at = heartbeat_at - 1000000000").await;
    assert_eq!(reaped(&f, 60).await, 1);
}

async fn the_reapers_threshold_holds_for_quick_runners(f: Fixture) {
    silent(&f, 1, 2900).await;
    assert_eq!(reaped(&f, 3600).await, 0);
    assert_eq!(reaped(&f, 2800).await, 1);
}

async fn stalled_jobs_are_found_by_the_same_rule(f: Fixture) {
    let mut expected = Vec::new();
    for (interval, silence, stalled) in
        [(1000, 2900, false), (1000, 4000, true), (1, 50, false), (1, 90, true)]
    {
        let lease = silent(&f, interval, silence).await;
        if stalled {
            expected.push(lease.job_id);
        }
    }
    let found = f.store.find_stalled(Duration::from_secs(60), 10).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|job| job.id).collect();
    let taken = f.store.reap(Duration::from_secs(60), 10).await.unwrap();
    let mut taken: Vec<_> = taken.into_iter().map(|one| one.lease.job_id).collect();
    taken.sort();
    assert_eq!((&found, &taken), (&expected, &expected));
}

async fn states(f: &Fixture, leases: &[Lease]) -> Vec<LeaseState> {
    f.store.lease_states(leases).await.unwrap()
}

async fn a_lease_state_says_whether_the_lease_holds(f: Fixture) {
    for loss in Loss::ALL {
        let lease = running(&f).await;
        assert_eq!(states(&f, std::slice::from_ref(&lease)).await, [LeaseState::Held]);
        loss.befall(&f, &lease).await;
        let expected = if matches!(loss, Loss::Cancelled) { LeaseState::Cancelled } else { LeaseState::Lost };
        assert_eq!(states(&f, std::slice::from_ref(&lease)).await, [expected], "{loss:?}");
        // As a beat says it.
        let beat = f.store.heartbeat(std::slice::from_ref(&lease)).await.unwrap();
        assert_eq!(beat, [expected], "{loss:?}");
        f.execute("delete from fm_jobs").await;
        assert_eq!(states(&f, &[lease]).await, [LeaseState::Lost], "deleted");
    }
}

async fn lease_states_come_in_the_order_of_the_leases(f: Fixture) {
    let (held, cancelled) = (running(&f).await, running(&f).await);
    f.store.cancel(&cancelled.job_id).await.unwrap();
    let wrong = Lease { instance_id: String::new(), ..held.clone() };
    let unknown = Lease { job_id: "nope".into(), instance_id: "nope".into() };
    let leases = [unknown, cancelled.clone(), held.clone(), wrong, held, cancelled];
    use LeaseState::{Cancelled, Held, Lost};
    assert_eq!(states(&f, &leases).await, [Lost, Cancelled, Held, Lost, Held, Cancelled]);
    let backwards: Vec<_> = leases.into_iter().rev().collect();
    assert_eq!(states(&f, &backwards).await, [Cancelled, Held, Lost, Held, Cancelled, Lost]);
}

async fn asking_for_lease_states_writes_nothing(f: Fixture) {
    let lease = running(&f).await;
    f.set(&lease.job_id, "heartbeat_at = 1").await;
    let before = f.row(&lease.job_id).await;
    assert_eq!(states(&f, std::slice::from_ref(&lease)).await, [LeaseState::Held]);
    assert_eq!(f.row(&lease.job_id).await, before);
    // It is no sign of life.
    assert_eq!(reaped(&f, 60).await, 1);
}

async fn nothing_is_said_about_no_leases(f: Fixture) {
    running(&f).await;
    assert!(states(&f, &[]).await.is_empty());
}
