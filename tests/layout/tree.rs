use std::path::{Path, PathBuf};

/// Folders that builds and tools fill.
const GENERATED: [&str; 4] = ["target", ".git", ".flowmonkey", "node_modules"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All files below the root, as paths from there with their text. Binary files have none.
pub(crate) fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if GENERATED.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let relative = path.strip_prefix(root()).unwrap().to_str().unwrap();
            found.push((relative.to_owned(), text));
        }
    }
}

pub(crate) fn with_extension(extensions: &[&str]) -> Vec<(String, String)> {
    let wanted =
        |path: &str| Path::new(path).extension().is_some_and(|e| extensions.contains(&e.to_str().unwrap()));
    files().into_iter().filter(|(path, _)| wanted(path)).collect()
}
