use super::builds::Builds;
use super::connect::Target;
use super::logging::{self, LogFormat};
use super::{BadInput, Exit};
use crate::config::{RawSettings, Settings};
use anyhow::Context;
use flowmonkey_jobs::catalog::{Catalog, Folder, FolderReport, StoredHandlers};
use flowmonkey_jobs::reaper::Reaper;
use flowmonkey_jobs::runner::Runner;
use flowmonkey_jobs::sandbox::{Allowance, Sandbox};
use flowmonkey_jobs::scheduler::{Scheduler, SchedulerSettings};
use flowmonkey_jobs::store::SharedStore;
use flowmonkey_jobs::units::Span;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Debug, clap::Args)]
pub(super) struct DevArgs {
    /// A handler's folder, or a folder of handlers: NAME.wasm, or NAME/ with handler.toml and source or a component
    #[arg(default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// A folder of handlers beside those of the database: NAME.wasm, or NAME/ with handler.toml and a component
    #[arg(long, value_name = "FOLDER", env = "FLOWMONKEY_HANDLERS")]
    handlers: Option<PathBuf>,
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

/// Where handlers come from, beside the database.
#[derive(Debug)]
struct Source {
    folder: Option<PathBuf>,
    /// Whether the folder is looked at again and again, and what has source in it is built.
    developed: bool,
}

pub(super) async fn dev(args: DevArgs, target: &Target) -> anyhow::Result<Exit> {
    let _log = logging::start(args.serve.log_format)?;
    let settings = args.serve.settings(dev_defaults())?;
    let store = target.open_or_create(connections(&settings)).await?;
    serve(store, Source { folder: Some(args.folder), developed: true }, settings).await
}

pub(super) async fn run(args: RunArgs, target: &Target) -> anyhow::Result<Exit> {
    let _log = logging::start(args.serve.log_format)?;
    let settings = args.serve.settings(RawSettings::default())?;
    let store = target.open(connections(&settings)).await?;
    serve(store, Source { folder: args.handlers, developed: false }, settings).await
}

/// The loops need one each; guests that write share the rest.
fn connections(settings: &Settings) -> u32 {
    settings.runner.max_concurrent.get().min(12) + 4
}

impl ServeArgs {
    fn settings(self, defaults: RawSettings) -> anyhow::Result<Settings> {
        let file = RawSettings::find(self.config.as_deref()).map_err(BadInput)?;
        Ok(Settings::try_from(self.settings.over(file).over(defaults)).map_err(BadInput)?)
    }
}

async fn serve(store: SharedStore, source: Source, settings: Settings) -> anyhow::Result<Exit> {
    // From here on a signal means "stop", also while components compile.
    let mut signals = Signals::listen()?;
    let sandbox = settings.sandbox.clone();
    let sandbox =
        tokio::task::spawn_blocking(move || Sandbox::new(&sandbox)).await.context("the sandbox")??;
    let catalog = Arc::new(Catalog::new(Arc::new(sandbox)));
    let folder = source.folder.as_ref().map(|path| Folder::new(path, settings.policy.clone()));
    let mut builds = Builds::default();
    if let Some(folder) = &folder {
        let begin = async {
            let has_source = source.developed && builds.look(folder.path()).await;
            load(folder, &catalog, has_source).await
        };
        tokio::select! {
            loaded = begin => loaded?,
            () = signals.next() => return Ok(Exit::Done),
        };
    }
    let stored = StoredHandlers::new(catalog.clone(), store.clone(), settings.policy);
    let runner = Runner::builder(store.clone()).handlers(catalog.clone()).stored_handlers(stored);
    let runner = runner.settings(settings.runner).build()?;
    let scheduler = Scheduler::new(store.clone()).start(SchedulerSettings::default());
    let reaper = Reaper::start_with_events(store, settings.reaper, runner.events().clone());
    runner.start();
    let watched = folder.filter(|_| source.developed);
    let watch = async {
        match &watched {
            Some(folder) => tokio::select! {
                () = folder.watch(&catalog, |report| tell_change(folder, report)) => {}
                () = builds.watch(folder, &catalog) => {}
            },
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = signals.next() => {}
        () = watch => {}
    }
    stop(&runner, &mut signals).await;
    scheduler.stop().await;
    reaper.stop().await;
    Ok(Exit::Done)
}

async fn stop(runner: &Runner, signals: &mut Signals) {
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
}

/// Compiles what the folder has; a bad file is reported and the others run. Whoever develops may mend what cannot be used.
async fn load(folder: &Folder, catalog: &Catalog, may_come: bool) -> anyhow::Result<()> {
    let shown = folder.path().display();
    let report = folder.load(catalog).await.map_err(|error| BadInput(format!("{shown}: {error}")))?;
    report.log();
    if report.loaded.is_empty() && !may_come {
        let message = if report.refused.is_empty() {
            format!("{shown} holds no handlers: put components there as NAME.wasm")
        } else {
            format!("no handler in {shown} can be used; the reasons are above")
        };
        return Err(BadInput(message).into());
    }
    Ok(())
}

pub(super) fn tell_change(folder: &Folder, report: std::io::Result<FolderReport>) {
    match report {
        Ok(report) => report.log(),
        Err(error) => {
            let folder = folder.path().display();
            tracing::warn!(target: "flowmonkey::catalog", %folder, why = %error, "folder cannot be listed; what it held goes on");
        }
    }
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
