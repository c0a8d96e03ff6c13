//! Settings of `dev` and `run`: from a file, then the environment, then flags. What comes out of
//! [`Settings::try_from`] was checked once and is not checked again.

use flowmonkey_jobs::catalog::{
    HandlerSettings, Policy, WrittenHandlerPolicy, WrittenLimits, WrittenPolicy, WrittenSignatures,
    with_suggestion,
};
use flowmonkey_jobs::job::RetryPolicy;
use flowmonkey_jobs::reaper::ReaperSettings;
use flowmonkey_jobs::runner::RunnerSettings;
use flowmonkey_jobs::sandbox::{Allowance, ChildCompiler, Compilation, HttpConfig, SandboxConfig};
use flowmonkey_jobs::store::Retention;
use flowmonkey_jobs::units::{Fuel, Size, Span};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// The file that is read when it is there and no other is named.
pub(crate) const FILE_DEFAULT: &str = "flowmonkey.toml";

/// Settings as they are written: every one may be absent.
#[derive(Debug, Clone, Default, clap::Args, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[command(next_help_heading = "Settings (also in flowmonkey.toml, without the dashes)")]
pub(crate) struct RawSettings {
    /// Names this runner on the jobs it claims; unique in the fleet [default: a random one]
    #[arg(long, value_name = "NAME", env = "FLOWMONKEY_RUNNER_ID")]
    pub(crate) runner_id: Option<String>,
    /// Pause before the next look when there was too little to do [default: 1s]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_POLL_INTERVAL")]
    pub(crate) poll_interval: Option<Span>,
    /// At most so many jobs a claim, where fewer are leased ahead [default: 10]
    #[arg(long, value_name = "JOBS", env = "FLOWMONKEY_BATCH_SIZE")]
    pub(crate) batch_size: Option<NonZeroU32>,
    /// At most so many attempts at once [default: 5]
    #[arg(long, value_name = "ATTEMPTS", env = "FLOWMONKEY_MAX_CONCURRENT")]
    pub(crate) max_concurrent: Option<NonZeroU32>,
    /// At most so many jobs leased ahead of a free place; they begin some 20 ms later, so there are none while attempts
    /// are long [default: 500]
    #[arg(long, value_name = "JOBS", env = "FLOWMONKEY_PREFETCH")]
    pub(crate) prefetch: Option<u32>,
    /// Pause between two beats for all jobs this runner holds [default: 10s]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_HEARTBEAT_INTERVAL")]
    pub(crate) heartbeat_interval: Option<Span>,
    /// A running job without a heartbeat for so long is taken from its runner [default: 60s]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_STALLED_THRESHOLD")]
    pub(crate) stalled_threshold: Option<Span>,
    /// Pause between two looks for such jobs [default: 30s]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_REAP_INTERVAL")]
    pub(crate) reap_interval: Option<Span>,
    /// Pause between two looks for handlers that were pushed or activated, beneath the notifications
    /// [default: 5s]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_HANDLERS_INTERVAL")]
    pub(crate) handlers_interval: Option<Span>,
    /// How long a stop waits for attempts to end by themselves [default: 30s]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_DRAIN_TIMEOUT")]
    pub(crate) drain_timeout: Option<Span>,
    /// How long a cancelled attempt may go on before it is interrupted [default: 5s]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_CANCEL_GRACE")]
    pub(crate) cancel_grace: Option<Span>,
    /// Instructions an attempt may use, roughly, or `unlimited` [default: 10000000000]
    #[arg(long, value_name = "FUEL", env = "FLOWMONKEY_FUEL")]
    pub(crate) fuel: Option<Fuel>,
    /// Time an attempt may take [default: 60s]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_TIMEOUT")]
    pub(crate) timeout: Option<Span>,
    /// Memory an attempt may hold, over all its memories [default: 128MiB]
    #[arg(long, value_name = "SIZE", env = "FLOWMONKEY_MEMORY_MAX")]
    pub(crate) memory_max: Option<Size>,
    /// Time a handler may go without a heartbeat of its own [default: as long as it likes]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_HEARTBEAT_TIMEOUT")]
    pub(crate) heartbeat_timeout: Option<Span>,
    /// The longest pause after a first failed attempt [default: 1s]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_RETRY_BASE")]
    pub(crate) retry_base: Option<Span>,
    /// The longest pause after any failed attempt [default: 1h]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_RETRY_CAP")]
    pub(crate) retry_cap: Option<Span>,
    /// Delete completed jobs after this time; 0s deletes a job as it completes [default: never]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_KEEP_COMPLETED")]
    pub(crate) keep_completed: Option<Span>,
    /// Delete failed jobs after this time [default: never]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_KEEP_FAILED")]
    pub(crate) keep_failed: Option<Span>,
    /// Delete cancelled jobs after this time [default: never]
    #[arg(long, value_name = "TIME", env = "FLOWMONKEY_KEEP_CANCELLED")]
    pub(crate) keep_cancelled: Option<Span>,
    /// Do without notifications, as behind a transaction pooler, where the database's URL may also need
    /// ?statement-cache-capacity=0: true or false [default: false]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", env = "FLOWMONKEY_POLL_ONLY")]
    pub(crate) poll_only: Option<bool>,
    /// Where machine code of handlers is kept for the next start; must be this user's alone
    /// [default: flowmonkey in the user's cache folder]
    #[arg(long, value_name = "FOLDER", env = "FLOWMONKEY_CACHE_FOLDER")]
    pub(crate) cache_folder: Option<PathBuf>,
    /// Certificates in PEM form that handlers' requests trust beside the public authorities'
    #[arg(long, value_name = "FILE", env = "FLOWMONKEY_HTTP_CA_FILE")]
    pub(crate) http_ca_file: Option<PathBuf>,
    /// `[limits]`: what a handler gets that says nothing. Flags win.
    #[arg(skip)]
    pub(crate) limits: WrittenLimits,
    /// `[ceiling]`: how far a handler's own limits may go.
    #[arg(skip)]
    pub(crate) ceiling: WrittenLimits,
    /// `[allow]`: what every handler may reach that asks for it.
    #[arg(skip)]
    pub(crate) allow: Option<Allowance>,
    /// `[handlers.NAME]`: what is said of one handler alone.
    #[arg(skip)]
    pub(crate) handlers: BTreeMap<String, WrittenHandlerPolicy>,
    /// `[signatures]`: whose signature a component must have.
    #[arg(skip)]
    pub(crate) signatures: Option<WrittenSignatures>,
}

