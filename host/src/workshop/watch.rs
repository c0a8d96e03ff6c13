//! What a handler's source looks like from outside, to tell when it has changed.

use super::Workplace;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What tools make or keep, and nobody edits.
const IGNORED: [&str; 5] = ["target", "node_modules", "__pycache__", "venv", "zig-out"];
/// How the names of files end that programs write while they run, ours among them.
const WRITTEN: [&str; 8] =
    [".wasm", ".wasm.new", ".wasm.sig", ".log", ".db", ".db-wal", ".db-shm", ".db-journal"];
/// More files than a handler's folder ever has; beyond, changes are missed rather than time.
const FILES_MAX: usize = 20_000;

/// Length and time of change of each source file, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sources(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl Sources {
    /// Of the handler's folder, and of bindings that lie above it.
    pub(crate) fn of(workplace: &Workplace) -> Self {
        let mut sources = Sources::default();
        sources.add(&workplace.folder);
        if let Some(bindings) =
            workplace.nearest("flowmonkey").filter(|path| !path.starts_with(&workplace.folder))
        {
            sources.add(&bindings);
        }
        sources.0.remove(&workplace.component());
        sources
    }

    /// Whether any is newer than what was built of them.
    pub(crate) fn are_newer_than(&self, component: &Path) -> bool {
        let built = std::fs::metadata(component).and_then(|metadata| metadata.modified()).ok();
        self.0.values().any(|(_, changed)| *changed > built)
    }

    fn add(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            // Editors keep their copies in names that begin with a dot or end in a tilde.
            let is_ignored = name.starts_with('.') || name.ends_with('~') || IGNORED.contains(&name.as_ref());
            let is_built = WRITTEN.iter().any(|end| name.ends_with(end));
            if is_ignored || is_built || self.0.len() >= FILES_MAX {
                continue;
            }
            // A link into itself would have no end.
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                self.add(&path);
            } else if let Ok(metadata) = std::fs::metadata(&path)
                && metadata.is_file()
            {
                self.0.insert(path, (metadata.len(), metadata.modified().ok()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_count_and_what_tools_make_does_not() {
        let folder = std::env::temp_dir().join(format!("flowmonkey-watch-{}", std::process::id()));
        let write = |path: &str| {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        };
        for path in [
            "handler.toml",
            "main.c",
            "part/more.c",
            "target/x.c",
            "mail.wasm",
            ".git/x",
            "main.c~",
            "dev.log",
        ] {
            write(path);
        }
        std::fs::write(folder.join("handler.toml"), "name = 'mail'").unwrap();
        let workplace = Workplace::of(&folder, None).unwrap().unwrap();
        let before = Sources::of(&workplace);
        assert_eq!(before.0.len(), 3, "{before:?}");
        assert!(before.are_newer_than(&folder.join("nothing.wasm")));
        std::fs::write(folder.join("part/more.c"), "longer").unwrap();
        assert_ne!(Sources::of(&workplace), before);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
