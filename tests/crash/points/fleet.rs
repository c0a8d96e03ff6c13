//! A runner with everything beside it, quick to look: the one that dies, and the one that comes after it.

use super::killer::Killer;
use super::moment::Point;
use super::world::{EXPIRED_KEY, SCHEDULE, World, YEAR_2096};
use flowmonkey_jobs::catalog::{Catalog, HandlerSettings};
use flowmonkey_jobs::job::{JsonText, RetryPolicy};
use flowmonkey_jobs::reaper::{Reaper, ReaperSettings};
use flowmonkey_jobs::runner::Runner;
use flowmonkey_jobs::sandbox::{Compilation, Grants, Limits, Sandbox, SandboxConfig};
use flowmonkey_jobs::scheduler::{RunningScheduler, Scheduler, SchedulerSettings};
use flowmonkey_jobs::store::{Retention, SharedStore};
use flowmonkey_tests::database::Fixture;
use flowmonkey_tests::guests;
use flowmonkey_tests::program::PATIENCE;
use serde_json::{Value, json};
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Who dies.
pub(crate) const FIRST: &str = "first";
const SECOND: &str = "second";
/// No runner that lives is ever so silent: whoever is dead is made so by hand.
const STALLED: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

struct Fleet {
    runner: Option<Runner>,
    reaper: Reaper,
    scheduler: RunningScheduler,
}

impl Fleet {
    /// Without a catalog it runs nothing.
    fn start(store: &SharedStore, name: &str, catalog: Option<Arc<Catalog>>) -> Self {
        let runner = catalog.map(|catalog| runner(store, name, catalog));
        let retention = Retention { completed: Some(Duration::from_secs(3600)), ..Retention::default() };
        let settings =
            ReaperSettings { stalled_threshold: STALLED, check_interval: LOOK, batch_size: 100, retention };
        let scheduler = Scheduler::new(store.clone()).start(SchedulerSettings { check_interval: LOOK });
        Fleet { runner, reaper: Reaper::start(store.clone(), settings), scheduler }
    }

    async fn stop(self) {
        if let Some(runner) = self.runner {
            runner.stop().await;
        }
        self.reaper.stop().await;
        self.scheduler.stop().await;
    }
}

fn runner(store: &SharedStore, name: &str, catalog: Arc<Catalog>) -> Runner {
    let places = NonZeroU32::new(3).unwrap();
    let builder = Runner::builder(store.clone()).handlers(catalog).runner_id(name).max_concurrent(places);
    let runner = builder.poll_interval(LOOK).heartbeat_interval(Duration::from_millis(50)).build().unwrap();
    runner.start();
    runner
}

fn catalog() -> Arc<Catalog> {
    let number = |number| NonZeroU32::new(number).unwrap();
    let config = SandboxConfig {
        attempts_max: number(8),
        threads: number(2),
        ..SandboxConfig::new(Compilation::InProcess)
    };
    let catalog = Catalog::new(Arc::new(Sandbox::new(&config).unwrap()));
    let settings = HandlerSettings {
        retry: RetryPolicy { base: Duration::from_millis(1), ..RetryPolicy::default() },
        limits: Limits { fuel: None, ..Limits::default() },
        grants: Grants {
            context: true,
            idempotency: true,
            queue: ["email-send".to_owned()].into(),
            ..Grants::default()
        },
        ..HandlerSettings::default()
    };
    for name in ["email-send", "report-generate", "flaky", "probe"] {
        catalog.load(name, &guests::example(name), settings.clone()).unwrap();
    }
    Arc::new(catalog)
}

/// What the job that waits is resumed with.
pub(crate) fn payload() -> Value {
    json!({"paid": true})
}

/// Works until it dies at this point. What the scheduler and the reaper do takes no runner. Where the point is at a runner's end, it stops in the middle of the
/// report.
pub(crate) async fn work_until(point: Point, store: SharedStore) {
    let killer: SharedStore = Arc::new(Killer::new(store.clone(), point));
    let runs = !["fire", "forget_expired", "purge", "reap"].contains(&point.call);
    let mut fleet = Some(Fleet::start(&killer, FIRST, runs.then(catalog)));
    let stops = ["record released", "withdraw"].contains(&point.call);
    loop {
        operate(&store).await;
        if stops
            && is_midway(&store).await
            && let Some(fleet) = fleet.take()
        {
            fleet.stop().await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn is_midway(store: &SharedStore) -> bool {
    let jobs = store.list(&flowmonkey_jobs::store::ListFilter::default()).await.unwrap();
    jobs.iter().any(|job| job.handler == "report-generate" && job.checkpoint.is_some())
}

/// What people do: they resume what waits.
async fn operate(store: &SharedStore) {
    for job in store.list(&flowmonkey_jobs::store::ListFilter::default()).await.unwrap() {
        if job.waiting.is_some() {
            let payload = JsonText::parse(&payload().to_string()).unwrap();
            store.resume(&job.id, Some(&payload)).await.unwrap();
        }
    }
}

/// Another runner does all that is left.
pub(crate) async fn finish(f: &Fixture, world: &World) {
    static CATALOG: OnceLock<Arc<Catalog>> = OnceLock::new();
    let fleet = Fleet::start(&f.store, SECOND, Some(CATALOG.get_or_init(catalog).clone()));
    // As if time had passed.
    let silence =
        format!("update fm_jobs set heartbeat_at = 1 where status = 'running' and runner_id = '{FIRST}'");
    f.execute(&silence).await;
    let finished = async {
        while !is_finished(f, world).await {
            operate(&f.store).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, finished).await.is_err() {
        panic!("not all is done: {:#?}", world.look(f).await);
    }
    fleet.stop().await;
}

async fn is_finished(f: &Fixture, world: &World) -> bool {
    let is = |status: &str| format!("select count(*) from fm_jobs where status {status}");
    assert_eq!(f.number(&is("in ('failed', 'cancelled')")).await, 0);
    let lost = "select count(*) from fm_schedules where last_at is not null
        and not exists (select 1 from fm_jobs where schedule = fm_schedules.name)";
    assert_eq!(f.number(lost).await, 0, "a slot has passed without a job");
    let fired = is(&format!("is not null and schedule = '{SCHEDULE}'"));
    let kept = is(&format!("is not null and id = '{}'", world.old));
    let open = is(&format!("<> 'completed' and coalesce(run_at, 0) < {YEAR_2096}"));
    let remembered = format!("select count(*) from fm_idempotency where key = '{EXPIRED_KEY}'");
    f.number(&open).await == 0
        && f.number(&remembered).await == 0
        && f.number(&fired).await > 0
        && f.number(&kept).await == 0
}
