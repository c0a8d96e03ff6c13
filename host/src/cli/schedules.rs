use super::connect::Target;
use super::{BadInput, Exit, enqueue, table, view};
use flowmonkey_jobs::clock;
use flowmonkey_jobs::job::{JsonText, MAX_ATTEMPTS_DEFAULT, NewJob};
use flowmonkey_jobs::scheduler::{ScheduleError, Scheduler, Upcoming};
use flowmonkey_jobs::store::{Missed, NewSchedule, Schedule};
use serde::Serialize;

#[derive(Debug, clap::Subcommand)]
pub(super) enum SchedulesCommand {
    /// List schedules with their next runs
    List {
        /// How many next runs of each
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
        runs: u8,
    },
    /// Create a schedule, or replace the one with this name
    ///
    /// The expression is crontab(5): minute hour day-of-month month day-of-week, such as `0 9 * * mon-fri`,
    /// or @hourly, @daily, @weekly, @monthly, @yearly. A runner (`flowmonkey run` or `dev`) creates the jobs.
    Add(AddArgs),
    /// Let a schedule create no jobs for now
    Pause {
        /// The schedule's name
        name: String,
    },
    /// Let a paused schedule go on with its next run from now
    Resume {
        /// The schedule's name
        name: String,
    },
    /// Remove a schedule; the jobs it created stay
    Remove {
        /// The schedule's name
        name: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// The schedule's name
    name: String,
    /// When it runs, such as '0 9 * * *' or @daily
    cron: String,
    /// The handler of its jobs
    handler: String,
    /// The input of its jobs: JSON, @FILE, or - for standard input
    #[arg(long, short, value_name = "JSON|@FILE|-", default_value = "null")]
    input: String,
    /// The time zone that the expression means, by its IANA name
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// From 0 (first) to 9 (last)
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i16).range(0..=9))]
    priority: i16,
    /// How many attempts each job has in all
    #[arg(long, value_name = "N", default_value_t = MAX_ATTEMPTS_DEFAULT)]
    max_attempts: u32,
    /// What happens to runs that passed while no runner was there: skip, once (the last of them) or all
    #[arg(long, default_value = "once")]
    missed: Missed,
    /// With --missed all: at most the last so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    missed_max: u32,
}

pub(super) async fn schedules(
    command: SchedulesCommand,
    target: &Target,
    json: bool,
) -> anyhow::Result<Exit> {
    let open = async || anyhow::Ok(Scheduler::new(target.open(1).await?));
    match command {
        SchedulesCommand::Add(args) => add(args, target, json).await,
        SchedulesCommand::List { runs } => list(&open().await?.list(runs.into()).await?, json),
        SchedulesCommand::Pause { name } => changed(&name, open().await?.pause(&name).await?, "paused", json),
        SchedulesCommand::Resume { name } => {
            let found = open().await?.resume(&name).await.map_err(mistake)?;
            changed(&name, found, "resumed", json)
        }
        SchedulesCommand::Remove { name } => {
            changed(&name, open().await?.remove(&name).await?, "removed", json)
        }
    }
}

/// Says what became of the schedule with this name, if it was found.
fn changed(name: &str, found: bool, done: &str, json: bool) -> anyhow::Result<Exit> {
    if !found {
        remark!("flowmonkey: there is no schedule {}", table::printable(name));
        return Ok(Exit::NotFound);
    }
    if json {
        view::print(&serde_json::json!({ "changed": [name] }))?;
    } else {
        say!("{name} is {done}");
    }
    Ok(Exit::Done)
}

async fn add(args: AddArgs, target: &Target, json: bool) -> anyhow::Result<Exit> {
    let input = enqueue::read_json("input", &args.input)?;
    let schedule = NewSchedule {
        time_zone: args.time_zone,
        priority: args.priority,
        max_attempts: args.max_attempts,
        missed: args.missed,
        missed_max: args.missed_max,
        ..NewSchedule::new(args.name, args.cron, args.handler, input)
    };
    schedule.check().map_err(mistake)?;
    let store = target.open(1).await?;
    enqueue::check_input(&store, &NewJob::new(&schedule.handler, schedule.input.clone())).await?;
    let scheduler = Scheduler::new(store);
    scheduler.schedule_recurring(&schedule).await.map_err(mistake)?;
    let upcoming = scheduler.list(3).await?;
    let added = upcoming.into_iter().filter(|one| one.schedule.spec.name == schedule.name);
    list(&added.collect::<Vec<_>>(), json)
}

/// What the user can mend is bad input.
fn mistake(error: ScheduleError) -> anyhow::Error {
    match error {
        ScheduleError::Store(error) => error.into(),
        mistake => BadInput(mistake.to_string()).into(),
    }
}

/// What `--json` prints of a schedule. Fields may be added; none is renamed or removed.
#[derive(Debug, Serialize)]
struct ScheduleView<'a> {
    name: &'a str,
    cron: &'a str,
    time_zone: &'a str,
    handler: &'a str,
    input: &'a JsonText,
    priority: i16,
    max_attempts: u32,
    missed: Missed,
    missed_max: u32,
    paused: bool,
    last_at: Option<i64>,
    next: &'a [i64],
}

impl<'a> ScheduleView<'a> {
    fn of(upcoming: &'a Upcoming) -> Self {
        let Schedule { spec, paused, last_at, .. } = &upcoming.schedule;
        ScheduleView {
            name: &spec.name,
            cron: &spec.cron,
            time_zone: &spec.time_zone,
            handler: &spec.handler,
            input: &spec.input,
            priority: spec.priority,
            max_attempts: spec.max_attempts,
            missed: spec.missed,
            missed_max: spec.missed_max,
            paused: *paused,
            last_at: *last_at,
            next: &upcoming.next,
        }
    }
}

fn list(upcoming: &[Upcoming], json: bool) -> anyhow::Result<Exit> {
    if json {
        view::print(&upcoming.iter().map(ScheduleView::of).collect::<Vec<_>>())?;
    } else if upcoming.is_empty() {
        say!("No schedules.");
    } else {
        say!("{}", table::schedules(upcoming, clock::unix_millis() as i64));
    }
    Ok(Exit::Done)
}
