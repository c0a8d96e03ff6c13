//! valgrind, which counts instructions.

use crate::{Result, shell};
use std::path::Path;
use std::process::Command;

/// The tests that need it.
pub(crate) const TESTS: &str = "instructions::";

/// Finds it, or installs it where that can be done.
pub(crate) fn provide() -> Result<()> {
    if is_there() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err("there is no valgrind on the path, and no apt-get to install it with".into());
    }
    eprintln!("xtask: installing valgrind");
    let apt = |arguments: &[&str]| {
        shell::output(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
    };
    let install = ["install", "-y", "-qq", "--no-install-recommends", "valgrind"];
    apt(&install).or_else(|_| apt(&["update", "-qq"]).and_then(|_| apt(&install)))?;
    if is_there() { Ok(()) } else { Err("valgrind is installed, but does not start".into()) }
}

fn is_there() -> bool {
    shell::output(Command::new("valgrind").arg("--version")).is_ok()
}
