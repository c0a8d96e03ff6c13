use super::Runner;
use crate::catalog::{Catalog, StoredHandlers};
use crate::store::SharedStore;
use crate::telemetry::Events;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// How a runner works. The defaults are FlowMonkey's where it has them.
#[derive(Debug, Clone)]
pub struct RunnerSettings {
    /// Names the runner on the jobs it claims; unique in the fleet.
    pub runner_id: String,
    /// The pause before the next look when there was too little to do.
    pub poll_interval: Duration,
    /// At most so many jobs a claim, where fewer are leased ahead.
    pub batch_size: NonZeroU32,
    /// At most so many attempts at once.
    pub max_concurrent: NonZeroU32,
    /// At most so many jobs are leased ahead of a free place; 0 is none. The runner leases as many as begin some 20 ms
    /// later, so none while attempts are long; one whose turn does not come within a second is given back.
    pub prefetch: u32,
    /// The pause between two beats for all leases.
    pub heartbeat_interval: Duration,
    /// How long a stop waits for attempts to end by themselves.
    pub drain_timeout: Duration,
    /// How long a cancelled attempt may go on before it is interrupted.
    pub cancel_grace: Duration,
    /// The pause between two looks for handlers that were pushed, activated or removed, beneath the
    /// notifications.
    pub handlers_interval: Duration,
    /// Does without the database's notifications, which a transaction pooler does not pass on: jobs begin
    /// and cancels are heard of at the pace of the poll interval and the heartbeat.
    pub poll_only: bool,
    /// A job's row goes with its success, in the same write: for those who keep completed jobs for no time. Jobs of
    /// executions, and those that hold a unique key for a time, stay for the reaper to delete.
    pub forget_completed: bool,
}

impl Default for RunnerSettings {
    fn default() -> Self {
        RunnerSettings {
            runner_id: format!("runner-{}", uuid::Uuid::new_v4().simple()),
            poll_interval: Duration::from_secs(1),
            batch_size: NonZeroU32::MIN.saturating_add(9),
            max_concurrent: NonZeroU32::MIN.saturating_add(4),
            prefetch: 2000,
            heartbeat_interval: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            cancel_grace: Duration::from_secs(5),
            handlers_interval: Duration::from_secs(5),
            poll_only: false,
            forget_completed: false,
        }
    }
}

/// Why a runner cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// [`RunnerBuilder::handlers`] was not called.
    #[error("a runner needs a catalog of handlers")]
    NoHandlers,
    /// A duration that must pass is zero.
    #[error("{0} must be above zero")]
    Zero(&'static str),
    /// The runner's name is empty or too long.
    #[error("the runner id must have 1 to 128 bytes")]
    RunnerId,
}

/// Builds a [`Runner`].
#[derive(Clone)]
pub struct RunnerBuilder {
    pub(super) store: SharedStore,
    catalog: Option<Arc<Catalog>>,
    pub(super) stored: Option<Arc<StoredHandlers>>,
    pub(super) settings: RunnerSettings,
    pub(super) events: Events,
}

impl RunnerBuilder {
    pub(super) fn new(store: SharedStore) -> Self {
        let (settings, events) = (RunnerSettings::default(), Events::default());
        RunnerBuilder { store, catalog: None, stored: None, settings, events }
    }

    /// The handlers it runs; jobs of others stay pending.
    pub fn handlers(mut self, catalog: Arc<Catalog>) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// Keeps the catalog as the database wants it: versions that are pushed and activated are swapped in. It must be over
    /// the catalog that was given to [`handlers`](RunnerBuilder::handlers).
    pub fn stored_handlers(mut self, stored: Arc<StoredHandlers>) -> Self {
        self.stored = Some(stored);
        self
    }

    /// Where it tells what happens, when others tell there too; else a stream of its own.
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// All settings at once.
    pub fn settings(mut self, settings: RunnerSettings) -> Self {
        self.settings = settings;
        self
    }

    /// See [`RunnerSettings::runner_id`].
    pub fn runner_id(mut self, id: impl Into<String>) -> Self {
        self.settings.runner_id = id.into();
        self
    }

    /// See [`RunnerSettings::poll_interval`].
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval;
        self
    }

    /// See [`RunnerSettings::batch_size`].
    pub fn batch_size(mut self, jobs: NonZeroU32) -> Self {
        self.settings.batch_size = jobs;
        self
    }

    /// See [`RunnerSettings::max_concurrent`].
    pub fn max_concurrent(mut self, attempts: NonZeroU32) -> Self {
        self.settings.max_concurrent = attempts;
        self
    }

    /// See [`RunnerSettings::prefetch`].
    pub fn prefetch(mut self, jobs: u32) -> Self {
        self.settings.prefetch = jobs;
        self
    }

    /// See [`RunnerSettings::forget_completed`].
    pub fn forget_completed(mut self, forget: bool) -> Self {
        self.settings.forget_completed = forget;
        self
    }

    /// See [`RunnerSettings::heartbeat_interval`].
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.settings.heartbeat_interval = interval;
        self
    }

    /// See [`RunnerSettings::drain_timeout`].
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.drain_timeout = timeout;
        self
    }

    /// See [`RunnerSettings::cancel_grace`].
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.settings.cancel_grace = grace;
        self
    }

    /// See [`RunnerSettings::handlers_interval`].
    pub fn handlers_interval(mut self, interval: Duration) -> Self {
        self.settings.handlers_interval = interval;
        self
    }

    /// See [`RunnerSettings::poll_only`].
    pub fn poll_only(mut self, poll_only: bool) -> Self {
        self.settings.poll_only = poll_only;
        self
    }

    /// The runner, not started yet.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting that is missing or makes no sense.
    pub fn build(self) -> Result<Runner, SettingsError> {
        let settings = &self.settings;
        if settings.runner_id.is_empty() || settings.runner_id.len() > 128 {
            return Err(SettingsError::RunnerId);
        }
        let intervals = [
            ("the poll interval", settings.poll_interval),
            ("the heartbeat interval", settings.heartbeat_interval),
            ("the handlers interval", settings.handlers_interval),
        ];
        if let Some((name, _)) = intervals.iter().find(|(_, interval)| interval.is_zero()) {
            return Err(SettingsError::Zero(name));
        }
        let catalog = self.catalog.clone().ok_or(SettingsError::NoHandlers)?;
        Ok(Runner::new(self, catalog))
    }
}
