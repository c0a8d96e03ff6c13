use crate::tree;
use std::collections::BTreeSet;

/// DESIGN's table: which module of the library may import which. `clock` and `telemetry` import nothing
/// and serve everybody.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("job", &[]),
    ("clock", &[]),
    ("telemetry", &[]),
    ("store", &["job"]),
    ("sandbox", &["job"]),
    ("units", &[]),
    ("catalog", &["job", "store", "sandbox", "units"]),
    ("runner", &["job", "store", "sandbox", "catalog"]),
    ("trial", &["job", "store", "sandbox", "catalog"]),
    ("scheduler", &["job", "store"]),
    ("reaper", &["job", "store"]),
    ("metrics", &["store"]),
];
const EVERYBODYS: [&str; 2] = ["clock", "telemetry"];
/// The edge: the binary's own modules.
const EDGE: [&str; 7] = ["lib", "main", "allocator", "bench", "config", "cli", "workshop"];

/// The names behind `crate::` in a text, also where several share a brace.
fn imports(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    for (_, rest) in text.match_indices("crate::").map(|(at, found)| text.split_at(at + found.len())) {
        match rest.strip_prefix('{') {
            Some(group) => {
                let group = group.split('}').next().unwrap();
                names.extend(group.split(',').map(|part| word(part.trim())));
            }
            None => drop(names.insert(word(rest))),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn no_module_imports_one_above_it() {
    let mut seen = BTreeSet::new();
    for (path, text) in tree::with_extension(&["rs"]) {
        let Some(inside) = path.strip_prefix("host/src/") else { continue };
        let module = inside.split(['/', '.']).next().unwrap().to_owned();
        if EDGE.contains(&module.as_str()) {
            continue;
        }
        let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == module);
        let (_, allowed) =
            allowed.unwrap_or_else(|| panic!("{path}: say in MAY_IMPORT what `{module}` may import"));
        for import in imports(&text) {
            let everybodys = EVERYBODYS.contains(&import.as_str()) && !EVERYBODYS.contains(&module.as_str());
            let fine =
                import == module || allowed.contains(&import.as_str()) || everybodys && module != "job";
            assert!(fine, "{path}: `{module}` may not import `{import}`");
        }
        assert!(!text.contains("anyhow"), "{path}: errors keep their type below the edge");
        seen.insert(module);
    }
    assert_eq!(seen.len(), MAY_IMPORT.len(), "MAY_IMPORT has modules that are gone: {seen:?}");
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::{clock, store::StoreError};\nuse crate::job::Job;\n crate::sandbox::run()";
    let expected = ["clock", "job", "sandbox", "store"].map(str::to_owned);
    assert_eq!(imports(text), expected.into());
}

#[test]
fn names_say_what_a_thing_is() {
    const BANNED: [&str; 8] = ["util", "utils", "helper", "helpers", "manager", "common", "misc", "executor"];
    for (path, text) in tree::with_extension(&["rs", "sql", "wit"]) {
        let parts = path.split(['/', '.', '_', '-']);
        for part in parts {
            assert!(!BANNED.contains(&part), "{path}: a name that says nothing");
        }
        assert!(!path.ends_with("/mod.rs"), "{path}: `x.rs` beside `x/`, never `mod.rs`");
        let defined = ["fn ", "struct ", "enum ", "trait ", "mod "];
        let words = text.lines().flat_map(|line| {
            let line = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            defined.iter().filter_map(move |start| line.strip_prefix(start))
        });
        for name in words.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap()) {
            let lower = name.to_lowercase();
            let found = BANNED.iter().find(|banned| lower.split('_').any(|part| part == **banned));
            assert!(found.is_none(), "{path}: `{name}` says nothing");
        }
    }
}

#[test]
fn the_top_level_is_the_designs() {
    const EXPECTED: [&str; 10] = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "guest-examples",
        "host",
        "migrations",
        "tests",
        "wit",
        "xtask",
    ];
    let entries = std::fs::read_dir(tree::root()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let visible: BTreeSet<String> = names.filter(|name| !name.starts_with('.') && name != "target").collect();
    assert_eq!(visible, EXPECTED.map(str::to_owned).into());
}

#[test]
fn wasmtime_stays_on_the_lts_line_and_above_its_advisories() {
    let lock = std::fs::read_to_string(tree::root().join("Cargo.lock")).unwrap();
    for name in ["wasmtime", "wasmtime-wasi"] {
        let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).unwrap();
        let version = rest.split('"').next().unwrap();
        let patch = version.strip_prefix("48.0.").unwrap_or_else(|| panic!("{name} is {version}, not 48"));
        assert!(patch.parse::<u32>().unwrap() >= 8, "{name} {version} has advisories; 48.0.8 is the least");
    }
}
