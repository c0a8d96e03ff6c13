//! A sandbox, a host that remembers what guests did, and short ways to run one attempt.

use flowmonkey_jobs::job::{JobError, JsonText, Keep, NewJob, Outcome, Progress, Report};
use flowmonkey_jobs::sandbox::{
    AttemptContext, AttemptHost, Compilation, ConfigValues, Control, Grants, HostFault, JobFacts, Limits,
    LogLevel, Prepared, Sandbox, SandboxConfig,
};
use flowmonkey_tests::guests;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

pub(crate) fn sandbox(attempts_max: u32) -> Sandbox {
    let attempts_max = NonZeroU32::new(attempts_max).unwrap();
    let threads = NonZeroU32::new(2).unwrap();
    Sandbox::new(&SandboxConfig { attempts_max, threads, ..SandboxConfig::new(Compilation::InProcess) })
        .unwrap()
}

/// Small enough that what tries to pass them gets there soon.
pub(crate) fn limits() -> Limits {
    Limits {
        fuel: Some(50_000_000),
        wall_max: Duration::from_secs(60),
        memory_bytes_max: 32 * 1024 * 1024,
        hostcall_bytes_max: 2 * 1024 * 1024,
        ..Limits::default()
    }
}

/// As the components are prepared: with fuel counted, and without.
pub(crate) fn metered() -> Limits {
    limits()
}

pub(crate) fn unmetered() -> Limits {
    Limits { fuel: None, ..limits() }
}

pub(crate) fn facts() -> JobFacts {
    flowmonkey_tests::alone::facts("probe")
}

/// Level, message and fields.
pub(crate) type Line = (LogLevel, String, Vec<(String, String)>);

/// Where a guest's calls arrive. A legitimate host: whoever runs a handler without a store has one.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) saved: Mutex<BTreeMap<String, JsonText>>,
    pub(crate) context: Mutex<BTreeMap<String, JsonText>>,
    pub(crate) enqueued: Mutex<Vec<NewJob>>,
    pub(crate) remembered: Mutex<BTreeMap<String, (JsonText, Keep)>>,
    pub(crate) reports: Mutex<Vec<Progress>>,
    pub(crate) lines: Mutex<Vec<Line>>,
    /// How many calls would have reached a database.
    pub(crate) calls: AtomicUsize,
    /// What every write answers instead of writing.
    pub(crate) fault: Option<HostFault>,
}

impl Memory {
    fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a write, and fails it if all shall fail.
    fn write(&self) -> Result<(), HostFault> {
        self.count();
        self.fault.clone().map_or(Ok(()), Err)
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, JsonText>)) -> Result<(), HostFault> {
        self.write()?;
        change(&mut self.saved.lock().unwrap());
        Ok(())
    }

    pub(crate) fn text(&self) -> Vec<String> {
        self.lines.lock().unwrap().iter().map(|(_, text, _)| text.clone()).collect()
    }
}

#[async_trait::async_trait]
impl AttemptHost for Memory {
    async fn save_checkpoint(&self, key: &str, value: &JsonText) -> Result<(), HostFault> {
        self.change(|saved| drop(saved.insert(key.to_owned(), value.clone())))
    }
    async fn delete_checkpoint(&self, key: &str) -> Result<(), HostFault> {
        self.change(|saved| drop(saved.remove(key)))
    }
    async fn clear_checkpoints(&self) -> Result<(), HostFault> {
        self.change(BTreeMap::clear)
    }
    async fn context_value(&self, key: &str) -> Result<Option<JsonText>, HostFault> {
        self.count();
        Ok(self.context.lock().unwrap().get(key).cloned())
    }
    async fn context_keys(&self) -> Result<Vec<String>, HostFault> {
        self.count();
        Ok(self.context.lock().unwrap().keys().cloned().collect())
    }
    async fn set_context(&self, key: &str, value: &JsonText) -> Result<(), HostFault> {
        self.write()?;
        self.context.lock().unwrap().insert(key.to_owned(), value.clone());
        Ok(())
    }
    async fn delete_context(&self, key: &str) -> Result<(), HostFault> {
        self.write()?;
        self.context.lock().unwrap().remove(key);
        Ok(())
    }
    async fn enqueue(&self, job: NewJob, pending_max: u32) -> Result<String, HostFault> {
        self.write()?;
        let mut enqueued = self.enqueued.lock().unwrap();
        if enqueued.len() >= pending_max as usize {
            return Err(HostFault::LimitExceeded(format!("{pending_max} pending jobs")));
        }
        enqueued.push(job);
        Ok(format!("child-{}", enqueued.len()))
    }
    async fn look_up_idempotency(&self, key: &str) -> Result<Option<JsonText>, HostFault> {
        self.count();
        Ok(self.remembered.lock().unwrap().get(key).map(|(value, _)| value.clone()))
    }
    async fn record_idempotency(&self, key: &str, value: &JsonText, keep: Keep) -> Result<(), HostFault> {
        self.write()?;
        self.remembered.lock().unwrap().insert(key.to_owned(), (value.clone(), keep));
        Ok(())
    }
    fn progress(&self, progress: Progress) {
        self.reports.lock().unwrap().push(progress);
    }
    fn log(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        self.lines.lock().unwrap().push((level, message.to_owned(), fields.to_vec()));
    }
}

