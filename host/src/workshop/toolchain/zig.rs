use super::{Profile, from_module};
use crate::workshop::tool::{self, Missing};
use crate::workshop::{Fault, Workplace};
use std::path::PathBuf;
use tokio::process::Command;

/// What the bindings and the examples are written for; Zig changes from version to version.
const PACKAGE: &str = "ziglang==0.17.1";

/// Where Zig keeps what it has compiled for this folder.
pub(super) const CACHE: (&str, &str) = ("ZIG_LOCAL_CACHE_DIR", "zig-cache");

/// Zig, by the words that call it: it may come as a program, or as a package of Python.
pub(super) struct Zig {
    pub(super) program: PathBuf,
    pub(super) words: Vec<&'static str>,
}

pub(super) async fn find(workplace: &Workplace) -> Option<Zig> {
    if let Some(program) = tool::on_path("zig").next() {
        return Some(Zig { program, words: Vec::new() });
    }
    let words = vec!["-m", "ziglang"];
    for name in ["python3", "python"] {
        let Some(program) = tool::find(&workplace.folder, ".venv/bin", name) else { continue };
        if tool::answer(&program, &["-m", "ziglang", "version"]).await.is_some() {
            return Some(Zig { program, words });
        }
    }
    None
}

/// What to type for the package of Python, which every system can have.
pub(super) fn install(workplace: &Workplace) -> String {
    format!("cd {} && python3 -m venv .venv && .venv/bin/pip install {PACKAGE}", workplace.folder.display())
}

pub(super) async fn build(workplace: &Workplace, profile: Profile) -> Result<Vec<u8>, Fault> {
    let zig = find(workplace).await.ok_or_else(|| {
        Missing::fault(
            "handlers in Zig take zig, which is neither on the path nor in .venv",
            install(workplace),
        )
    })?;
    let bindings = workplace.bindings()?;
    let module = workplace.built(&format!("core/{}.wasm", workplace.name))?;
    let root = |name: &str, file: PathBuf| format!("-M{name}={}", file.display());
    let mut build = Command::new(zig.program);
    build.env(CACHE.0, workplace.built(CACHE.1)?);
    build.current_dir(&workplace.folder).args(zig.words).args(["build-exe", "-target", "wasm32-wasi"]);
    let optimize = if profile == Profile::Debug { "Debug" } else { "ReleaseSafe" };
    build.args(["-mexec-model=reactor", "-O", optimize, "-fno-strip", "-fsingle-threaded", "-fno-entry"]);
    build.args(["-rdynamic", "--stack", "1048576", "--name", &workplace.name]);
    // The bindings' root exports what the host calls, and calls the handler.
    build.args(["--dep", "flowmonkey", "--dep", "handler"]).arg(root("root", bindings.join("root.zig")));
    build.arg(root("flowmonkey", bindings.join("flowmonkey.zig")));
    build.args(["--dep", "flowmonkey", "-Mhandler=main.zig"]);
    tool::run(build.arg(format!("-femit-bin={}", module.display()))).await?;
    from_module(workplace, &module, profile)
}
