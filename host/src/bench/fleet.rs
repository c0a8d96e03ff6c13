//! Runners to measure.

use super::Setup;
use super::scratch::Scratch;
use anyhow::Context;
use flowmonkey_jobs::catalog::{Catalog, HandlerSettings};
use flowmonkey_jobs::runner::{Runner, RunnerSettings};
use flowmonkey_jobs::sandbox::{Sandbox, SandboxConfig};
use flowmonkey_jobs::store::SharedStore;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The handler that is measured.
pub(super) const HANDLER: &str = "bench";

/// A runner is given up when nothing ends for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A catalog with one handler, over a sandbox of its own.
pub(super) async fn catalog(config: &SandboxConfig, component: &[u8]) -> anyhow::Result<Arc<Catalog>> {
    let (config, component) = (config.clone(), component.to_vec());
    let load = move || -> anyhow::Result<Arc<Catalog>> {
        let catalog = Catalog::new(Arc::new(Sandbox::new(&config)?));
        catalog.load(HANDLER, &component, HandlerSettings::default())?;
        Ok(Arc::new(catalog))
    };
    tokio::task::spawn_blocking(load).await.context("the sandbox")?
}

/// How long so many runners take for so many jobs, which are there.
pub(super) async fn drain(
    setup: &Setup,
    jobs: u64,
    scratch: &Scratch,
    settings: &RunnerSettings,
    runners: usize,
) -> anyhow::Result<Duration> {
    let fleet = Fleet::new(scratch, &setup.sandbox, &setup.component, settings, runners).await?;
    let took = fleet.complete(jobs).await;
    fleet.stop().await;
    took
}

/// Runners of one process, each with its own connections and its own sandbox.
pub(super) struct Fleet {
    runners: Vec<Runner>,
    stores: Vec<SharedStore>,
}

impl Fleet {
    pub(super) async fn new(
        scratch: &Scratch,
        config: &SandboxConfig,
        component: &[u8],
        settings: &RunnerSettings,
        count: usize,
    ) -> anyhow::Result<Self> {
        let (mut runners, mut stores) = (Vec::new(), Vec::new());
        for number in 0..count {
            let runner_id = format!("{}-{number}", settings.runner_id);
            let settings = RunnerSettings { runner_id, ..settings.clone() };
            let store = scratch.store(8).await?;
            stores.push(store.clone());
            let builder = Runner::builder(store).handlers(catalog(config, component).await?);
            runners.push(builder.settings(settings).build()?);
        }
        Ok(Fleet { runners, stores })
    }

    /// The first runner's own.
    pub(super) fn store(&self) -> SharedStore {
        self.stores[0].clone()
    }

    pub(super) fn runners(&self) -> &[Runner] {
        &self.runners
    }

    /// From the start until so many jobs are recorded as completed.
    pub(super) async fn complete(&self, jobs: u64) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        self.runners.iter().for_each(Runner::start);
        let (mut last, mut moved) = (0, begun);
        loop {
            let completed = self.runners.iter().map(Runner::completed_count).sum::<u64>();
            if completed >= jobs {
                return Ok(begun.elapsed());
            }
            if completed != last {
                (last, moved) = (completed, Instant::now());
            }
            anyhow::ensure!(moved.elapsed() < PATIENCE, "only {completed} of {jobs} jobs were completed");
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    }

    pub(super) async fn stop(self) {
        for runner in &self.runners {
            runner.stop().await;
        }
        drop(self.stores);
    }
}
