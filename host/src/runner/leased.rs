mod fault;

use super::{Active, Shared};
use crate::job::{JsonText, Keep, Lease, NewJob, Progress};
use crate::sandbox::{AttemptHost, Directive, HostFault, LogLevel};
use crate::store::{SharedStore, StoreError};
use crate::telemetry::{self, AttemptName, EventKind};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Progress is written at most this often; the last report is written in any case.
const PROGRESS_PAUSE: Duration = Duration::from_millis(250);

/// What a guest's calls reach: the store, under the attempt's lease and nothing else.
///
/// Guests run on a runtime of their own, and the store's connections belong to the host's: so each
/// call is handed over to the host's runtime and awaited from there.
pub(super) struct LeasedHost {
    shared: Arc<Shared>,
    active: Arc<Active>,
    progress: Arc<Mutex<Reports>>,
}

#[derive(Default)]
struct Reports {
    /// The last report.
    last: Option<Progress>,
    /// How many there were, and up to which they are written.
    reported: u64,
    written: u64,
    writing: bool,
}

impl LeasedHost {
    pub(super) fn new(shared: Arc<Shared>, active: Arc<Active>) -> Self {
        LeasedHost { shared, active, progress: Arc::default() }
    }

    /// The last report, unless it is written for certain; the record writes it then.
    pub(super) fn unwritten_progress(&self) -> Option<Progress> {
        let reports = lock(&self.progress);
        reports.last.clone().filter(|_| reports.written < reports.reported)
    }

    /// Runs a call of the store on the host's runtime.
    async fn call<T, E, F>(&self, call: impl FnOnce(SharedStore, Lease) -> F) -> Result<T, HostFault>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Into<HostFault> + Send + 'static,
    {
        let call = call(self.shared.store.clone(), self.active.job.lease.clone());
        let call = AbortOnDrop(self.shared.runtime().spawn(call));
        let result = call.join().await.map_err(HostFault::Other)?.map_err(Into::into);
        if matches!(result, Err(HostFault::LeaseLost)) {
            self.active.control.tell(Directive::Cancel);
        }
        result
    }

    /// Whether another handler can be called with this, as far as this runner has it.
    async fn check_input(&self, job: &NewJob) -> Result<(), HostFault> {
        let Some(handler) = self.shared.catalog.resolve(&job.handler) else { return Ok(()) };
        if !handler.schemas.has_input() {
            return Ok(());
        }
        let input = job.input.clone();
        let checked = self.shared.runtime().spawn_blocking(move || handler.schemas.input_error(&input)).await;
        match checked.map_err(|error| HostFault::Other(error.to_string()))? {
            Some(error) => Err(HostFault::Invalid(error.message)),
            None => Ok(()),
        }
    }

    fn tell(&self, kind: EventKind) {
        let job = &self.active.job;
        self.shared.events.tell(kind, &job.lease.job_id, &job.handler, job.attempt);
    }
}

#[async_trait]
impl AttemptHost for LeasedHost {
    async fn save_checkpoint(&self, key: &str, value: &JsonText) -> Result<(), HostFault> {
        let (owned, value) = (key.to_owned(), value.clone());
        self.call(|store, lease| async move { store.save_checkpoint(&lease, &owned, &value).await }).await?;
        self.tell(EventKind::Checkpoint { key: Some(key.to_owned()) });
        Ok(())
    }

    async fn delete_checkpoint(&self, key: &str) -> Result<(), HostFault> {
        let owned = key.to_owned();
        self.call(|store, lease| async move { store.delete_checkpoint(&lease, &owned).await }).await?;
        self.tell(EventKind::Checkpoint { key: Some(key.to_owned()) });
        Ok(())
    }

    async fn clear_checkpoints(&self) -> Result<(), HostFault> {
        self.call(|store, lease| async move { store.clear_checkpoints(&lease).await }).await?;
        self.tell(EventKind::Checkpoint { key: None });
        Ok(())
    }

