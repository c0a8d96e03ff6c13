//! A client dies at a call: what it asked for is done as a whole or not at all, and asking again is safe.

mod handlers;

use super::killer::{Call, Killer};
use super::moment::Moment::{self, After, Before, During};
use super::moment::Point;
use super::process;
use flowmonkey_jobs::job::{JobError, JsonText, Lease, NewJob, Transition, Unique, Usage, Wake};
use flowmonkey_jobs::store::{
    ClaimRequest, HandlerPlaces, ListFilter, NewSchedule, Recorded, Recording, RetryFilter, SqliteStore,
    Store,
};
use flowmonkey_tests::database::Fixture;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, PgConnection, SqliteConnection};
use std::path::Path;
use std::time::Duration;

const HANDLER: &str = "email-send";
const EXECUTION: &str = "execution";
const SCHEDULE: &str = "nightly";
/// Later than any test.
const YEAR_2096: i64 = 4_000_000_000_000;
/// Not a method of a trait: the commit of a client's own transaction that creates a job.
pub(crate) const COMMIT: &str = "commit";

macro_rules! client_calls {
    ($($name:ident: $call:expr;)*) => {
        /// The methods at which a client dies.
        pub(crate) const CALLS: &[&str] = &[$($call),*];

        mod sqlite {
            use super::COMMIT;

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::survive_all(flowmonkey_tests::database::Fixture::sqlite, $call).await;
                }
            )*
        }
        mod postgres {
            use super::COMMIT;

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::survive_all(flowmonkey_tests::database::Fixture::postgres, $call).await;
                }
            )*
        }
    };
}

client_calls! {
    creating_a_job_is_done_or_not: "create";
    creating_many_jobs_is_done_for_all_or_none: "create_many";
    cancelling_is_done_or_not: "cancel";
    retrying_is_done_or_not: "retry";
    retrying_many_can_be_done_again: "retry_many";
    resuming_is_done_or_not: "resume";
    cancelling_an_execution_cancels_its_jobs_or_nothing: "cancel_execution";
    putting_a_schedule_is_done_or_not: "put_schedule";
    pausing_a_schedule_is_done_or_not: "pause_schedule";
    resuming_a_schedule_is_done_or_not: "resume_schedule";
    removing_a_schedule_is_done_or_not: "remove_schedule";
    pushing_a_version_is_done_with_its_activation_or_not: "push_version";
    activating_a_version_is_done_or_not: "activate";
    rolling_back_is_done_or_not: "roll_back";
    promoting_a_canary_is_done_or_not: "promote_canary";
    aborting_a_canary_is_done_or_not: "abort_canary";
    pausing_a_handler_is_done_or_not: "set_handler_paused";
    removing_a_version_removes_its_component_or_nothing: "remove_version";
    removing_a_handler_removes_all_of_it_or_nothing: "remove_handler";
    a_job_in_the_clients_own_transaction_is_there_once_that_commits: COMMIT;
}

/// The process that dies; nothing when nobody told it how.
#[test]
fn process() {
    let Some(part) = process::part() else { return };
    let (call, moment) = part.split_once(' ').unwrap();
    let call = CALLS.iter().find(|known| **known == call).unwrap();
    let point = Point { call, nth: 1, moment: Moment::from_text(moment) };
    process::play(|store| async move {
        let killer = Killer::new(store, point);
        if point.call == COMMIT {
            create_in_a_transaction(&killer).await
        } else {
            ask(&killer, point.call).await
        }
    });
}

/// Before the call, at each of its waits, and after it.
async fn survive_all(fresh: impl AsyncFn() -> Fixture, call: &str) {
    survive(&fresh().await, call, Before).await;
    for waits in 1.. {
        if survive(&fresh().await, call, During(waits)).await {
            break;
        }
    }
    survive(&fresh().await, call, After).await;
}

/// Returns whether the call had come to its end.
async fn survive(f: &Fixture, call: &str, moment: Moment) -> bool {
    let what = format!("{call} {moment:?}");
    prepare(f, call).await;
    let (done, all) = found(f, call).await;
    assert_eq!(done, 0, "{what}");
    let part = format!("{call} {}", moment.to_text());
    let hit = process::until_killed(f, "points::client::process", &part).await;
    let (done, _) = found(f, call).await;
    // What goes from job to job is not one transaction.
    assert!(done == 0 || done == all || call == "retry_many", "{what}: {done} of {all}");
    moment.check(done == all, &what);
    ask(&*f.store, if call == COMMIT { "create" } else { call }).await;
    assert_eq!(found(f, call).await, (all, all), "{what}, and again");
    let twice = "select count(*) from fm_jobs where history like '%cancelled%cancelled%'";
    assert_eq!(f.number(&twice.replace("history", "cast(history as text)")).await, 0, "{what}");
    hit.ended
}

fn json(text: &str) -> JsonText {
    JsonText::parse(text).unwrap()
}

fn keyed(key: &str) -> NewJob {
    NewJob { unique: Some(Unique::active(key)), ..NewJob::new(HANDLER, json("{}")) }
}

fn schedule() -> NewSchedule {
    NewSchedule::new(SCHEDULE, "0 0 29 2 *", HANDLER, json("{}"))
}

