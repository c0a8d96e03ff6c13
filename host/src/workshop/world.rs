//! The WIT that a handler is built against: the contract beside it, and a world with what it asks for.

use super::{Fault, Workplace};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The world's name.
pub(super) const WORLD: &str = "build";
/// Its file; the rest of the folder is the contract.
const WORLD_FILE: &str = "build.wit";
/// What costs nothing to import.
const ALWAYS: [&str; 6] =
    ["job", "control", "checkpoint", "log", "wasi:clocks/monotonic-clock@0.2.0", "wasi:random/random@0.2.0"];
/// What a grant of this name is for.
const GRANTED: [(&str, &str); 5] = [
    ("context", "context"),
    ("queue", "queue"),
    ("idempotency", "idempotency"),
    ("config", "wasi:config/store@0.2.0-rc.1"),
    ("http", "wasi:http/outgoing-handler@0.2.0"),
];

/// What a component imports.
pub(super) enum Imports {
    /// All there is; for tools that leave out what is not used.
    All,
    /// What the manifest mentions; for tools that import the whole world. A handler that imports what its manifest does not
    /// mention could not be pushed.
    Mentioned,
}

/// Lays out the contract and the world in the folder's `target/wit`, and returns that folder.
pub(super) fn lay_out(workplace: &Workplace, imports: &Imports, describes: bool) -> Result<PathBuf, Fault> {
    let contract = workplace.nearest("wit").ok_or_else(|| {
        let folder = workplace.folder.display();
        Fault::BadFolder(format!("{folder}: there is no folder wit/ with the contract, here or above"))
    })?;
    let here = workplace.built("wit")?;
    if here.exists() {
        std::fs::remove_dir_all(&here).map_err(|why| Fault::io(here.display(), why))?;
    }
    copy(&contract, &here)?;
    let text = world(workplace.manifest.mentions(), imports, describes);
    let path = here.join(WORLD_FILE);
    std::fs::write(&path, text).map_err(|why| Fault::io(path.display(), why))?;
    Ok(here)
}

fn world(mentions: &BTreeSet<String>, imports: &Imports, describes: bool) -> String {
    let granted = GRANTED.iter().filter(|(grant, _)| match imports {
        Imports::All => true,
        Imports::Mentioned => mentions.contains(*grant),
    });
    let imports = ALWAYS.iter().copied().chain(granted.map(|(_, import)| *import));
    let mut lines: Vec<String> = imports.map(|import| format!("  import {import};")).collect();
    lines.push("  export handler;".into());
    lines.extend(describes.then(|| "  export metadata;".into()));
    format!("package flowmonkey:jobs@0.1.0;\n\nworld {WORLD} {{\n{}\n}}\n", lines.join("\n"))
}

fn copy(from: &Path, to: &Path) -> Result<(), Fault> {
    std::fs::create_dir_all(to).map_err(|why| Fault::io(to.display(), why))?;
    let entries = std::fs::read_dir(from).map_err(|why| Fault::io(from.display(), why))?;
    for entry in entries.flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else if path.extension().is_some_and(|extension| extension == "wit") {
            std::fs::copy(&path, &target).map_err(|why| Fault::io(path.display(), why))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_has_what_the_manifest_mentions() {
        let mentions = ["http".to_owned(), "context".to_owned()].into();
        let text = world(&mentions, &Imports::Mentioned, true);
        for has in
            ["import context;", "import wasi:http/", "import job;", "export handler;", "export metadata;"]
        {
            assert!(text.contains(has), "{has} in {text}");
        }
        for has_not in ["queue", "idempotency", "config"] {
            assert!(!text.contains(has_not), "{has_not} in {text}");
        }
        let all = world(&mentions, &Imports::All, false);
        assert!(all.contains("import queue;") && !all.contains("metadata"), "{all}");
    }
}
