//! One attempt with every limit on, against wasmtime alone with the same component, in turns; and how much more two
//! threads get done than one.

use super::figure::{Figure, Goal, median};
use super::{Setup, nowhere, raw};
use anyhow::Context;
use flowmonkey_jobs::job::{JsonText, Outcome};
use flowmonkey_jobs::sandbox::{Limits, Prepared, Sandbox, SandboxConfig};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

const MEASURE: &str = "attempt";
const ROUNDS: usize = 7;
const ATTEMPTS: u32 = 96_000;
/// Of who is somewhere else.
const HOPS: u32 = 2_000;
const IN_FLIGHT: u32 = 8;
const TURN: Duration = Duration::from_millis(1);
/// More than are in flight: nobody waits for one.
const PLACES: NonZeroU32 = NonZeroU32::new(32).unwrap();
const OF_RAW_MAX: f64 = 1.5;
const TWO_THREADS_MIN: f64 = 1.8;

pub(super) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let one = Side::new(setup, 1).await?;
    let two = Side::new(setup, 2).await?;
    let (mut raw, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut both, mut speedups, mut hops) = (Vec::new(), Vec::new(), Vec::new());
    let mut alones = Vec::new();
    for _ in 0..ROUNDS {
        let (alone, sandboxed) = (one.raw().await?, one.sandboxed().await?);
        let pair = two.sandboxed().await?;
        alones.push(alone / two.raw().await?);
        ratios.push(sandboxed / alone);
        speedups.push(sandboxed / pair);
        raw.push(alone);
        ours.push(sandboxed);
        both.push(pair);
        hops.push(one.hopping().await?);
    }
    let figure = |name: &str, values, unit| Figure::new(MEASURE, name, median(values), unit);
    Ok(vec![
        figure("one thread: wasmtime alone", raw, "µs"),
        figure("one thread: sandbox", ours, "µs"),
        figure("one thread: sandbox / wasmtime alone", ratios, "×").goal(Goal::AtMost(OF_RAW_MAX)),
        figure("two threads: sandbox", both, "µs"),
        figure("two threads / one thread", speedups, "×").goal(Goal::AtLeast(TWO_THREADS_MIN)),
        figure("two threads / one thread: wasmtime alone", alones, "×"),
        figure("one thread: sandbox, called from another runtime", hops, "µs"),
    ])
}

/// Both ways of running the component, on so many threads.
struct Side {
    runtime: Option<tokio::runtime::Runtime>,
    raw: Arc<wasmtime::component::InstancePre<raw::State>>,
    sandbox: Arc<Sandbox>,
    prepared: Arc<Prepared>,
    input: Arc<str>,
    json: JsonText,
}

impl Side {
    async fn new(setup: &Setup, threads: u32) -> anyhow::Result<Self> {
        let threads = NonZeroU32::new(threads).unwrap_or(NonZeroU32::MIN);
        let attempts_max = setup.sandbox.attempts_max.max(PLACES);
        let config = SandboxConfig { threads, attempts_max, ..setup.sandbox.clone() };
        let component = setup.component.clone();
        let prepare = move || -> anyhow::Result<_> {
            let sandbox = Sandbox::new(&config)?;
            let prepared = sandbox.prepare(&component, &Limits::default())?;
            Ok((raw::linked(&component).map_err(alone)?, sandbox, prepared))
        };
        let (raw, sandbox, prepared) = tokio::task::spawn_blocking(prepare).await??;
        let runtime =
            Builder::new_multi_thread().worker_threads(threads.get() as usize).enable_time().build()?;
        let json = setup.input.clone();
        let input = json.as_str().into();
        let (sandbox, prepared) = (Arc::new(sandbox), Arc::new(prepared));
        Ok(Side { runtime: Some(runtime), raw, sandbox, prepared, input, json })
    }

    /// Microseconds an attempt of wasmtime alone.
    async fn raw(&self) -> anyhow::Result<f64> {
        let Some(runtime) = &self.runtime else { return Ok(0.0) };
        let round = raw::round(runtime, &self.raw, &self.input, ATTEMPTS, IN_FLIGHT).await;
        Ok(each(round.map_err(alone)?))
    }

    /// Microseconds an attempt where guests run, as runners do it.
    async fn sandboxed(&self) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let one = || {
            let (sandbox, prepared) = (self.sandbox.clone(), self.prepared.clone());
            let input = self.input.clone();
            self.sandbox.spawn(async move {
                let seat = sandbox.seat().await.context("no seat")?;
                // Its own, as each job's is: otherwise all would count who uses the one.
                let json = JsonText::parse(&input).context("the input")?;
                let mut turn = Instant::now();
                for _ in 0..ATTEMPTS / IN_FLIGHT {
                    let context = nowhere::context(json.clone(), Limits::default());
                    let report = seat.run(&prepared, context).await;
                    anyhow::ensure!(matches!(report.outcome, Outcome::Success(_)), "{:?}", report.outcome);
                    give_way(&mut turn).await;
                }
                anyhow::Ok(())
            })
        };
        let under_way: Vec<_> = (0..IN_FLIGHT).filter_map(|_| one()).collect();
        for one in under_way {
            one.await??;
        }
        Ok(each(begun.elapsed()))
    }

    /// Microseconds an attempt of who is somewhere else: one after the other.
    async fn hopping(&self) -> anyhow::Result<f64> {
        let begun = Instant::now();
        for _ in 0..HOPS {
            let context = nowhere::context(self.json.clone(), Limits::default());
            let report = self.sandbox.run(&self.prepared, context).await;
            anyhow::ensure!(matches!(report.outcome, Outcome::Success(_)), "{:?}", report.outcome);
        }
        Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(HOPS))
    }
}

/// As a runner's workers do, once a millisecond.
pub(super) async fn give_way(turn: &mut Instant) {
    if turn.elapsed() >= TURN {
        tokio::task::yield_now().await;
        *turn = Instant::now();
    }
}

fn alone(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("wasmtime alone: {error:#}")
}

fn each(round: Duration) -> f64 {
    round.as_secs_f64() * 1e6 / f64::from(ATTEMPTS / IN_FLIGHT * IN_FLIGHT)
}

impl Drop for Side {
    fn drop(&mut self) {
        // Dropped among async code, where waiting for its threads is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
