//! Whether a heap of pending jobs slows down those that are taken from it.

use super::Setup;
use super::figure::{Figure, Goal, median};
use super::fleet::{self, HANDLER};
use super::scratch::{Due, Scratch};
use std::time::Duration;

const MEASURE: &str = "backlog";
const ROUNDS: usize = 3;
const WITH_MILLION_MIN: f64 = 0.9;
const REST: Duration = Duration::from_secs(1);

/// What lies beside the jobs that are drained.
const HEAPS: [(&str, Heap); 6] = [
    ("nothing else pending", Heap { handler: HANDLER, jobs: 0, due: Due::BEFORE }),
    ("100,000 more pending", Heap { handler: HANDLER, jobs: 100_000, due: Due::BEFORE }),
    ("1,000,000 more pending", Heap { handler: HANDLER, jobs: 1_000_000, due: Due::BEFORE }),
    ("1,000,000 of other handlers pending", Heap { handler: "other", jobs: 1_000_000, due: Due::BEFORE }),
    (
        "1,000,000 due later, of a higher priority",
        Heap { handler: HANDLER, jobs: 1_000_000, due: Due::LATER },
    ),
    ("1,000,000 that wait for a signal", Heap { handler: HANDLER, jobs: 1_000_000, due: Due::NEVER }),
];

struct Heap {
    handler: &'static str,
    jobs: u64,
    due: Due,
}

pub(super) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let Some(server) = &setup.server else { return Ok(Vec::new()) };
    let mut paces = [const { Vec::new() }; HEAPS.len()];
    let mut ratios = [const { Vec::new() }; HEAPS.len()];
    // In turns, so that what else the machine does hits all alike.
    for _ in 0..ROUNDS {
        for (place, (_, heap)) in HEAPS.iter().enumerate() {
            let scratch = Scratch::postgres(server).await?;
            paces[place].push(scratch.used(async |scratch| pace(setup, scratch, heap).await).await?);
            ratios[place].push(paces[place][paces[place].len() - 1] / paces[0][paces[0].len() - 1]);
        }
    }
    let mut figures = Vec::new();
    for (((what, heap), paces), ratios) in HEAPS.iter().zip(paces).zip(ratios) {
        figures.push(Figure::new(MEASURE, *what, median(paces), "jobs/s"));
        if heap.jobs > 0 {
            let ratio = Figure::new(MEASURE, format!("{what} / nothing else"), median(ratios), "×");
            let is_goal = heap.jobs == 1_000_000;
            figures.push(if is_goal { ratio.goal(Goal::AtLeast(WITH_MILLION_MIN)) } else { ratio });
        }
    }
    Ok(figures)
}

/// How quickly a round's jobs are drained beside these.
async fn pace(setup: &Setup, scratch: &Scratch, heap: &Heap) -> anyhow::Result<f64> {
    // Enough that the jobs of the heap which the runner has leased ahead by the end do not count.
    let jobs = 2 * setup.jobs;
    // Those that are like the round's own come after them in one row.
    if heap.handler == HANDLER && heap.due == Due::BEFORE {
        scratch.fill(HANDLER, jobs + heap.jobs).await?;
    } else {
        scratch.fill_with("heap", heap.handler, heap.jobs, heap.due).await?;
        scratch.fill(HANDLER, jobs).await?;
    }
    // The server writes what it was given in the background, for a while.
    tokio::time::sleep(REST).await;
    let took = fleet::drain(setup, jobs, scratch, &setup.runner, 1).await?;
    Ok(jobs as f64 / took.as_secs_f64())
}
