use super::recorder::Finished;
use super::{Outage, Phase, Shared, attempt};
use crate::store::{Claim, ClaimRequest, Claimed, StoreError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;

const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// The first pause before the next claim when others held all that was due; it doubles up to the poll
/// interval.
const RIVAL_PAUSE_MIN: Duration = Duration::from_millis(5);

/// Claims until the runner stops. No error ends it: a database that is away is asked again.
pub(super) async fn claim_repeatedly(shared: Arc<Shared>, recordings: mpsc::Sender<Finished>) {
    let outage = Outage::of("claim");
    let mut failures = 0;
    let mut rival_pause = RIVAL_PAUSE_MIN;
    while shared.phase() == Phase::Running {
        let free = free_places(&shared).await;
        if free == 0 {
            continue;
        }
        let limit = free.min(shared.settings.batch_size.get());
        let cancels = shared.cancels.load(Ordering::SeqCst);
        let claimed = claim(&shared, limit).await;
        outage.note(&shared, &claimed);
        match claimed {
            Ok(Claim { jobs, more }) => {
                failures = 0;
                // Others may hold all that is due, for as long as their claims take.
                let pause = match (more, jobs.is_empty()) {
                    (true, false) => Duration::ZERO,
                    (true, true) => rival_pause,
                    (false, _) => shared.settings.poll_interval,
                };
                let is_rivalled = more && jobs.is_empty();
                let longer = (rival_pause * 2).min(shared.settings.poll_interval);
                rival_pause = if is_rivalled { longer } else { RIVAL_PAUSE_MIN };
                begin(&shared, jobs, &recordings);
                if shared.cancels.load(Ordering::SeqCst) != cancels {
                    shared.look.notify_one();
                }
                if pause.is_zero() {
                    continue;
                }
                tokio::select! {
                    () = shared.reached(Phase::Draining) => {}
                    () = shared.wake.notified() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
            Err(_) => {
                failures += 1;
                tokio::select! {
                    () = shared.reached(Phase::Draining) => {}
                    () = tokio::time::sleep(backoff(failures, shared.settings.poll_interval)) => {}
                }
            }
        }
    }
    shared.claiming.send_replace(false);
}

/// Waits for a place. Zero means that the runner stops.
async fn free_places(shared: &Shared) -> u32 {
    let max = shared.settings.max_concurrent.get();
    let mut active = shared.active_count.subscribe();
    let count = tokio::select! {
        count = active.wait_for(|count| *count < max as usize) => count.map_or(max, |count| *count as u32),
        () = shared.reached(Phase::Draining) => max,
    };
    max.saturating_sub(count)
}

async fn claim(shared: &Shared, limit: u32) -> Result<Claim, StoreError> {
    let request = ClaimRequest {
        runner_id: shared.settings.runner_id.clone(),
        handlers: shared.places(),
        limit,
        heartbeat_interval: shared.settings.heartbeat_interval,
    };
    shared.store.claim(&request).await
}

fn begin(shared: &Arc<Shared>, jobs: Vec<Claimed>, recordings: &mpsc::Sender<Finished>) {
    for job in jobs {
        // Entered here and not in the spawned future: a stop that comes between must see it.
        let control = shared.enter(&job);
        tokio::spawn(attempt::run(shared.clone(), job, control, recordings.clone()));
    }
}

/// Doubles from the poll interval up to a bound. A long poll interval relies on notices, which do not come
/// while the database is away either; so the first pause is at most a second.
fn backoff(failures: u32, poll_interval: Duration) -> Duration {
    let base = poll_interval.clamp(Duration::from_millis(100), Duration::from_secs(1));
    base.saturating_mul(1 << (failures - 1).min(8)).min(BACKOFF_MAX)
}
