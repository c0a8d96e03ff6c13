//! A runner that has nothing to do hears of jobs instead of asking for them.

use crate::fleet::{self, MAIL, enqueue, on_both_stores, wait_for_status};
use flowmonkey_jobs::job::Status;
use flowmonkey_jobs::runner::Runner;
use flowmonkey_jobs::store::{DUE_ECHOES, PgStore, SharedStore, SqliteStore};
use flowmonkey_tests::cluster::EmptyPostgres;
use flowmonkey_tests::database::{Database, Fixture};
use flowmonkey_tests::proxy::{Proxy, server_of};
use std::sync::Arc;
use std::time::Duration;

on_both_stores! {
    an_idle_runner_hears_of_a_job
    an_idle_runner_hears_of_a_job_that_another_program_creates
    without_notices_a_runner_polls
}

/// So long that only a notice can be what woke it.
const NEVER: Duration = Duration::from_secs(3600);

fn deaf_but_for_notices(store: &SharedStore) -> Runner {
    let runner = fleet::runner(store, &fleet::catalog(5)).poll_interval(NEVER).heartbeat_interval(NEVER);
    runner.build().unwrap()
}

/// Runs one job, so that the runner is idle and its line open.
async fn settle(store: &SharedStore, runner: &Runner) {
    runner.start();
    let first = enqueue(store, "email-send", MAIL).await;
    wait_for_status(store, &first, Status::Completed).await;
    fleet::until("it is idle", || runner.active_count() == 0).await;
}

async fn an_idle_runner_hears_of_a_job(Fixture { store, .. }: Fixture) {
    let runner = deaf_but_for_notices(&store);
    settle(&store, &runner).await;
    for _ in 0..3 {
        let id = enqueue(&store, "email-send", MAIL).await;
        wait_for_status(&store, &id, Status::Completed).await;
    }
    runner.stop().await;
}

async fn an_idle_runner_hears_of_a_job_that_another_program_creates(f: Fixture) {
    let other: SharedStore = match &f.database {
        Database::Postgres(database) => Arc::new(database.store().await),
        Database::Sqlite(database) => Arc::new(SqliteStore::open(&database.path).await.unwrap()),
    };
    let runner = deaf_but_for_notices(&f.store);
    settle(&f.store, &runner).await;
    let id = enqueue(&other, "email-send", MAIL).await;
    wait_for_status(&f.store, &id, Status::Completed).await;
    runner.stop().await;
}

async fn without_notices_a_runner_polls(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &fleet::catalog(5)).poll_only(true).build().unwrap();
    settle(&store, &runner).await;
    let id = enqueue(&store, "email-send", MAIL).await;
    wait_for_status(&store, &id, Status::Completed).await;
    runner.stop().await;
}

/// Jobs of `flaky` are not told of: their transactions believe that a notice was just sent. Triggers of one
/// transaction run in the order of their names.
const MUTE: &str = "
    create function mute() returns trigger language plpgsql as $$ begin
        perform setval('fm_notices', floor(extract(epoch from clock_timestamp()) * 1000)::bigint);
        return null;
    end $$;
    create constraint trigger aa_mute after insert on fm_jobs deferrable initially deferred
        for each row when (new.handler = 'flaky') execute function mute();";

/// And they commit late, as on a slow disk.
const SLOW: &str = "
    create function slow() returns trigger language plpgsql as $$ begin
        perform pg_sleep(0.4);
        return null;
    end $$;
    create constraint trigger zz_slow after insert on fm_jobs deferrable initially deferred
        for each row when (new.handler = 'flaky') execute function slow();";

const AT_ONCE: &str = r#"{"failures": 0}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_commit_is_slow_is_found_by_a_later_look() {
    let fixture = Fixture::postgres().await;
    fixture.execute(MUTE).await;
    fixture.execute(SLOW).await;
    let store = fixture.store.clone();
    let runner = deaf_but_for_notices(&store);
    settle(&store, &runner).await;
    // The notice that it counts on.
    enqueue(&store, "email-send", MAIL).await;
    let id = enqueue(&store, "flaky", AT_ONCE).await;
    wait_for_status(&store, &id, Status::Completed).await;
    runner.stop().await;
}

/// The notice it counts on was sent before anybody listened.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_comes_just_after_the_line_is_open_is_found() {
    let fixture = Fixture::postgres().await;
    fixture.execute(MUTE).await;
    let store = fixture.store.clone();
    let runner = deaf_but_for_notices(&store);
    runner.start();
    let listening =
        "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen %'";
    while fixture.number(listening).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Past the look that opening the line causes by itself.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let id = enqueue(&store, "flaky", AT_ONCE).await;
    wait_for_status(&store, &id, Status::Completed).await;
    runner.stop().await;
}

/// The answer to a claim that is on its way when the line goes is lost, and its job is the reaper's: which is not
/// what these cases are about.
async fn no_look_is_left() {
    let last = DUE_ECHOES.iter().max().unwrap();
    tokio::time::sleep(*last + Duration::from_secs(1)).await;
}

async fn wired() -> (EmptyPostgres, SharedStore, SharedStore, Proxy) {
    let database = EmptyPostgres::create();
    let url = database.url();
    let direct: SharedStore = Arc::new(PgStore::migrate(&url).await.unwrap());
    let proxy = Proxy::start(server_of(&url)).await;
    let wired: SharedStore = Arc::new(PgStore::connect(&proxy.url(&url), 8).await.unwrap());
    (database, direct, wired, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_listens_again_when_its_line_was_cut() {
    let (_database, direct, wired, proxy) = wired().await;
    let runner = deaf_but_for_notices(&wired);
    settle(&direct, &runner).await;
    no_look_is_left().await;
    proxy.cut();
    let while_deaf = enqueue(&direct, "email-send", MAIL).await;
    fleet::until("it tries to listen", || proxy.refused() > 0).await;
    proxy.mend();
    wait_for_status(&direct, &while_deaf, Status::Completed).await;
    let after = enqueue(&direct, "email-send", MAIL).await;
    wait_for_status(&direct, &after, Status::Completed).await;
    runner.stop().await;
}

/// Its line is dead and nobody says so: it notices by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_runner_notices_a_line_that_died_without_a_word() {
    let (_database, direct, wired, proxy) = wired().await;
    let runner = deaf_but_for_notices(&wired);
    settle(&direct, &runner).await;
    no_look_is_left().await;
    proxy.forget();
    let id = enqueue(&direct, "email-send", MAIL).await;
    wait_for_status(&direct, &id, Status::Completed).await;
    runner.stop().await;
}
