use super::bindings::JobHandlerPre;
use super::bindings::exports::flowmonkey::jobs::handler as guest;
use super::capability::{AttemptHost, Calls, Checkpoints, Lines, Network, Outgoing, Playback, Reach};
use super::config_values::ConfigValues;
use super::control::{Control, Interruption};
use super::description::{self, Callee};
use super::engine::Lane;
use super::grants::Grants;
use super::limits::{Limiter, Limits};
use super::stdio::{Capture, Stream};
use super::trap::{self, Phase};
use crate::job::{ErrorCode, JobError, JsonError, JsonText, Outcome, Report, Usage, Wake};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtxView;

/// What a guest can ask about its job.
#[derive(Debug, Clone)]
pub struct JobFacts {
    /// The job's id.
    pub id: String,
    /// The handler's name.
    pub handler: String,
    /// The workflow execution.
    pub execution_id: Option<String>,
    /// The step of that execution.
    pub step_id: Option<String>,
    /// The attempt's number; the first is 1.
    pub attempt: u32,
    /// How many attempts the job has in all.
    pub max_attempts: u32,
    /// What the job was resumed with after its last wait.
    pub resumed_with: Option<JsonText>,
    /// When the attempt will be interrupted, in milliseconds since 1970.
    pub deadline_ms: Option<u64>,
    /// The W3C `traceparent` of whoever enqueued the job.
    pub trace_parent: Option<String>,
}

/// One attempt to be run.
pub struct AttemptContext {
    /// What the guest can ask.
    pub facts: JobFacts,
    /// What it is called with.
    pub input: JsonText,
    /// What earlier attempts saved: an object of key to value.
    pub checkpoint: Option<JsonText>,
    /// What it may use.
    pub limits: Limits,
    /// What it may reach.
    pub grants: Grants,
    /// What is set for it; it reads what its grants name.
    pub config: Arc<ConfigValues>,
    /// Who writes for it.
    pub host: Arc<dyn AttemptHost>,
    /// The line to it.
    pub control: Control,
    /// What answers its HTTP requests before the network does. None outside of trials.
    pub playback: Option<Arc<Playback>>,
}

/// The data of one wasmtime store. Nothing of it outlives the attempt.
pub(super) struct AttemptState {
    pub(super) facts: JobFacts,
    pub(super) limits: Limits,
    pub(super) grants: Arc<Grants>,
    pub(super) config: Arc<ConfigValues>,
    pub(super) limiter: Limiter,
    pub(super) host: Arc<dyn AttemptHost>,
    pub(super) control: Control,
    pub(super) checkpoints: Checkpoints,
    pub(super) calls: Calls,
    pub(super) lines: Arc<Lines>,
    stderr: Capture,
    outgoing: Outgoing,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for AttemptState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl AttemptState {
    fn new(context: AttemptContext, network: Arc<Network>) -> (Self, JsonText) {
        let AttemptContext { facts, input, checkpoint, limits, grants, config, host, control, playback } =
            context;
        let has_job = !facts.id.is_empty();
        let grants = Arc::new(grants);
        let lines = Arc::new(Lines::new(host.clone(), config.clone(), &limits));
        let outgoing =
            Outgoing::new(Reach { network, playback, grants: grants.clone() }, limits, lines.clone());
        let stdout = Capture::new(Stream::Stdout, limits.stdout_bytes_max, lines.clone());
        let stderr = Capture::new(Stream::Stderr, limits.stderr_bytes_max, lines.clone());
        // No arguments, environment, folders or stdin: that is the builder's default. Sockets and names
        // are refused here by name, since their default is "whatever the check says".
        let wasi = WasiCtx::builder()
            .stdout(stdout)
            .stderr(stderr.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(limits.random_bytes_max)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources_max);
        let state = AttemptState {
            facts,
            limiter: Limiter::new(&limits),
            checkpoints: Checkpoints::new(checkpoint.as_ref(), &limits, has_job),
            calls: Calls::new(&limits),
            limits,
            grants,
            config,
            host,
            control,
            lines,
            stderr,
            outgoing,
            wasi,
            table,
        };
        (state, input)
    }

    pub(super) fn outgoing(&mut self) -> WasiHttpCtxView<'_> {
        self.outgoing.view(&mut self.table)
    }

    pub(super) fn keep_fields(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.outgoing.keep_fields(bytes)
    }

    /// What a Rust panic, or another language's runtime, wrote before it gave up.
    pub(super) fn last_words(&self) -> Option<String> {
        self.stderr.tail()
    }
}

