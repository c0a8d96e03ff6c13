//! The guest examples and the tests' own guest: their target, their build, and their names as handlers.

use crate::{Result, shell};
use std::path::{Path, PathBuf};
use std::process::Command;

const EXAMPLES: [&str; 5] = ["email-send", "empty", "flaky", "report-generate", "spin"];

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
    for (version, number) in versions()?.iter().zip(1..) {
        copy(version, &handlers.join(format!("greet-{number}.wasm")))?;
    }
    for name in EXAMPLES {
        copy(&examples.join(format!("{name}.wasm")), &handlers.join(format!("{name}.wasm")))?;
    }
    Ok(handlers)
}

/// Builds `greet` in its two versions, apart from the other handlers.
pub(crate) fn versions() -> Result<[PathBuf; 2]> {
    let versions = shell::root().join("target/versions");
    let build = |number: u8, features: &[&str]| -> Result<PathBuf> {
        let folder = versions.join(number.to_string());
        build_with(
            &folder,
            "guest-examples/rust",
            &["greet"],
            &[&["--package", "greet"], features].concat(),
        )?;
        let path = versions.join(format!("greet-{number}.wasm"));
        copy(&folder.join("greet.wasm"), &path)?;
        Ok(path)
    };
    Ok([build(1, &[])?, build(2, &["--features", "second"])?])
}

fn build_into(handlers: &Path, workspace: &str, names: &[&str]) -> Result<()> {
    build_with(handlers, workspace, names, &[])
}

fn build_with(handlers: &Path, workspace: &str, names: &[&str], more: &[&str]) -> Result<()> {
    let workspace = shell::root().join(workspace);
    let target = workspace.join("target");
    // The target folder is named, so that a setting of the user's does not move the result.
    let mut build = shell::cargo();
    build.current_dir(&workspace).args(["build", "--release", "--locked", "--target", "wasm32-wasip2"]);
    shell::run(build.args(more).arg("--target-dir").arg(&target))?;
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
