//! A store that ends its own process at one call, as a power cut would: nothing of it runs on.

mod handlers;

use super::moment::{Moment, Point};
use async_trait::async_trait;
use flowmonkey_jobs::job::{Job, JsonText, Keep, Lease, NewJob, Progress};
use flowmonkey_jobs::store::{
    Changed, Claim, ClaimRequest, ContextFault, Created, DueSchedules, EffectFault, EffectStore, Execution,
    ExecutionStore, Firing, GuestStore, HandlerStats, JobStore, LeaseState, LeaseStore, ListFilter,
    NewSchedule, Notices, Reaped, Recorded, Recording, Retention, RetryFilter, RunnerRow, Schedule,
    ScheduleStore, SharedStore, StoreError,
};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fmt::Debug;
use std::io::Write;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

/// What stands before the note that the dying process leaves on its standard output.
pub(crate) const NOTE: &str = "crash-point ";

/// Passes every call on, but for the one at which it kills its process.
pub(crate) struct Killer {
    inner: SharedStore,
    point: Point,
    seen: AtomicU32,
    /// Jobs that do a step of an execution.
    steps: Mutex<HashSet<String>>,
}

/// A call that writes: its names, and what the parent looks for once the process is dead.
pub(crate) struct Call {
    names: Vec<String>,
    note: Value,
}

impl Call {
    pub(crate) fn named(name: &str) -> Self {
        Call { names: vec![name.into()], note: json!({ "leases": [] }) }
    }

    /// A call under leases; `wrote` is what can be found in the database after it.
    fn leased<'a>(name: &str, leases: impl IntoIterator<Item = &'a Lease>, wrote: Value) -> Self {
        let leases: Vec<_> = leases.into_iter().map(|one| (&one.job_id, &one.instance_id)).collect();
        Call { names: vec![name.into()], note: json!({ "leases": leases, "wrote": wrote }) }
    }
}

impl Killer {
    pub(crate) fn new(inner: SharedStore, point: Point) -> Self {
        Killer { inner, point, seen: AtomicU32::new(0), steps: Mutex::default() }
    }

    pub(crate) async fn pass<T, E: Debug>(
        &self,
        call: Call,
        inner: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let is_named = call.names.iter().any(|name| name == self.point.call);
        if !is_named || self.seen.fetch_add(1, Ordering::SeqCst) + 1 != self.point.nth {
            return inner.await;
        }
        match self.point.moment {
            Moment::Before => die(&call, false),
            Moment::During(waits) => {
                let (mut inner, mut waited) = (pin!(inner), 0);
                let ended = std::future::poll_fn(|context| {
                    waited += 1;
                    match inner.as_mut().poll(context) {
                        Poll::Pending if waited < waits => Poll::Pending,
                        polled => Poll::Ready(polled.is_ready()),
                    }
                });
                die(&call, ended.await)
            }
            Moment::After => {
                inner.await.unwrap();
                die(&call, true)
            }
        }
    }
}

impl Killer {
    /// Of several outcomes that are recorded together, the note names those of the point's kind.
    fn recording(&self, recordings: &[Recording]) -> Call {
        let steps = self.steps.lock().unwrap();
        let names = |one: &Recording| {
            let name = format!("record {}", one.transition.label());
            let of_a_step = steps.contains(&one.lease.job_id).then(|| format!("{name} of a step"));
            std::iter::once(name).chain(of_a_step).collect::<Vec<_>>()
        };
        let hit = recordings.iter().filter(|one| names(one).iter().any(|name| name == self.point.call));
        let call = Call::leased("record", hit.map(|one| &one.lease), Value::Null);
        Call { names: recordings.iter().flat_map(names).collect(), ..call }
    }
}

fn die(call: &Call, ended: bool) -> ! {
    let mut note = call.note.clone();
    note["ended"] = json!(ended);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{NOTE}{note}").unwrap();
    out.flush().unwrap();
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    loop {
        std::thread::park();
    }
}

#[async_trait]
impl JobStore for Killer {
    async fn create(&self, job: NewJob) -> Result<Created, StoreError> {
        self.pass(Call::named("create"), self.inner.create(job)).await
    }

    async fn create_many(&self, jobs: Vec<NewJob>) -> Result<Vec<Created>, StoreError> {
        self.pass(Call::named("create_many"), self.inner.create_many(jobs)).await
    }