/// Instantiates, calls, and judges. Runs on the guests' runtime.
pub(super) async fn run(
    callee: Callee,
    metered: bool,
    context: AttemptContext,
    network: Arc<Network>,
) -> Report {
    let started = Instant::now();
    let (state, input) = AttemptState::new(context, network);
    let mut room = Room { lane: callee.lane(), memory_bytes: usize::MAX };
    let mut store = Store::new(&room.lane.engine, state);
    let fuel = store.data().limits.fuel_or_endless();
    let called = match configure(&mut store, metered) {
        Ok(()) => call(&mut store, &callee, &input).await,
        Err(error) => Called::Trapped(Phase::Instantiate, error),
    };
    let usage = Usage {
        fuel: metered.then(|| fuel.saturating_sub(store.get_fuel().unwrap_or(fuel))),
        memory_bytes: store.data().limiter.memory_bytes(),
        wall_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
    };
    room.memory_bytes = usize::try_from(usage.memory_bytes).unwrap_or(usize::MAX);
    store.data_mut().outgoing.close().await;
    store.data().stderr.flush();
    let outcome = match called {
        Called::Returned(returned) => judge(returned, store.data()),
        Called::Trapped(phase, error) => trap::outcome(&error, phase, store.data()),
        Called::Interrupted(interruption) => interrupted(interruption, &store.data().limits),
    };
    Report { outcome: without_secrets(outcome, &store.data().config), usage }
}

/// What an attempt used of its lane. Dropped after its store.
struct Room<'a> {
    lane: &'a Lane,
    /// Of all memories. The most there is for as long as it is not known.
    memory_bytes: usize,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if let Some(batch) = &self.lane.batch {
            batch.ended(self.memory_bytes);
        }
    }
}

fn configure(store: &mut Store<AttemptState>, metered: bool) -> wasmtime::Result<()> {
    store.limiter(|state| &mut state.limiter);
    let limits = store.data().limits;
    if metered {
        store.set_fuel(limits.fuel_or_endless())?;
    }
    store.set_hostcall_fuel(limits.hostcall_bytes_max);
    store.set_max_component_handles(limits.handles_max);
    store.set_epoch_deadline(1);
    // Tokio's own yield: wasmtime's plain one wakes the guest at once, and timers starve.
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))));
    Ok(())
}

enum Returned {
    Run(Result<guest::Outcome, guest::JobError>),
    Description(String),
}

enum Called {
    Returned(Returned),
    Trapped(Phase, wasmtime::Error),
    Interrupted(Interruption),
}

