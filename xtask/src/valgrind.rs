//! valgrind, which counts instructions.

use crate::{Result, shell, toolchains};
use std::process::Command;

/// The tests that need it.
pub(crate) const TESTS: &str = "instructions::";

/// Finds it, or installs it where that can be done.
pub(crate) fn provide() -> Result<()> {
    if is_there() {
        return Ok(());
    }
    toolchains::install("valgrind")?;
    if is_there() { Ok(()) } else { Err("valgrind is installed, but does not start".into()) }
}

fn is_there() -> bool {
    shell::output(Command::new("valgrind").arg("--version")).is_ok()
}
