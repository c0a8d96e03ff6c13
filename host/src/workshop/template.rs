//! The folder of a new handler: what lies among the guest examples, embedded in this program.

mod files;

use super::{Fault, Language};
use std::path::{Path, PathBuf};

/// The example that a new handler begins as, and the word in its files that the new name replaces.
const STARTER: &str = "starter";
/// How the examples refer to what in a new handler's folder lies within it.
const MOVED: [(&str, &str); 2] = [("../../../wit", "../wit"), ("../flowmonkey", "./flowmonkey")];
/// Git would take it for its own among the examples.
const RENAMED: (&str, &str) = ("gitignore", ".gitignore");
const NAME_CHARS_MAX: usize = 50;
/// What a new handler's folder holds already.
const RESERVED: [&str; 3] = ["flowmonkey", "wit", "target"];

/// A file's path in the folder, and its text.
type File = (&'static str, &'static str);

/// Writes the folder `NAME` with a handler of this name, its bindings and the contract, into another folder.
///
/// # Errors
/// When the name is none for a package of every language, or the folder is there already. No half of a folder is ever left.
pub(crate) fn create(name: &str, language: Language, into: &Path) -> Result<PathBuf, Fault> {
    check(name)?;
    let folder = into.join(name);
    if folder.exists() {
        return Err(Fault::BadFolder(format!("{} is there already; nothing was written", folder.display())));
    }
    let unfinished = into.join(format!(".{name}.new-{}", std::process::id()));
    let written = write(&unfinished, name, language)
        .and_then(|()| std::fs::rename(&unfinished, &folder).map_err(|why| Fault::io(folder.display(), why)));
    if let Err(fault) = written {
        // What is there may be what had no room: the fault says why.
        let _ = std::fs::remove_dir_all(&unfinished);
        return Err(fault);
    }
    Ok(folder)
}

/// A name that is one in every language's package, and in a path.
fn check(name: &str) -> Result<(), Fault> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let fits = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let fits = starts && fits && !name.ends_with('-') && !name.contains("--") && name.len() <= NAME_CHARS_MAX;
    if fits && !RESERVED.contains(&name) {
        return Ok(());
    }
    Err(Fault::BadFolder(format!(
        "{name:?} is no name for a new handler: it begins with a lower-case letter, goes on with lower-case letters, \
         digits and single hyphens, has at most {NAME_CHARS_MAX} of them, and is none of {}",
        RESERVED.join(", ")
    )))
}

fn write(folder: &Path, name: &str, language: Language) -> Result<(), Fault> {
    let (starter, bindings) = files::of(language);
    let within = |part: &'static str| move |(path, text): &File| (Path::new(part).join(path), *text);
    let starter = starter.iter().map(within(""));
    let bindings = bindings.iter().map(within("flowmonkey"));
    let contract = files::CONTRACT.iter().map(within("wit"));
    for (path, text) in starter.chain(bindings) {
        let path = if path == Path::new(RENAMED.0) { PathBuf::from(RENAMED.1) } else { path };
        let text = MOVED.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        put(&folder.join(path), &text.replace(STARTER, name))?;
    }
    for (path, text) in contract {
        put(&folder.join(path), text)?;
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> Result<(), Fault> {
    let parent = path.parent().unwrap_or(path);
    let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(path, text));
    written.map_err(|why| Fault::io(path.display(), why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The files of a folder, without what builds make.
    fn walk(folder: &Path, from: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            let is_made =
                ["target", "node_modules", "__pycache__"].contains(&name.as_str()) || name.ends_with(".wasm");
            if is_made || name.starts_with('.') {
                continue;
            }
            if path.is_dir() {
                walk(&path, from, found);
            } else {
                found.insert(path.strip_prefix(from).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_file_of_the_examples_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut expected = Vec::new();
        for language in Language::ALL {
            let (starter, bindings) = files::of(language);
            let folder = root.join("guest-examples").join(language.name());
            expected.push((folder.join(STARTER), starter));
            expected.push((folder.join("flowmonkey"), bindings));
        }
        expected.push((root.join("wit"), files::CONTRACT));
        for (folder, files) in expected {
            let mut there = BTreeSet::new();
            walk(&folder, &folder, &mut there);
            let embedded: BTreeSet<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
            assert_eq!(embedded, there, "{}", folder.display());
        }
    }

    #[test]
    fn names_are_such_as_every_language_takes() {
        for name in ["mail", "a", "send-2-mails"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in
            ["", "Mail", "2mail", "-a", "a-", "a--b", "a_b", "a/b", "..", "ä", "flowmonkey", &"a".repeat(51)]
        {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
