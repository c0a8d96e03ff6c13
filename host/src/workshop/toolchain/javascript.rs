use super::read;
use crate::workshop::tool::{self, Missing, Package};
use crate::workshop::world::{self, Imports};
use crate::workshop::{Fault, Language, Workplace};
use std::path::Path;
use tokio::process::Command;

const NODE: Package =
    Package { apt: "nodejs npm", dnf: "nodejs", pacman: "nodejs npm", apk: "nodejs npm", brew: "node" };
const MAJOR_MIN: u32 = 20;
/// What the bindings' build script needs of npm.
const PACKAGES: [&str; 2] = ["esbuild", "componentize-qjs"];

/// Bundles with esbuild and puts the bundle into QuickJS. How exactly, the bindings know: `build.mjs` beside them.
pub(super) async fn build(workplace: &Workplace) -> Result<Vec<u8>, Fault> {
    let node = tool::on_path("node").next().ok_or_else(|| {
        Missing::fault(
            "this handler is built by Node.js 20 or newer, which is not on the path",
            NODE.install(),
        )
    })?;
    let version = tool::answer(&node, &["--version"]).await.unwrap_or_default();
    if !is_new_enough(&version) {
        let what = format!("this handler is built by Node.js {MAJOR_MIN} or newer; this is {version}");
        return Err(Missing::fault(
            what,
            format!("{}   (or, for the newest: https://nodejs.org)", NODE.install()),
        ));
    }
    let bindings = workplace.bindings()?;
    if let Some(package) = PACKAGES.iter().find(|package| !is_installed(&workplace.folder, package)) {
        let listed = workplace.folder.ancestors().find(|above| above.join("package.json").is_file());
        let install = format!("cd {} && npm ci", tool::quoted(listed.unwrap_or(&workplace.folder)));
        return Err(Missing::fault(
            format!("{package}, which this handler's package.json names, is not installed"),
            install,
        ));
    }
    let wit = world::lay_out(workplace, &Imports::Mentioned, true)?;
    let component = workplace.built("component.wasm")?;
    let source = match workplace.language {
        Language::Typescript => Language::Typescript.marker(),
        _ => Language::Javascript.marker(),
    };
    let mut build = Command::new(node);
    build.current_dir(&workplace.folder).arg(bindings.join("build.mjs")).arg(source);
    build.arg("--wit").arg(&wit).args(["--world", world::WORLD]).arg("--out").arg(&component);
    tool::run(&mut build).await?;
    read(&component)
}

/// Of `v20.20.2`.
fn is_new_enough(version: &str) -> bool {
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= MAJOR_MIN)
}

/// Where Node.js looks: `node_modules` here or above, then `NODE_PATH`.
fn is_installed(folder: &Path, package: &str) -> bool {
    let near = folder.ancestors().map(|above| above.join("node_modules"));
    let named = std::env::var_os("NODE_PATH").unwrap_or_default();
    near.chain(std::env::split_paths(&named))
        .any(|modules| modules.join(package).join("package.json").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read() {
        assert!(is_new_enough("v20.20.2") && is_new_enough("v24.0.0-nightly"));
        assert!(!is_new_enough("v18.19.0") && !is_new_enough("") && !is_new_enough("unknown"));
    }
}
