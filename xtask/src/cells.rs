//! The table languages × behaviours, from what the suite `languages` has left.

use crate::{Result, shell};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn folder() -> PathBuf {
    shell::root().join("target/language-cells")
}

/// Forgets what an earlier run left.
pub(crate) fn clear() {
    // What is not there need not go.
    let _ = std::fs::remove_dir_all(folder());
}

/// Prints a row a behaviour and a column a language; a cell names what both stores came to. Nothing, where the suite did not
/// run.
pub(crate) fn print() -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder()) else { return Ok(()) };
    let mut languages = Vec::new();
    let mut order = Vec::new();
    let mut cells: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((_, language)) = name.rsplit_once('.').and_then(|(rest, _store)| rest.split_once('.'))
        else {
            continue;
        };
        if !languages.contains(&language.to_owned()) {
            languages.push(language.to_owned());
        }
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        for (verdict, behaviour) in text.lines().filter_map(|line| line.split_once('\t')) {
            if !order.contains(&behaviour.to_owned()) {
                order.push(behaviour.to_owned());
            }
            cells.entry((behaviour.to_owned(), language.to_owned())).or_default().push(verdict.to_owned());
        }
    }
    println!("| behaviour, on SQLite and on Postgres | {} |", languages.join(" | "));
    println!("| --- |{}", " --- |".repeat(languages.len()));
    for behaviour in order {
        let cell = |language: &String| {
            let verdicts = cells.get(&(behaviour.clone(), language.clone())).cloned().unwrap_or_default();
            let is_fine = verdicts.len() == 2 && verdicts.iter().all(|verdict| verdict == "ok");
            if is_fine { "ok".to_owned() } else { verdicts.join(", ") }
        };
        println!("| {behaviour} | {} |", languages.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
    Ok(())
}
