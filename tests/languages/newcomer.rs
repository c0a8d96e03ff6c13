//! What a newcomer does, command by command, in each language.

use flowmonkey_tests::program::{Folder, PATIENCE};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const NAME: &str = "first-steps";
/// The line that is edited, and into what.
const BEFORE: &str = "Hello, ";
const AFTER: &str = "Servus, ";

/// A folder below which the language's own packages are found, as after the README's install command.
fn folder() -> Folder {
    let folder = Folder::new();
    let toolchains = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/toolchains");
    for (place, name) in [("node/node_modules", "node_modules"), ("python", ".venv")] {
        let there = toolchains.join(place);
        if there.is_dir() {
            std::os::unix::fs::symlink(there.canonicalize().unwrap(), folder.path().join(name)).unwrap();
        }
    }
    folder
}

/// The starter's source with the line that greets.
fn source(folder: &Folder) -> PathBuf {
    fn find(folder: &Path) -> Option<PathBuf> {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
            if entry.is_dir() && !["flowmonkey", "wit", "target"].contains(&name.as_str()) {
                if let Some(found) = find(&entry) {
                    return Some(found);
                }
            } else if !name.ends_with(".toml")
                && std::fs::read_to_string(&entry).is_ok_and(|text| text.contains(BEFORE))
            {
                return Some(entry);
            }
        }
        None
    }
    find(&folder.path().join(NAME)).unwrap()
}

fn edit(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text.matches(BEFORE).count(), 1, "{text}");
    std::fs::write(path, text.replace(BEFORE, AFTER)).unwrap();
}

const INPUT: &str = r#"{"name": "Ada"}"#;

pub(crate) fn pushes(language: &str) {
    let folder = folder();
    let said = folder.done(&["new", NAME, "--lang", language]);
    assert!(said.contains("flowmonkey build"), "{said}");
    folder.done(&["build", NAME]);
    let said = folder.done(&["test", NAME]);
    assert!(said.contains(" passed, 0 failed"), "{said}");
    edit(&source(&folder));
    let built = folder.json(&["build", NAME]);
    assert_eq!((&built["handler"], &built["asks"]), (&json!(NAME), &json!([])), "{built:#}");
    let trial = folder.run(&["test", NAME, "--input", INPUT]);
    assert!(trial.code == 0 && trial.stdout.contains("Servus, Ada!"), "{trial:?}");
    let ran = folder.run(&["test", NAME]);
    assert_eq!(ran.code, 1, "its case expects the old greeting: {ran:?}");
    folder.done(&["handlers", "push", NAME]);
    let mut runner = folder.spawn(&["run", "--poll-interval", "50ms"]);
    runner.wait_for_log("runner started");
    let result = folder.done(&["enqueue", NAME, "--input", INPUT, "--wait", "--wait-timeout", "2m"]);
    assert!(result.contains("Servus, Ada!"), "{result}");
}

pub(crate) fn develops(language: &str) {
    let folder = folder();
    folder.done(&["new", NAME, "--lang", language]);
    let mut runner = folder.spawn(&["dev", NAME]);
    runner.wait_for_log("runner started");
    let greeted = |words: &str| {
        let result = folder.run(&["enqueue", NAME, "--input", INPUT, "--wait", "--wait-timeout", "2m"]);
        result.stdout.contains(words)
    };
    assert!(greeted("Hello, Ada!"), "{}", runner.log());

    // What does not build is told, and the old version goes on.
    let source = source(&folder);
    let good = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, good.replace(BEFORE, "\"(`Hello, ")).unwrap();
    runner.wait_for_log("handler not built");
    assert!(greeted("Hello, Ada!"), "{}", runner.log());

    std::fs::write(&source, &good).unwrap();
    edit(&source);
    let saved = Instant::now();
    while !greeted("Servus, Ada!") {
        assert!(saved.elapsed() < PATIENCE, "{}", runner.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    runner.signal("TERM");
    assert_eq!(runner.wait(), 0, "{}", runner.log());
}
