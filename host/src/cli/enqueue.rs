use super::connect::Target;
use super::{BadInput, Exit, show, table, view};
use crate::config::Span;
use anyhow::Context;
use flowmonkey_jobs::job::{INPUT_BYTES_MAX, Job, JsonText, MAX_ATTEMPTS_DEFAULT, NewJob, Status};
use flowmonkey_jobs::store::{SharedStore, StoreError};
use std::io::Read;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const POLL_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub(super) struct EnqueueArgs {
    /// The handler that shall run the job
    handler: String,
    /// The handler's input: JSON, @FILE, or - for standard input
    #[arg(long, short, value_name = "JSON|@FILE|-", default_value = "null")]
    input: String,
    /// Time from now until the job is due, such as 10m
    #[arg(long, value_name = "TIME")]
    delay: Option<Span>,
    /// From 0 (first) to 9 (last)
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i16).range(0..=9))]
    priority: i16,
    /// How many attempts the job has in all
    #[arg(long, value_name = "N", default_value_t = MAX_ATTEMPTS_DEFAULT)]
    max_attempts: u32,
    /// Wait for the job's end, print its result, and exit by how it ended
    #[arg(long)]
    wait: bool,
    /// Give up waiting after this time; the job goes on
    #[arg(long, value_name = "TIME", requires = "wait")]
    wait_timeout: Option<Span>,
}

pub(super) async fn enqueue(args: EnqueueArgs, target: &Target, json: bool) -> anyhow::Result<Exit> {
    // Before the store is opened: what is wrong with the input is wrong without one.
    let input = JsonText::parse(&read_input(&args.input)?)
        .map_err(|error| BadInput(format!("the input cannot be used: {error}")))?;
    let delay_ms = args.delay.map_or(0, |span| u64::try_from(span.0.as_millis()).unwrap_or(u64::MAX));
    let job = NewJob {
        delay_ms,
        priority: args.priority,
        max_attempts: args.max_attempts,
        ..NewJob::new(args.handler, input)
    };
    job.check().map_err(|error| BadInput(error.to_string()))?;
    let store = target.open(1).await?;
    let job = store.create(job).await?;
    if !args.wait {
        if json {
            view::print(&view::JobView::whole(&job, None))?;
        } else {
            println!("{}", job.id);
        }
        return Ok(Exit::Done);
    }
    match wait(&store, job, args.wait_timeout).await? {
        Waited::Ended(job) => ended(&job, json),
        Waited::TooLong(job) => {
            eprintln!("flowmonkey: {} is still {}; it goes on", job.id, job.status);
            Ok(Exit::WaitedTooLong)
        }
    }
}

/// At most one byte over the limit is read, which is enough to refuse it.
fn read_input(source: &str) -> anyhow::Result<String> {
    let (name, mut reader): (&str, Box<dyn Read>) = match source.strip_prefix('@') {
        None if source == "-" => ("standard input", Box::new(std::io::stdin())),
        None => return Ok(source.to_owned()),
        Some(path) => {
            let file = std::fs::File::open(path).map_err(|error| BadInput(format!("{path}: {error}")))?;
            (path, Box::new(file))
        }
    };
    let mut bytes = Vec::new();
    let limit = INPUT_BYTES_MAX as u64 + 1;
    reader.by_ref().take(limit).read_to_end(&mut bytes).with_context(|| format!("reading {name}"))?;
    String::from_utf8(bytes).map_err(|error| {
        let why = if error.as_bytes().len() as u64 == limit {
            format!("{name} has more than {INPUT_BYTES_MAX} bytes, the limit of an input")
        } else {
            format!("{name} is not UTF-8: {}", error.utf8_error())
        };
        BadInput(why).into()
    })
}

enum Waited {
    Ended(Job),
    TooLong(Job),
}

async fn wait(store: &SharedStore, job: Job, timeout: Option<Span>) -> anyhow::Result<Waited> {
    let deadline = timeout.map(|span| Instant::now() + span.0);
    if let Some(note) = show::note(store, &job).await? {
        eprintln!("flowmonkey: {}: {}", job.id, table::printable(&note));
    }
    let mut last = job;
    while !last.status.is_final() {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(Waited::TooLong(last));
        }
        sleep(POLL_INTERVAL).await;
        last = match store.get(&last.id).await {
            Ok(Some(job)) => job,
            Ok(None) => anyhow::bail!("job {} was deleted", last.id),
            // The job is safe; only the view of it is gone for a while.
            Err(StoreError::Unavailable(_)) => last,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(Waited::Ended(last))
}

fn ended(job: &Job, json: bool) -> anyhow::Result<Exit> {
    if json {
        view::print(&view::JobView::whole(job, None))?;
    } else if let Some(result) = &job.result {
        println!("{result}");
    }
    Ok(match job.status {
        Status::Completed => Exit::Done,
        Status::Cancelled => {
            eprintln!("flowmonkey: {} was cancelled", job.id);
            Exit::Cancelled
        }
        _ => {
            let why = job.error.as_ref().map(show::error).unwrap_or_default();
            eprintln!("flowmonkey: {} failed: {}", job.id, table::printable(&why));
            Exit::Failed
        }
    })
}
