//! How soon a fleet has what was pushed: from a push's return to the first job on the new version, on a runner that
//! compiles it itself and on one whose cache has it; and how soon a runner is ready that finds 200 handlers in the
//! database, with an empty and with a full cache.
//!
//! `cargo xtask bench handlers`
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "its result goes there")]

use flowmonkey_jobs::catalog::{Candidate, Catalog, Manifest, Parts, Policy, StoredHandlers};
use flowmonkey_jobs::job::{JsonText, NewJob, Status};
use flowmonkey_jobs::runner::Runner;
use flowmonkey_jobs::sandbox::{ChildCompiler, Compilation, Sandbox, SandboxConfig};
use flowmonkey_jobs::store::{Activation, PgStore, SharedStore};
use flowmonkey_tests::cluster::EmptyPostgres;
use flowmonkey_tests::{guests, program};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PUSHES: usize = 50;
const HANDLERS: usize = 200;

fn catalog(cache: Option<&Path>) -> Arc<Catalog> {
    let compiler = ChildCompiler {
        program: program::path(),
        cache_folder: cache.map(Path::to_owned),
        ..ChildCompiler::this_program().unwrap()
    };
    let config = SandboxConfig::new(Compilation::Child(compiler));
    Arc::new(Catalog::new(Arc::new(Sandbox::new(&config).unwrap())))
}

/// `email-send`, with some bytes that make it another component.
fn distinct(mark: &str) -> Vec<u8> {
    let mut bytes = guests::example("email-send");
    // A custom section: its id, its size, and a name without content.
    bytes.extend([0, mark.len() as u8 + 1, mark.len() as u8]);
    bytes.extend(mark.as_bytes());
    bytes
}

async fn push(catalog: &Catalog, store: &SharedStore, name: &str, version: &str) {
    let manifest_text = format!("version = '{version}'\n[grants]\nidempotency = false");
    let manifest = Manifest::parse(&manifest_text).unwrap();
    let component = distinct(&format!("{name} {version}"));
    let parts = Parts {
        name: name.into(),
        manifest,
        manifest_text,
        schemas: Default::default(),
        component,
        signature: None,
    };
    let candidate = Candidate::examine(catalog, parts, &Policy::default()).await.unwrap();
    store.push_version(&candidate.to_version(None), Some(Activation::All), "bench").await.unwrap();
}

/// Enqueues jobs one after the other until one ran this version.
async fn until_it_runs(store: &SharedStore, version: &str) -> Duration {
    let begun = Instant::now();
    let input = JsonText::parse(r#"{"to": "ada@example.com", "subject": "Hi", "body": "Hello"}"#).unwrap();
    loop {
        let id = store.create(NewJob::new("mail", input.clone())).await.unwrap().job.id;
        loop {
            let job = store.get(&id).await.unwrap().unwrap();
            if job.status == Status::Completed {
                if job.history[0].ran.as_ref().unwrap().version == version {
                    return begun.elapsed();
                }
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn swaps(title: &str, cache: Option<&Path>) {
    let database = EmptyPostgres::create();
    let pushing: SharedStore = Arc::new(PgStore::migrate(&database.url()).await.unwrap());
    let running: SharedStore = Arc::new(PgStore::connect(&database.url(), 8).await.unwrap());
    let (pusher, other) = (catalog(cache), catalog(cache));
    let stored = StoredHandlers::new(other.clone(), running.clone(), Policy::default());
    let runner = Runner::builder(running).handlers(other).stored_handlers(stored).build().unwrap();
    runner.start();
    push(&pusher, &pushing, "mail", "0").await;
    until_it_runs(&pushing, "0").await;
    let mut times = Vec::new();
    for version in 1..=PUSHES {
        let version = version.to_string();
        push(&pusher, &pushing, "mail", &version).await;
        times.push(until_it_runs(&pushing, &version).await);
    }
    runner.stop().await;
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "push to first job, {title:<28} median {:>6.1} ms, worst of {PUSHES} {:>6.1} ms",
        ms(times[times.len() / 2]),
        ms(times[times.len() - 1])
    );
}

async fn starts() {
    let database = EmptyPostgres::create();
    let store: SharedStore = Arc::new(PgStore::migrate(&database.url()).await.unwrap());
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("cache");
    let pusher = catalog(None);
    for number in 0..HANDLERS {
        push(&pusher, &store, &format!("mail-{number}"), "1").await;
    }
    for title in ["cache empty", "cache full"] {
        let catalog = catalog(Some(&folder));
        let stored = StoredHandlers::new(catalog.clone(), store.clone(), Policy::default());
        let begun = Instant::now();
        stored.refresh().await.unwrap().join_all().await;
        assert_eq!(catalog.names().len(), HANDLERS);
        println!("{HANDLERS} handlers ready, {title:<25} {:>8.2} s", begun.elapsed().as_secs_f64());
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        swaps("compiled by the runner", None).await;
        let cache = tempfile::tempdir().unwrap();
        swaps("found in the shared cache", Some(&cache.path().join("cache"))).await;
        starts().await;
    });
}
