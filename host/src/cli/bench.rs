//! `flowmonkey bench`: measures, and prints a table or JSON.

use super::connect::{Database, Target};
use super::{BadInput, Exit, table};
use crate::bench::{self, Figure, Goal, Measure, Setup, shown};
use crate::config::{RawSettings, Settings};
use anyhow::Context;
use flowmonkey_jobs::job::JsonText;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct BenchArgs {
    /// What to measure [default: all]
    #[arg(value_enum)]
    measures: Vec<What>,
    /// The handler to measure with [default: one that succeeds at once]
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// What the handler is called with where no store is involved
    #[arg(long, value_name = "JSON", default_value = "{}")]
    input: String,
    /// Where to draw what `account` measured, as SVG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Jobs in a round
    #[arg(long, value_name = "JOBS", default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1000..=10_000_000))]
    jobs: u64,
    #[command(flatten)]
    settings: RawSettings,
}

/// One measure, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    All,
    One(Measure),
}

impl clap::ValueEnum for What {
    fn value_variants<'a>() -> &'a [Self] {
        const VARIANTS: [What; 1 + Measure::ALL.len()] = {
            let mut variants = [What::All; 1 + Measure::ALL.len()];
            let mut at = 0;
            while at < Measure::ALL.len() {
                variants[at + 1] = What::One(Measure::ALL[at]);
                at += 1;
            }
            variants
        };
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        match self {
            What::All => {
                Some(clap::builder::PossibleValue::new("all").help("Everything but churn, in one run"))
            }
            What::One(measure) => measure.to_possible_value(),
        }
    }
}

pub(super) async fn run(args: BenchArgs, target: &Target, json: bool) -> anyhow::Result<Exit> {
    let setup = setup(&args, target)?;
    let measures = wanted(&args.measures);
    let is_drawn = setup.server.is_some() && measures.contains(&Measure::Account);
    if args.picture.is_some() && !is_drawn {
        let why = "--picture needs the measure `account`, and a Postgres server to measure it on";
        return Err(BadInput(why.into()).into());
    }
    let mut figures = Vec::new();
    for measure in measures {
        let name = clap::ValueEnum::to_possible_value(&measure);
        remark!("measuring {} …", name.as_ref().map_or("", |name| name.get_name()));
        figures.extend(bench::measure(measure, &setup).await?);
    }
    if let (Some(path), Some(picture)) = (&args.picture, bench::svg(&figures)) {
        std::fs::write(path, picture).with_context(|| path.display().to_string())?;
    }
    if json {
        let figures: Vec<_> = figures.iter().map(Figure::json).collect();
        say!("{}", json!({"machine": machine(), "jobs": args.jobs, "figures": figures}));
    } else {
        say!("{}", table::figures(&figures));
    }
    Ok(Exit::Done)
}

fn wanted(named: &[What]) -> Vec<Measure> {
    if named.is_empty() || named.contains(&What::All) {
        return Measure::IN_ONE_RUN.to_vec();
    }
    let one = |what: &What| match what {
        What::All => None,
        What::One(measure) => Some(*measure),
    };
    let mut measures: Vec<Measure> = named.iter().filter_map(one).collect();
    measures.sort();
    measures.dedup();
    measures
}

fn setup(args: &BenchArgs, target: &Target) -> anyhow::Result<Setup> {
    let server = match target.database()? {
        Database::Postgres(url) => Some(url),
        Database::Embedded => None,
        Database::Sqlite(_) => {
            let why = "bench uses an SQLite file of its own; name a Postgres server with --database-url to measure that too";
            return Err(BadInput(why.into()).into());
        }
    };
    let component = match &args.component {
        Some(path) => std::fs::read(path).with_context(|| path.display().to_string())?,
        None => bench::empty_component()?,
    };
    let input = JsonText::parse(&args.input).map_err(|error| BadInput(format!("--input: {error}")))?;
    let settings = Settings::try_from(args.settings.clone()).map_err(BadInput)?;
    Ok(Setup {
        server,
        component,
        input,
        jobs: args.jobs,
        runner: settings.runner,
        sandbox: settings.sandbox,
    })
}

/// What the figures hang on.
fn machine() -> serde_json::Value {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    json!({"cores": cores, "processor": model.map(|(_, name)| name)})
}

/// What a goal is to people.
pub(super) fn goal(goal: Goal) -> String {
    match goal {
        Goal::AtLeast(least) => format!("≥ {}", shown(least)),
        Goal::AtMost(most) => format!("≤ {}", shown(most)),
    }
}
