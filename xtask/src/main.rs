//! What it takes to build, show and test the project on a machine that has Rust and nothing of ours.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod bench;
mod bindings;
mod cells;
mod demo;
mod guests;
mod languages;
mod postgres;
mod registry;
mod screen;
mod shell;
mod suites;
mod table;
mod toolchains;
mod valgrind;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask demo          builds everything and shows jobs going through the sandbox
cargo xtask test [ARGS]   sets up what the tests need and runs them all; ARGS go to `cargo test`
cargo xtask bench NAME    measures on a Postgres of its own: `all` or a measure of `flowmonkey bench`, with an empty handler in
                          Rust; or `rivals` (drains beside another queue), `compile` (in process, by a child, cached),
                          `limits` (what metering costs, and how soon a guest is stopped), `handlers` (from a push
                          to the first job, and a start with 200 handlers)
cargo xtask fuzz [SECONDS] fuzzes each target for so long [600]; needs cargo-fuzz
cargo xtask guests        builds the guest examples in every language and measures them: the table of
                          guest-examples/README.md";

/// What went wrong, for people.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let verb = arguments.next();
    let rest: Vec<String> = arguments.collect();
    let done = match (verb.as_deref(), rest.is_empty()) {
        (Some("demo"), true) => demo::demo(),
        (Some("test"), _) => suites::test(&rest),
        (Some("bench"), false) => bench::bench(&rest[0], &rest[1..]),
        (Some("fuzz"), _) => suites::fuzz(rest.first().map_or("600", String::as_str)),
        (Some("guests"), true) => table::measure(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
