//! `flowmonkey bench`: what the product does in how much time, beside the least it could take, in one run. What each
//! figure means and what to expect is in PERFORMANCE.md.

mod account;
mod attempt;
mod backlog;
mod churn;
mod cold;
mod component;
mod density;
mod drain;
mod enqueue;
mod figure;
mod fleet;
mod floor;
mod latency;
mod nowhere;
mod picture;
mod raw;
mod scale;
mod scratch;

pub(crate) use figure::{Figure, Goal, shown};
pub(crate) use picture::svg;

use flowmonkey_jobs::job::JsonText;
use flowmonkey_jobs::runner::RunnerSettings;
use flowmonkey_jobs::sandbox::SandboxConfig;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Measure {
    /// One attempt with all limits on, against wasmtime alone
    Attempt,
    /// Jobs until all are recorded, against raw SQL of the same batches
    Drain,
    /// From enqueue to the first guest instruction and to the record, idle and under half load
    Latency,
    /// Creating jobs: one by one, in bulk, in SQL
    Enqueue,
    /// Draining beside up to a million pending jobs
    Backlog,
    /// Draining with 1, 2 and 4 runners
    Scale,
    /// Memory of a thousand attempts that wait
    Density,
    /// Starting with 200 handlers, and memory at rest
    Cold,
    /// Where the processor time of one job goes
    Account,
    /// Ten million jobs through one table, some ten minutes; not part of all
    Churn,
}

impl Measure {
    pub(crate) const ALL: [Measure; 10] = [
        Measure::Attempt,
        Measure::Drain,
        Measure::Latency,
        Measure::Enqueue,
        Measure::Backlog,
        Measure::Scale,
        Measure::Density,
        Measure::Cold,
        Measure::Account,
        Measure::Churn,
    ];
    /// All but that which takes longer than the others together.
    pub(crate) const IN_ONE_RUN: &[Measure] = Measure::ALL.split_at(Measure::ALL.len() - 1).0;
}

/// What is measured with.
pub(crate) struct Setup {
    /// A Postgres server on which databases may be created; without one, what needs it is left out.
    pub(crate) server: Option<String>,
    /// The handler.
    pub(crate) component: Vec<u8>,
    /// What it is called with.
    pub(crate) input: JsonText,
    /// How many jobs make a round.
    pub(crate) jobs: u64,
    pub(crate) runner: RunnerSettings,
    pub(crate) sandbox: SandboxConfig,
}

/// The handler that is measured where none is named: it succeeds at once.
///
/// # Errors
/// When its text is none, which would be a bug.
pub(crate) fn empty_component() -> anyhow::Result<Vec<u8>> {
    component::empty()
}

pub(crate) async fn measure(measure: Measure, setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    match measure {
        Measure::Attempt => attempt::measure(setup).await,
        Measure::Drain => drain::measure(setup).await,
        Measure::Latency => latency::measure(setup).await,
        Measure::Enqueue => enqueue::measure(setup).await,
        Measure::Backlog => backlog::measure(setup).await,
        Measure::Scale => scale::measure(setup).await,
        Measure::Density => density::measure(setup).await,
        Measure::Cold => cold::measure(setup).await,
        Measure::Account => account::measure(setup).await,
        Measure::Churn => churn::measure(setup).await,
    }
}
