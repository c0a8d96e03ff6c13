use super::connect::Target;
use super::{Exit, show, table, view};
use flowmonkey_jobs::clock;
use flowmonkey_jobs::job::Status;
use flowmonkey_jobs::store::{Changed, ListFilter, SharedStore};

#[derive(Debug, clap::Subcommand)]
pub(super) enum JobsCommand {
    /// List jobs, newest first
    List(ListArgs),
    /// Show everything about one job: its life, its payloads, its errors
    Show {
        /// The job's id
        id: String,
    },
    /// Call off jobs that are pending or running
    ///
    /// A running attempt hears of it at its next heartbeat and is interrupted after a grace period;
    /// nothing it returns is kept.
    Cancel {
        /// The jobs' ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Make failed or cancelled jobs pending again, due at once, with all their attempts
    Retry {
        /// The jobs' ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
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
        JobsCommand::Cancel { ids } => change(Verb::Cancel, &ids, &store, json).await,
        JobsCommand::Retry { ids } => change(Verb::Retry, &ids, &store, json).await,
    }
}

async fn list(args: ListArgs, store: &SharedStore, json: bool) -> anyhow::Result<Exit> {
    let filter = ListFilter { status: args.status, handler: args.handler, limit: args.limit };
    let jobs = store.list(&filter).await?;
    if json {
        view::print(&jobs.iter().map(view::JobView::brief).collect::<Vec<_>>())?;
    } else if jobs.is_empty() {
        println!("No jobs.");
    } else {
        println!("{}", table::jobs(&jobs, clock::unix_millis() as i64));
        if jobs.len() == args.limit as usize {
            println!("… the newest {}; --limit shows more", jobs.len());
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
        println!("{}", show::describe(&job, note.as_deref(), clock::unix_millis() as i64));
    }
    Ok(Exit::Done)
}

fn not_found(id: &str) -> Exit {
    eprintln!("flowmonkey: there is no job {}", table::printable(id));
    Exit::NotFound
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Cancel,
    Retry,
}

/// Goes on after one that cannot be changed, and ends with the worst that happened.
async fn change(verb: Verb, ids: &[String], store: &SharedStore, json: bool) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let mut changed_ids = Vec::new();
    for id in ids {
        let changed = match verb {
            Verb::Cancel => store.cancel(id).await?,
            Verb::Retry => store.retry(id).await?,
        };
        let (done, from) = match verb {
            Verb::Cancel => ("cancelled", "pending or running"),
            Verb::Retry => ("pending again", "failed or cancelled"),
        };
        match changed {
            Changed::Yes if json => changed_ids.push(id),
            Changed::Yes => println!("{id} is {done}"),
            Changed::NotFrom(status) => {
                eprintln!("flowmonkey: {id} is {status}; only {from} jobs can be {done}");
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
