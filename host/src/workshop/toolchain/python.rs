use super::read;
use crate::workshop::tool::{self, Missing};
use crate::workshop::world::{self, Imports};
use crate::workshop::{Fault, Language, Workplace};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

const TOOL: &str = "componentize-py";
/// The bindings' module that exports what the host calls.
const ENTRY: &str = "flowmonkey.component";

/// Puts the handler, its bindings and what they import into a Python that is started once, here: an attempt begins with
/// everything imported.
pub(super) async fn build(workplace: &Workplace) -> Result<Vec<u8>, Fault> {
    let folder = &workplace.folder;
    let tool = tool::find(folder, ".venv/bin", TOOL).ok_or_else(|| {
        let listed = folder.join("requirements.txt").is_file();
        let packages = if listed { "-r requirements.txt" } else { TOOL };
        let install = super::zig::in_environment(folder, packages);
        Missing::fault(
            format!("handlers in Python are built by {TOOL}, which is neither in .venv nor on the path"),
            install,
        )
    })?;
    let bindings = workplace.bindings()?;
    let wit = world::lay_out(workplace, &Imports::Mentioned, true)?;
    let component = workplace.built("component.wasm")?;
    let mut build = Command::new(&tool);
    build.arg("-q").arg("-d").arg(&wit).args(["-w", world::WORLD, "--world-module", "wit_world"]);
    // Short names would depend on what the world imports, and the bindings could not rely on them.
    build.args(["--full-names", "componentize", "-p"]).arg(folder);
    if let Some(above) = bindings.parent().filter(|above| above != folder) {
        build.arg("-p").arg(above);
    }
    build.arg(ENTRY).arg("-o").arg(&component);
    build.env("RUST_BACKTRACE", "0").env("VIRTUAL_ENV", packages(workplace, &tool)?);
    run(&mut build).await?;
    read(&component)
}

/// The environment whose packages become part of the component: the one that has the tool, or the active one; never the
/// machine's own.
fn packages(workplace: &Workplace, tool: &Path) -> Result<PathBuf, Fault> {
    let environment =
        tool.parent().and_then(Path::parent).filter(|folder| folder.join("pyvenv.cfg").is_file());
    let active = || std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    if let Some(found) = environment.map(Path::to_owned).or_else(active) {
        return Ok(found);
    }
    let none = workplace.built("no-packages/lib/site-packages")?;
    std::fs::create_dir_all(&none).map_err(|why| Fault::io(none.display(), why))?;
    Ok(workplace.folder.join("target/no-packages"))
}

/// The tool answers an error of the handler with its own backtrace around it; people need what the handler said.
async fn run(build: &mut Command) -> Result<(), Fault> {
    build.stdin(Stdio::null()).kill_on_drop(true);
    let output = build.output().await.map_err(|why| Fault::io(TOOL, why))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    // Who would have read them may be gone.
    let _ = writeln!(std::io::stderr(), "{}", own_words(&words));
    Err(Fault::Failed(format!("{TOOL} cannot build {}; its words are above", Language::Python.marker())))
}

fn own_words(words: &str) -> String {
    let (_, after) = words.split_once("AssertionError: ").unwrap_or(("", words));
    let (inner, _) = after.split_once("\n\n\nCaused by:").unwrap_or((after, ""));
    // The handler's folder is the first that the tool mounts.
    inner.trim().replace("\"/0/", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_what_the_handler_said() {
        let words = "Traceback …\nAssertionError: Traceback:\n  File \"/0/main.py\", line 3\nSyntaxError: x\n\n\nCaused by:\n    0: y";
        assert_eq!(own_words(words), "Traceback:\n  File \"main.py\", line 3\nSyntaxError: x");
        assert_eq!(own_words("no such file\n"), "no such file");
    }
}
