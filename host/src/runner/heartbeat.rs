use super::{Active, Outage, Phase, Shared};
use crate::job::Lease;
use crate::sandbox::{Control, Directive, Interruption};
use crate::store::{LeaseState, RunnerRow, StoreError};
use crate::telemetry::EventKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// After a failure the next beat comes sooner, since every missed one brings the reaper nearer.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long the end waits for a beat under way: one that was let go could reach the database after the
/// withdrawal, and announce a runner that is gone.
const LAST_BEAT_MAX: Duration = Duration::from_secs(2);

/// Beats for all leases until the runner is over, attempts that drain included.
pub(super) async fn beat_repeatedly(shared: Arc<Shared>) {
    let outage = Outage::of("heartbeat");
    let mut beats = interval(shared.settings.heartbeat_interval);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_beat = tokio::select! {
            biased;
            () = shared.reached(Phase::Over) => return,
            _ = beats.tick() => true,
            () = shared.look.notified() => false,
        };
        let beaten = tokio::select! {
            () = over_for(&shared, LAST_BEAT_MAX) => return,
            beaten = async { if is_beat { beat(&shared).await } else { look(&shared).await } } => beaten,
        };
        outage.note(&shared, &beaten);
        if beaten.is_err() {
            beats.reset_after(RETRY_INTERVAL.min(shared.settings.heartbeat_interval));
        }
    }
}

async fn over_for(shared: &Shared, time: Duration) {
    shared.reached(Phase::Over).await;
    tokio::time::sleep(time).await;
}

async fn beat(shared: &Arc<Shared>) -> Result<(), StoreError> {
    // A claim is a sign of life as well: what is young has one, and the next beat is in time.
    let young = shared.settings.heartbeat_interval / 2;
    let attempts: Attempts =
        attempts(shared).into_iter().filter(|active| active.since.elapsed() >= young).collect();
    if !attempts.is_empty() {
        let states = shared.store.heartbeat(&leases(&attempts)).await?;
        heed(shared, &attempts, &states, true);
    }
    announce(shared).await
}

/// Says that the runner lives, and which handlers it has in which version.
pub(super) async fn announce(shared: &Shared) -> Result<(), StoreError> {
    let id = shared.settings.runner_id.clone();
    let versions = match &shared.stored {
        Some(stored) => stored.versions(),
        None => shared.catalog.versions(),
    };
    shared.store.announce(&RunnerRow { id, handlers: shared.catalog.names(), versions }).await
}

/// As a beat that writes nothing: somebody said that there is something to see.
async fn look(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let attempts = attempts(shared);
    if attempts.is_empty() {
        return Ok(());
    }
    let states = shared.store.lease_states(&leases(&attempts)).await?;
    heed(shared, &attempts, &states, false);
    Ok(())
}

type Attempts = Vec<Arc<Active>>;

fn attempts(shared: &Shared) -> Attempts {
    shared.active().values().cloned().collect()
}

fn leases(attempts: &Attempts) -> Vec<Lease> {
    attempts.iter().map(|active| active.job.lease.clone()).collect()
}

fn heed(shared: &Shared, attempts: &Attempts, states: &[LeaseState], is_beat: bool) {
    for (active, state) in attempts.iter().zip(states) {
        let job = &active.job;
        let tell = |kind| shared.events.tell(kind, &job.lease.job_id, &job.handler, job.attempt);
        match state {
            LeaseState::Held if is_beat => tell(EventKind::Heartbeat),
            LeaseState::Held => {}
            LeaseState::Cancelled => {
                if !active.cancelled.swap(true, Ordering::Relaxed) {
                    tell(EventKind::Cancelled);
                    cancel(active.control.clone(), shared.settings.cancel_grace);
                }
            }
            LeaseState::Lost => {
                active.control.tell(Directive::Cancel);
                active.control.interrupt(Interruption::LeaseLost);
            }
        }
    }
}

/// The guest hears of it when it asks; after the grace period it is not asked any more.
fn cancel(control: Control, grace: Duration) {
    control.tell(Directive::Cancel);
    tokio::spawn(async move {
        tokio::time::sleep(grace).await;
        control.interrupt(Interruption::LeaseLost);
    });
}
