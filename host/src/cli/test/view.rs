//! Trials as JSON for programs. Fields may be added; none is renamed or removed.

use super::Ended;
use super::expect::{self, Ending, Miss};
use super::subject::Tried;
use flowmonkey_jobs::job::{JobError, JsonText, NewJob, Outcome, Progress, Start, Usage, Wake};
use flowmonkey_jobs::sandbox::MadeRequest;
use flowmonkey_jobs::trial::{TrialLine, Values};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What `--json` prints of one attempt.
#[derive(Debug, Serialize)]
pub(super) struct TrialView<'a> {
    handler: &'a str,
    version: &'a str,
    outcome: &'static str,
    result: Option<&'a JsonText>,
    error: Option<&'a JobError>,
    /// When the handler would be tried again, by its own word.
    after_ms: Option<u64>,
    wait: Option<WaitView<'a>>,
    usage: &'a Usage,
    calls: &'a BTreeMap<&'static str, u64>,
    log: Vec<LineView<'a>>,
    progress: &'a [Progress],
    checkpoint: &'a Values,
    context: Option<&'a Values>,
    idempotency: &'a Values,
    enqueued: Vec<CreatedView<'a>>,
    requests: Vec<RequestView<'a>>,
    notes: &'a [String],
}

#[derive(Debug, Serialize)]
struct WaitView<'a> {
    at: Option<i64>,
    after_ms: Option<u64>,
    signal: Option<&'a str>,
    reason: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct LineView<'a> {
    level: &'static str,
    message: &'a str,
    fields: BTreeMap<&'a str, &'a str>,
}

#[derive(Debug, Serialize)]
struct CreatedView<'a> {
    id: &'a str,
    handler: &'a str,
    input: &'a JsonText,
    priority: i16,
    max_attempts: u32,
    delay_ms: Option<u64>,
    run_at: Option<i64>,
    unique_key: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct RequestView<'a> {
    method: &'a str,
    url: &'a str,
    status: Option<u16>,
    error: Option<&'a str>,
}

/// What `--json` prints of cases.
#[derive(Debug, Serialize)]
pub(super) struct SuiteView<'a> {
    passed: usize,
    failed: usize,
    cases: Vec<CaseView<'a>>,
}

#[derive(Debug, Serialize)]
struct CaseView<'a> {
    name: &'a str,
    ok: bool,
    misses: &'a [Miss],
    attempt: TrialView<'a>,
}

impl<'a> TrialView<'a> {
    pub(super) fn of(tried: &'a Tried) -> Self {
        let Tried { handler, version, report, notes } = tried;
        let outcome = &report.outcome;
        let (result, after) = match outcome {
            Outcome::Success(result) => (result.as_ref(), None),
            Outcome::Retryable { after, .. } => (None, *after),
            _ => (None, None),
        };
        TrialView {
            handler,
            version,
            outcome: Ending::of(outcome).as_str(),
            result,
            error: expect::error(outcome),
            after_ms: after.map(millis),
            wait: WaitView::of(outcome),
            usage: &report.usage,
            calls: &report.calls,
            log: report.lines.iter().map(LineView::of).collect(),
            progress: &report.progress,
            checkpoint: &report.checkpoint,
            context: report.context.as_ref(),
            idempotency: &report.idempotency,
            enqueued: report.enqueued.iter().map(|(id, job)| CreatedView::of(id, job)).collect(),
            requests: report.requests.iter().map(RequestView::of).collect(),
            notes,
        }
    }
}

impl<'a> WaitView<'a> {
    fn of(outcome: &'a Outcome) -> Option<Self> {
        let Outcome::Wait { until, reason } = outcome else { return None };
        let reason = reason.as_deref();
        let view = WaitView { at: None, after_ms: None, signal: None, reason };
        Some(match until {
            Wake::At(at) => WaitView { at: Some(*at), ..view },
            Wake::After(pause) => WaitView { after_ms: Some(millis(*pause)), ..view },
            Wake::Signal(name) => WaitView { signal: Some(name), ..view },
        })
    }
}

impl<'a> LineView<'a> {
    fn of(line: &'a TrialLine) -> Self {
        let fields = line.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        LineView { level: line.level.as_str(), message: &line.message, fields }
    }
}

impl<'a> CreatedView<'a> {
    fn of(id: &'a str, job: &'a NewJob) -> Self {
        let (delay_ms, run_at) = match job.start {
            Start::Now => (None, None),
            Start::After(delay) => (Some(millis(delay)), None),
            Start::At(at) => (None, Some(at)),
        };
        CreatedView {
            id,
            handler: &job.handler,
            input: &job.input,
            priority: job.priority,
            max_attempts: job.max_attempts,
            delay_ms,
            run_at,
            unique_key: job.unique.as_ref().map(|unique| unique.key.as_str()),
        }
    }
}

impl<'a> RequestView<'a> {
    fn of(request: &'a MadeRequest) -> Self {
        let MadeRequest { method, url, status, error } = request;
        RequestView { method, url, status: *status, error: error.as_deref() }
    }
}

impl<'a> SuiteView<'a> {
    pub(super) fn of(ended: &'a [Ended]) -> Self {
        let view = |one: &'a Ended| CaseView {
            name: &one.name,
            ok: one.is_ok(),
            misses: &one.misses,
            attempt: TrialView::of(&one.tried),
        };
        let passed = ended.iter().filter(|one| one.is_ok()).count();
        SuiteView { passed, failed: ended.len() - passed, cases: ended.iter().map(view).collect() }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
