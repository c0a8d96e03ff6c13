use super::read;
use crate::workshop::tool::{self, Missing, Package};
use crate::workshop::world::{self, Imports};
use crate::workshop::{Fault, Language, Workplace};
use std::path::Path;
use tokio::process::Command;

const NODE: Package =
    Package { apt: "nodejs npm", dnf: "nodejs", pacman: "nodejs npm", apk: "nodejs npm", brew: "node" };
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
    let bindings = workplace.bindings()?;
    if let Some(package) = PACKAGES.iter().find(|package| !is_installed(&workplace.folder, package)) {
        let listed = workplace.folder.ancestors().find(|above| above.join("package.json").is_file());
        let install = format!("cd {} && npm ci", listed.unwrap_or(&workplace.folder).display());
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

/// Where Node.js looks: `node_modules` here or above, then `NODE_PATH`.
fn is_installed(folder: &Path, package: &str) -> bool {
    let near = folder.ancestors().map(|above| above.join("node_modules"));
    let named = std::env::var_os("NODE_PATH").unwrap_or_default();
    near.chain(std::env::split_paths(&named))
        .any(|modules| modules.join(package).join("package.json").is_file())
}
