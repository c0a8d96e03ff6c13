use super::recorder::Recordings;
use super::{Outage, Phase, Shared, ahead};
use crate::store::{Claim, ClaimRequest, StoreError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// The first pause before the next claim when others held all that was due; it doubles up to the poll
/// interval.
const RIVAL_PAUSE_MIN: Duration = Duration::from_millis(5);

/// Claims until the runner stops. No error ends it: a database that is away is asked again.
pub(super) async fn claim_repeatedly(shared: Arc<Shared>, recordings: Recordings) {
    let outage = Outage::of("claim");
    let mut failures = 0;
    let mut rival_pause = RIVAL_PAUSE_MIN;
    let mut is_more = false;
    while shared.phase() == Phase::Running {
        let limit = room(&shared, is_more).await;
        if limit == 0 {
            continue;
        }
        let cancels = shared.cancels.load(Ordering::SeqCst);
        let claimed = claim(&shared, limit).await;
        outage.note(&shared, &claimed);
        match claimed {
            Ok(Claim { jobs, more }) => {
                failures = 0;
                is_more = more;
                // Others may hold all that is due, for as long as their claims take.
                let pause = match (more, jobs.is_empty()) {
                    (true, false) => Duration::ZERO,
                    (true, true) => rival_pause,
                    (false, _) => shared.settings.poll_interval,
                };
                let is_rivalled = more && jobs.is_empty();
                let longer = (rival_pause * 2).min(shared.settings.poll_interval);
                rival_pause = if is_rivalled { longer } else { RIVAL_PAUSE_MIN };
                // Entered here and not where they run: a stop that comes between must see them.
                ahead::begin(&shared, shared.enter(jobs), &recordings);
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
    ahead::give_back(&shared, Duration::ZERO, &recordings);
    shared.claiming.send_replace(false);
}

/// Waits until a claim may bring something, and says how much. Zero means that the runner stops.
async fn room(shared: &Shared, is_more: bool) -> u32 {
    let settings = &shared.settings;
    let (places, ahead) = (settings.max_concurrent.get(), settings.prefetch);
    loop {
        let room = shared.ahead.room(places, ahead, is_more);
        if room > 0 {
            return room.min(settings.batch_size.get().max(ahead));
        }
        tokio::select! {
            () = shared.ahead.room_changed() => {}
            () = shared.reached(Phase::Draining) => return 0,
        }
    }
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

/// Doubles from the poll interval up to a bound. A long poll interval relies on notices, which do not come
/// while the database is away either; so the first pause is at most a second.
fn backoff(failures: u32, poll_interval: Duration) -> Duration {
    let base = poll_interval.clamp(Duration::from_millis(100), Duration::from_secs(1));
    base.saturating_mul(1 << (failures - 1).min(8)).min(BACKOFF_MAX)
}