/// Where programs of this user keep what they could make again (XDG Base Directory Specification).
fn cache_folder_default() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let users = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    Some(users?.join("flowmonkey"))
}

impl RawSettings {
    /// Reads a settings file.
    ///
    /// # Errors
    /// Names the file, and the line and key that are wrong.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        toml::from_str(&text).map_err(|error| format!("{shown}: {}", with_suggestion(&error.to_string())))
    }

    /// What a settings file says: the one that is named, else [`FILE_DEFAULT`] where there is one.
    ///
    /// # Errors
    /// As [`RawSettings::read`].
    pub(crate) fn find(named: Option<&Path>) -> Result<Self, String> {
        match named {
            Some(path) => RawSettings::read(path),
            None if Path::new(FILE_DEFAULT).exists() => RawSettings::read(Path::new(FILE_DEFAULT)),
            None => Ok(RawSettings::default()),
        }
    }

    /// What is absent here is taken from `below`.
    pub(crate) fn over(self, below: RawSettings) -> Self {
        RawSettings {
            runner_id: self.runner_id.or(below.runner_id),
            poll_interval: self.poll_interval.or(below.poll_interval),
            batch_size: self.batch_size.or(below.batch_size),
            max_concurrent: self.max_concurrent.or(below.max_concurrent),
            prefetch: self.prefetch.or(below.prefetch),
            heartbeat_interval: self.heartbeat_interval.or(below.heartbeat_interval),
            stalled_threshold: self.stalled_threshold.or(below.stalled_threshold),
            reap_interval: self.reap_interval.or(below.reap_interval),
            handlers_interval: self.handlers_interval.or(below.handlers_interval),
            drain_timeout: self.drain_timeout.or(below.drain_timeout),
            cancel_grace: self.cancel_grace.or(below.cancel_grace),
            fuel: self.fuel.or(below.fuel),
            timeout: self.timeout.or(below.timeout),
            memory_max: self.memory_max.or(below.memory_max),
            retry_base: self.retry_base.or(below.retry_base),
            retry_cap: self.retry_cap.or(below.retry_cap),
            heartbeat_timeout: self.heartbeat_timeout.or(below.heartbeat_timeout),
            keep_completed: self.keep_completed.or(below.keep_completed),
            keep_failed: self.keep_failed.or(below.keep_failed),
            keep_cancelled: self.keep_cancelled.or(below.keep_cancelled),
            poll_only: self.poll_only.or(below.poll_only),
            limits: self.limits.over(below.limits),
            ceiling: self.ceiling.over(below.ceiling),
            allow: self.allow.or(below.allow),
            handlers: if self.handlers.is_empty() { below.handlers } else { self.handlers },
            signatures: self.signatures.or(below.signatures),
            cache_folder: self.cache_folder.or(below.cache_folder),
            http_ca_file: self.http_ca_file.or(below.http_ca_file),
        }
    }

    /// What it says of handlers.
    fn policy(&self) -> Result<Policy, String> {
        let retry = RetryPolicy::default();
        let span = |given: Option<Span>, default| given.map_or(default, |span| span.0);
        let base = span(self.retry_base, retry.base);
        let retry = RetryPolicy { base, cap: span(self.retry_cap, retry.cap), ..retry };
        let flags = WrittenLimits {
            fuel: self.fuel,
            timeout: self.timeout,
            heartbeat_timeout: self.heartbeat_timeout,
            memory: self.memory_max,
            ..WrittenLimits::default()
        };
        let written = WrittenPolicy {
            limits: flags.over(self.limits),
            ceiling: self.ceiling,
            allow: self.allow.clone().unwrap_or_default(),
            handlers: self.handlers.clone(),
            signatures: self.signatures.clone().unwrap_or_default(),
        };
        written.resolve(HandlerSettings { retry, ..HandlerSettings::default() })
    }
}

