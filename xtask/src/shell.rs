//! Running other programs.

use crate::Result;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// The project's root.
pub(crate) fn root() -> PathBuf {
    // The manifest's folder is known at compile time; the root is the one above.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// Builds `flowmonkey` and returns its path, which is beside this program.
///
/// The whole workspace is named, as the tests do: cargo chooses the features of dependencies for all
/// that it builds together, and another choice would build wasmtime again.
pub(crate) fn build_program() -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--locked", "--workspace", "--bins"]))?;
    let this = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let folder = this.parent().ok_or("this program is in no folder")?;
    Ok(folder.join("flowmonkey"))
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root());
    // What cargo tells this program about its own package would pass for a changed environment: build
    // scripts that look at it would run again each time a person calls cargo in between.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a program to its end, with its output on ours.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", shown(command))) }
}

/// Runs a program to its end and returns what it wrote to stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| format!("{}: {error}", shown(command)))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} ended with {}\n{}", shown(command), output.status, why.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Sends a signal by name. The shell's own `kill`, since not every machine has the program.
pub(crate) fn signal(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    let _ = Command::new("sh").args(["-c", &kill]).status();
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
