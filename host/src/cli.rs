//! The command line: parses, wires, prints. The only place where errors lose their type.

#[macro_use]
mod print;

mod bench;
mod build;
mod builds;
mod connect;
mod enqueue;
mod handlers;
mod inspect;
mod jobs;
mod lines;
mod logging;
mod migrate;
mod new;
mod schedules;
mod serve;
mod show;
mod table;
mod test;
mod view;

use clap::{Parser, Subcommand};
use connect::Target;
use flowmonkey_jobs::store::StoreError;
use std::fmt;
use std::process::ExitCode;

/// Runs background jobs whose handlers are sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "flowmonkey", version, propagate_version = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    target: Target,

    /// Print JSON for programs
    #[arg(long, global = true)]
    json: bool,
}

const AFTER_HELP: &str = "\
Try it:
  flowmonkey new greet --lang python            write a handler's folder; rust, c, go, … go as well
  flowmonkey dev handlers/                      run every component of a folder, on an embedded store
  flowmonkey test handlers/email-send           one attempt, or the cases of its handler.test.toml, without a store
  flowmonkey enqueue email-send --input '{\"to\": \"ada@example.com\"}' --wait
  flowmonkey jobs list

In production:
  flowmonkey migrate --database-url postgres://…
  flowmonkey run --database-url postgres://… --handlers handlers/

Exit codes:
  0  done                                 4  the database does not answer, or lacks our tables
  1  the job failed, or the command did   5  the job was cancelled
  2  bad input or usage; nothing changed  6  --wait-timeout is over
  3  there is no such job

Log lines go to stderr; FLOWMONKEY_LOG sets what is logged, such as `debug` or `flowmonkey::guest=off`. No job waits for who
reads them: where that is too slow, lines are dropped, and one says how many.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the folder of a new handler, in one of eight languages
    New(new::NewArgs),
    /// Build a handler's component with its language's own tools, and check it as a push would
    Build(build::BuildArgs),
    /// Develop: build and run the handlers of a folder on an embedded store, with no service installed
    Dev(serve::DevArgs),
    /// Run jobs from a database until told to stop
    Run(serve::RunArgs),
    /// Create a job
    Enqueue(enqueue::EnqueueArgs),
    /// Look at jobs and change them
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// Push handlers to the database, activate, roll back and look at them
    #[command(subcommand)]
    Handlers(handlers::HandlersCommand),
    /// Look at recurring jobs and change them
    #[command(subcommand)]
    Schedules(schedules::SchedulesCommand),
    /// Tell what a file is and whether it is a handler, without running it
    Inspect(inspect::InspectArgs),
    /// Try a handler without a store: one attempt, or the cases of its handler.test.toml
    Test(test::TestArgs),
    /// Measure what jobs cost on this machine, beside the least they could
    Bench(bench::BenchArgs),
    /// Create the tables, or bring them up to this version
    Migrate,
}

/// Why the program ends, besides the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Done = 0,
    Failed = 1,
    BadInput = 2,
    NotFound = 3,
    Unavailable = 4,
    Cancelled = 5,
    WaitedTooLong = 6,
}

/// Bad input: whoever typed it can mend it.
#[derive(Debug)]
struct BadInput(String);

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    flowmonkey_jobs::sandbox::compile_if_asked();
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::anyhow!("cannot start: {error}")),
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => fail(&error),
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    let Cli { command, target, json } = cli;
    match command {
        Command::New(args) => new::new(&args, json),
        Command::Build(args) => build::build(&args, json).await,
        Command::Dev(args) => serve::dev(args, &target).await,
        Command::Run(args) => serve::run(args, &target).await,
        Command::Enqueue(args) => enqueue::enqueue(args, &target, json).await,
        Command::Jobs(command) => jobs::jobs(command, &target, json).await,
        Command::Handlers(command) => handlers::handlers(command, &target, json).await,
        Command::Schedules(command) => schedules::schedules(command, &target, json).await,
        Command::Inspect(args) => inspect::run(&args, json),
        Command::Test(args) => test::test(args, json).await,
        Command::Bench(args) => bench::run(args, &target, json).await,
        Command::Migrate => migrate::migrate(&target, json).await,
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    remark!("flowmonkey: {}", table::printable(&format!("{error:#}")));
    ExitCode::from(exit_of(error) as u8)
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if error.is::<BadInput>() {
        return Exit::BadInput;
    }
    match error.downcast_ref::<StoreError>() {
        Some(StoreError::Invalid(_)) => Exit::BadInput,
        Some(StoreError::Unavailable(_) | StoreError::Schema(_)) => Exit::Unavailable,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_command_says_what_it_does() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no description", command.get_name());
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        let mut command = Cli::command();
        command.build();
        command.get_subcommands().filter(|command| command.get_name() != "help").for_each(check);
    }
}
