//! `cargo xtask bench`: measures on a Postgres cluster of its own, which keeps what it commits, as production's does.

use crate::postgres::{Durable, Postgres};
use crate::{Result, guests, shell};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Benchmarks that need more than the program: they are in `tests/benches`.
const BENCHES: [&str; 3] = ["compile", "handlers", "limits"];
const RIVALS: &str = "rivals";
const RIVAL_ROUNDS: usize = 3;
const RIVAL_JOBS: &str = "50000";

pub(crate) fn bench(name: &str, arguments: &[String]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).filter(|one| *one != "--").collect();
    let postgres = Postgres::start(Durable::Yes)?;
    if BENCHES.contains(&name) {
        let handlers = guests::build_for_tests()?;
        let mut bench = shell::cargo();
        bench
            .args(["bench", "--locked", "--workspace", "--bench", name, "--"])
            .args(arguments)
            .env("FLOWMONKEY_GUESTS", handlers)
            .env("DATABASE_URL", postgres.url());
        return shell::run(&mut bench);
    }
    let empty = guests::build()?.join("empty.wasm");
    let program = shell::build_program()?;
    if name == RIVALS {
        return rivals(&program, &empty, &postgres.url());
    }
    shell::run(measure(&program, &empty, &postgres.url()).arg(name).args(arguments))
}

/// The program's own measures, with the least handler in Rust.
fn measure(program: &Path, handler: &Path, url: &str) -> Command {
    let mut bench = Command::new(program);
    bench.arg("bench").arg("--component").arg(handler).args(["--database-url", url]);
    bench
}

/// Drains of empty jobs, in turns with a queue whose jobs are plain functions.
fn rivals(program: &Path, handler: &Path, url: &str) -> Result<()> {
    let folder = shell::root().join("tests/rival");
    shell::run(shell::cargo().current_dir(&folder).args(["build", "--release", "--locked"]))?;
    let rival = folder.join("target/release/rival");
    let (mut theirs, mut kept, mut forgotten) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RIVAL_ROUNDS {
        let text = shell::output(Command::new(&rival).args(["--database-url", url, "--jobs", RIVAL_JOBS]))?;
        let report: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        theirs.push(report["jobs_per_second"].as_f64().ok_or("the rival does not say how quick it was")?);
        let mut drain = measure(program, handler, url);
        let text = shell::output(drain.args(["drain", "--json", "--jobs", RIVAL_JOBS]))?;
        kept.push(figure(&text, "postgres, history kept")?);
        forgotten.push(figure(&text, "postgres, retention zero")?);
    }
    let (theirs, kept, forgotten) = (median(theirs), median(kept), median(forgotten));
    println!("{RIVAL_JOBS} empty jobs, the middle of {RIVAL_ROUNDS} rounds in turns, jobs/s:");
    println!("  graphile_worker 0.14, plain functions   {theirs:>8.0}");
    println!("  flowmonkey, retention zero              {forgotten:>8.0}   × {:.2}", forgotten / theirs);
    println!("  flowmonkey, history kept                {kept:>8.0}   × {:.2}", kept / theirs);
    Ok(())
}

/// The figure with this name, of what `bench --json` prints.
fn figure(text: &str, name: &str) -> Result<f64> {
    let report: Value = serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
    let figures = report["figures"].as_array().into_iter().flatten();
    let found = figures.filter(|figure| figure["name"] == name).find_map(|figure| figure["value"].as_f64());
    found.ok_or_else(|| format!("no figure `{name}` in: {text}"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
