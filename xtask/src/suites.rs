//! `cargo xtask test` and `bench`: everything the suites and benchmarks need, then them.

use crate::postgres::{Durable, Postgres};
use crate::{Result, guests, shell};

pub(crate) fn test(arguments: &[String]) -> Result<()> {
    let handlers = guests::build_for_tests()?;
    let postgres = match std::env::var("DATABASE_URL") {
        Ok(_) => None,
        Err(_) => Some(Postgres::start(Durable::No)?),
    };
    let program = shell::build_program()?;
    let mut test = shell::cargo();
    test.args(["test", "--release", "--locked", "--workspace"])
        .args(arguments)
        .env("FLOWMONKEY_GUESTS", handlers)
        .env("FLOWMONKEY_PROGRAM", program);
    if let Some(postgres) = &postgres {
        test.env("DATABASE_URL", postgres.url());
    }
    shell::run(&mut test)
}

/// Runs one benchmark, on a Postgres cluster that keeps what it commits, as production's does.
pub(crate) fn bench(name: &str, arguments: &[String]) -> Result<()> {
    let handlers = guests::build_for_tests()?;
    let postgres = Postgres::start(Durable::Yes)?;
    let mut bench = shell::cargo();
    bench
        .args(["bench", "--locked", "--workspace", "--bench", name, "--"])
        .args(arguments.iter().filter(|argument| *argument != "--"))
        .env("FLOWMONKEY_GUESTS", handlers)
        .env("FLOWMONKEY_PGBENCH", postgres.programs().join("pgbench"))
        .env("DATABASE_URL", postgres.url());
    shell::run(&mut bench)
}
