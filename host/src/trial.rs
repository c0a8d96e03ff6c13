//! One attempt without a store: to try a handler out. What it would write goes to memory, by the store's rules,
//! and all that it did is told.

mod host;

use crate::catalog::Handler;
use crate::clock;
use crate::job::{JsonText, MAX_ATTEMPTS_DEFAULT, NewJob, Outcome, Progress, Report, Usage};
use crate::sandbox::{
    AttemptContext, Control, Directive, JobFacts, Limits, LogLevel, MadeRequest, Playback, Sandbox,
};
use host::TrialHost;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The id of every trial's job: always the same, so that what follows from it is.
pub const JOB_ID: &str = "test-job";
/// The execution of a trial that has a context.
pub const EXECUTION_ID: &str = "test-execution";
/// The step of that execution.
pub const STEP_ID: &str = "test-step";

/// Values by their keys.
pub type Values = BTreeMap<String, JsonText>;

/// An attempt to be tried.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What the handler is called with.
    pub input: JsonText,
    /// Which attempt of its job it is; the first is 1.
    pub attempt: u32,
    /// How many attempts the job has in all.
    pub max_attempts: u32,
    /// What earlier attempts saved.
    pub checkpoint: Values,
    /// What the job was resumed with after its last wait.
    pub resumed_with: Option<JsonText>,
    /// What the handler is told from the start.
    pub directive: Directive,
    /// The context of the job's execution; none, and the job belongs to no execution.
    pub context: Option<Values>,
    /// What the handler's jobs recorded before.
    pub idempotency: Values,
    /// What answers its HTTP requests before the network does.
    pub playback: Option<Arc<Playback>>,
}

impl Trial {
    /// The first attempt of a job with this input, with nothing saved and nobody who stops it.
    pub fn new(input: JsonText) -> Self {
        Trial {
            input,
            attempt: 1,
            max_attempts: MAX_ATTEMPTS_DEFAULT,
            checkpoint: Values::new(),
            resumed_with: None,
            directive: Directive::Proceed,
            context: None,
            idempotency: Values::new(),
            playback: None,
        }
    }
}

/// What an attempt came to and what it did.
#[derive(Debug, Clone)]
pub struct TrialReport {
    /// How it ended. [`Outcome::Released`] is what a handler that was told to stop returns as `cancelled`.
    pub outcome: Outcome,
    /// What it cost.
    pub usage: Usage,
    /// Its log, with the lines of stdout and stderr.
    pub lines: Vec<TrialLine>,
    /// How far it said it was: the last hundred reports.
    pub progress: Vec<Progress>,
    /// What is saved when it ends.
    pub checkpoint: Values,
    /// The execution's context when it ends.
    pub context: Option<Values>,
    /// The jobs it created, with their ids.
    pub enqueued: Vec<(String, NewJob)>,
    /// What is recorded under idempotency keys when it ends.
    pub idempotency: Values,
    /// The HTTP requests it made, if they were to be answered by a recording; the first thousand.
    pub requests: Vec<MadeRequest>,
    /// How often it called what, such as `checkpoint.save`. Calls that were denied or needed nobody are not
    /// among them.
    pub calls: BTreeMap<&'static str, u64>,
}

/// A line of a trial's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialLine {
    /// How much it matters.
    pub level: LogLevel,
    /// What it says.
    pub message: String,
    /// Its fields, in the handler's order.
    pub fields: Vec<(String, String)>,
}

/// Level, message and fields in one line: `info greeting name=Ada`.
impl std::fmt::Display for TrialLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.level.as_str(), self.message)?;
        self.fields.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// Runs one attempt as a runner would: under the handler's limits, grants and schemas. Never fails: what goes wrong
/// is the outcome.
///
/// ```no_run
/// # async fn example(catalog: flowmonkey_jobs::catalog::Catalog) -> Result<(), Box<dyn std::error::Error>> {
/// use flowmonkey_jobs::{job::JsonText, trial::{self, Trial}};
///
/// let handler = catalog.resolve("email-send").ok_or("no such handler")?;
/// let trial = Trial { attempt: 2, ..Trial::new(JsonText::parse(r#"{"to": "ada@example.com"}"#)?) };
/// let report = trial::run(catalog.sandbox(), &handler, trial).await;
/// println!("{:?} after {} calls of log", report.outcome, report.calls["log"]);
/// # Ok(())
/// # }
/// ```
pub async fn run(sandbox: &Sandbox, handler: &Handler, trial: Trial) -> TrialReport {
    let control = Control::default();
    control.tell(trial.directive);
    let host = Arc::new(TrialHost::new(&trial));
    let playback = trial.playback.clone();
    let report = match handler.input_error(&trial.input).await {
        Some(error) => Report { outcome: Outcome::Fatal(error), usage: Usage::default() },
        None => {
            let context = context(handler, trial, host.clone(), control.clone());
            handler.judged(sandbox.run(&handler.prepared, context).await).await
        }
    };
    let mut calls = host.calls();
    let requests = playback.as_ref().map_or(0, |playback| playback.count());
    calls.extend([("control.heartbeat", control.heartbeats()), ("http", requests)]);
    calls.retain(|_, count| *count > 0);
    let requests = playback.map(|playback| playback.requests()).unwrap_or_default();
    host.report(report, requests, calls)
}

fn context(handler: &Handler, trial: Trial, host: Arc<TrialHost>, control: Control) -> AttemptContext {
    let settings = &handler.settings;
    let Limits { wall_max, .. } = settings.limits;
    let wall_ms = u64::try_from(wall_max.as_millis()).unwrap_or(u64::MAX);
    let of_execution = |id: &str| trial.context.is_some().then(|| id.to_owned());
    AttemptContext {
        facts: JobFacts {
            id: JOB_ID.into(),
            handler: handler.name.clone(),
            execution_id: of_execution(EXECUTION_ID),
            step_id: of_execution(STEP_ID),
            attempt: trial.attempt,
            max_attempts: trial.max_attempts,
            resumed_with: trial.resumed_with,
            deadline_ms: Some(clock::unix_millis().saturating_add(wall_ms)),
            trace_parent: None,
        },
        input: trial.input,
        checkpoint: serde_json::to_string(&trial.checkpoint).ok().map(JsonText::from_store),
        limits: settings.limits,
        grants: settings.grants.clone(),
        config: settings.config.clone(),
        host,
        control,
        playback: trial.playback,
    }
}
