//! Every attack in one process, one after the other, beside a victim whose attempts all complete.

mod cases;
mod made;

pub(crate) use made::instances;

use crate::rig::{self, Memory, Run, ending};
use cases::{Case, Guest};
use flowmonkey_jobs::sandbox::{ChildCompiler, Compilation, Limits, Prepared, Sandbox, SandboxConfig};
use flowmonkey_tests::{guests, program};
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// What every case ends within, whatever its limits: a guest that nothing stops would run into this. Nothing is
/// asserted about how much of it is used.
const PATIENCE: Duration = Duration::from_secs(60);
/// What of an attack's memory may stay: freed pages that the allocator keeps, and no guest's.
const KEPT_KIB_MAX: u64 = 48 * 1024;
/// The most the process may ever hold beyond what it held before, when all components were made. The largest
/// attack may take 128 MiB, and another comes with 100 MB of bytes.
const PEAK_KIB_MAX: u64 = 320 * 1024;

impl Guest {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Guest::File(name) => guests::handler(&rig::source(name)),
            Guest::Probe(_) => guests::example("probe"),
            Guest::Made(bytes) => bytes.clone(),
        }
    }

    /// The code it ends with; one that cannot even be loaded has the code that its jobs would have.
    async fn run(&self, case: &Case, limits: Limits, sandbox: &Sandbox) -> (String, Arc<Memory>) {
        let input = match self {
            Guest::Probe(input) => input.to_string(),
            _ => "{}".to_owned(),
        };
        let run = Run { limits, grants: case.grants.clone(), ..Run::with(input) };
        let Ok(prepared) = sandbox.prepare(&self.bytes(), &limits) else {
            return ("HANDLER_LOAD_FAILED".into(), run.host);
        };
        let ran = tokio::time::timeout(PATIENCE, run.on(sandbox, &prepared)).await;
        let report = ran.unwrap_or_else(|_| panic!("{} does not end", case.name));
        (ending(&report).to_owned(), run.host)
    }
}

/// Completes one attempt after the other until it is told to stop.
async fn be_the_victim(sandbox: Arc<Sandbox>, stop: Arc<AtomicBool>, completed: Arc<AtomicUsize>) {
    let mail: Prepared = rig::prepare(&sandbox, "email-send");
    let input = r#"{"to": "a@b.example", "subject": "s", "body": "b"}"#;
    while !stop.load(Ordering::SeqCst) {
        let report = Run::with(input).on(&sandbox, &mail).await;
        assert_eq!(ending(&report), "completed", "{:?}", report.outcome);
        completed.fetch_add(1, Ordering::SeqCst);
        // It has other things to do as well.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The entries of a folder of this process: its threads, or its open files.
fn entries(folder: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{folder}")).unwrap().count()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_suite_in_one_process_beside_a_victim() {
    if !rig::is_alone("suite::the_whole_suite_in_one_process_beside_a_victim", "") {
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let compiler = ChildCompiler {
        cache_folder: Some(cache.path().join("cache")),
        ..crate::compile::compiler(&program::path())
    };
    let (four, two) = (NonZeroU32::new(4).unwrap(), NonZeroU32::new(2).unwrap());
    let compilation = Compilation::Child(compiler);
    let config = SandboxConfig { attempts_max: four, threads: two, ..SandboxConfig::new(compilation) };
    let sandbox = Arc::new(Sandbox::new(&config).unwrap());
    let (stop, completed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let victim = tokio::spawn(be_the_victim(sandbox.clone(), stop.clone(), completed.clone()));
    let cases = cases::all();
    // From here on: making the components took more than running them (proc(5) has what 5 means).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let made = program::status_kib("VmHWM");
    // The first round warms up what stays: engines, threads, the allocator's own store.
    for round in 0..2 {
        let (before, threads, files) = (program::status_kib("VmRSS"), entries("task"), entries("fd"));
        for case in &cases {
            let progress = completed.load(Ordering::SeqCst);
            let (ended, _) = case.attack.run(case, case.limits, &sandbox).await;
            assert_eq!(ended, case.ends, "{}", case.name);
            // Under the same limits, but for a clock that a busy machine would make too short for it.
            let limits = Limits { wall_max: cases::WALL_MAX, ..case.limits };
            let (twin, _) = case.twin.run(case, limits, &sandbox).await;
            assert_eq!(twin, "completed", "the twin of {}", case.name);
            // The victim went on, or does so now.
            while completed.load(Ordering::SeqCst) == progress && !victim.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let more = program::status_kib("VmRSS").saturating_sub(before);
            assert!(round == 0 || more < KEPT_KIB_MAX, "{}: {more} KiB more than before", case.name);
        }
        if round > 0 {
            assert!(entries("task") <= threads, "{} threads, {threads} before", entries("task"));
            // Each place that is used for the first time keeps a file of what its memory began with open; what every attempt
            // left open would be several times as many.
            let may_be = files + cases.len() / 2;
            assert!(entries("fd") <= may_be, "{} descriptors, {files} before", entries("fd"));
        }
    }
    stop.store(true, Ordering::SeqCst);
    victim.await.unwrap();
    let (completed, peak) = (completed.load(Ordering::SeqCst), program::status_kib("VmHWM") - made);
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB more at the most");
    let count = cases.len();
    eprintln!("{count} attacks and twins; {completed} attempts of the victim; {peak} KiB more at the most");
}

#[test]
fn there_are_enough_cases() {
    let cases = cases::all();
    assert!(cases.len() >= 60, "{} cases", cases.len());
}

#[test]
fn every_guest_file_has_a_case() {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/sandbox/guests")).unwrap();
    let files: BTreeSet<String> =
        folder.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let name = |guest: &Guest| match guest {
        Guest::File(name) => Some((*name).to_owned()),
        _ => None,
    };
    let cases = cases::all();
    let mut named: BTreeSet<String> =
        cases.iter().flat_map(|case| [name(&case.attack), name(&case.twin)]).flatten().collect();
    named.extend(cases::ELSEWHERE.map(str::to_owned));
    assert_eq!(files, named);
}