/// Settings that go together.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) runner: RunnerSettings,
    pub(crate) reaper: ReaperSettings,
    pub(crate) policy: Policy,
    pub(crate) sandbox: SandboxConfig,
}

/// More attempts at once would reserve more address space than a process has.
const MAX_CONCURRENT_MAX: u32 = 1000;
/// One linear memory is at most so large.
const MEMORY_BYTES_MAX: usize = 4 << 30;

impl TryFrom<RawSettings> for Settings {
    type Error = String;

    fn try_from(raw: RawSettings) -> Result<Self, String> {
        let policy = raw.policy()?;
        let runner = RunnerSettings::default();
        let span = |given: Option<Span>, default| given.map_or(default, |span| span.0);
        let runner = RunnerSettings {
            runner_id: raw.runner_id.unwrap_or(runner.runner_id),
            poll_interval: span(raw.poll_interval, runner.poll_interval),
            batch_size: raw.batch_size.unwrap_or(runner.batch_size),
            max_concurrent: raw.max_concurrent.unwrap_or(runner.max_concurrent),
            prefetch: raw.prefetch.unwrap_or(runner.prefetch),
            heartbeat_interval: span(raw.heartbeat_interval, runner.heartbeat_interval),
            handlers_interval: span(raw.handlers_interval, runner.handlers_interval),
            drain_timeout: span(raw.drain_timeout, runner.drain_timeout),
            cancel_grace: span(raw.cancel_grace, runner.cancel_grace),
            poll_only: raw.poll_only.unwrap_or(runner.poll_only),
            forget_completed: raw.keep_completed.is_some_and(|span| span.0.is_zero()),
        };
        let reaper = ReaperSettings::default();
        let reaper = ReaperSettings {
            stalled_threshold: span(raw.stalled_threshold, reaper.stalled_threshold),
            check_interval: span(raw.reap_interval, reaper.check_interval),
            retention: Retention {
                completed: raw.keep_completed.map(|span| span.0),
                failed: raw.keep_failed.map(|span| span.0),
                cancelled: raw.keep_cancelled.map(|span| span.0),
            },
            ..reaper
        };
        let ceiling = policy.highest_ceiling();
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| format!("http-ca-file: {}: {error}", path.display()))
        };
        let extra_roots_pem = raw.http_ca_file.as_ref().map(read).transpose()?;
        let compiler = ChildCompiler::this_program()
            .map_err(|error| format!("this program, which compiles handlers, cannot be found: {error}"))?;
        let compiler =
            ChildCompiler { cache_folder: raw.cache_folder.or_else(cache_folder_default), ..compiler };
        let sandbox = SandboxConfig {
            attempts_max: runner.max_concurrent,
            memory_bytes_ceiling: ceiling.memory_bytes_max,
            stack_bytes_ceiling: ceiling.stack_bytes_max,
            http: HttpConfig { extra_roots_pem, ..HttpConfig::default() },
            ..SandboxConfig::new(Compilation::Child(compiler))
        };
        let settings = Settings { runner, reaper, policy, sandbox };
        settings.check().map(|()| settings)
    }
}

