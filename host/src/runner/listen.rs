use super::{Outage, Phase, Shared};
use crate::store::{DUE_ECHOES, Notice, Notices};
use crate::telemetry;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Heeds the store's notices until the runner is over. Without them everything works, at the pace of the
/// poll interval and the heartbeat.
pub(super) async fn listen_repeatedly(shared: Arc<Shared>) {
    let outage = Outage::of("listen");
    let mut pause = BACKOFF_MIN;
    loop {
        let heard = tokio::select! {
            () = shared.reached(Phase::Over) => return,
            heard = listen(&shared, &outage) => heard,
        };
        // A line that worked is tried again soon; one that never did, such as through a transaction
        // pooler, less and less often.
        pause = if heard { BACKOFF_MIN } else { (pause * 2).min(BACKOFF_MAX) };
        tokio::select! {
            () = shared.reached(Phase::Over) => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Returns when the line is dead, and whether anything came over it.
async fn listen(shared: &Shared, outage: &Outage) -> bool {
    let opened = shared.store.listen().await;
    outage.note(shared, &opened);
    let Ok(mut notices) = opened else { return false };
    // What came before the line was open is not told.
    shared.wake.notify_one();
    shared.sync.notify_one();
    shared.look.notify_one();
    let heard = heed_all(shared, &mut notices).await;
    telemetry::listener_lost(&shared.settings.runner_id, shared.settings.poll_interval);
    heard
}

async fn heed_all(shared: &Shared, notices: &mut Notices) -> bool {
    let mut heard = false;
    // The looks that are left of those after the last notice. One may have been sent just before the line was
    // open, and others count on it.
    let mut echoes: &[Duration] = &DUE_ECHOES;
    let mut told_at = Instant::now();
    loop {
        let notice = tokio::select! {
            notice = notices.next() => notice,
            () = sleep_until(told_at + echoes.first().copied().unwrap_or_default()), if !echoes.is_empty() => {
                echoes = &echoes[1..];
                shared.wake.notify_one();
                continue;
            }
        };
        let Some(notice) = notice else { return heard };
        heard = true;
        match notice {
            Notice::Due => {
                shared.wake.notify_one();
                (told_at, echoes) = (Instant::now(), &DUE_ECHOES);
            }
            Notice::Cancelled { job_id } => {
                shared.cancels.fetch_add(1, Ordering::SeqCst);
                if shared.active().values().any(|active| active.job.lease.job_id == job_id) {
                    shared.look.notify_one();
                }
            }
            Notice::Handlers => {
                shared.sync.notify_one();
                // A handler that was resumed may have jobs.
                shared.wake.notify_one();
            }
            Notice::Changed => {
                shared.sync.notify_one();
                shared.wake.notify_one();
                shared.look.notify_one();
            }
        }
    }
}