/// One attempt to be run, with everything a case may want to set.
pub(crate) struct Run {
    pub(crate) facts: JobFacts,
    pub(crate) input: String,
    pub(crate) checkpoint: Option<String>,
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    pub(crate) config: Arc<ConfigValues>,
    pub(crate) host: Arc<Memory>,
    pub(crate) control: Control,
}

impl Run {
    pub(crate) fn with(input: impl ToString) -> Self {
        Run {
            facts: facts(),
            input: input.to_string(),
            checkpoint: None,
            limits: limits(),
            grants: Grants::default(),
            config: Arc::default(),
            host: Arc::default(),
            control: Control::default(),
        }
    }

    pub(crate) fn context(&self) -> AttemptContext {
        AttemptContext {
            facts: self.facts.clone(),
            input: JsonText::parse_limited(&self.input, 16 * 1024 * 1024).unwrap(),
            checkpoint: self.checkpoint.as_ref().map(|text| JsonText::parse(text).unwrap()),
            limits: self.limits,
            grants: self.grants.clone(),
            config: self.config.clone(),
            host: self.host.clone(),
            control: self.control.clone(),
            playback: None,
        }
    }

    pub(crate) async fn on(&self, sandbox: &Sandbox, prepared: &Prepared) -> Report {
        sandbox.run(prepared, self.context()).await
    }

    /// Runs the probe with this input, in a sandbox that all such cases share.
    pub(crate) async fn probe(&self) -> Report {
        let (sandbox, probe) = &*PROBE;
        self.on(sandbox, probe).await
    }
}

/// Compiled once: most cases differ only in what they ask of it.
static PROBE: LazyLock<(Sandbox, Prepared)> = LazyLock::new(|| {
    let sandbox = sandbox(8);
    let probe = prepare(&sandbox, "probe");
    (sandbox, probe)
});

/// Prepares an example or the probe.
pub(crate) fn prepare(sandbox: &Sandbox, name: &str) -> Prepared {
    sandbox.prepare(&guests::example(name), &metered()).unwrap()
}

/// Prepares one of the small guests beside this file.
pub(crate) fn hostile(sandbox: &Sandbox, name: &str, limits: &Limits) -> Prepared {
    let bytes = guests::handler(&source(name));
    sandbox.prepare(&bytes, limits).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn source(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sandbox/guests");
    std::fs::read_to_string(format!("{folder}/{name}.wat")).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The JSON a success returned.
pub(crate) fn result(report: &Report) -> serde_json::Value {
    match &report.outcome {
        Outcome::Success(Some(json)) => serde_json::from_str(json.as_str()).unwrap(),
        other => panic!("no result: {other:?}"),
    }
}

/// The error of an attempt that did not succeed.
pub(crate) fn error(report: &Report) -> &JobError {
    match &report.outcome {
        Outcome::Retryable { error, .. } | Outcome::Fatal(error) => error,
        other => panic!("no error: {other:?}"),
    }
}

/// `completed`, or the error's code.
pub(crate) fn ending(report: &Report) -> &str {
    match &report.outcome {
        Outcome::Success(_) => "completed",
        Outcome::Wait { .. } => "waiting",
        Outcome::Released => "released",
        Outcome::Postponed { .. } => "postponed",
        Outcome::Retryable { error, .. } | Outcome::Fatal(error) => &error.code,
    }
}

/// Whether this process runs one test alone. If not, it starts one that does, and looks at how that ends.
pub(crate) fn is_alone(test: &str, setting: &str) -> bool {
    const ALONE: &str = "FLOWMONKEY_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let command = format!("{setting} exec \"$0\" --exact --nocapture {test}");
    let mut shell = std::process::Command::new("sh");
    let output = shell.args(["-c", &command]).arg(std::env::current_exe().unwrap()).env(ALONE, "1").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "there is no test {test}");
    false
}