impl Settings {
    /// What no single value shows.
    fn check(&self) -> Result<(), String> {
        let (beat, stalled) = (self.runner.heartbeat_interval, self.reaper.stalled_threshold);
        let shown = humantime::format_duration;
        if stalled <= beat * 2 {
            return Err(format!(
                "stalled-threshold ({}) must be more than twice heartbeat-interval ({}), or one late beat \
                 costs a job its attempt",
                shown(stalled),
                shown(beat)
            ));
        }
        let above_zero = [
            ("poll-interval", self.runner.poll_interval),
            ("heartbeat-interval", beat),
            ("reap-interval", self.reaper.check_interval),
        ];
        if let Some((name, _)) = above_zero.iter().find(|(_, span)| span.is_zero()) {
            return Err(format!("{name} must be above zero"));
        }
        if self.runner.max_concurrent.get() > MAX_CONCURRENT_MAX {
            return Err(format!("max-concurrent must be at most {MAX_CONCURRENT_MAX}; start more runners"));
        }
        if self.sandbox.memory_bytes_ceiling > MEMORY_BYTES_MAX {
            return Err("memory-max and [ceiling] memory must be at most 4GiB, the most a WebAssembly memory can have".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn settings(toml: &str) -> Result<Settings, String> {
        let raw: RawSettings = toml::from_str(toml).map_err(|error| error.to_string())?;
        Settings::try_from(raw)
    }

    #[test]
    fn nothing_given_means_flowmonkeys_defaults() {
        let settings = settings("").unwrap();
        let runner = settings.runner;
        assert_eq!((runner.poll_interval.as_secs(), runner.heartbeat_interval.as_secs()), (1, 10));
        assert_eq!((runner.batch_size.get(), runner.max_concurrent.get()), (10, 5));
        assert_eq!(settings.reaper.stalled_threshold.as_secs(), 60);
    }

    #[test]
    fn flags_win_over_the_file() {
        let file: RawSettings = toml::from_str("poll-interval = '2s'\nbatch-size = 7").unwrap();
        let flags = RawSettings { poll_interval: Some(Span(Duration::from_secs(3))), ..Default::default() };
        let both = flags.over(file);
        assert_eq!(both.poll_interval, Some(Span(Duration::from_secs(3))));
        assert_eq!(both.batch_size.map(NonZeroU32::get), Some(7));
    }

    #[test]
    fn a_slip_of_the_hand_in_the_file_is_recognised() {
        let path = std::env::temp_dir().join(format!("flowmonkey-settings-{}", std::process::id()));
        for (text, meant) in [("batchsize = 7", "batch-size"), ("[limits]\nmemry = '1MiB'", "memory")] {
            std::fs::write(&path, text).unwrap();
            let error = RawSettings::read(&path).unwrap_err();
            assert!(error.contains(&format!("did you mean `{meant}`?")), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_name() {
        let table = [
            ("heartbeat-interval = '30s'", "stalled-threshold (1m) must be more than twice"),
            ("poll-interval = '0s'", "poll-interval must be above zero"),
            ("max-concurrent = 5000", "max-concurrent must be at most"),
            ("max-concurrent = 0", "nonzero"),
            ("memory-max = '5GiB'", "must be at most 4GiB"),
            ("memory-max = 'lots'", "write a size like"),
            ("timeout = 'soon'", "write a time like"),
            ("fuel = '0'", "above zero"),
            ("poll_interval = '1s'", "unknown field `poll_interval`"),
            ("[limits]\ntimeout = '2d'\n[ceiling]\ntimeout = '1d'", "over the ceiling of 1day"),
            ("[allow]\nsockets = true", "unknown field `sockets`"),
            ("[handlers.mail.allow]\nhttp = ['*a']", "is no host to allow"),
            ("[handlers.mail]\nconfg = {}", "unknown field `confg`"),
            ("[signatures]\nkeys = ['x']", "[signatures]: keys: number 1: no Ed25519 public key"),
        ];
        for (toml, expected) in table {
            let error = settings(toml).unwrap_err();
            assert!(error.contains(expected), "{toml}: {error}");
        }
        assert_eq!(settings("fuel = 'unlimited'").unwrap().policy.defaults.limits.fuel, None);
    }
}
