//! The fuzzers' seeds, and whatever they once found, through the same functions.

use flowmonkey_tests::fuzzed;
use std::path::Path;

/// Runs every file of a folder of seeds.
fn each(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        eprintln!("{}", path.display());
        run(&std::fs::read(path).unwrap());
        count += 1;
    }
    assert!(count >= 3, "{count} seeds of {target}");
}

#[test]
fn components() {
    each("component", fuzzed::component);
}

#[test]
fn inspections() {
    each("component", fuzzed::inspection);
    each("inspection", fuzzed::inspection);
}

#[test]
fn json() {
    each("json", fuzzed::json);
}

#[test]
fn manifests() {
    each("manifest", fuzzed::manifest);
}

#[test]
fn times_and_hosts() {
    each("times", fuzzed::times);
}

/// Each target has its seeds, its function, and its test here.
#[test]
fn every_target_has_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/targets");
    let here = include_str!("fuzzed.rs");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(here.contains(&format!("each(\"{name}\"")), "no test runs the seeds of {name}");
    }
}
