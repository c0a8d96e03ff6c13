//! N jobs, and how long until all are recorded.

use super::figure::{Figure, Goal, median};
use super::scratch::Scratch;
use super::{Setup, fleet, floor};
use flowmonkey_jobs::runner::RunnerSettings;

const MEASURE: &str = "drain";
const ROUNDS: usize = 3;
/// Whichever is quicker counts.
const FLOOR_CLIENTS: [usize; 2] = [2, 4];
/// The least of the raw statements' pace that is good enough (see PERFORMANCE.md).
const OF_FLOOR_MIN: f64 = 0.4;
const SQLITE_MIN: f64 = 20_000.0;

pub(super) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for keep in [true, false] {
        if let Some(server) = &setup.server {
            let scratch = Scratch::postgres(server).await?;
            figures.extend(scratch.used(async |scratch| beside_floor(setup, scratch, keep).await).await?);
        }
    }
    let scratch = Scratch::sqlite().await?;
    figures.extend(scratch.used(async |scratch| sqlite(setup, scratch).await).await?);
    Ok(figures)
}

/// What a way of keeping completed jobs is called.
pub(super) fn kept(keep: bool) -> &'static str {
    if keep { "history kept" } else { "retention zero" }
}

/// The raw statements before and after each of our turns.
async fn beside_floor(setup: &Setup, scratch: &Scratch, keep: bool) -> anyhow::Result<Vec<Figure>> {
    let jobs = setup.jobs as f64;
    let (mut ours, mut floors, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut before = raw(setup, scratch, keep).await?;
    for _ in 0..ROUNDS {
        let pace = jobs / one(setup, scratch, keep).await?;
        let after = raw(setup, scratch, keep).await?;
        ratios.push(pace / ((before + after) / 2.0));
        ours.push(pace);
        floors.push(before);
        before = after;
    }
    let what = format!("postgres, {}", kept(keep));
    let goal = |figure: Figure| if keep { figure.goal(Goal::AtLeast(OF_FLOOR_MIN)) } else { figure };
    Ok(vec![
        Figure::new(MEASURE, &*what, median(ours), "jobs/s"),
        Figure::new(MEASURE, format!("{what}: raw statements"), median(floors), "jobs/s"),
        goal(Figure::new(MEASURE, format!("{what} / raw statements"), median(ratios), "×")),
    ])
}

async fn raw(setup: &Setup, scratch: &Scratch, keep: bool) -> anyhow::Result<f64> {
    let mut best: f64 = 0.0;
    for clients in FLOOR_CLIENTS {
        scratch.fill(fleet::HANDLER, setup.jobs).await?;
        let took = floor::drain(scratch, clients, keep).await?;
        scratch.clear().await?;
        best = best.max(setup.jobs as f64 / took.as_secs_f64());
    }
    Ok(best)
}

/// Seconds that one runner takes for all.
async fn one(setup: &Setup, scratch: &Scratch, keep: bool) -> anyhow::Result<f64> {
    scratch.fill(fleet::HANDLER, setup.jobs).await?;
    let settings = RunnerSettings { forget_completed: !keep, ..setup.runner.clone() };
    let took = fleet::drain(setup, setup.jobs, scratch, &settings, 1).await?;
    let expected = if keep { setup.jobs as i64 } else { 0 };
    let left = scratch.number("select count(*) from fm_jobs where status = 'completed'").await?;
    anyhow::ensure!(left == expected, "{left} rows of completed jobs instead of {expected}");
    scratch.clear().await?;
    Ok(took.as_secs_f64())
}

async fn sqlite(setup: &Setup, scratch: &Scratch) -> anyhow::Result<Vec<Figure>> {
    let mut ours = Vec::new();
    for _ in 0..ROUNDS {
        ours.push(setup.jobs as f64 / one(setup, scratch, true).await?);
    }
    let figure = Figure::new(MEASURE, "sqlite, history kept", median(ours), "jobs/s");
    Ok(vec![figure.goal(Goal::AtLeast(SQLITE_MIN))])
}
