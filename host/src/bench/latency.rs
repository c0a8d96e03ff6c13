//! How soon a job begins and is recorded, one by one: on an idle runner, and while it does half of what it can.

use super::figure::{Figure, Goal, percentile};
use super::fleet::{Fleet, HANDLER};
use super::scratch::Scratch;
use super::{Setup, component};
use flowmonkey_jobs::job::NewJob;
use flowmonkey_jobs::store::SharedStore;
use flowmonkey_jobs::telemetry::{Event, EventKind};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{EnvFilter, Layer};

const MEASURE: &str = "latency";
const PROBES: usize = 300;
/// Long after the last: an idle runner has been told of that one and sleeps.
const PAUSE: Duration = Duration::from_millis(60);
const IDLE_P50_MS: f64 = 2.0;
const IDLE_P99_MS: f64 = 5.0;
const PATIENCE: Duration = Duration::from_secs(10);
/// The jobs beside the probes come in such bundles.
const LOAD_BUNDLE: u64 = 50;

/// When each job's handler wrote its first line, by the job's id.
#[derive(Debug, Clone, Default)]
struct FirstWords(Arc<Mutex<HashMap<String, Instant>>>);

impl<S: tracing::Subscriber> Layer<S> for FirstWords {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut job = JobId::default();
        event.record(&mut job);
        self.lock().entry(job.0).or_insert_with(Instant::now);
    }
}

impl FirstWords {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the handlers' lines go here, and warnings to stderr.
    fn listen() -> anyhow::Result<Self> {
        let words = FirstWords::default();
        let lines = EnvFilter::new("off,flowmonkey::guest=info");
        let warnings = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).compact();
        let subscriber = tracing_subscriber::registry()
            .with(words.clone().with_filter(lines))
            .with(warnings.with_filter(EnvFilter::new("warn,sqlx=off")));
        tracing::subscriber::set_global_default(subscriber)?;
        Ok(words)
    }
}

#[derive(Default)]
struct JobId(String);

impl Visit for JobId {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "job_id" {
            self.0 = value.to_owned();
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

pub(super) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let words = FirstWords::listen()?;
    let mut figures = Vec::new();
    if let Some(server) = &setup.server {
        let scratch = Scratch::postgres(server).await?;
        let on = async |scratch: &Scratch| within(setup, &words, scratch, "postgres").await;
        figures.extend(scratch.used(on).await?);
    }
    let on = async |scratch: &Scratch| within(setup, &words, scratch, "sqlite").await;
    figures.extend(Scratch::sqlite().await?.used(on).await?);
    Ok(figures)
}

async fn within(
    setup: &Setup,
    words: &FirstWords,
    scratch: &Scratch,
    engine: &str,
) -> anyhow::Result<Vec<Figure>> {
    let telling = component::telling()?;
    let fleet = Fleet::new(scratch, &setup.sandbox, &telling, &setup.runner, 1).await?;
    // Another program's connections on Postgres; one process has an SQLite file.
    let store = if scratch.is_postgres() { scratch.store(4).await? } else { fleet.store() };
    let [runner] = fleet.runners() else { anyhow::bail!("one runner") };
    runner.start();
    // Until it listens, has its plans and its first instance.
    probe(&store, setup, words, runner.events().subscribe(), 50).await?;
    let idle = probe(&store, setup, words, runner.events().subscribe(), PROBES).await?;
    let loaded = half(setup, words, &store, &fleet).await;
    fleet.stop().await;
    let mut figures = shown(&format!("{engine}, idle"), &idle, scratch.is_postgres());
    figures.extend(shown(&format!("{engine}, half load"), &loaded?, false));
    Ok(figures)
}

/// How many can come in and be done at once is measured first; then half of that comes in, evenly.
async fn half(
    setup: &Setup,
    words: &FirstWords,
    store: &SharedStore,
    fleet: &Fleet,
) -> anyhow::Result<Vec<Times>> {
    let [runner] = fleet.runners() else { anyhow::bail!("one runner") };
    let bundles = (setup.jobs / 5 / LOAD_BUNDLE).max(1);
    let before = runner.completed_count();
    let begun = Instant::now();
    for _ in 0..bundles {
        store.create_many(bundle(setup)).await?;
    }
    fleet.complete(before + bundles * LOAD_BUNDLE).await?;
    let pause = begun.elapsed() * 2 / u32::try_from(bundles)?;
    let load = {
        let (store, bundle) = (store.clone(), bundle(setup));
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(pause);
            loop {
                ticks.tick().await;
                if store.create_many(bundle.clone()).await.is_err() {
                    return;
                }
            }
        })
    };
    let times = probe(store, setup, words, runner.events().subscribe(), PROBES).await;
    load.abort();
    times
}

