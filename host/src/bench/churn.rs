//! Whether the tables keep their size, and the runner its pace, while millions of jobs go through: what is dead must be
//! cleared away by the server's own vacuum, as it is set up.

use super::Setup;
use super::drain::kept;
use super::figure::{Figure, median};
use super::fleet::{self, HANDLER};
use super::scratch::{Due, Scratch};
use flowmonkey_jobs::runner::RunnerSettings;
use flowmonkey_jobs::store::Retention;
use std::time::Duration;

const MEASURE: &str = "churn";
/// With the 50,000 jobs that a round has, ten million.
const ROUNDS: usize = 200;
const TENTH: usize = ROUNDS / 10;
const MEBIBYTE: f64 = 1_048_576.0;

pub(super) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let Some(server) = &setup.server else { return Ok(Vec::new()) };
    let mut figures = Vec::new();
    for keep in [true, false] {
        let scratch = Scratch::postgres(server).await?;
        figures.extend(scratch.used(async |scratch| rounds(setup, scratch, keep).await).await?);
    }
    Ok(figures)
}

async fn rounds(setup: &Setup, scratch: &Scratch, keep: bool) -> anyhow::Result<Vec<Figure>> {
    let what = kept(keep);
    let settings = RunnerSettings { forget_completed: !keep, ..setup.runner.clone() };
    let (mut paces, mut sizes) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Ids grow as ours do.
        scratch.insert(&format!("{HANDLER}-{round:06}"), HANDLER, setup.jobs, Due::BEFORE).await?;
        let took = fleet::drain(setup, setup.jobs, scratch, &settings, 1).await?;
        paces.push(setup.jobs as f64 / took.as_secs_f64());
        if keep {
            purge(scratch).await?;
        }
        sizes.push(size(scratch).await?);
    }
    let pace = |rounds: &[f64]| median(rounds.to_vec());
    let (first, last) = (pace(&paces[..TENTH]), pace(&paces[ROUNDS - TENTH..]));
    let most = sizes.iter().copied().fold(0.0, f64::max);
    let figure = |name: String, value, unit| Figure::new(MEASURE, format!("{what}: {name}"), value, unit);
    Ok(vec![
        figure(format!("table and indexes after {} jobs", setup.jobs), sizes[0], "MB"),
        figure(format!("after {} jobs", setup.jobs * TENTH as u64), sizes[TENTH - 1], "MB"),
        figure(format!("after {} jobs", setup.jobs * ROUNDS as u64), sizes[ROUNDS - 1], "MB"),
        figure("at most".into(), most, "MB"),
        figure("pace of the last tenth".into(), last, "jobs/s"),
        figure("pace of the last tenth / the first".into(), last / first, "×"),
    ])
}

/// What a reaper does.
async fn purge(scratch: &Scratch) -> anyhow::Result<()> {
    let store = scratch.store(2).await?;
    let retention = Retention { completed: Some(Duration::ZERO), ..Retention::default() };
    while store.purge(&retention, 1000).await? > 0 {}
    Ok(())
}

async fn size(scratch: &Scratch) -> anyhow::Result<f64> {
    Ok(scratch.number("select pg_total_relation_size('fm_jobs')").await? as f64 / MEBIBYTE)
}
