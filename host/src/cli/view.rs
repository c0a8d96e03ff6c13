//! Jobs as JSON for programs: the columns' names, with payloads as they are.

use flowmonkey_jobs::job::{HistoryEntry, Job, JobError, JsonText, Progress, RetryPolicy, Status, Waiting};
use serde::Serialize;

/// What `--json` prints of a job. Fields may be added; none is renamed or removed.
#[derive(Debug, Serialize)]
pub(super) struct JobView<'a> {
    id: &'a str,
    handler: &'a str,
    status: Status,
    attempts: u32,
    max_attempts: u32,
    waits: u32,
    resumed_with: Option<&'a JsonText>,
    retry: Option<&'a RetryPolicy>,
    heartbeat_timeout_ms: Option<i64>,
    unique_key: Option<&'a str>,
    pinned_version: Option<&'a str>,
    schedule: Option<&'a str>,
    priority: i16,
    run_at: Option<i64>,
    waiting: Option<&'a Waiting>,
    progress: Option<&'a Progress>,
    result: Option<&'a JsonText>,
    error: Option<&'a JobError>,
    history: &'a [HistoryEntry],
    runner_id: Option<&'a str>,
    instance_id: Option<&'a str>,
    heartbeat_at: Option<i64>,
    execution_id: Option<&'a str>,
    step_id: Option<&'a str>,
    created_at: i64,
    updated_at: i64,
    /// Left out of lists, where it would be most of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<&'a JsonText>,
    /// Why nothing happens to a pending job, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

impl<'a> JobView<'a> {
    pub(super) fn brief(job: &'a Job) -> Self {
        JobView {
            id: &job.id,
            handler: &job.handler,
            status: job.status,
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            waits: job.waits,
            resumed_with: job.resumed_with.as_ref(),
            retry: job.retry.as_ref(),
            heartbeat_timeout_ms: job.heartbeat_timeout_ms,
            unique_key: job.unique_key.as_deref(),
            pinned_version: job.pinned_version.as_deref(),
            schedule: job.schedule.as_deref(),
            priority: job.priority,
            run_at: job.run_at,
            waiting: job.waiting.as_ref(),
            progress: job.progress.as_ref(),
            result: job.result.as_ref(),
            error: job.error.as_ref(),
            history: &job.history,
            runner_id: job.runner_id.as_deref(),
            instance_id: job.instance_id.as_deref(),
            heartbeat_at: job.heartbeat_at,
            execution_id: job.execution_id.as_deref(),
            step_id: job.step_id.as_deref(),
            created_at: job.created_at,
            updated_at: job.updated_at,
            input: None,
            checkpoint: None,
            note: None,
        }
    }

    pub(super) fn whole(job: &'a Job, note: Option<&'a str>) -> Self {
        JobView { input: Some(&job.input), checkpoint: job.checkpoint.as_ref(), note, ..JobView::brief(job) }
    }
}

pub(super) fn print<T: Serialize>(value: &T) -> anyhow::Result<()> {
    say!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
