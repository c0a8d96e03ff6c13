//! Where the processor time of one job goes, while a heap of them is drained: by the threads of this process and the
//! processes of the database server, if that is on this machine.

use super::Setup;
use super::drain::kept;
use super::figure::Figure;
use super::fleet::{Fleet, HANDLER};
use super::scratch::Scratch;
use flowmonkey_jobs::runner::RunnerSettings;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) const MEASURE: &str = "account";
/// Time in /proc is counted in hundredths of a second (proc_pid_stat(5), sysconf(_SC_CLK_TCK)).
const TICK_US: f64 = 10_000.0;

pub(super) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let Some(server) = &setup.server else { return Ok(Vec::new()) };
    let mut figures = Vec::new();
    for keep in [true, false] {
        let scratch = Scratch::postgres(server).await?;
        let used = scratch.used(async |scratch| drain(setup, scratch, keep).await).await?;
        let what = kept(keep);
        let figure = |part: &str, us| Figure::new(MEASURE, format!("{what}: {part}"), us, "µs");
        figures.extend(used.iter().map(|(part, us)| figure(part, *us)));
    }
    Ok(figures)
}

/// Microseconds of each part for one job.
async fn drain(setup: &Setup, scratch: &Scratch, keep: bool) -> anyhow::Result<BTreeMap<&'static str, f64>> {
    let jobs = setup.jobs * 2;
    scratch.fill(HANDLER, jobs).await?;
    let settings = RunnerSettings { forget_completed: !keep, ..setup.runner.clone() };
    let fleet = Fleet::new(scratch, &setup.sandbox, &setup.component, &settings, 1).await?;
    let before = used(scratch).await?;
    let drained = fleet.complete(jobs).await;
    let after = used(scratch).await?;
    fleet.stop().await;
    drained?;
    let part = |(name, ticks): (&'static str, f64)| {
        let more = (ticks - before.get(name).copied().unwrap_or(0.0)).max(0.0);
        (name, more * TICK_US / jobs as f64)
    };
    Ok(after.into_iter().map(part).collect())
}

/// Ticks of each part up to now.
async fn used(scratch: &Scratch) -> anyhow::Result<BTreeMap<&'static str, f64>> {
    let mut used = BTreeMap::new();
    for thread in std::fs::read_dir("/proc/self/task")? {
        let Some((name, ticks)) = stat(&thread?.path()) else { continue };
        let part = match name.as_str() {
            "guest" => "sandbox",
            "tokio-rt-worker" => "runner: claims and records",
            _ => "runner: other threads",
        };
        *used.entry(part).or_default() += ticks;
    }
    let servers =
        "select coalesce(string_agg(pid::text || ':' || backend_type, ','), '') from pg_stat_activity
        where datname is null or datname = current_database()";
    for server in scratch.text(servers).await?.split(',') {
        let Some((pid, kind)) = server.split_once(':') else { continue };
        let Some((name, ticks)) = stat(&Path::new("/proc").join(pid)) else { continue };
        if name == "postgres" {
            let part =
                if kind == "client backend" { "database: statements" } else { "database: log and upkeep" };
            *used.entry(part).or_default() += ticks;
        }
    }
    Ok(used)
}

/// A thread's or process's name, and its ticks in and out of the kernel.
fn stat(folder: &Path) -> Option<(String, f64)> {
    let text = std::fs::read_to_string(folder.join("stat")).ok()?;
    let (name, rest) = text.split_once('(')?.1.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((name.to_owned(), user + system))
}