    async fn get(&self, id: &str) -> Result<Option<Job>, StoreError> {
        self.inner.get(id).await
    }

    async fn list(&self, filter: &ListFilter) -> Result<Vec<Job>, StoreError> {
        self.inner.list(filter).await
    }

    async fn find_stalled(&self, older_than: Duration, limit: u32) -> Result<Vec<Job>, StoreError> {
        self.inner.find_stalled(older_than, limit).await
    }

    async fn cancel(&self, id: &str) -> Result<Changed, StoreError> {
        self.pass(Call::named("cancel"), self.inner.cancel(id)).await
    }

    async fn retry(&self, id: &str) -> Result<Changed, StoreError> {
        self.pass(Call::named("retry"), self.inner.retry(id)).await
    }

    async fn retry_many(&self, filter: &RetryFilter) -> Result<u64, StoreError> {
        self.pass(Call::named("retry_many"), self.inner.retry_many(filter)).await
    }

    async fn resume(&self, id: &str, payload: Option<&JsonText>) -> Result<Changed, StoreError> {
        self.pass(Call::named("resume"), self.inner.resume(id, payload)).await
    }

    async fn runners(&self, older_than: Duration) -> Result<Vec<RunnerRow>, StoreError> {
        self.inner.runners(older_than).await
    }

    async fn stats(&self) -> Result<Vec<HandlerStats>, StoreError> {
        self.inner.stats().await
    }

    async fn listen(&self) -> Result<Notices, StoreError> {
        self.inner.listen().await
    }
}

#[async_trait]
impl LeaseStore for Killer {
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, StoreError> {
        let claim = self.pass(Call::named("claim"), self.inner.claim(request)).await?;
        let steps = claim.jobs.iter().filter(|job| job.step_id.is_some());
        self.steps.lock().unwrap().extend(steps.map(|job| job.lease.job_id.clone()));
        Ok(claim)
    }

    /// A beat for nothing is none.
    async fn heartbeat(&self, leases: &[Lease]) -> Result<Vec<LeaseState>, StoreError> {
        let name = if leases.is_empty() { "heartbeat for nothing" } else { "heartbeat" };
        self.pass(Call::leased(name, leases, Value::Null), self.inner.heartbeat(leases)).await
    }

    async fn lease_states(&self, leases: &[Lease]) -> Result<Vec<LeaseState>, StoreError> {
        self.inner.lease_states(leases).await
    }

    async fn record(&self, recordings: &[Recording]) -> Result<Vec<Recorded>, StoreError> {
        self.pass(self.recording(recordings), self.inner.record(recordings)).await
    }

    async fn reap(&self, older_than: Duration, limit: u32) -> Result<Vec<Reaped>, StoreError> {
        self.pass(Call::named("reap"), self.inner.reap(older_than, limit)).await
    }

    async fn purge(&self, retention: &Retention, limit: u32) -> Result<u64, StoreError> {
        self.pass(Call::named("purge"), self.inner.purge(retention, limit)).await
    }

    async fn forget_expired(&self, limit: u32) -> Result<u64, StoreError> {
        self.pass(Call::named("forget_expired"), self.inner.forget_expired(limit)).await
    }

    async fn announce(&self, runner: &RunnerRow) -> Result<(), StoreError> {
        self.pass(Call::named("announce"), self.inner.announce(runner)).await
    }

    async fn withdraw(&self, runner_id: &str) -> Result<(), StoreError> {
        self.pass(Call::named("withdraw"), self.inner.withdraw(runner_id)).await
    }
}

#[async_trait]
impl GuestStore for Killer {
    async fn save_checkpoint(&self, lease: &Lease, key: &str, value: &JsonText) -> Result<(), StoreError> {
        let call = Call::leased("save_checkpoint", [lease], json!([key, parsed(value)]));
        self.pass(call, self.inner.save_checkpoint(lease, key, value)).await
    }

    async fn delete_checkpoint(&self, lease: &Lease, key: &str) -> Result<(), StoreError> {
        let call = Call::leased("delete_checkpoint", [lease], json!([key]));
        self.pass(call, self.inner.delete_checkpoint(lease, key)).await
    }

    async fn clear_checkpoints(&self, lease: &Lease) -> Result<(), StoreError> {
        let call = Call::leased("clear_checkpoints", [lease], Value::Null);
        self.pass(call, self.inner.clear_checkpoints(lease)).await
    }

