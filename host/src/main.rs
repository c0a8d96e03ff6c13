//! The program `flowmonkey`: wiring and printing around the library.

mod cli;
mod config;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
