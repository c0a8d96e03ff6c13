//! Finds jobs whose runner fell silent, and gives them back or fails them; deletes finished jobs and
//! idempotency keys when their time is over.

use crate::job::{ErrorCode, Status};
use crate::store::{Retention, SharedStore, StoreError};
use crate::telemetry::{self, EventKind, Events};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often to look and for what. The defaults are FlowMonkey's.
#[derive(Debug, Clone, Copy)]
pub struct ReaperSettings {
    /// A running job without a heartbeat for so long is stalled. Must be more than twice the runners'
    /// heartbeat interval.
    pub stalled_threshold: Duration,
    /// The pause between two looks.
    pub check_interval: Duration,
    /// How many jobs one statement takes; a look goes on until there are none left.
    pub batch_size: u32,
    /// How long finished jobs are kept; for good by default.
    pub retention: Retention,
}

impl Default for ReaperSettings {
    fn default() -> Self {
        ReaperSettings {
            stalled_threshold: Duration::from_secs(60),
            check_interval: Duration::from_secs(30),
            batch_size: 100,
            retention: Retention::default(),
        }
    }
}

/// A reaper at work. Any number may run against one database; each stalled attempt is taken once.
#[derive(Debug)]
pub struct Reaper {
    stop: watch::Sender<bool>,
    looking: JoinHandle<()>,
}

impl Reaper {
    /// Begins to look, now and then every `check_interval`. A database that is away is waited for.
    pub fn start(store: SharedStore, settings: ReaperSettings) -> Self {
        Reaper::start_with_events(store, settings, Events::default())
    }

    /// As [`Reaper::start`], and tells on this stream whom it took jobs from.
    pub fn start_with_events(store: SharedStore, settings: ReaperSettings, events: Events) -> Self {
        let (stop, stopped) = watch::channel(false);
        Reaper { stop, looking: tokio::spawn(look_repeatedly(store, settings, events, stopped)) }
    }

    /// Ends after the statement under way.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.looking.await;
    }
}

async fn look_repeatedly(
    store: SharedStore,
    settings: ReaperSettings,
    events: Events,
    mut stopped: watch::Receiver<bool>,
) {
    let mut looks = interval(settings.check_interval.max(Duration::from_millis(1)));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = looks.tick() => {}
        }
        let done = reap(&store, &settings, &events).await;
        let done = if done.is_ok() { purge(&store, &settings, &stopped).await } else { done };
        if let Err(why) = done {
            telemetry::reaper_failing(&why);
        }
    }
}

async fn reap(store: &SharedStore, settings: &ReaperSettings, events: &Events) -> Result<(), StoreError> {
    loop {
        let taken = store.reap(settings.stalled_threshold, settings.batch_size).await?;
        for job in &taken {
            let runner_id = job.runner_id.as_deref();
            telemetry::reaped(&job.lease.job_id, &job.handler, runner_id, job.status.as_str());
            let tell = |kind| events.tell(kind, &job.lease.job_id, &job.handler, job.attempt);
            tell(EventKind::Stalled);
            if job.status == Status::Failed {
                tell(EventKind::Failed { code: ErrorCode::Stalled.to_string() });
            }
        }
        if taken.len() < settings.batch_size as usize {
            return Ok(());
        }
    }
}

/// In small batches, so that nobody waits for a long transaction; a stop comes between two, and stalled jobs
/// do not wait for the end.
async fn purge(
    store: &SharedStore,
    settings: &ReaperSettings,
    stopped: &watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let end = Instant::now() + settings.check_interval;
    let (batch_size, retention) = (settings.batch_size, &settings.retention);
    let goes_on = || !*stopped.borrow() && Instant::now() < end;
    if !retention.is_for_good() {
        let purged = until_few(batch_size, goes_on, || store.purge(retention, batch_size)).await?;
        if purged > 0 {
            telemetry::purged(purged);
        }
    }
    let forgotten = until_few(batch_size, goes_on, || store.forget_expired(batch_size)).await?;
    if forgotten > 0 {
        telemetry::forgotten(forgotten);
    }
    Ok(())
}

/// Repeats until a batch is not full; returns how many there were in all.
async fn until_few<F>(
    batch_size: u32,
    goes_on: impl Fn() -> bool,
    delete: impl Fn() -> F,
) -> Result<u64, StoreError>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let mut deleted = 0;
    while goes_on() {
        let batch = delete().await?;
        deleted += batch;
        if batch < u64::from(batch_size) {
            break;
        }
    }
    Ok(deleted)
}
