//! What the cases share: a catalog of the examples, and waiting.

use flowmonkey_jobs::catalog::{Catalog, HandlerSettings};
use flowmonkey_jobs::job::{Job, JsonText, NewJob, RetryPolicy, Status};
use flowmonkey_jobs::runner::{Runner, RunnerBuilder};
use flowmonkey_jobs::sandbox::{Compilation, Limits, Sandbox, SandboxConfig};
use flowmonkey_jobs::store::SharedStore;
use flowmonkey_tests::guests;
use flowmonkey_tests::program::PATIENCE;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Makes each case run on both stores.
macro_rules! on_both_stores {
    ($($case:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(flowmonkey_tests::database::Fixture::sqlite().await).await;
            }
            )*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(flowmonkey_tests::database::Fixture::postgres().await).await;
            }
            )*
        }
    };
}
pub(crate) use on_both_stores;

/// The examples and the probe; guests may go on for as long as the test wants.
pub(crate) fn catalog(attempts_max: u32) -> Arc<Catalog> {
    let limits = Limits { fuel: None, wall_max: Duration::from_secs(600), ..Limits::default() };
    let retry = RetryPolicy { base: Duration::from_millis(1), ..RetryPolicy::default() };
    with_settings(attempts_max, HandlerSettings { limits, retry, ..HandlerSettings::default() })
}

/// The examples, one after the other where there is one thread.
pub(crate) fn with_threads(threads: u32) -> Arc<Catalog> {
    loaded(threads, threads, HandlerSettings::default())
}

pub(crate) fn with_settings(attempts_max: u32, settings: HandlerSettings) -> Arc<Catalog> {
    loaded(attempts_max, 2, settings)
}

fn loaded(attempts_max: u32, threads: u32, settings: HandlerSettings) -> Arc<Catalog> {
    let attempts_max = NonZeroU32::new(attempts_max).unwrap();
    let threads = NonZeroU32::new(threads).unwrap();
    let config = SandboxConfig { attempts_max, threads, ..SandboxConfig::new(Compilation::InProcess) };
    let catalog = Catalog::new(Arc::new(Sandbox::new(&config).unwrap()));
    for name in ["email-send", "report-generate", "flaky", "spin", "probe"] {
        catalog.load(name, &guests::example(name), settings.clone()).unwrap();
    }
    Arc::new(catalog)
}

/// A runner that looks often, since a test waits for it.
pub(crate) fn runner(store: &SharedStore, catalog: &Arc<Catalog>) -> RunnerBuilder {
    Runner::builder(store.clone())
        .handlers(catalog.clone())
        .poll_interval(Duration::from_millis(20))
        .heartbeat_interval(Duration::from_millis(100))
}

pub(crate) async fn enqueue(store: &SharedStore, handler: &str, input: &str) -> String {
    store.create(NewJob::new(handler, JsonText::parse(input).unwrap())).await.unwrap().job.id
}

pub(crate) const MAIL: &str = r#"{"to": "ada@example.com", "subject": "Hi", "body": "Hello"}"#;

/// A report of so many lines as the example's input, with more fields.
pub(crate) fn report(lines: usize, more: &str) -> String {
    let line = r#"{\"region\":\"north\",\"product\":\"tea\",\"amount\":1}"#;
    format!(r#"{{"records": "{}"{more}}}"#, vec![line; lines].join("\\n"))
}

/// The job once it fits. The bound is for faults alone.
pub(crate) async fn wait_for(store: &SharedStore, id: &str, fits: impl Fn(&Job) -> bool) -> Job {
    let look = async {
        loop {
            // A database that is cut off answers later.
            if let Ok(Some(job)) = store.get(id).await
                && fits(&job)
            {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(job) => job,
        Err(_) => panic!("it never came to that: {:?}", store.get(id).await),
    }
}

pub(crate) async fn wait_for_status(store: &SharedStore, id: &str, status: Status) -> Job {
    wait_for(store, id, |job| job.status == status).await
}

pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let look = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, look).await.is_ok(), "it never came to that: {what}");
}

pub(crate) fn outcomes(job: &Job) -> Vec<&str> {
    job.history.iter().map(|entry| entry.outcome.as_str()).collect()
}
