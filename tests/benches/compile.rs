//! What it costs to have a component compiled: in this process, by a child, and out of the cache.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use flowmonkey_jobs::sandbox::{
    ChildCompiler, Compilation, Limits, Sandbox, SandboxConfig, compile_if_asked,
};
use flowmonkey_tests::guests;
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;

/// The middle of all rounds, each with a sandbox of its own, as a program that starts has.
fn median(compilation: &Compilation, bytes: &[u8], limits: &Limits, clean: impl Fn()) -> f64 {
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            clean();
            let sandbox = Sandbox::new(&SandboxConfig::new(compilation.clone())).unwrap();
            let start = Instant::now();
            sandbox.prepare(bytes, limits).unwrap();
            start.elapsed()
        })
        .collect();
    rounds.sort();
    rounds[ROUNDS / 2].as_secs_f64() * 1e3
}

fn main() {
    // The children are this program.
    compile_if_asked();
    let json = std::env::args().any(|argument| argument == "--json");
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let child = |cache_folder| {
        Compilation::Child(ChildCompiler { cache_folder, ..ChildCompiler::this_program().unwrap() })
    };
    let empty = || drop(std::fs::remove_dir_all(&cache));
    for name in ["email-send", "report-generate"] {
        let bytes = guests::example(name);
        for limits in [Limits::default(), Limits { fuel: None, ..Limits::default() }] {
            let here = median(&Compilation::InProcess, &bytes, &limits, || {});
            let cold = median(&child(Some(cache.clone())), &bytes, &limits, empty);
            let warm = median(&child(Some(cache.clone())), &bytes, &limits, || {});
            let metered = limits.fuel.is_some();
            if json {
                let line = serde_json::json!({"component": name, "bytes": bytes.len(), "metered": metered,
                    "in_process_ms": here, "child_ms": cold, "cached_ms": warm});
                println!("{line}");
            } else {
                println!(
                    "{name} ({} bytes, metered {metered}): in process {here:.1} ms, child {cold:.1} ms, \
                     cached {warm:.1} ms",
                    bytes.len()
                );
            }
        }
    }
}
