//! The handlers of every language, built by `flowmonkey build` as their authors would.

use crate::toolchains::{self, Toolchain};
use crate::{Result, shell};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// What every language has.
pub(crate) const HANDLERS: [&str; 4] = ["behaviours", "email-send", "report-generate", "starter"];

/// A language that could not be built here, and why.
pub(crate) struct Skipped {
    pub(crate) language: &'static str,
    pub(crate) why: String,
}

impl Skipped {
    /// What `--skip` takes to leave its tests out.
    pub(crate) fn tests(&self) -> String {
        format!("language_{}::", self.language)
    }
}

/// Builds what is out of date, and puts each handler's folder into `into/LANGUAGE/HANDLER`.
pub(crate) fn build(program: &Path, toolchains: &[Toolchain], into: &Path) -> Result<Vec<Skipped>> {
    let mut skipped = Vec::new();
    for Toolchain { language, found } in toolchains {
        if let Err(why) = found {
            skipped.push(Skipped { language, why: why.clone() });
            continue;
        }
        for handler in HANDLERS {
            let folder = folder(language, handler);
            if is_outdated(&folder) {
                let mut build = Command::new(program);
                build.arg("build").arg(&folder);
                toolchains::offer(toolchains, &mut build);
                // Apart from what `cargo build` makes by hand, which has other flags.
                build.env("CARGO_TARGET_DIR", shell::root().join("target/languages"));
                shell::output(&mut build)?;
            }
            copy(&folder, &into.join(language).join(handler))?;
        }
    }
    Ok(skipped)
}

/// Where a handler's source is.
pub(crate) fn folder(language: &str, handler: &str) -> PathBuf {
    shell::root().join("guest-examples").join(language).join(handler)
}

/// Whether the component is older than its source, its bindings, the contract, or how components are built.
fn is_outdated(folder: &Path) -> bool {
    let changed = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let Some(built) = component(folder).as_deref().and_then(changed) else { return true };
    let bindings = folder.parent().unwrap_or(folder).join("flowmonkey");
    let ours = ["wit", "host/src/workshop"].map(|ours| newest(&shell::root().join(ours)));
    [newest(folder), newest(&bindings)].into_iter().chain(ours).flatten().any(|source| source > built)
}

fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let changed = entries.filter_map(|entry| {
        let (path, name) = (entry.path(), entry.file_name());
        if name == "target" || path.extension().is_some_and(|extension| extension == "wasm") {
            return None;
        }
        if path.is_dir() {
            newest(&path)
        } else {
            entry.metadata().and_then(|metadata| metadata.modified()).ok()
        }
    });
    changed.max()
}

fn component(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "wasm"))
}

/// The manifest and the component: all that a runner needs.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(to).map_err(|error| failed(to, error))?;
    let component = component(from).ok_or_else(|| format!("{} has no component", from.display()))?;
    for file in [component, from.join("handler.toml")] {
        let target = to.join(file.file_name().unwrap_or_default());
        std::fs::copy(&file, target).map_err(|error| failed(&file, error))?;
    }
    Ok(())
}
