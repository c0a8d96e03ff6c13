use super::{Outage, Phase, Shared, heartbeat};
use crate::catalog::StoredHandlers;
use crate::telemetry;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Many swaps that follow each other are announced together.
const ANNOUNCE_PAUSE: Duration = Duration::from_millis(50);

/// Keeps the catalog as the database wants it until the runner stops: when it is told of a change, and by itself
/// now and then.
pub(super) async fn sync_repeatedly(shared: Arc<Shared>, stored: Arc<StoredHandlers>) {
    let outage = Outage::of("handlers");
    let mut loading = JoinSet::new();
    let (begun, mut is_first) = (Instant::now(), true);
    loop {
        let refreshed = tokio::select! {
            () = shared.reached(Phase::Draining) => return,
            refreshed = stored.refresh() => refreshed,
        };
        outage.note(&shared, &refreshed);
        if let Ok(mut loads) = refreshed {
            let first = std::mem::take(&mut is_first).then(|| (shared.clone(), stored.clone()));
            loading.spawn(async move {
                while loads.join_next().await.is_some() {}
                if let Some((shared, stored)) = first {
                    let (names, refused) = (shared.catalog.names(), stored.refused().len());
                    telemetry::handlers_ready(
                        &shared.settings.runner_id,
                        names.len(),
                        refused,
                        begun.elapsed(),
                    );
                }
            });
        }
        while loading.try_join_next().is_some() {}
        let interval = Instant::now() + shared.settings.handlers_interval;
        let next = stored.next_try().map_or(interval, |next| next.min(interval));
        if until_news(&shared, &stored, next).await.is_break() {
            return;
        }
    }
}

/// Waits for a reason to look again, and tells of what was swapped meanwhile.
async fn until_news(
    shared: &Arc<Shared>,
    stored: &StoredHandlers,
    next: Instant,
) -> std::ops::ControlFlow<()> {
    let mut announce: Option<Instant> = None;
    loop {
        tokio::select! {
            () = shared.reached(Phase::Draining) => return std::ops::ControlFlow::Break(()),
            () = shared.sync.notified() => return std::ops::ControlFlow::Continue(()),
            () = sleep_until(next) => return std::ops::ControlFlow::Continue(()),
            () = stored.changed() => {
                // What just became runnable may have jobs.
                shared.wake.notify_one();
                announce.get_or_insert(Instant::now() + ANNOUNCE_PAUSE);
            }
            () = sleep_until(announce.unwrap_or(next)), if announce.is_some() => {
                announce = None;
                // The next heartbeat says it again.
                let _ = heartbeat::announce(shared).await;
            }
        }
    }
}