/// An interruption drops the call, which unwinds the guest's stack: it need not cooperate, and it
/// makes no difference whether it computes, waits or starts. Looked at whenever the guest gives way; one that ends
/// without giving way needs no timer at all.
async fn call(store: &mut Store<AttemptState>, callee: &Callee, input: &JsonText) -> Called {
    let control = store.data().control.clone();
    let Limits { wall_max, heartbeat_timeout, .. } = store.data().limits;
    if let Some(interruption) = control.interruption() {
        return Called::Interrupted(interruption);
    }
    control.beat();
    // Made when it is first looked at: most attempts end before.
    let begun = tokio::time::Instant::now();
    let timer = async {
        match begun.checked_add(wall_max) {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    let call = async {
        match callee {
            Callee::Run(linked) => run_handler(store, &linked.pre, input).await.map(Returned::Run),
            Callee::Describe { linked, describe } => {
                description::call(store, &linked.pre, describe).await.map(Returned::Description)
            }
        }
    };
    tokio::select! {
        biased;
        called = call => match called {
            Ok(returned) => Called::Returned(returned),
            Err((phase, error)) => Called::Trapped(phase, error),
        },
        interruption = control.interrupted() => Called::Interrupted(interruption),
        () = timer => Called::Interrupted(Interruption::Timeout),
        () = control.silent(heartbeat_timeout) => Called::Interrupted(Interruption::Silent),
    }
}

async fn run_handler(
    store: &mut Store<AttemptState>,
    pre: &JobHandlerPre<AttemptState>,
    input: &JsonText,
) -> Result<Result<guest::Outcome, guest::JobError>, (Phase, wasmtime::Error)> {
    let input = input.to_string();
    let instance = pre.instantiate_async(&mut *store).await;
    let instance = instance.map_err(|error| (Phase::Instantiate, error))?;
    let handler = instance.flowmonkey_jobs_handler();
    handler.call_run(&mut *store, &input).await.map_err(|error| (Phase::Run, error))
}

/// Whatever of an outcome would show a secret does without it.
fn without_secrets(outcome: Outcome, config: &ConfigValues) -> Outcome {
    let hidden = |text: String| config.hide(&text).into_owned();
    let clean = |error: JobError| JobError {
        code: hidden(error.code),
        message: hidden(error.message),
        details: error.details.map(|details| match config.secret_in(details.as_str()) {
            Some(key) => {
                JsonText::from_string_value(&format!("details dropped: they hold the secret `{key}`"))
            }
            None => details,
        }),
        backtrace: error.backtrace,
    };
    match outcome {
        Outcome::Success(Some(result)) => match config.secret_in(result.as_str()) {
            Some(key) => {
                let why = format!("the result holds the secret `{key}`, which is never stored");
                Outcome::Retryable { error: JobError::host(ErrorCode::InvalidOutput, why), after: None }
            }
            None => Outcome::Success(Some(result)),
        },
        Outcome::Wait { until, reason } => {
            let until = match until {
                Wake::Signal(name) => Wake::Signal(hidden(name)),
                time => time,
            };
            Outcome::Wait { until, reason: reason.map(hidden) }
        }
        Outcome::Retryable { error, after } => Outcome::Retryable { error: clean(error), after },
        Outcome::Fatal(error) => Outcome::Fatal(clean(error)),
        other => other,
    }
}

fn interrupted(interruption: Interruption, limits: &Limits) -> Outcome {
    let error = match interruption {
        Interruption::Released => return Outcome::Released,
        Interruption::LeaseLost => {
            JobError::host(ErrorCode::Cancelled, "the job was cancelled or belongs to another attempt")
        }
        Interruption::Silent => {
            let ms = limits.heartbeat_timeout.unwrap_or_default().as_millis();
            JobError::host(ErrorCode::HeartbeatTimeout, format!("gave no sign of life for {ms} ms"))
        }
        Interruption::Timeout => {
            let seconds = limits.wall_max.as_secs_f64();
            JobError::host(ErrorCode::Timeout, format!("did not end within {seconds} s"))
        }
    };
    Outcome::Retryable { error, after: None }
}

/// From what the guest returned to what it means.
fn judge(returned: Returned, state: &AttemptState) -> Outcome {
    let returned = match returned {
        Returned::Run(returned) => returned,
        Returned::Description(text) => return description::judge(&text, &state.limits),
    };
    match returned {
        Ok(guest::Outcome::Success(None)) => Outcome::Success(None),
        Ok(guest::Outcome::Success(Some(text))) => result(&text, &state.limits),
        Ok(guest::Outcome::Wait(wait)) => Outcome::wait(wake(wait.until), wait.reason),
        Err(guest::JobError::Retryable(retry)) => Outcome::Retryable {
            error: failure(retry.failure),
            after: retry.after_ms.map(Duration::from_millis),
        },
        Err(guest::JobError::Other(other)) => Outcome::Retryable { error: failure(other), after: None },
        Err(guest::JobError::Fatal(fatal)) => Outcome::Fatal(failure(fatal)),
        Err(guest::JobError::Cancelled) => cancelled(&state.control),
    }
}

/// A guest that stopped because it was told to loses no attempt; one that was not told anything does.
fn cancelled(control: &Control) -> Outcome {
    if control.directive() != super::Directive::Proceed {
        return Outcome::Released;
    }
    let message = "the handler returned `cancelled` though nobody had asked it to stop";
    Outcome::Retryable { error: JobError::host(ErrorCode::Cancelled, message), after: None }
}

pub(super) fn result(text: &str, limits: &Limits) -> Outcome {
    let error = match JsonText::parse_limited(text, limits.result_bytes_max) {
        Ok(json) => return Outcome::Success(Some(json)),
        Err(error @ JsonError::TooLarge { .. }) => {
            JobError::host(ErrorCode::OutputTooLarge, format!("the result has {error}"))
        }
        Err(error) => JobError::host(ErrorCode::InvalidOutput, format!("the result: {error}")),
    };
    Outcome::Retryable { error, after: None }
}

fn failure(failure: super::bindings::flowmonkey::jobs::types::Failure) -> JobError {
    JobError::guest(failure.code, failure.message, failure.details)
}

fn wake(until: super::bindings::flowmonkey::jobs::types::Wake) -> Wake {
    use super::bindings::flowmonkey::jobs::types::Wake as Asked;
    match until {
        Asked::At(at) => Wake::At(i64::try_from(at).unwrap_or(i64::MAX)),
        Asked::After(pause) => Wake::After(Duration::from_millis(pause)),
        Asked::Signal(name) => Wake::Signal(name),
    }
}
