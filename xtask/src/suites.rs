//! `cargo xtask test`: everything the suites need, then all of them.

use crate::postgres::Postgres;
use crate::{Result, guests, shell};

pub(crate) fn test(arguments: &[String]) -> Result<()> {
    let handlers = guests::build_for_tests()?;
    let postgres = match std::env::var("DATABASE_URL") {
        Ok(_) => None,
        Err(_) => Some(Postgres::start()?),
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
