use super::leased::LeasedHost;
use super::recorder::Finished;
use super::{Phase, Shared};
use crate::job::{Attempt, Outcome, Report, RetryPolicy, Transition, Usage, transition};
use crate::sandbox::{AttemptContext, Control, JobFacts};
use crate::store::{Claimed, Recording};
use crate::telemetry::{AttemptEnd, AttemptName};
use crate::{clock, telemetry};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// One attempt, from the claim to the record. The lease is kept alive until the record stands.
pub(super) async fn run(
    shared: Arc<Shared>,
    job: Claimed,
    control: Control,
    recordings: mpsc::Sender<Finished>,
) {
    let finished = Entered { shared: &shared, job: &job };
    let host = Arc::new(LeasedHost::new(&shared, &job, control.clone()));
    let (report, retry) = match shared.catalog.resolve(&job.handler) {
        Some(handler) if shared.phase() == Phase::Running => {
            telemetry::attempt_started(name(&job));
            let context = AttemptContext {
                facts: facts(&job, handler.settings.limits.wall_max),
                input: job.input.clone(),
                checkpoint: job.checkpoint.clone(),
                limits: handler.settings.limits,
                host: host.clone(),
                control,
            };
            (shared.catalog.sandbox().run(&handler.prepared, context).await, handler.settings.retry)
        }
        // The runner stops, or the handler went away after the claim: not the job's fault.
        _ => (Report { outcome: Outcome::Released, usage: Usage::default() }, RetryPolicy::default()),
    };
    let transition = judge(&job, report.outcome, retry, &report.usage);
    let recording = Recording {
        lease: job.lease.clone(),
        transition,
        usage: report.usage,
        progress: host.unwritten_progress(),
    };
    let (done, recorded) = oneshot::channel();
    let sent = recordings
        .send(Finished { recording, handler: job.handler.clone(), attempt: job.attempt, done })
        .await;
    if sent.is_ok() {
        let _ = recorded.await;
    }
    drop(finished);
}

fn judge(job: &Claimed, outcome: Outcome, retry: RetryPolicy, usage: &Usage) -> Transition {
    let attempt = Attempt { number: job.attempt, max: job.max_attempts, retry };
    let transition = transition(&attempt, outcome, rand::random());
    let Usage { fuel, memory_bytes, wall_us } = *usage;
    let error = transition.error().map(|error| error as &dyn std::fmt::Display);
    let end = AttemptEnd { outcome: transition.label(), error, fuel, memory_bytes, wall_us };
    telemetry::attempt_finished(name(job), &end);
    transition
}

fn name(job: &Claimed) -> AttemptName<'_> {
    AttemptName { job_id: &job.lease.job_id, handler: &job.handler, attempt: job.attempt }
}

/// Leaves the set of active attempts however the attempt ends, a panic of ours included.
struct Entered<'a> {
    shared: &'a Shared,
    job: &'a Claimed,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.shared.leave(&self.job.lease);
    }
}

fn facts(job: &Claimed, wall_max: std::time::Duration) -> JobFacts {
    let wall_ms = u64::try_from(wall_max.as_millis()).unwrap_or(u64::MAX);
    JobFacts {
        id: job.lease.job_id.clone(),
        handler: job.handler.clone(),
        execution_id: job.execution_id.clone(),
        step_id: job.step_id.clone(),
        attempt: job.attempt,
        max_attempts: job.max_attempts,
        deadline_ms: Some(clock::unix_millis().saturating_add(wall_ms)),
        trace_parent: None,
    }
}
