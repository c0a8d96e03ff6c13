use super::leased::LeasedHost;
use super::recorder::Finished;
use super::{Phase, Shared};
use crate::catalog::HandlerSettings;
use crate::job::{Attempt, Outcome, Report, Transition, Usage, WAITS_MAX_DEFAULT, transition};
use crate::sandbox::{AttemptContext, Control, JobFacts, Limits};
use crate::store::{Claimed, Recording};
use crate::telemetry::{AttemptEnd, AttemptName, EventKind};
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
    let handler = shared.catalog.resolve(&job.handler);
    let report = match &handler {
        Some(handler) if shared.phase() == Phase::Running => {
            telemetry::attempt_started(name(&job));
            shared.events.tell(EventKind::Started, &job.lease.job_id, &job.handler, job.attempt);
            let heartbeat_timeout = job.heartbeat_timeout.or(handler.settings.limits.heartbeat_timeout);
            let context = AttemptContext {
                facts: facts(&job, handler.settings.limits.wall_max),
                input: job.input.clone(),
                checkpoint: job.checkpoint.clone(),
                limits: Limits { heartbeat_timeout, ..handler.settings.limits },
                grants: handler.settings.grants.clone(),
                config: handler.settings.config.clone(),
                host: host.clone(),
                control,
            };
            shared.catalog.sandbox().run(&handler.prepared, context).await
        }
        // The runner stops, or the handler went away after the claim: not the job's fault.
        _ => Report { outcome: Outcome::Released, usage: Usage::default() },
    };
    let settings = handler.as_ref().map(|handler| &handler.settings);
    let transition = judge(&job, report.outcome, settings, &report.usage);
    let recording = Recording {
        lease: job.lease.clone(),
        transition,
        usage: report.usage,
        progress: host.unwritten_progress(),
        ran: None,
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

fn judge(job: &Claimed, outcome: Outcome, settings: Option<&HandlerSettings>, usage: &Usage) -> Transition {
    let attempt = Attempt {
        number: job.attempt,
        max: job.max_attempts,
        retry: job.retry.or(settings.map(|settings| settings.retry)).unwrap_or_default(),
        waits: job.waits,
        waits_max: settings.map_or(WAITS_MAX_DEFAULT, |settings| settings.waits_max),
    };
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
        resumed_with: job.resumed_with.clone(),
        deadline_ms: Some(clock::unix_millis().saturating_add(wall_ms)),
        trace_parent: None,
    }
}
