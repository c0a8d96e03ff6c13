//! How many jobs a second are created: one by one, by many clients, in bulk, and in plain SQL.

use super::Setup;
use super::figure::{Figure, Goal, median};
use super::fleet::HANDLER;
use super::scratch::Scratch;
use flowmonkey_jobs::job::{JsonText, NewJob};
use flowmonkey_jobs::store::SharedStore;
use std::time::Instant;

const MEASURE: &str = "enqueue";
const ROUNDS: usize = 3;
const SINGLES: usize = 2000;
const CLIENTS: usize = 16;
/// Jobs a call in bulk.
const BUNDLE: usize = 2000;
/// A row of some 250 bytes.
const INPUT: &str = r#"{"to": "ada@example.com", "subject": "Your report is ready", "body": "Hello {{name}}, the report that you have asked for is ready. You find it where you find them all.", "vars": {"name": "Ada"}}"#;
const BULK_MIN: f64 = 100_000.0;

pub(super) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if let Some(server) = &setup.server {
        let scratch = Scratch::postgres(server).await?;
        figures.extend(scratch.used(async |scratch| postgres(setup, scratch).await).await?);
    }
    let scratch = Scratch::sqlite().await?;
    figures.extend(scratch.used(async |scratch| sqlite(setup, scratch).await).await?);
    Ok(figures)
}

async fn postgres(setup: &Setup, scratch: &Scratch) -> anyhow::Result<Vec<Figure>> {
    let store = scratch.store(CLIENTS as u32).await?;
    let figure = |name: &str, value| Figure::new(MEASURE, format!("postgres, {name}"), value, "jobs/s");
    let mut figures = vec![
        figure("one by one, one client", singles(&store, 1).await?),
        figure("one by one, 16 clients", singles(&store, CLIENTS).await?),
    ];
    scratch.clear().await?;
    let (mut one, mut two, mut sql, mut raw) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        one.push(bulk(&store, setup.jobs as usize, 1).await?);
        scratch.clear().await?;
        two.push(bulk(&store, setup.jobs as usize, 2).await?);
        scratch.clear().await?;
        let jobs = setup.jobs;
        let begun = Instant::now();
        let call =
            format!("select count(fm_enqueue('{HANDLER}', '{INPUT}')) from generate_series(1, {jobs})");
        scratch.execute(&call).await?;
        sql.push(jobs as f64 / begun.elapsed().as_secs_f64());
        scratch.clear().await?;
        let begun = Instant::now();
        let insert = format!(
            "insert into fm_jobs (id, handler, input)
            select 'bench-' || lpad(n::text, 20, '0'), '{HANDLER}', '{INPUT}' from generate_series(1, {jobs}) as n"
        );
        scratch.execute(&insert).await?;
        raw.push(jobs as f64 / begun.elapsed().as_secs_f64());
        scratch.clear().await?;
    }
    figures.extend([
        figure("in bulk, one client", median(one)),
        figure("in bulk, two clients", median(two)).goal(Goal::AtLeast(BULK_MIN)),
        figure("fm_enqueue in one statement", median(sql)),
        figure("one raw insert of them all", median(raw)),
    ]);
    Ok(figures)
}

async fn sqlite(setup: &Setup, scratch: &Scratch) -> anyhow::Result<Vec<Figure>> {
    let store = scratch.store(1).await?;
    let figure = |name: &str, value| Figure::new(MEASURE, format!("sqlite, {name}"), value, "jobs/s");
    Ok(vec![
        figure("one by one", singles(&store, 1).await?),
        figure("in bulk", bulk(&store, setup.jobs as usize, 1).await?),
    ])
}

fn job() -> anyhow::Result<NewJob> {
    Ok(NewJob::new(HANDLER, JsonText::parse(INPUT)?))
}

async fn singles(store: &SharedStore, clients: usize) -> anyhow::Result<f64> {
    let job = job()?;
    let begun = Instant::now();
    let mut under_way = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (store, job) = (store.clone(), job.clone());
        under_way.spawn(async move {
            for _ in 0..SINGLES / clients {
                store.create(job.clone()).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = under_way.join_next().await {
        ended??;
    }
    Ok((SINGLES / clients * clients) as f64 / begun.elapsed().as_secs_f64())
}

async fn bulk(store: &SharedStore, jobs: usize, clients: usize) -> anyhow::Result<f64> {
    let job = job()?;
    let calls = (jobs / BUNDLE / clients).max(1);
    let begun = Instant::now();
    let mut under_way = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (store, job) = (store.clone(), job.clone());
        under_way.spawn(async move {
            for _ in 0..calls {
                store.create_many(vec![job.clone(); BUNDLE]).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = under_way.join_next().await {
        ended??;
    }
    Ok((calls * clients * BUNDLE) as f64 / begun.elapsed().as_secs_f64())
}
