use super::connect::Target;
use super::logging::{self, LogFormat};
use super::{BadInput, Exit};
use crate::config::{FILE_DEFAULT, RawSettings, Settings};
use anyhow::Context;
use flowmonkey_jobs::catalog::Catalog;
use flowmonkey_jobs::job::ErrorCode;
use flowmonkey_jobs::reaper::Reaper;
use flowmonkey_jobs::runner::Runner;
use flowmonkey_jobs::sandbox::{Allowance, Sandbox};
use flowmonkey_jobs::scheduler::{Scheduler, SchedulerSettings};
use flowmonkey_jobs::store::SharedStore;
use flowmonkey_jobs::units::Span;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Debug, clap::Args)]
pub(super) struct DevArgs {
    /// The folder of the handlers: NAME.wasm, or NAME/ with handler.toml and a component
    #[arg(default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// The folder of the handlers: NAME.wasm, or NAME/ with handler.toml and a component
    #[arg(long, value_name = "FOLDER", env = "FLOWMONKEY_HANDLERS")]
    handlers: PathBuf,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, clap::Args)]
struct ServeArgs {
    /// A settings file [default: flowmonkey.toml, if it is here]
    #[arg(long, value_name = "FILE", env = "FLOWMONKEY_CONFIG")]
    config: Option<PathBuf>,
    /// How log lines look
    #[arg(long, value_enum, default_value_t, env = "FLOWMONKEY_LOG_FORMAT")]
    log_format: LogFormat,
    #[command(flatten)]
    settings: RawSettings,
}

/// What a developer would set first, since a person waits.
fn dev_defaults() -> RawSettings {
    let span = |ms| Some(Span(Duration::from_millis(ms)));
    RawSettings {
        poll_interval: span(200),
        heartbeat_interval: span(2000),
        stalled_threshold: span(10_000),
        reap_interval: span(5000),
        drain_timeout: span(5000),
        // The handlers are the developer's own.
        allow: Some(Allowance::everything()),
        ..RawSettings::default()
    }
}

pub(super) async fn dev(args: DevArgs, target: &Target) -> anyhow::Result<Exit> {
    logging::start(args.serve.log_format);
    let settings = args.serve.settings(dev_defaults())?;
    let store = target.open_or_create(connections(&settings)).await?;
    serve(store, &args.folder, settings).await
}

pub(super) async fn run(args: RunArgs, target: &Target) -> anyhow::Result<Exit> {
    logging::start(args.serve.log_format);
    let settings = args.serve.settings(RawSettings::default())?;
    let store = target.open(connections(&settings)).await?;
    serve(store, &args.handlers, settings).await
}

/// The loops need one each; guests that write share the rest.
fn connections(settings: &Settings) -> u32 {
    settings.runner.max_concurrent.get().min(12) + 4
}

impl ServeArgs {
    fn settings(self, defaults: RawSettings) -> anyhow::Result<Settings> {
        let file = match self.config {
            Some(path) => RawSettings::read(&path).map_err(BadInput)?,
            None if Path::new(FILE_DEFAULT).exists() => {
                RawSettings::read(Path::new(FILE_DEFAULT)).map_err(BadInput)?
            }
            None => RawSettings::default(),
        };
        Ok(Settings::try_from(self.settings.over(file).over(defaults)).map_err(BadInput)?)
    }
}

async fn serve(store: SharedStore, folder: &Path, settings: Settings) -> anyhow::Result<Exit> {
    // From here on a signal means "stop", also while components compile.
    let mut signals = Signals::listen()?;
    let catalog = tokio::select! {
        loaded = load(folder.to_owned(), &settings) => loaded?,
        () = signals.next() => return Ok(Exit::Done),
    };
    let runner = Runner::builder(store.clone()).handlers(catalog).settings(settings.runner).build()?;
    let scheduler = Scheduler::new(store.clone()).start(SchedulerSettings::default());
    let reaper = Reaper::start_with_events(store, settings.reaper, runner.events().clone());
    runner.start();
    signals.next().await;
    let stop = runner.stop();
    tokio::pin!(stop);
    tokio::select! {
        () = &mut stop => {}
        // The second signal: no more patience.
        () = signals.next() => {
            runner.release();
            stop.await;
        }
    }
    scheduler.stop().await;
    reaper.stop().await;
    Ok(Exit::Done)
}

/// Compiles what the folder has; a bad file is reported and the others run.
async fn load(folder: PathBuf, settings: &Settings) -> anyhow::Result<Arc<Catalog>> {
    let (sandbox, policy) = (settings.sandbox.clone(), settings.policy.clone());
    let shown = folder.display().to_string();
    let compile = move || -> anyhow::Result<_> {
        let catalog = Catalog::new(Arc::new(Sandbox::new(&sandbox)?));
        let report = catalog
            .load_folder(&folder, &policy)
            .map_err(|error| BadInput(format!("{}: {error}", folder.display())))?;
        Ok((catalog, report))
    };
    let (catalog, report) = tokio::task::spawn_blocking(compile).await.context("loading handlers")??;
    for refused in &report.refused {
        let code = ErrorCode::HandlerLoadFailed.as_str();
        tracing::error!(target: "flowmonkey::catalog", code, why = %refused, "handler refused");
    }
    for denied in &report.denied {
        let grants = denied.grants.join(", ");
        let remedy =
            "such calls are denied; [allow] and [handlers.NAME] in the settings file would allow them";
        tracing::warn!(target: "flowmonkey::catalog", handler = denied.handler, grants, remedy, "asked in vain");
    }
    if report.loaded.is_empty() {
        let message = if report.refused.is_empty() {
            format!("{shown} holds no handlers: put components there as NAME.wasm")
        } else {
            format!("no handler in {shown} can be used; the reasons are above")
        };
        return Err(BadInput(message).into());
    }
    Ok(Arc::new(catalog))
}

/// SIGINT and SIGTERM, whichever comes.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
