//! What the bindings of each language are tested and checked with beside the suite: that language's own tools.

use crate::toolchains::{self, Toolchain};
use crate::{Result, shell};
use std::process::Command;

/// Checks the bindings of the languages that there are tools for.
pub(crate) fn check(toolchains: &[Toolchain]) -> Result<()> {
    rust()?;
    for one in toolchains.iter().filter(|one| one.found.is_ok()) {
        match one.language {
            "c" => c(toolchains)?,
            "typescript" => typescript(one)?,
            "go" => go(toolchains)?,
            "zig" => python(toolchains, "guest-examples/zig", &["-m", "ziglang", "fmt", "--check", "."])?,
            _ => {}
        }
    }
    Ok(())
}

/// The parts that need no host, on this machine.
fn rust() -> Result<()> {
    let version = shell::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    let folder = shell::root().join("guest-examples/rust");
    let mut test = shell::cargo();
    test.current_dir(folder).args(["test", "--quiet", "--locked", "-p", "flowmonkey", "--target", host]);
    shell::run(&mut test)
}

/// JSON by hostile input, with the compiler's checks for undefined behaviour.
fn c(toolchains: &[Toolchain]) -> Result<()> {
    let program = shell::root().join("target/c-json-test");
    let program = program.to_string_lossy();
    let sources = ["json", "json_parse", "json_write", "memory", "outcome"];
    let sources = sources.map(|name| format!("flowmonkey/{name}.c"));
    let mut words = vec!["-m", "ziglang", "cc", "-std=gnu23", "-fsanitize=undefined", "test/json_test.c"];
    words.extend(sources.iter().map(String::as_str));
    words.extend(["-o", &program]);
    python(toolchains, "guest-examples/c", &words)?;
    shell::run(&mut Command::new(program.as_ref()))
}

/// Types, of the bindings and of every example.
fn typescript(toolchain: &Toolchain) -> Result<()> {
    let modules = toolchain.found.as_ref().ok().and_then(|folders| folders.first()).ok_or("no packages")?;
    let folder = shell::root().join("guest-examples/typescript");
    shell::run(Command::new(modules.join(".bin/tsc")).current_dir(folder).args(["--noEmit", "-p", "."]))
}

fn go(toolchains: &[Toolchain]) -> Result<()> {
    for module in ["flowmonkey", "starter", "email-send", "report-generate", "behaviours"] {
        let mut vet = Command::new("go");
        vet.current_dir(shell::root().join("guest-examples/go").join(module));
        toolchains::offer(toolchains, &mut vet);
        shell::run(vet.env("GOOS", "wasip1").env("GOARCH", "wasm").args(["vet", "./..."]))?;
    }
    let unformatted =
        shell::output(Command::new("gofmt").arg("-l").arg(shell::root().join("guest-examples/go")))?;
    if unformatted.is_empty() { Ok(()) } else { Err(format!("gofmt would change {unformatted}")) }
}

fn python(toolchains: &[Toolchain], folder: &str, words: &[&str]) -> Result<()> {
    let mut call = Command::new("python3");
    toolchains::offer(toolchains, &mut call);
    shell::run(call.current_dir(shell::root().join(folder)).args(words))
}
