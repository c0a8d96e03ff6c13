use super::{Profile, from_module};
use crate::workshop::tool::{self, Missing};
use crate::workshop::{Fault, Workplace};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// What the bindings and the examples are written for; Zig changes from version to version.
const PACKAGE: &str = "ziglang==0.17.1";

/// Where Zig keeps what it has compiled for this folder.
pub(super) const CACHE: (&str, &str) = ("ZIG_LOCAL_CACHE_DIR", "zig-cache");

/// Zig, by the words that call it: it may come as a program, or as a package of Python.
pub(super) struct Zig {
    pub(super) program: PathBuf,
    pub(super) words: Vec<&'static str>,
    version: String,
}

/// What is installed for the handler comes before what the machine has.
pub(super) async fn find(workplace: &Workplace) -> Option<Zig> {
    let near =
        workplace.folder.ancestors().map(|above| above.join(".venv/bin/python3")).find(|path| path.is_file());
    let pythons = near.into_iter().map(|program| (program, true));
    let machines = tool::on_path("zig").map(|program| (program, false));
    let others = tool::on_path("python3").map(|program| (program, true));
    for (program, is_python) in pythons.chain(machines).chain(others) {
        let words = if is_python { vec!["-m", "ziglang"] } else { Vec::new() };
        if let Some(version) = tool::answer(&program, &[&words[..], &["version"]].concat()).await {
            return Some(Zig { program, words, version });
        }
    }
    None
}

/// What to type for the package of Python, which every system can have.
pub(super) fn install(workplace: &Workplace) -> String {
    in_environment(&workplace.folder, PACKAGE)
}

/// How a package of Python is put beside a handler.
pub(super) fn in_environment(folder: &Path, packages: &str) -> String {
    let hint = if tool::is_debian() { "   (venv: sudo apt-get install python3-venv)" } else { "" };
    format!("cd {} && python3 -m venv .venv && .venv/bin/pip install {packages}{hint}", tool::quoted(folder))
}

pub(super) async fn build(workplace: &Workplace, profile: Profile) -> Result<Vec<u8>, Fault> {
    let zig = find(workplace).await.ok_or_else(|| {
        Missing::fault(
            "handlers in Zig take zig, which is neither on the path nor in .venv",
            install(workplace),
        )
    })?;
    if !PACKAGE.ends_with(&format!("={}", zig.version)) {
        let what = format!(
            "the bindings are written for {PACKAGE}, and the language still changes; this is {}",
            zig.version
        );
        return Err(Missing::fault(what, install(workplace)));
    }
    let bindings = workplace.bindings()?;
    let module = workplace.core_module()?;
    let root = |name: &str, file: PathBuf| format!("-M{name}={}", file.display());
    let mut build = Command::new(zig.program);
    build.env(CACHE.0, workplace.built(CACHE.1)?);
    build.current_dir(&workplace.folder).args(zig.words).args(["build-exe", "-target", "wasm32-wasi"]);
    let optimize = if profile == Profile::Debug { "Debug" } else { "ReleaseSafe" };
    build.args(["-mexec-model=reactor", "-O", optimize, "-fno-strip", "-fsingle-threaded", "-fno-entry"]);
    build.args(["-rdynamic", "--stack", "1048576", "--name", "handler"]);
    // The bindings' root exports what the host calls, and calls the handler.
    build.args(["--dep", "flowmonkey", "--dep", "handler"]).arg(root("root", bindings.join("root.zig")));
    build.arg(root("flowmonkey", bindings.join("flowmonkey.zig")));
    build.args(["--dep", "flowmonkey", "-Mhandler=main.zig"]);
    tool::run(build.arg(format!("-femit-bin={}", module.display()))).await?;
    from_module(workplace, &module, profile)
}