/// What the client wants done, on the jobs that [`prepare`] made.
async fn ask(store: &dyn Store, call: &str) {
    let ids: Vec<String> =
        store.list(&ListFilter::default()).await.unwrap().into_iter().map(|job| job.id).collect();
    match call {
        "create" => drop(store.create(keyed("a")).await.unwrap()),
        "create_many" => drop(store.create_many(["a", "b", "c"].map(keyed).into()).await.unwrap()),
        "cancel" => drop(store.cancel(&ids[0]).await.unwrap()),
        "retry" => drop(store.retry(&ids[0]).await.unwrap()),
        "retry_many" => drop(store.retry_many(&RetryFilter::default()).await.unwrap()),
        "resume" => drop(store.resume(&ids[0], Some(&json("1"))).await.unwrap()),
        "cancel_execution" => drop(store.cancel_execution(EXECUTION).await.unwrap()),
        "put_schedule" => store.put_schedule(&schedule(), Some(YEAR_2096)).await.unwrap(),
        "pause_schedule" => drop(store.pause_schedule(SCHEDULE).await.unwrap()),
        "resume_schedule" => drop(store.resume_schedule(SCHEDULE, Some(YEAR_2096)).await.unwrap()),
        "remove_schedule" => drop(store.remove_schedule(SCHEDULE).await.unwrap()),
        other => handlers::ask(store, other).await,
    }
}

/// As applications do beside writes of their own: with SQL on Postgres, with a connection on SQLite.
async fn create_in_a_transaction(killer: &Killer) {
    let address = process::address();
    if address.starts_with("postgres") {
        let mut connection = PgConnection::connect(&address).await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        let enqueue = sqlx::query("select fm_enqueue($1, '{}', unique_key => 'a')").bind(HANDLER);
        enqueue.execute(&mut *transaction).await.unwrap();
        killer.pass(Call::named(COMMIT), transaction.commit()).await.unwrap();
    } else {
        let store = SqliteStore::open_existing(Path::new(&address)).await.unwrap();
        let options = SqliteConnectOptions::new().filename(&address).foreign_keys(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        store.create_in(&mut transaction, keyed("a")).await.unwrap();
        killer.pass(Call::named(COMMIT), transaction.commit()).await.unwrap();
    }
}

/// What the call finds.
async fn prepare(f: &Fixture, call: &str) {
    let error = || JobError::guest("X".into(), "why".into(), None);
    match call {
        "cancel" => drop(running(f, keyed("a")).await),
        "retry" => end(f, keyed("a"), Transition::Fail(error())).await,
        "retry_many" => {
            for job in [keyed("a"), keyed("b"), NewJob::new(HANDLER, json("{}"))] {
                end(f, job, Transition::Fail(error())).await;
            }
        }
        "resume" => {
            let wait = Transition::Wait { until: Wake::Signal("paid".into()), reason: None };
            end(f, keyed("a"), wait).await;
        }
        "cancel_execution" => {
            let columns = "(id, flow_id, flow_version, status)";
            f.execute(&format!(
                "insert into fm_executions {columns} values ('{EXECUTION}', 'flow', '1', 'waiting')"
            ))
            .await;
            let of = |key| NewJob { execution_id: Some(EXECUTION.into()), ..keyed(key) };
            running(f, of("a")).await;
            f.store.create(of("b")).await.unwrap();
        }
        "pause_schedule" | "resume_schedule" | "remove_schedule" => {
            f.store.put_schedule(&schedule(), Some(YEAR_2096)).await.unwrap();
            if call == "resume_schedule" {
                f.store.pause_schedule(SCHEDULE).await.unwrap();
            }
        }
        other => handlers::prepare(f, other).await,
    }
}

async fn running(f: &Fixture, job: NewJob) -> Lease {
    f.store.create(job).await.unwrap();
    let request = ClaimRequest {
        runner_id: "runner".into(),
        handlers: vec![HandlerPlaces { handler: HANDLER.into(), places: None, fleet_max: None }],
        limit: 1,
        heartbeat_interval: Duration::from_secs(10),
    };
    f.store.claim(&request).await.unwrap().jobs.remove(0).lease
}

async fn end(f: &Fixture, job: NewJob, transition: Transition) {
    let lease = running(f, job).await;
    let ended =
        Recording { lease, transition, usage: Usage::default(), progress: None, ran: None, keep: true };
    assert_eq!(f.store.record(&[ended]).await.unwrap(), [Recorded::Written]);
}

/// How many parts of what the call does are done, and how many there are.
async fn found(f: &Fixture, call: &str) -> (i64, i64) {
    let (done, all) = match call {
        "create" | COMMIT => ("fm_jobs", 1),
        "create_many" => ("fm_jobs", 3),
        "cancel" => ("fm_jobs where status = 'cancelled'", 1),
        "retry" => ("fm_jobs where status = 'pending' and attempts = 0", 1),
        "retry_many" => ("fm_jobs where status = 'pending' and attempts = 0", 3),
        "resume" => ("fm_jobs where waiting is null and run_at is not null and resumed_with is not null", 1),
        "cancel_execution" => {
            let both = "(select status from fm_jobs union all select status from fm_executions) as known";
            let done = f.number(&format!("select count(*) from {both} where status like 'cancel%'")).await;
            return (done, 3);
        }
        "put_schedule" => ("fm_schedules", 1),
        "pause_schedule" => ("fm_schedules where paused", 1),
        "resume_schedule" => ("fm_schedules where not paused", 1),
        "remove_schedule" => ("(select 1 where not exists (select 1 from fm_schedules)) as gone", 1),
        other => handlers::found(other),
    };
    (f.number(&format!("select count(*) from {done}")).await, all)
}
