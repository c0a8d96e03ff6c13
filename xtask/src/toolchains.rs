//! The tools of languages other than Rust, from the package registries, in versions that the examples pin. They go
//! below `target/`; nothing of the machine is changed, but for Debian's packages of npm and venv where they are missing.

use crate::{Result, shell};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Zig, which brings a C and a C++ compiler for WebAssembly; the starters' READMEs name the same version.
const ZIG: &str = "ziglang==0.17.1";

/// What there is for one language: folders of programs, or of Node.js packages.
pub(crate) struct Toolchain {
    pub(crate) language: &'static str,
    /// Or why there is none.
    pub(crate) found: Result<Vec<PathBuf>>,
}

/// Finds or fetches the tools of each language.
pub(crate) fn all() -> Vec<Toolchain> {
    let python = python();
    let node = node();
    let bin = |folder: &Result<PathBuf>, bin: &str| folder.clone().map(|folder| vec![folder.join(bin)]);
    let of = |language, found| Toolchain { language, found };
    vec![
        of("rust", Ok(Vec::new())),
        of("c", bin(&python, "bin")),
        of("cpp", bin(&python, "bin")),
        of("zig", bin(&python, "bin")),
        of("javascript", bin(&node, "node_modules")),
        of("typescript", bin(&node, "node_modules")),
        of("python", bin(&python, "bin")),
        of("go", go()),
    ]
}

/// Lets a program find all toolchains: on the path, and where Node.js looks for packages.
pub(crate) fn offer(toolchains: &[Toolchain], command: &mut Command) {
    let found = toolchains.iter().filter_map(|one| one.found.as_ref().ok()).flatten().cloned();
    let (packages, mut programs): (Vec<PathBuf>, Vec<PathBuf>) =
        found.partition(|folder| folder.ends_with("node_modules"));
    programs.dedup();
    let path = std::env::var_os("PATH").unwrap_or_default();
    programs.extend(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(programs).unwrap_or(path));
    if let Some(packages) = packages.first() {
        command.env("NODE_PATH", packages);
    }
}

fn folder(name: &str) -> PathBuf {
    shell::root().join("target/toolchains").join(name)
}

/// componentize-py and zig, which PyPI has, in an environment of their own.
fn python() -> Result<PathBuf> {
    let folder = folder("python");
    let lists = [shell::root().join("guest-examples/python/starter/requirements.txt")];
    let wanted = contents(&lists)? + ZIG;
    if is_fresh(&folder, &wanted) {
        return Ok(folder);
    }
    let make = || shell::output(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    if make().is_err() {
        // Debian keeps venv apart from Python.
        install("python3-venv")?;
        make()?;
    }
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    for list in &lists {
        pip.arg("--requirement").arg(list);
    }
    shell::run(pip.arg(ZIG))?;
    settled(&folder, &wanted)?;
    Ok(folder)
}

/// What turns JavaScript and TypeScript into components, from npm.
fn node() -> Result<PathBuf> {
    let folder = folder("node");
    let lists = ["package.json", "package-lock.json"];
    let lists = lists.map(|list| shell::root().join("guest-examples/typescript").join(list));
    let wanted = contents(&lists)?;
    if is_fresh(&folder, &wanted) {
        return Ok(folder);
    }
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for list in &lists {
        let name = list.file_name().unwrap_or_default();
        std::fs::copy(list, folder.join(name)).map_err(|error| format!("{}: {error}", list.display()))?;
    }
    if shell::output(Command::new("npm").arg("--version")).is_err() {
        install("npm")?;
    }
    shell::run(Command::new("npm").current_dir(&folder).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--silent",
    ]))?;
    settled(&folder, &wanted)?;
    Ok(folder)
}

/// The machine's own Go, if it is one that knows c-shared for wasip1.
fn go() -> Result<Vec<PathBuf>> {
    const MINOR_MIN: u32 = 24;
    let version = shell::output(Command::new("go").args(["env", "GOVERSION"]))
        .map_err(|_| format!("there is no go on the path; it takes 1.{MINOR_MIN}"))?;
    let minor =
        version.trim().strip_prefix("go1.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    if minor.is_some_and(|minor| minor >= MINOR_MIN) {
        Ok(Vec::new())
    } else {
        Err(format!("it takes go 1.{MINOR_MIN}; here is {}", version.trim()))
    }
}

/// Installs one of Debian's packages, where we may.
pub(crate) fn install(package: &str) -> Result<()> {
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        shell::output(apt.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq").args(arguments))
    };
    let install = || apt(&["install", "-y", "--no-install-recommends", package]);
    let done = install().or_else(|_| apt(&["update"]).and_then(|_| install()));
    done.map(drop).map_err(|why| format!("{package} is missing and cannot be installed: {why}"))
}

const MARK: &str = "installed-from";

/// Whether what is in the folder was installed from these very lists.
fn is_fresh(folder: &Path, wanted: &str) -> bool {
    std::fs::read_to_string(folder.join(MARK)).is_ok_and(|found| found == wanted)
}

fn settled(folder: &Path, wanted: &str) -> Result<()> {
    let path = folder.join(MARK);
    std::fs::write(&path, wanted).map_err(|error| format!("{}: {error}", path.display()))
}

fn contents(lists: &[PathBuf]) -> Result<String> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    lists.iter().map(read).collect()
}
