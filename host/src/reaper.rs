//! Finds jobs whose runner fell silent, and gives them back or fails them.

use crate::store::{SharedStore, StoreError};
use crate::telemetry;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

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
}

impl Default for ReaperSettings {
    fn default() -> Self {
        ReaperSettings {
            stalled_threshold: Duration::from_secs(60),
            check_interval: Duration::from_secs(30),
            batch_size: 100,
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
        let (stop, stopped) = watch::channel(false);
        Reaper { stop, looking: tokio::spawn(look_repeatedly(store, settings, stopped)) }
    }

    /// Ends after the statement under way.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.looking.await;
    }
}

async fn look_repeatedly(store: SharedStore, settings: ReaperSettings, mut stopped: watch::Receiver<bool>) {
    let mut looks = interval(settings.check_interval.max(Duration::from_millis(1)));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = looks.tick() => {}
        }
        if let Err(why) = look(&store, &settings).await {
            telemetry::reaper_failing(&why);
        }
    }
}

async fn look(store: &SharedStore, settings: &ReaperSettings) -> Result<(), StoreError> {
    loop {
        let taken = store.reap(settings.stalled_threshold, settings.batch_size).await?;
        for job in &taken {
            let runner_id = job.runner_id.as_deref();
            telemetry::reaped(&job.lease.job_id, &job.handler, runner_id, job.status.as_str());
        }
        if taken.len() < settings.batch_size as usize {
            return Ok(());
        }
    }
}