    async fn progress(&self, lease: &Lease, progress: &Progress) -> Result<(), StoreError> {
        let call = Call::leased("progress", [lease], json!(progress.message));
        self.pass(call, self.inner.progress(lease, progress)).await
    }

    async fn context_value(&self, lease: &Lease, key: &str) -> Result<Option<JsonText>, ContextFault> {
        self.inner.context_value(lease, key).await
    }

    async fn context_keys(&self, lease: &Lease) -> Result<Vec<String>, ContextFault> {
        self.inner.context_keys(lease).await
    }

    async fn set_context(&self, lease: &Lease, key: &str, value: &JsonText) -> Result<(), ContextFault> {
        let call = Call::leased("set_context", [lease], json!([key, parsed(value)]));
        self.pass(call, self.inner.set_context(lease, key, value)).await
    }

    async fn delete_context(&self, lease: &Lease, key: &str) -> Result<(), ContextFault> {
        let call = Call::leased("delete_context", [lease], json!([key]));
        self.pass(call, self.inner.delete_context(lease, key)).await
    }
}

#[async_trait]
impl EffectStore for Killer {
    async fn create_child(
        &self,
        lease: &Lease,
        job: NewJob,
        pending_max: u32,
    ) -> Result<Created, EffectFault> {
        let key = job.unique.as_ref().map(|unique| unique.key.clone());
        let call = Call::leased("create_child", [lease], json!([key]));
        self.pass(call, self.inner.create_child(lease, job, pending_max)).await
    }

    async fn look_up_idempotency(&self, lease: &Lease, key: &str) -> Result<Option<JsonText>, EffectFault> {
        self.inner.look_up_idempotency(lease, key).await
    }

    async fn record_idempotency(
        &self,
        lease: &Lease,
        key: &str,
        value: &JsonText,
        keep: Keep,
    ) -> Result<(), EffectFault> {
        let call = Call::leased("record_idempotency", [lease], json!([key, parsed(value)]));
        self.pass(call, self.inner.record_idempotency(lease, key, value, keep)).await
    }
}

fn parsed(text: &JsonText) -> Value {
    serde_json::from_str(text.as_str()).unwrap()
}

#[async_trait]
impl ExecutionStore for Killer {
    async fn execution(&self, id: &str) -> Result<Option<Execution>, StoreError> {
        self.inner.execution(id).await
    }

    async fn by_execution(&self, execution_id: &str) -> Result<Vec<Job>, StoreError> {
        self.inner.by_execution(execution_id).await
    }

    async fn cancel_execution(&self, id: &str) -> Result<bool, StoreError> {
        self.pass(Call::named("cancel_execution"), self.inner.cancel_execution(id)).await
    }
}

#[async_trait]
impl ScheduleStore for Killer {
    async fn now(&self) -> Result<i64, StoreError> {
        self.inner.now().await
    }

    async fn put_schedule(&self, schedule: &NewSchedule, next_at: Option<i64>) -> Result<(), StoreError> {
        self.pass(Call::named("put_schedule"), self.inner.put_schedule(schedule, next_at)).await
    }

    async fn schedules(&self) -> Result<Vec<Schedule>, StoreError> {
        self.inner.schedules().await
    }

    async fn schedule(&self, name: &str) -> Result<Option<Schedule>, StoreError> {
        self.inner.schedule(name).await
    }

    async fn pause_schedule(&self, name: &str) -> Result<bool, StoreError> {
        self.pass(Call::named("pause_schedule"), self.inner.pause_schedule(name)).await
    }

    async fn resume_schedule(&self, name: &str, next_at: Option<i64>) -> Result<bool, StoreError> {
        self.pass(Call::named("resume_schedule"), self.inner.resume_schedule(name, next_at)).await
    }

    async fn remove_schedule(&self, name: &str) -> Result<bool, StoreError> {
        self.pass(Call::named("remove_schedule"), self.inner.remove_schedule(name)).await
    }

    async fn due_schedules(&self, limit: u32) -> Result<DueSchedules, StoreError> {
        self.inner.due_schedules(limit).await
    }

    async fn fire(&self, firing: &Firing<'_>) -> Result<bool, StoreError> {
        self.pass(Call::named("fire"), self.inner.fire(firing)).await
    }
}
