use super::connect::Target;
use super::{BadInput, Exit, show, table, view};
use anyhow::Context;
use flowmonkey_jobs::catalog::{InputChecks, InputFault};
use flowmonkey_jobs::job::{
    INPUT_BYTES_MAX, Job, JsonText, MAX_ATTEMPTS_DEFAULT, NewJob, RetryPolicy, Start, Status, Unique,
};
use flowmonkey_jobs::store::{Created, SharedStore, StoreError};
use flowmonkey_jobs::units::Span;
use std::io::Read;
use std::time::{Duration, SystemTime};
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
    /// The moment at which it is due, such as 2027-01-31T09:00:00Z
    #[arg(long, value_name = "MOMENT", conflicts_with = "delay")]
    run_at: Option<Moment>,
    /// While a job of this handler with this key is pending or running, take that one
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,
    /// Let the key hold for this time from the job's creation instead, whatever becomes of the job
    #[arg(long, value_name = "TIME", requires = "unique_key")]
    unique_for: Option<Span>,
    /// The longest pause after its first failed attempt [default: the handler's]
    #[arg(long, value_name = "TIME")]
    retry_base: Option<Span>,
    /// The longest pause after any failed attempt [default: the handler's, or 1h beside --retry-base]
    #[arg(long, value_name = "TIME", requires = "retry_base")]
    retry_cap: Option<Span>,
    /// Time its handler may go without a heartbeat of its own [default: the handler's]
    #[arg(long, value_name = "TIME")]
    heartbeat_timeout: Option<Span>,
    /// The version of the handler that it runs with, in every attempt [default: the one that is active then]
    #[arg(long = "handler-version", value_name = "VERSION")]
    handler_version: Option<String>,
    /// The workflow execution it belongs to
    #[arg(long, value_name = "ID")]
    execution: Option<String>,
    /// The step of that execution
    #[arg(long, value_name = "STEP", requires = "execution")]
    step: Option<String>,
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

/// A moment as RFC 3339 has it.
#[derive(Debug, Clone, Copy)]
struct Moment(SystemTime);

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let moment = humantime::parse_rfc3339(text);
        moment.map(Moment).map_err(|error| format!("{error}; write a moment like 2027-01-31T09:00:00Z"))
    }
}

impl EnqueueArgs {
    /// The job to be, with everything checked that can be checked without a store.
    fn job(&self) -> anyhow::Result<NewJob> {
        let input = read_json("input", &self.input)?;
        let start = match (self.run_at, self.delay) {
            (Some(Moment(at)), _) => {
                let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Start::At(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            (None, Some(delay)) => Start::After(delay.0),
            (None, None) => Start::Now,
        };
        let unique = |key: &String| match self.unique_for {
            Some(time) => Unique::within(key, time.0),
            None => Unique::active(key),
        };
        let policy = RetryPolicy::default();
        let retry = self.retry_base.map(|base| RetryPolicy {
            base: base.0,
            cap: self.retry_cap.map_or(policy.cap, |cap| cap.0),
            ..policy
        });
        let job = NewJob {
            execution_id: self.execution.clone(),
            step_id: self.step.clone(),
            start,
            priority: self.priority,
            max_attempts: self.max_attempts,
            unique: self.unique_key.as_ref().map(unique),
            retry,
            heartbeat_timeout: self.heartbeat_timeout.map(|time| time.0),
            pinned_version: self.handler_version.clone(),
            ..NewJob::new(&self.handler, input)
        };
        job.check().map_err(|error| BadInput(error.to_string()))?;
        Ok(job)
    }
}

/// What whoever enqueues can mend is bad input.
pub(super) async fn check_input(store: &SharedStore, job: &NewJob) -> anyhow::Result<()> {
    match InputChecks::new(store.clone()).check(job).await {
        Ok(()) => Ok(()),
        Err(InputFault::Store(error)) => Err(error.into()),
        Err(mistake) => Err(BadInput(format!("{mistake}; nothing was created")).into()),
    }
}

pub(super) async fn enqueue(args: EnqueueArgs, target: &Target, json: bool) -> anyhow::Result<Exit> {
    // Before the store is opened: what is wrong with the input is wrong without one.
    let job = args.job()?;
    let store = target.open(1).await?;
    check_input(&store, &job).await?;
    let Created { job, is_new } = store.create(job).await?;
    if !is_new {
        remark!("flowmonkey: {} holds this key already; no new job", job.id);
    }
    if !args.wait {
        if json {
            view::print(&view::JobView::whole(&job, None))?;
        } else {
            say!("{}", job.id);
        }
        return Ok(Exit::Done);
    }
    match wait(&store, job, args.wait_timeout).await? {
        Waited::Ended(job) => ended(&job, json),
        Waited::TooLong(job) => {
            remark!("flowmonkey: {} is still {}; it goes on", job.id, job.status);
            Ok(Exit::WaitedTooLong)
        }
    }
}

/// JSON from the command line itself, a file or standard input; `what` names it to whoever typed it.
pub(super) fn read_json(what: &str, source: &str) -> anyhow::Result<JsonText> {
    let parsed = JsonText::parse(&read_input(source)?);
    Ok(parsed.map_err(|error| BadInput(format!("the {what} cannot be used: {error}")))?)
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
        remark!("flowmonkey: {}: {}", job.id, table::printable(&note));
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
        say!("{result}");
    }
    Ok(match job.status {
        Status::Completed => Exit::Done,
        Status::Cancelled => {
            remark!("flowmonkey: {} was cancelled", job.id);
            Exit::Cancelled
        }
        _ => {
            let why = job.error.as_ref().map(show::error).unwrap_or_default();
            remark!("flowmonkey: {} failed: {}", job.id, table::printable(&why));
            Exit::Failed
        }
    })
}
