use super::{Outage, Phase, Shared};
use crate::job::Lease;
use crate::sandbox::{Control, Directive, Interruption};
use crate::store::{LeaseState, RunnerRow, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// After a failure the next beat comes sooner, since every missed one brings the reaper nearer.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Beats for all leases until the runner is over, attempts that drain included.
pub(super) async fn beat_repeatedly(shared: Arc<Shared>) {
    let outage = Outage::of("heartbeat");
    let mut beats = interval(shared.settings.heartbeat_interval);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.reached(Phase::Over) => return,
            _ = beats.tick() => {}
        }
        let beaten = tokio::select! {
            () = shared.reached(Phase::Over) => return,
            beaten = beat(&shared) => beaten,
        };
        outage.note(&shared, &beaten);
        if beaten.is_err() {
            beats.reset_after(RETRY_INTERVAL.min(shared.settings.heartbeat_interval));
        }
    }
}

async fn beat(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let attempts: Vec<(Lease, Control)> =
        shared.active().iter().map(|(lease, control)| (lease.clone(), control.clone())).collect();
    let leases: Vec<Lease> = attempts.iter().map(|(lease, _)| lease.clone()).collect();
    let states = shared.store.heartbeat(&leases).await?;
    for ((_, control), state) in attempts.into_iter().zip(states) {
        match state {
            LeaseState::Held => {}
            LeaseState::Cancelled => cancel(control, shared.settings.cancel_grace),
            LeaseState::Lost => {
                control.tell(Directive::Cancel);
                control.interrupt(Interruption::LeaseLost);
            }
        }
    }
    let id = shared.settings.runner_id.clone();
    shared.store.announce(&RunnerRow { id, handlers: shared.catalog.names() }).await
}

/// The guest hears of it when it asks; after the grace period it is not asked any more.
fn cancel(control: Control, grace: Duration) {
    if control.directive() == Directive::Cancel {
        return;
    }
    control.tell(Directive::Cancel);
    tokio::spawn(async move {
        tokio::time::sleep(grace).await;
        control.interrupt(Interruption::LeaseLost);
    });
}
