use super::connect::Target;
use super::{BadInput, Exit, enqueue, show, table, view};
use flowmonkey_jobs::clock;
use flowmonkey_jobs::job::{JsonText, Status};
use flowmonkey_jobs::metrics::JobMetrics;
use flowmonkey_jobs::store::{Changed, ListFilter, RetryFilter, SharedStore, StoreError};

#[derive(Debug, clap::Subcommand)]
pub(super) enum JobsCommand {
    /// List jobs, those first that changed last
    List(ListArgs),
    /// Show everything about one job: its life, its payloads, its errors
    Show {
        /// The job's id
        id: String,
    },
    /// Call off jobs that are pending or running
    ///
    /// A running attempt hears of it when it asks, and is interrupted after a grace period; nothing it
    /// returns is kept.
    Cancel {
        /// The jobs' ids
        #[arg(required_unless_present = "execution")]
        ids: Vec<String>,
        /// A workflow execution: it is cancelled with all its jobs
        #[arg(long, value_name = "ID", conflicts_with = "ids")]
        execution: Option<String>,
    },
    /// Make failed or cancelled jobs pending again, due at once, with all their attempts
    Retry {
        /// The jobs' ids
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All jobs that match, instead of some by their ids
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// With --all: failed or cancelled jobs
        #[arg(long, requires = "all", default_value = "failed")]
        status: Status,
        /// With --all: only jobs of this handler
        #[arg(long, requires = "all")]
        handler: Option<String>,
    },
    /// End the wait of a job; its handler finds the payload in its next attempt
    Resume {
        /// The job's id
        id: String,
        /// What it is resumed with: JSON, @FILE, or - for standard input
        #[arg(long, value_name = "JSON|@FILE|-")]
        payload: Option<String>,
    },
    /// How many jobs each handler has
    Stats,
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Only these: pending, running, completed, failed or cancelled
    #[arg(long)]
    status: Option<Status>,
    /// Only jobs of this handler
    #[arg(long)]
    handler: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

pub(super) async fn jobs(command: JobsCommand, target: &Target, json: bool) -> anyhow::Result<Exit> {
    let store = target.open(1).await?;
    match command {
        JobsCommand::List(args) => list(args, &store, json).await,
        JobsCommand::Show { id } => show(&id, &store, json).await,
        JobsCommand::Cancel { execution: Some(id), .. } => cancel_execution(&id, &store, json).await,
        JobsCommand::Cancel { ids, .. } => change(Verb::Cancel, &ids, &store, json).await,
        JobsCommand::Retry { all: true, status, handler, .. } => {
            retry_all(RetryFilter { status: Some(status), handler }, &store, json).await
        }
        JobsCommand::Retry { ids, .. } => change(Verb::Retry, &ids, &store, json).await,
        JobsCommand::Resume { id, payload } => {
            let payload = payload.map(|source| enqueue::read_json("payload", &source)).transpose()?;
            change(Verb::Resume(payload), &[id], &store, json).await
        }
        JobsCommand::Stats => stats(&store, json).await,
    }
}

async fn list(args: ListArgs, store: &SharedStore, json: bool) -> anyhow::Result<Exit> {
    let filter = ListFilter { status: args.status, handler: args.handler, limit: args.limit };
    let jobs = store.list(&filter).await?;
    if json {
        view::print(&jobs.iter().map(view::JobView::brief).collect::<Vec<_>>())?;
    } else if jobs.is_empty() {
        say!("No jobs.");
    } else {
        say!("{}", table::jobs(&jobs, clock::unix_millis() as i64));
        if jobs.len() == args.limit as usize {
            say!("… the last {} that changed; --limit shows more", jobs.len());
        }
    }
    Ok(Exit::Done)
}

async fn show(id: &str, store: &SharedStore, json: bool) -> anyhow::Result<Exit> {
    let Some(job) = store.get(id).await? else { return Ok(not_found(id)) };
    let note = show::note(store, &job).await?;
    if json {
        view::print(&view::JobView::whole(&job, note.as_deref()))?;
    } else {
        say!("{}", show::describe(&job, note.as_deref(), clock::unix_millis() as i64));
    }
    Ok(Exit::Done)
}

fn not_found(id: &str) -> Exit {
    remark!("flowmonkey: there is no job {}", table::printable(id));
    Exit::NotFound
}

async fn cancel_execution(id: &str, store: &SharedStore, json: bool) -> anyhow::Result<Exit> {
    let cancelled = store.cancel_execution(id).await?;
    if json {
        view::print(&serde_json::json!({ "cancelled": cancelled }))?;
    } else if cancelled {
        say!("{id} and its jobs are cancelled");
    }
    if cancelled {
        return Ok(Exit::Done);
    }
    match store.execution(id).await? {
        Some(execution) => {
            remark!("flowmonkey: execution {} is {}", table::printable(id), execution.status);
            Ok(Exit::Failed)
        }
        None => {
            remark!("flowmonkey: there is no execution {}", table::printable(id));
            Ok(Exit::NotFound)
        }
    }
}

async fn retry_all(filter: RetryFilter, store: &SharedStore, json: bool) -> anyhow::Result<Exit> {
    if !matches!(filter.status, Some(Status::Failed | Status::Cancelled)) {
        return Err(BadInput("only failed and cancelled jobs can be retried".into()).into());
    }
    let retried = store.retry_many(&filter).await?;
    if json {
        view::print(&serde_json::json!({ "retried": retried }))?;
    } else {
        say!("{retried} jobs are pending again");
    }
    Ok(Exit::Done)
}

async fn stats(store: &SharedStore, json: bool) -> anyhow::Result<Exit> {
    let handlers = JobMetrics::new(store.clone()).stats_by_handler().await?;
    if json {
        view::print(&handlers)?;
    } else if handlers.is_empty() {
        say!("No jobs.");
    } else {
        say!("{}", table::stats(&handlers));
    }
    Ok(Exit::Done)
}

#[derive(Debug, Clone)]
enum Verb {
    Cancel,
    Retry,
    Resume(Option<JsonText>),
}

impl Verb {
    async fn apply(&self, id: &str, store: &SharedStore) -> Result<Changed, StoreError> {
        match self {
            Verb::Cancel => store.cancel(id).await,
            Verb::Retry => store.retry(id).await,
            Verb::Resume(payload) => store.resume(id, payload.as_ref()).await,
        }
    }

    /// What it makes of a job, and of which jobs.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Verb::Cancel => ("cancelled", "pending or running"),
            Verb::Retry => ("pending again", "failed or cancelled"),
            Verb::Resume(_) => ("resumed", "waiting"),
        }
    }
}

/// Goes on after one that cannot be changed, and ends with the worst that happened.
async fn change(verb: Verb, ids: &[String], store: &SharedStore, json: bool) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let mut changed_ids = Vec::new();
    let (done, from) = verb.words();
    for id in ids {
        match verb.apply(id, store).await? {
            Changed::Yes if json => changed_ids.push(id),
            Changed::Yes => say!("{id} is {done}"),
            Changed::NotFrom(status) => {
                remark!("flowmonkey: {id} is {status}; only {from} jobs can be {done}");
                exit = Exit::Failed;
            }
            Changed::KeyTaken => {
                remark!("flowmonkey: {id} cannot be {done}: another job holds its unique key");
                exit = Exit::Failed;
            }
            Changed::NotFound => exit = not_found(id),
        }
    }
    if json {
        view::print(&serde_json::json!({ "changed": changed_ids }))?;
    }
    Ok(exit)
}
