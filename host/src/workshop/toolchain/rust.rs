use super::{Profile, read};
use crate::workshop::tool::{self, Missing};
use crate::workshop::{Fault, Workplace};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tokio::process::Command;

const TARGET: &str = "wasm32-wasip2";
const RUSTUP: &str = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh";

pub(super) async fn build(workplace: &Workplace, profile: Profile) -> Result<Vec<u8>, Fault> {
    let cargo = tool::on_path("cargo").next().ok_or_else(|| {
        Missing::fault("handlers in Rust are built by cargo, which is not on the path", RUSTUP)
    })?;
    has_target(&workplace.folder).await?;
    let mut build = Command::new(cargo);
    build.current_dir(&workplace.folder).args(["build", "--target", TARGET]);
    build.args(["--message-format", "json-render-diagnostics", "--config", &without_paths(workplace)]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    let messages = tool::output(&mut build).await?;
    let manifest = workplace.folder.join("Cargo.toml");
    let component = component(&String::from_utf8_lossy(&messages), &manifest).ok_or_else(|| {
        let manifest = manifest.display();
        Fault::Failed(format!(
            "{manifest} makes no component; it takes a [lib] with crate-type = [\"cdylib\"]"
        ))
    })?;
    read(&component)
}

/// Whether the toolchain that the folder chooses can build components.
async fn has_target(folder: &Path) -> Result<(), Fault> {
    let mut ask = Command::new("rustc");
    ask.current_dir(folder).args(["--print", "target-libdir", "--target", TARGET]);
    // An old compiler does not even know the name.
    let libraries =
        tool::output(&mut ask).await.map(|answer| PathBuf::from(String::from_utf8_lossy(&answer).trim()));
    if libraries.is_ok_and(|libraries| libraries.is_dir()) {
        return Ok(());
    }
    let install = match tool::on_path("rustup").next() {
        Some(_) => format!("rustup target add {TARGET}"),
        None => format!("{RUSTUP} && rustup target add {TARGET}"),
    };
    Err(Missing::fault(format!("Rust's target {TARGET} is not installed"), install))
}

/// Where the crates lie differs from machine to machine, and panic messages name it: without it, the same
/// source is the same component everywhere.
fn without_paths(workplace: &Workplace) -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let folders = [(cargo.as_path(), "/cargo"), (workplace.folder.as_path(), "/handler")];
    let flags = folders.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let flags = flags.map(|flag| Value::from(flag).to_string());
    format!("target.{TARGET}.rustflags=[{}]", flags.join(", "))
}

/// The file that cargo says it made for the package with this manifest.
fn component(messages: &str, manifest: &Path) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = messages.filter(|message| {
        message["reason"] == "compiler-artifact"
            && message["manifest_path"].as_str().map(Path::new) == Some(manifest)
    });
    let files = ours.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    let mut files = files.filter_map(|file| file.as_str().map(PathBuf::from));
    files.rfind(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_the_one_of_this_package() {
        let messages = r#"
            {"reason":"compiler-artifact","manifest_path":"/h/flowmonkey/Cargo.toml","filenames":["/t/lib.rlib"]}
            {"reason":"compiler-artifact","manifest_path":"/other/Cargo.toml","filenames":["/t/other.wasm"]}
            {"reason":"compiler-artifact","manifest_path":"/h/Cargo.toml","filenames":["/t/mail.d","/t/mail.wasm"]}
            {"reason":"build-finished","success":true}
            not JSON"#;
        assert_eq!(component(messages, Path::new("/h/Cargo.toml")), Some("/t/mail.wasm".into()));
        assert_eq!(component(messages, Path::new("/h/flowmonkey/Cargo.toml")), None);
    }
}
