//! The guest examples and the tests' own guest: their target, their build, and their names as handlers.

use crate::{Result, shell};
use std::path::{Path, PathBuf};
use std::process::Command;

const EXAMPLES: [&str; 4] = ["email-send", "flaky", "report-generate", "spin"];

/// Builds the examples and returns the folder that holds them as `NAME.wasm`.
pub(crate) fn build() -> Result<PathBuf> {
    let script = shell::root().join("xtask/ensure-wasm-target.sh");
    shell::run(Command::new("bash").arg(script))?;
    let handlers = shell::root().join("target/handlers");
    build_into(&handlers, "guest-examples/rust", &EXAMPLES)?;
    Ok(handlers)
}

/// Builds what the tests need: the examples, and the probe that does whatever its input says.
pub(crate) fn build_for_tests() -> Result<PathBuf> {
    let examples = build()?;
    let handlers = shell::root().join("target/test-handlers");
    build_into(&handlers, "tests/probe", &["probe"])?;
    for name in EXAMPLES {
        copy(&examples.join(format!("{name}.wasm")), &handlers.join(format!("{name}.wasm")))?;
    }
    Ok(handlers)
}

fn build_into(handlers: &Path, workspace: &str, names: &[&str]) -> Result<()> {
    let workspace = shell::root().join(workspace);
    let target = workspace.join("target");
    // The target folder is named, so that a setting of the user's does not move the result.
    let mut build = shell::cargo();
    build.current_dir(&workspace).args(["build", "--release", "--locked", "--target", "wasm32-wasip2"]);
    shell::run(build.arg("--target-dir").arg(&target))?;
    std::fs::create_dir_all(handlers).map_err(|error| format!("{}: {error}", handlers.display()))?;
    for name in names {
        let built = target.join("wasm32-wasip2/release").join(format!("{}.wasm", name.replace('-', "_")));
        copy(&built, &handlers.join(format!("{name}.wasm")))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).map(drop).map_err(|error| format!("{}: {error}", from.display()))
}