fn bundle(setup: &Setup) -> Vec<NewJob> {
    vec![NewJob::new(HANDLER, setup.input.clone()); LOAD_BUNDLE as usize]
}

/// Milliseconds from the call that creates a job.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// Until that call returned: from then on the job is there for others.
    created: f64,
    /// Until the guest's first instruction reached the host.
    begun: f64,
    /// Until the outcome stood in the database.
    recorded: f64,
}

/// One job after the other.
async fn probe(
    store: &SharedStore,
    setup: &Setup,
    words: &FirstWords,
    mut events: Receiver<Event>,
    probes: usize,
) -> anyhow::Result<Vec<Times>> {
    let mut times = Vec::with_capacity(probes);
    for _ in 0..probes {
        tokio::time::sleep(PAUSE).await;
        // What was said and done of others meanwhile.
        events = events.resubscribe();
        words.lock().clear();
        let asked = Instant::now();
        let job = store.create(NewJob::new(HANDLER, setup.input.clone())).await?.job.id;
        let created = ms(asked.elapsed());
        if tokio::time::timeout(PATIENCE, until_recorded(&mut events, &job)).await.is_err() {
            let found = store.get(&job).await?;
            tracing::warn!(target: "flowmonkey::bench", ?found, "a job is not completed in {PATIENCE:?}");
            continue;
        }
        let recorded = ms(asked.elapsed());
        let begun = words.lock().remove(&job).ok_or_else(|| anyhow::anyhow!("the handler said nothing"))?;
        times.push(Times { created, begun: ms(begun - asked), recorded });
    }
    Ok(times)
}

/// Jobs beside it may be so many that some of their events are passed over.
async fn until_recorded(events: &mut Receiver<Event>, job: &str) {
    loop {
        let Ok(event) = events.recv().await else { continue };
        if event.job_id == job && event.kind == EventKind::Completed {
            return;
        }
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn shown(what: &str, times: &[Times], is_goal: bool) -> Vec<Figure> {
    let sorted = |pick: fn(&Times) -> f64| {
        let mut values: Vec<f64> = times.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let parts = [
        ("enqueue until it returns", sorted(|times| times.created)),
        ("committed to first guest instruction", sorted(|times| times.begun - times.created)),
        ("enqueue to first guest instruction", sorted(|times| times.begun)),
        ("enqueue to recorded", sorted(|times| times.recorded)),
    ];
    let late = (PROBES - times.len()) as f64;
    let late = Figure::new(MEASURE, format!("{what}: jobs that took over 10 s, of {PROBES}"), late, "jobs");
    let mut figures = vec![late.goal(Goal::AtMost(0.0))];
    for (part, values) in parts {
        for percent in [50, 95, 99] {
            let name = format!("{what}: {part}, p{percent}");
            let figure = Figure::new(MEASURE, name, percentile(&values, percent), "ms");
            let is_pick_up = is_goal && part.starts_with("committed");
            figures.push(match percent {
                50 if is_pick_up => figure.goal(Goal::AtMost(IDLE_P50_MS)),
                99 if is_pick_up => figure.goal(Goal::AtMost(IDLE_P99_MS)),
                _ => figure,
            });
        }
    }
    figures
}
