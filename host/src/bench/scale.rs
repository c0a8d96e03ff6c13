//! What more runners on the same machine come to, and whether any job is recorded twice.

use super::Setup;
use super::figure::{Figure, median};
use super::fleet::{self, HANDLER};
use super::scratch::Scratch;

const MEASURE: &str = "scale";
const ROUNDS: usize = 3;
const RUNNERS: [usize; 3] = [1, 2, 4];

pub(super) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let Some(server) = &setup.server else { return Ok(Vec::new()) };
    let scratch = Scratch::postgres(server).await?;
    scratch.used(async |scratch| on(setup, scratch).await).await
}

async fn on(setup: &Setup, scratch: &Scratch) -> anyhow::Result<Vec<Figure>> {
    let mut paces = [const { Vec::new() }; RUNNERS.len()];
    let mut ratios = [const { Vec::new() }; RUNNERS.len()];
    for _ in 0..ROUNDS {
        for (place, runners) in RUNNERS.into_iter().enumerate() {
            scratch.fill(HANDLER, setup.jobs).await?;
            let took = fleet::drain(setup, setup.jobs, scratch, &setup.runner, runners).await?;
            paces[place].push(setup.jobs as f64 / took.as_secs_f64());
            ratios[place].push(paces[place][paces[place].len() - 1] / paces[0][paces[0].len() - 1]);
            let once = "select count(*) from fm_jobs where status = 'completed' and attempts = 1
                and jsonb_array_length(history) = 1";
            let once = scratch.number(once).await?;
            anyhow::ensure!(once == setup.jobs as i64, "{once} of {} jobs were done once", setup.jobs);
            scratch.clear().await?;
        }
    }
    let mut figures = Vec::new();
    for ((runners, paces), ratios) in RUNNERS.into_iter().zip(paces).zip(ratios) {
        figures.push(Figure::new(MEASURE, format!("{runners} runners"), median(paces), "jobs/s"));
        if runners > 1 {
            figures.push(Figure::new(MEASURE, format!("{runners} runners / 1 runner"), median(ratios), "×"));
        }
    }
    Ok(figures)
}
