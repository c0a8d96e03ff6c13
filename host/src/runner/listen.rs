use super::{Outage, Phase, Shared};
use crate::store::{DUE_ECHO, Notice, Notices};
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
    shared.look.notify_one();
    let heard = heed_all(shared, &mut notices).await;
    telemetry::listener_lost(&shared.settings.runner_id, shared.settings.poll_interval);
    heard
}

async fn heed_all(shared: &Shared, notices: &mut Notices) -> bool {
    let mut heard = false;
    let mut echo: Option<Instant> = None;
    loop {
        let notice = tokio::select! {
            notice = notices.next() => notice,
            () = sleep_until(echo.unwrap_or_else(Instant::now)), if echo.is_some() => {
                echo = None;
                shared.wake.notify_one();
                continue;
            }
        };
        let Some(notice) = notice else { return heard };
        heard = true;
        match notice {
            Notice::Due => {
                shared.wake.notify_one();
                echo.get_or_insert(Instant::now() + DUE_ECHO);
            }
            Notice::Cancelled { job_id } => {
                shared.cancels.fetch_add(1, Ordering::SeqCst);
                if shared.active().keys().any(|lease| lease.job_id == job_id) {
                    shared.look.notify_one();
                }
            }
            Notice::Changed => {
                shared.wake.notify_one();
                shared.look.notify_one();
            }
        }
    }
}