    async fn context_value(&self, key: &str) -> Result<Option<JsonText>, HostFault> {
        let key = key.to_owned();
        self.call(|store, lease| async move { store.context_value(&lease, &key).await }).await
    }

    async fn context_keys(&self) -> Result<Vec<String>, HostFault> {
        self.call(|store, lease| async move { store.context_keys(&lease).await }).await
    }

    async fn set_context(&self, key: &str, value: &JsonText) -> Result<(), HostFault> {
        let (key, value) = (key.to_owned(), value.clone());
        self.call(|store, lease| async move { store.set_context(&lease, &key, &value).await }).await
    }

    async fn delete_context(&self, key: &str) -> Result<(), HostFault> {
        let key = key.to_owned();
        self.call(|store, lease| async move { store.delete_context(&lease, &key).await }).await
    }

    async fn enqueue(&self, job: NewJob, pending_max: u32) -> Result<String, HostFault> {
        self.check_input(&job).await?;
        let create =
            |store: SharedStore, lease| async move { store.create_child(&lease, job, pending_max).await };
        let created = self.call(create).await?;
        let (job_id, handler) = (created.job.id, created.job.handler);
        if created.is_new {
            self.tell(EventKind::Enqueued { job_id: job_id.clone(), handler });
        }
        Ok(job_id)
    }

    async fn look_up_idempotency(&self, key: &str) -> Result<Option<JsonText>, HostFault> {
        let key = key.to_owned();
        self.call(|store, lease| async move { store.look_up_idempotency(&lease, &key).await }).await
    }

    async fn record_idempotency(&self, key: &str, value: &JsonText, keep: Keep) -> Result<(), HostFault> {
        let (key, value) = (key.to_owned(), value.clone());
        self.call(|store, lease| async move { store.record_idempotency(&lease, &key, &value, keep).await })
            .await
    }

    fn progress(&self, progress: Progress) {
        self.tell(EventKind::Progress { percent: progress.percent, message: progress.message.clone() });
        let mut reports = lock(&self.progress);
        reports.last = Some(progress);
        reports.reported += 1;
        if reports.writing {
            return;
        }
        reports.writing = true;
        drop(reports);
        let (store, lease, reports) =
            (self.shared.store.clone(), self.active.job.lease.clone(), self.progress.clone());
        let control = self.active.control.clone();
        self.shared.runtime().spawn(async move {
            if write_progress(&*store, &lease, &reports).await == Err(HostFault::LeaseLost) {
                control.tell(Directive::Cancel);
            }
        });
    }

    fn log(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        let job = &self.active.job;
        let name = AttemptName { job_id: &job.lease.job_id, handler: &job.handler, attempt: job.attempt };
        telemetry::guest_line(name, level.as_str(), message, fields);
    }
}

/// Writes until there is nothing new. What cannot be written stays for the record.
async fn write_progress(
    store: &dyn crate::store::Store,
    lease: &Lease,
    reports: &Mutex<Reports>,
) -> Result<(), HostFault> {
    loop {
        let (progress, number) = {
            let mut reports = lock(reports);
            let next = reports.last.clone().filter(|_| reports.written < reports.reported);
            reports.writing = next.is_some();
            let Some(progress) = next else { return Ok(()) };
            (progress, reports.reported)
        };
        match store.progress(lease, &progress).await {
            Ok(()) => lock(reports).written = number,
            Err(StoreError::LeaseLost) => return Err(HostFault::LeaseLost),
            Err(_) => {}
        }
        tokio::time::sleep(PROGRESS_PAUSE).await;
    }
}

fn lock(reports: &Mutex<Reports>) -> std::sync::MutexGuard<'_, Reports> {
    reports.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A guest that is interrupted while it waits for the store leaves no call behind.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    async fn join(mut self) -> Result<T, String> {
        (&mut self.0).await.map_err(|error| error.to_string())
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
