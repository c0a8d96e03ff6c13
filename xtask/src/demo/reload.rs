//! A second version of a handler, pushed while jobs of the first are running.

use super::{DEMO_TIMEOUT, Runner};
use crate::screen::text;
use crate::{Result, guests};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

const JOBS: usize = 3;
const PAUSE_MS: u64 = 2500;

/// Pushes both versions and shows which jobs ran which.
pub(super) fn show(runner: &Runner) -> Result<()> {
    let [first, second] = guests::versions()?;
    println!("\n$ flowmonkey handlers push greet-1.wasm --name greet");
    push(runner, &first)?;
    let before = enqueue(runner)?;
    let running = |job: &Value| text(job, "status") == "running";
    wait(runner, &before, "they run", running)?;
    println!(
        "\n$ flowmonkey handlers push greet-2.wasm --name greet     while {JOBS} jobs of version 1.0.0 are running"
    );
    push(runner, &second)?;
    swapped(runner, "2.0.0")?;
    let after = enqueue(runner)?;
    let ended = |job: &Value| matches!(text(job, "status"), "completed" | "failed" | "cancelled");
    let (before, after) =
        (wait(runner, &before, "they end", ended)?, wait(runner, &after, "they end", ended)?);
    println!();
    for (title, version, jobs) in
        [("enqueued before the push", "1.0.0", before), ("enqueued after it", "2.0.0", after)]
    {
        for job in &jobs {
            let ran = &job["history"][0]["version"];
            let greeting = job["result"]["greeting"].as_str().unwrap_or_default();
            println!(
                "  {title:<26} {:<10} ran version {}  {greeting}",
                text(job, "status"),
                ran.as_str().unwrap_or("-")
            );
            if text(job, "status") != "completed" || ran != version || job["result"]["version"] != version {
                return Err(format!("a job that was {title} should have run version {version}: {job}"));
            }
        }
    }
    println!("\nNo job was lost or disturbed by the swap.");
    Ok(())
}

fn push(runner: &Runner, component: &Path) -> Result<()> {
    let path = component.to_string_lossy();
    let told = runner.call(&["handlers", "push", &path, "--name", "greet"])?;
    told.lines().for_each(|line| println!("  {line}"));
    Ok(())
}

/// Waits until the runner says that it has the version.
fn swapped(runner: &Runner, version: &str) -> Result<()> {
    let deadline = Instant::now() + DEMO_TIMEOUT;
    loop {
        let shown = runner.call(&["handlers", "show", "greet", "--json"])?;
        let shown: Value = serde_json::from_str(&shown)
            .map_err(|error| format!("`handlers show --json` printed no JSON: {error}"))?;
        let runners = shown["runners"].as_array().map(Vec::as_slice).unwrap_or_default();
        if runners.iter().any(|one| one["version"] == version && one["role"] == "active") {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("version {version} is not swapped in; the runner says:\n{}", runner.log()));
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn enqueue(runner: &Runner) -> Result<Vec<String>> {
    let input = json!({ "name": "Ada", "pauseMs": PAUSE_MS }).to_string();
    let one = |_| Ok(runner.call(&["enqueue", "greet", "--input", &input])?.trim().to_owned());
    (0..JOBS).map(one).collect()
}

fn wait(runner: &Runner, ids: &[String], what: &str, fits: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
    let deadline = Instant::now() + DEMO_TIMEOUT;
    loop {
        let jobs = ids.iter().map(|id| {
            let shown = runner.call(&["jobs", "show", id, "--json"])?;
            serde_json::from_str(&shown)
                .map_err(|error| format!("`jobs show --json` printed no JSON: {error}"))
        });
        let jobs = jobs.collect::<Result<Vec<Value>>>()?;
        if jobs.iter().all(&fits) {
            return Ok(jobs);
        }
        if Instant::now() > deadline {
            return Err(format!("the jobs take too long until {what}; the runner says:\n{}", runner.log()));
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
