//! The program `flowmonkey`: wiring and printing around the library.

mod allocator;
mod bench;
mod cli;
mod config;
mod workshop;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
