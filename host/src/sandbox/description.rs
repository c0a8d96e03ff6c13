//! What a component says of itself: a call of `describe`, which runs as an attempt does but belongs to no job.

use super::attempt::{self, AttemptContext, AttemptState, JobFacts};
use super::bindings::JobHandlerPre;
use super::capability::{AttemptHost, HostFault, LogLevel};
use super::engine::Lane;
use super::trap::Phase;
use super::{Control, Grants, Limits, Linked, Prepared};
use crate::job::{ErrorCode, JobError, JsonText, Outcome, Progress};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Store;
use wasmtime::component::ComponentExportIndex;

/// Whoever needs longer computes instead of describing.
const WALL_MAX: Duration = Duration::from_secs(5);
/// Three schemas and some words; a larger answer is a mistake.
const BYTES_MAX: usize = 256 * 1024;

/// Which function of the component is called.
pub(super) enum Callee {
    /// `run`, for an attempt.
    Run(Arc<Linked>),
    /// `describe`, without a job.
    Describe { linked: Arc<Linked>, describe: ComponentExportIndex },
}

impl Callee {
    /// The component's `describe`, if it exports the interface.
    pub(super) fn describe(prepared: &Prepared) -> Result<Option<Self>, JobError> {
        let Some(interface) = prepared.surface.metadata() else { return Ok(None) };
        let linked = prepared.linked.first();
        let component = linked.pre.instance_pre().component();
        let instance = component.get_export_index(None, interface);
        let describe = instance.and_then(|instance| component.get_export_index(Some(&instance), "describe"));
        let describe = describe.ok_or_else(|| {
            let why = format!("{interface} is exported without a function `describe`");
            JobError::host(ErrorCode::HandlerLoadFailed, why)
        })?;
        Ok(Some(Callee::Describe { linked: linked.clone(), describe }))
    }

    pub(super) fn lane(&self) -> &Lane {
        match self {
            Callee::Run(linked) | Callee::Describe { linked, .. } => &linked.lane,
        }
    }
}

/// Instantiates, and calls `describe`.
pub(super) async fn call(
    store: &mut Store<AttemptState>,
    pre: &JobHandlerPre<AttemptState>,
    describe: &ComponentExportIndex,
) -> Result<String, (Phase, wasmtime::Error)> {
    let instance = pre.instance_pre().instantiate_async(&mut *store).await;
    let instance = instance.map_err(|error| (Phase::Instantiate, error))?;
    // Its type is compared here, so that one of another type costs nobody an attempt.
    let function = instance.get_typed_func::<(), (String,)>(&mut *store, describe);
    let function = function.map_err(|error| (Phase::Instantiate, error))?;
    let (text,) = function.call_async(&mut *store, ()).await.map_err(|error| (Phase::Run, error))?;
    Ok(text)
}

/// An attempt of nothing: no facts, no grants, no configuration, nobody who writes.
pub(super) fn context(limits: &Limits) -> AttemptContext {
    AttemptContext {
        facts: JobFacts {
            id: String::new(),
            handler: String::new(),
            execution_id: None,
            step_id: None,
            attempt: 0,
            max_attempts: 0,
            resumed_with: None,
            deadline_ms: None,
            trace_parent: None,
        },
        input: JsonText::from_string_value(""),
        checkpoint: None,
        limits: Limits {
            wall_max: limits.wall_max.min(WALL_MAX),
            heartbeat_timeout: None,
            result_bytes_max: BYTES_MAX,
            ..*limits
        },
        grants: Grants::default(),
        config: Arc::default(),
        host: Arc::new(Nobody),
        control: Control::default(),
        playback: None,
    }
}

/// From the text that `describe` returned to an outcome, as if it were a result.
pub(super) fn judge(text: &str, limits: &Limits) -> Outcome {
    match attempt::result(text, limits) {
        Outcome::Success(Some(json)) if !json.as_str().starts_with('{') => {
            let why = "the result is no JSON object";
            Outcome::Fatal(JobError::host(ErrorCode::InvalidOutput, why))
        }
        outcome => outcome,
    }
}

/// What was made of the call.
pub(super) fn answer(outcome: Outcome) -> Result<JsonText, JobError> {
    let error = match outcome {
        Outcome::Success(Some(json)) => return Ok(json),
        Outcome::Retryable { error, .. } | Outcome::Fatal(error) | Outcome::Postponed { error, .. } => error,
        // A description has no other endings of its own: this host had no room for it.
        Outcome::Success(None) | Outcome::Wait { .. } | Outcome::Released => {
            JobError::host(ErrorCode::HandlerLoadFailed, "the sandbox has no room; try again later")
        }
    };
    Err(JobError { message: format!("describe: {}", error.message), ..error })
}

/// Where there is no job, nothing can be written and nobody reads the log.
struct Nobody;

fn no_job() -> HostFault {
    HostFault::Denied("there is no job while a handler describes itself".into())
}

#[async_trait]
impl AttemptHost for Nobody {
    async fn save_checkpoint(&self, _key: &str, _value: &JsonText) -> Result<(), HostFault> {
        Err(no_job())
    }

    async fn delete_checkpoint(&self, _key: &str) -> Result<(), HostFault> {
        Err(no_job())
    }

    async fn clear_checkpoints(&self) -> Result<(), HostFault> {
        Err(no_job())
    }

    fn progress(&self, _progress: Progress) {}

    fn log(&self, _level: LogLevel, _message: &str, _fields: &[(String, String)]) {}
}
