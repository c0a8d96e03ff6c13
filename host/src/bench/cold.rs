//! Starts: how long until a runner has 200 handlers, compiled by it or found in its cache; and what it holds while
//! it has nothing to do. The program itself is started, as an operator would.

use super::Setup;
use super::figure::{Figure, Goal};
use super::scratch::Scratch;
use anyhow::Context;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const MEASURE: &str = "cold";
const MANY: usize = 200;
const FEW: usize = 10;
const IDLE_MB_MAX: f64 = 60.0;
const PATIENCE: Duration = Duration::from_secs(600);
/// What a start leaves behind is given back by then.
const REST: Duration = Duration::from_secs(2);

pub(super) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let scratch = match &setup.server {
        Some(server) => Scratch::postgres(server).await?,
        None => Scratch::sqlite().await?,
    };
    let folder =
        std::env::temp_dir().join(format!("flowmonkey-bench-cold-{}", uuid::Uuid::new_v4().simple()));
    let measured = scratch.used(async |scratch| starts(setup, scratch, &folder).await).await;
    let _ = std::fs::remove_dir_all(&folder);
    measured
}

async fn starts(setup: &Setup, scratch: &Scratch, folder: &Path) -> anyhow::Result<Vec<Figure>> {
    let (many, few, cache) = (folder.join("many"), folder.join("few"), folder.join("cache"));
    write(&many, &setup.component, MANY)?;
    write(&few, &setup.component, FEW)?;
    let cold = start(scratch, &many, &cache).await?;
    let cold_took = cold.took;
    cold.end().await?;
    let warm = start(scratch, &many, &cache).await?;
    let many_mb = warm.resident_mb().await?;
    let warm_took = warm.took;
    warm.end().await?;
    let few = start(scratch, &few, &cache).await?;
    let few_mb = few.resident_mb().await?;
    few.end().await?;
    Ok(vec![
        Figure::new(MEASURE, "start with 200 handlers, cache empty", cold_took.as_secs_f64(), "s"),
        Figure::new(MEASURE, "start with 200 handlers, cache full", warm_took.as_secs_f64(), "s"),
        Figure::new(MEASURE, "an idle runner with 200 handlers", many_mb, "MB"),
        Figure::new(MEASURE, "an idle runner with 10 handlers", few_mb, "MB").goal(Goal::AtMost(IDLE_MB_MAX)),
    ])
}

/// Handlers with one code and different bytes, so that each is compiled by itself.
fn write(folder: &Path, component: &[u8], handlers: usize) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for number in 0..handlers {
        let mark = format!("{number}");
        let mut bytes = component.to_vec();
        // A custom section: its id, its size, and a name without content.
        bytes.extend([0, mark.len() as u8 + 1, mark.len() as u8]);
        bytes.extend(mark.as_bytes());
        std::fs::write(folder.join(format!("handler-{number}.wasm")), bytes)?;
    }
    Ok(())
}

/// A runner of its own process that has its handlers.
struct Started {
    program: Child,
    took: Duration,
}

async fn start(scratch: &Scratch, handlers: &Path, cache: &Path) -> anyhow::Result<Started> {
    let begun = Instant::now();
    let mut program = Command::new(std::env::current_exe()?)
        .arg("run")
        .arg("--handlers")
        .arg(handlers)
        .arg("--cache-folder")
        .arg(cache)
        .env("FLOWMONKEY_DATABASE_URL", scratch.url()?)
        .env("FLOWMONKEY_LOG", "flowmonkey=info")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("a runner of its own")?;
    let mut lines = BufReader::new(program.stderr.take().context("its log")?).lines();
    let mut last = String::new();
    let started = async {
        while let Some(line) = lines.next_line().await? {
            if line.contains("runner started") {
                return anyhow::Ok(());
            }
            last = line;
        }
        anyhow::bail!("the runner ended: {last}")
    };
    tokio::time::timeout(PATIENCE, started).await.context("a start")??;
    let took = begun.elapsed();
    // Its log must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(Started { program, took })
}

impl Started {
    /// Resident memory once it is at rest.
    async fn resident_mb(&self) -> anyhow::Result<f64> {
        tokio::time::sleep(REST).await;
        let pid = self.program.id().context("the runner ended")?;
        Ok(resident_bytes(&pid.to_string())? as f64 / 1e6)
    }

    async fn end(mut self) -> anyhow::Result<()> {
        self.program.kill().await?;
        Ok(())
    }
}

/// What a process holds of the machine's memory.
pub(super) fn resident_bytes(process: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes * 1024)
}
