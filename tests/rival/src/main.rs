//! Measures how many empty jobs per second the crate `graphile_worker` drains.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RefetchDelayConfig, TaskHandler, Worker, WorkerContext,
    WorkerOptions,
};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};

const ENQUEUE_BATCH: u64 = 5_000;
const CONNECTIONS: u32 = 16;
const CHECK_EVERY: Duration = Duration::from_millis(2);
const STALLED_AFTER: Duration = Duration::from_secs(30);

static HANDLED: AtomicU64 = AtomicU64::new(0);

/// Measures how many empty jobs per second graphile_worker drains from Postgres.
///
/// Drops the schema `graphile_worker` of the database first.
#[derive(Parser, Serialize)]
struct Args {
    #[arg(long)]
    #[serde(skip)]
    database_url: String,
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..))]
    #[serde(skip)]
    jobs: u64,
    /// Jobs handled at the same time
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// Jobs that each local queue fetches at once
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    local_queue: u32,
    /// Local queues that fetch side by side
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    local_queues: u16,
    /// Milliseconds for which completions are collected before they are written
    #[arg(long, default_value_t = 1)]
    completion_delay_ms: u64,
}

#[derive(Serialize)]
struct Report {
    jobs: u64,
    seconds: f64,
    jobs_per_second: u64,
    settings: Args,
}

#[derive(Clone, Deserialize, Serialize)]
struct SendMail {
    to: String,
    subject: String,
}

impl TaskHandler for SendMail {
    const IDENTIFIER: &'static str = "send_mail";

    async fn run(self, _ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        HANDLED.fetch_add(1, Ordering::Relaxed);
        Ok::<(), String>(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut db = PgConnection::connect(&args.database_url).await.context("cannot connect to the database")?;
    execute(&mut db, "drop schema if exists graphile_worker cascade").await?;

    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        // The default asks the server before each use of a connection whether it still answers.
        .test_before_acquire(false)
        .connect(&args.database_url)
        .await
        .context("cannot open the worker's connections")?;
    let worker = start_up(&args, pool).await?;
    enqueue(&worker, args.jobs).await?;
    execute(
        &mut db,
        "vacuum (analyze) graphile_worker._private_jobs, graphile_worker._private_job_queues, \
         graphile_worker._private_tasks",
    )
    .await?;
    execute(&mut db, "checkpoint").await?;

    let seconds = drain(worker, &mut db, args.jobs).await?.as_secs_f64();
    let report = Report {
        jobs: args.jobs,
        seconds: (seconds * 1_000.0).round() / 1_000.0,
        jobs_per_second: (args.jobs as f64 / seconds).round() as u64,
        settings: args,
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

async fn execute(db: &mut PgConnection, statement: &'static str) -> Result<()> {
    sqlx::query(statement).execute(db).await.with_context(|| format!("cannot execute: {statement}"))?;
    Ok(())
}

async fn start_up(args: &Args, pool: PgPool) -> Result<Worker> {
    let queue = LocalQueueConfig::default()
        .with_size(args.local_queue as usize)
        .with_queue_count(args.local_queues.into())
        // Without a delay an empty fetch is followed by the next at once, and these take the
        // processor from the last deletes.
        .with_refetch_delay(RefetchDelayConfig::default());
    WorkerOptions::default()
        .pg_pool(pool)
        .schema("graphile_worker")
        .concurrency(args.concurrency.into())
        .local_queue(queue)
        .complete_job_batch_delay(Duration::from_millis(args.completion_delay_ms))
        .define_job::<SendMail>()
        .init()
        .await
        .context("cannot set up the worker and its schema")
}

async fn enqueue(worker: &Worker, jobs: u64) -> Result<()> {
    let utils = worker.create_utils();
    let spec = JobSpec::default();
    let mail = SendMail { to: "ada@example.com".into(), subject: "Hi".into() };
    for start in (0..jobs).step_by(ENQUEUE_BATCH as usize) {
        let size = ENQUEUE_BATCH.min(jobs - start) as usize;
        let added =
            utils.add_jobs(&vec![(mail.clone(), &spec); size]).await.context("cannot add the jobs")?;
        ensure!(added.len() == size, "added {} of {size} jobs", added.len());
    }
    Ok(())
}

async fn drain(worker: Worker, db: &mut PgConnection, jobs: u64) -> Result<Duration> {
    let worker = Arc::new(worker);
    let runner = Arc::clone(&worker);
    let start = Instant::now();
    let mut running = tokio::spawn(async move { runner.run().await });

    tokio::select! {
        result = &mut running => {
            result.context("the worker panicked")?.context("the worker failed")?;
            bail!("the worker stopped before all jobs were done");
        }
        result = until_empty(db, jobs) => result?,
    }
    let elapsed = start.elapsed();

    worker.request_shutdown();
    running.await.context("the worker panicked")?.context("the worker failed")?;
    Ok(elapsed)
}

async fn until_empty(db: &mut PgConnection, jobs: u64) -> Result<()> {
    // The table is read only once every job was handled, so that the reads take nothing from the
    // worker's speed.
    let mut progress = (0, Instant::now());
    loop {
        let handled = HANDLED.load(Ordering::Relaxed);
        if handled >= jobs && !jobs_left(db).await? {
            return Ok(());
        }
        if handled > progress.0 {
            progress = (handled, Instant::now());
        } else if progress.1.elapsed() > STALLED_AFTER {
            bail!("the worker stalled after {handled} of {jobs} jobs");
        }
        tokio::time::sleep(CHECK_EVERY).await;
    }
}

async fn jobs_left(db: &mut PgConnection) -> Result<bool> {
    sqlx::query_scalar("select exists (select from graphile_worker._private_jobs)")
        .fetch_one(db)
        .await
        .context("cannot see whether jobs are left")
}
