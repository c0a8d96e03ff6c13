//! How many statements a job takes: few of its own where jobs come one by one, a small part of one where there are many.

use flowmonkey_jobs::catalog::{Catalog, HandlerSettings};
use flowmonkey_jobs::job::{JsonText, NewJob};
use flowmonkey_jobs::runner::Runner;
use flowmonkey_jobs::sandbox::{Compilation, Sandbox, SandboxConfig};
use flowmonkey_jobs::store::SharedStore;
use flowmonkey_tests::database::Fixture;
use flowmonkey_tests::guests;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const HEAP: usize = 2000;
/// Statements a job of a heap, in all: the first claims are small, and how many outcomes a write finds together depends on
/// the machine (0.01 to 0.19 were seen). One for each job to claim or to record it would be over 1.
const OF_HEAP_MAX: f64 = 0.5;
/// Statements of one job alone: its claim, its record, and looks for more that its notice is followed by.
const OF_ONE_MAX: u64 = 12;
const PATIENCE: Duration = Duration::from_secs(60);

/// Statements that were sent.
static SENT: AtomicU64 = AtomicU64::new(0);

/// Counts what sqlx says of each statement when it is done.
struct Counting;

impl Subscriber for Counting {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn event(&self, _: &Event<'_>) {
        SENT.fetch_add(1, Ordering::SeqCst);
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn runner(store: &SharedStore) -> Runner {
    let sandbox = Sandbox::new(&SandboxConfig::new(Compilation::InProcess)).unwrap();
    let catalog = Catalog::new(Arc::new(sandbox));
    catalog.load("empty", &guests::example("empty"), HandlerSettings::default()).unwrap();
    let builder = Runner::builder(store.clone()).handlers(Arc::new(catalog));
    builder.poll_interval(Duration::from_secs(3600)).build().unwrap()
}

fn jobs(count: usize) -> Vec<NewJob> {
    vec![NewJob::new("empty", JsonText::parse("{}").unwrap()); count]
}

async fn completed(runner: &Runner, jobs: u64) {
    let all = async {
        while runner.completed_count() < jobs {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
}

/// One after the other in one test, since all of a process are counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_takes_few_statements() {
    tracing::subscriber::set_global_default(Counting).unwrap();
    for fixture in [Fixture::postgres().await, Fixture::sqlite().await] {
        let store = &fixture.store;
        store.create_many(jobs(HEAP)).await.unwrap();
        let runner = runner(store);
        let before = SENT.load(Ordering::SeqCst);
        runner.start();
        completed(&runner, HEAP as u64).await;
        let of_heap = (SENT.load(Ordering::SeqCst) - before) as f64 / HEAP as f64;
        assert!(
            of_heap > 0.0 && of_heap <= OF_HEAP_MAX,
            "{of_heap} statements a job, more than {OF_HEAP_MAX}"
        );

        let before = SENT.load(Ordering::SeqCst);
        store.create_many(jobs(1)).await.unwrap();
        completed(&runner, HEAP as u64 + 1).await;
        let of_one = SENT.load(Ordering::SeqCst) - before;
        assert!(
            (3..=OF_ONE_MAX).contains(&of_one),
            "{of_one} statements for one job, more than {OF_ONE_MAX}"
        );
        println!("{of_heap} statements a job of a heap, {of_one} for one alone");
        runner.stop().await;
    }
}
