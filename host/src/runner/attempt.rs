use super::leased::LeasedHost;
use super::recorder::{Finished, Recordings};
use super::{Active, Entered, Phase, Shared, ahead};
use crate::catalog::{Handler, HandlerSettings, VersionFault};
use crate::job::{
    Attempt, ErrorCode, JobError, Outcome, Report, Transition, Usage, WAITS_MAX_DEFAULT, transition,
};
use crate::sandbox::{AttemptContext, JobFacts, Limits, Seat};
use crate::store::Claimed;
use crate::telemetry::{AttemptEnd, AttemptName, EventKind};
use crate::{clock, telemetry};
use std::sync::Arc;
use std::time::Duration;

/// Another runner may have the version that this one has not.
const ELSEWHERE_PAUSE: Duration = Duration::from_secs(5);

/// One attempt, from its place to the recorder. Runs where guests run.
pub(super) async fn run(shared: &Arc<Shared>, entered: Entered, recordings: &Recordings, seat: &Seat) {
    let job = &entered.active.job;
    let host = Arc::new(LeasedHost::new(shared.clone(), entered.active.clone()));
    let resolved = tokio::select! {
        biased;
        resolved = resolve(shared, job) => resolved,
        // Nobody waits for a version that is still being loaded.
        () = shared.reached(Phase::Releasing) => Err(Missing::Handler),
    };
    let (handler, report) = match resolved {
        Ok(handler) if shared.phase() == Phase::Running && !ahead::is_off(&entered.active) => {
            let report = begin(shared, &entered.active, &handler, host.clone(), seat).await;
            (Some(handler), report)
        }
        Err(Missing::Version(fault)) => {
            let error = JobError::host(ErrorCode::HandlerLoadFailed, fault.to_string());
            (None, unbegun(Outcome::Postponed { error, after: fault.after }))
        }
        // The runner stops, the job was called off, or the handler went away after the claim: not the job's fault.
        _ => (None, unbegun(Outcome::Released)),
    };
    let settings = handler.as_ref().map(|handler| &handler.settings);
    let transition = judge(job, report.outcome, settings, &report.usage);
    let keep = !(shared.settings.forget_completed && matches!(transition, Transition::Complete(_)));
    let (usage, progress) = (report.usage, host.unwritten_progress());
    // Nobody records any more when the runner is over; then the reaper takes the job.
    let _ = recordings.send(Finished { entered, transition, usage, progress, handler, keep });
}

fn unbegun(outcome: Outcome) -> Report {
    Report { outcome, usage: Usage::default() }
}

/// Runs the guest.
async fn begin(
    shared: &Shared,
    active: &Active,
    handler: &Handler,
    host: Arc<LeasedHost>,
    seat: &Seat,
) -> Report {
    let Active { job, control, .. } = active;
    if let Some(error) = handler.input_error(&job.input).await {
        return unbegun(Outcome::Fatal(error));
    }
    telemetry::attempt_started(name(job));
    shared.events.tell(EventKind::Started, &job.lease.job_id, &job.handler, job.attempt);
    let settings = &handler.settings;
    let heartbeat_timeout = job.heartbeat_timeout.or(settings.limits.heartbeat_timeout);
    let context = AttemptContext {
        facts: facts(job, settings.limits.wall_max),
        input: job.input.clone(),
        checkpoint: job.checkpoint.clone(),
        limits: Limits { heartbeat_timeout, ..settings.limits },
        grants: settings.grants.clone(),
        config: settings.config.clone(),
        host,
        control: control.clone(),
        playback: None,
    };
    let report = seat.run(&handler.prepared, context).await;
    handler.judged(report).await
}

/// Why there is no code for a job that was claimed.
enum Missing {
    /// The handler was taken out after the claim.
    Handler,
    /// The job names a version that is not to be had.
    Version(VersionFault),
}

/// The one version that the whole attempt runs.
async fn resolve(shared: &Shared, job: &Claimed) -> Result<Arc<Handler>, Missing> {
    let Some(version) = &job.pinned_version else {
        return shared.catalog.resolve_for(&job.handler, &job.lease.job_id).ok_or(Missing::Handler);
    };
    if let Some(stored) = shared.stored.clone() {
        let (handler, version) = (job.handler.clone(), version.clone());
        // It may read the database.
        let found = shared.runtime().spawn(async move { stored.pinned(&handler, &version).await }).await;
        return found.map_or(Err(Missing::Handler), |found| found.map_err(Missing::Version));
    }
    let why = "this runner has another version, and takes none from the database";
    shared.catalog.version(&job.handler, version).ok_or_else(|| {
        let (handler, version, why) = (job.handler.clone(), version.clone(), why.to_owned());
        Missing::Version(VersionFault { handler, version, why, after: ELSEWHERE_PAUSE })
    })
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

fn facts(job: &Claimed, wall_max: Duration) -> JobFacts {
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
