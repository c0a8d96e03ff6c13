//! What attempts that wait hold: a thousand at once.

use super::figure::Figure;
use super::{Setup, component, nowhere};
use flowmonkey_jobs::sandbox::{Limits, Sandbox, SandboxConfig};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MEASURE: &str = "density";
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(1000).unwrap();
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let config = SandboxConfig { attempts_max: ATTEMPTS, ..setup.sandbox.clone() };
    let prepare = move || -> anyhow::Result<_> {
        let sandbox = Sandbox::new(&config)?;
        let prepared = sandbox.prepare(&component::waiting()?, &Limits::default())?;
        Ok((Arc::new(sandbox), Arc::new(prepared)))
    };
    let (sandbox, prepared) = tokio::task::spawn_blocking(prepare).await??;
    let before = resident_bytes()?;
    let begun = Instant::now();
    let mut controls = Vec::new();
    let mut under_way = tokio::task::JoinSet::new();
    for _ in 0..ATTEMPTS.get() {
        let context = nowhere::context(setup.input.clone(), Limits::default());
        controls.push(context.control.clone());
        let (sandbox, prepared) = (sandbox.clone(), prepared.clone());
        under_way.spawn(async move { sandbox.run(&prepared, context).await });
    }
    while sandbox.attempts() < ATTEMPTS.get() as usize {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "{} attempts wait", sandbox.attempts());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The last of them may not have come to its wait yet.
    tokio::time::sleep(Duration::from_millis(200)).await;
    anyhow::ensure!(under_way.try_join_next().is_none(), "an attempt ended that should wait");
    let held = resident_bytes()?.saturating_sub(before) as f64;
    controls.iter().for_each(|control| control.interrupt(flowmonkey_jobs::sandbox::Interruption::Released));
    under_way.join_all().await;
    let kept = resident_bytes()?.saturating_sub(before) as f64;
    let each = f64::from(ATTEMPTS.get()) * 1024.0;
    Ok(vec![
        Figure::new(MEASURE, "memory of each of 1,000 attempts that wait", held / each, "KB"),
        Figure::new(MEASURE, "kept for each of 1,000 places when they are over", kept / each, "KB"),
    ])
}

fn resident_bytes() -> anyhow::Result<u64> {
    super::cold::resident_bytes("self")
}
