//! `fm_enqueue`: how programs in any language create a job inside their own transaction.

use crate::given::{claim_one, get, new_job, waiting_execution};
use crate::hold::blocked;
use flowmonkey_jobs::job::{Job, NewJob, Status, Unique};
use flowmonkey_jobs::store::Changed;
use flowmonkey_tests::database::Fixture;
use sqlx::{AssertSqlSafe, PgPool};
use std::time::Duration;

on_postgres! {
    arguments_may_be_positional,
    arguments_may_be_named,
    a_handler_is_enough,
    a_job_may_be_pinned_to_a_version,
    a_delay_counts_from_now,
    a_moment_wins_over_a_delay,
    a_claim_takes_what_was_enqueued,
    a_held_key_answers_with_its_holder,
    a_key_for_a_time_answers_with_its_holder_until_the_time_is_over,
    arguments_may_come_from_columns_that_compare_otherwise,
    keys_are_shared_with_the_stores_own_creates,
    what_is_rolled_back_was_never_enqueued,
    ids_sort_by_time_as_the_stores_own_do,
    a_bad_argument_is_refused_with_its_reason,
    a_missing_execution_is_refused,
    a_call_waits_for_a_rival_with_its_key_and_finds_the_rivals_job,
    a_call_waits_for_a_rival_with_its_key_and_goes_ahead_when_that_gives_up,
}

async fn call(pool: &PgPool, arguments: &str) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(AssertSqlSafe(format!("select fm_enqueue({arguments})"))).fetch_one(pool).await
}

async fn enqueue(f: &Fixture, arguments: &str) -> String {
    call(f.pg(), arguments).await.unwrap_or_else(|error| panic!("{arguments}: {error}"))
}

async fn enqueued(f: &Fixture, arguments: &str) -> Job {
    get(f, &enqueue(f, arguments).await).await
}

async fn arguments_may_come_from_columns_that_compare_otherwise(f: Fixture) {
    for time in ["null", "60000"] {
        let arguments = format!(
            r#"'email-send' collate "POSIX", unique_key => 'k' collate "POSIX", unique_ms => {time}"#
        );
        let holder = enqueue(&f, &arguments).await;
        assert_eq!(enqueue(&f, &arguments).await, holder);
    }
}

async fn jobs(f: &Fixture) -> i64 {
    f.number("select count(*) from fm_jobs").await
}

async fn arguments_may_be_positional(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let job = enqueued(&f, "'email-send', '{\"to\": [1.50]}', 5000, 0, 4, 7, 'k', null, 'e', 's'").await;
    assert_eq!((job.handler.as_str(), job.input.as_str()), ("email-send", "{\"to\": [1.50]}"));
    assert_eq!((job.run_at, job.priority, job.max_attempts), (Some(5000), 4, 7));
    assert_eq!(job.unique_key.as_deref(), Some("k"));
    assert_eq!((job.execution_id.as_deref(), job.step_id.as_deref()), (Some("e"), Some("s")));
}

async fn arguments_may_be_named(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let arguments = "step_id => 's', execution_id => 'e', unique_key => 'k', max_attempts => 7,
        priority => 4, run_at => 5000, input => '[]', handler => 'größe''s'";
    let job = enqueued(&f, arguments).await;
    assert_eq!((job.handler.as_str(), job.input.as_str()), ("größe's", "[]"));
    assert_eq!((job.run_at, job.priority, job.max_attempts), (Some(5000), 4, 7));
    assert_eq!((job.unique_key.as_deref(), job.execution_id.as_deref()), (Some("k"), Some("e")));
    assert_eq!(job.step_id.as_deref(), Some("s"));
}

async fn a_job_may_be_pinned_to_a_version(f: Fixture) {
    let job = enqueued(&f, "'h', pinned_version => '1.2'").await;
    assert_eq!(job.pinned_version.as_deref(), Some("1.2"));
    let last = "'h', '{}', null, 0, 0, 3, null, null, null, null, '1.3'";
    assert_eq!(enqueued(&f, last).await.pinned_version.as_deref(), Some("1.3"));
}

/// What it leaves out is as the library would have it.
async fn a_handler_is_enough(f: Fixture) {
    let job = enqueued(&f, "'email-send'").await;
    let input = crate::given::json("null");
    let ours = f.store.create(NewJob::new("email-send", input)).await.unwrap().job;
    let times = |job: &Job| (job.run_at == Some(job.created_at), job.updated_at == job.created_at);
    assert_eq!((times(&job), times(&ours)), ((true, true), (true, true)));
    let same = Job { id: ours.id.clone(), run_at: ours.run_at, ..job };
    let same = Job { created_at: ours.created_at, updated_at: ours.updated_at, ..same };
    assert_eq!(format!("{same:?}"), format!("{ours:?}"));
}

async fn a_delay_counts_from_now(f: Fixture) {
    for delay in [0, 1, 60_000, 316_224_000_000] {
        let job = enqueued(&f, &format!("'h', delay_ms => {delay}")).await;
        assert_eq!(job.run_at, Some(job.created_at + delay));
    }
}

async fn a_moment_wins_over_a_delay(f: Fixture) {
    for moment in [0, 5000, 7_258_118_400_000] {
        let job = enqueued(&f, &format!("'h', run_at => {moment}, delay_ms => 9")).await;
        assert_eq!(job.run_at, Some(moment));
    }
}

async fn a_claim_takes_what_was_enqueued(f: Fixture) {
    enqueue(&f, "'email-send', delay_ms => 60000").await;
    let id = enqueue(&f, "'email-send', '{\"n\": 12345678901234567890}'").await;
    let claimed = claim_one(&f).await;
    assert_eq!((claimed.lease.job_id, claimed.attempt, claimed.max_attempts), (id, 1, 3));
    assert_eq!(claimed.input.as_str(), "{\"n\": 12345678901234567890}");
}

async fn a_held_key_answers_with_its_holder(f: Fixture) {
    let first = enqueue(&f, "'email-send', unique_key => 'k'").await;
    let lease = claim_one(&f).await.lease;
    let before = f.row(&first).await;
    assert_eq!(enqueue(&f, "'email-send', '2', priority => 9, unique_key => 'k'").await, first);
    assert_eq!((f.row(&first).await, jobs(&f).await), (before, 1));
    assert_ne!(enqueue(&f, "'other', unique_key => 'k'").await, first);
    assert_ne!(enqueue(&f, "'email-send'").await, first);
    assert_eq!(f.store.cancel(&lease.job_id).await.unwrap(), Changed::Yes);
    assert_ne!(enqueue(&f, "'email-send', unique_key => 'k'").await, first);
}

async fn a_key_for_a_time_answers_with_its_holder_until_the_time_is_over(f: Fixture) {
    let arguments = "'email-send', unique_key => 'k', unique_ms => 60000";
    let first = enqueue(&f, arguments).await;
    let held = "select expires_at from fm_unique_periods";
    assert_eq!(f.number(held).await, get(&f, &first).await.created_at + 60_000);
    f.store.cancel(&first).await.unwrap();
    assert_eq!(enqueue(&f, arguments).await, first);
    // The other scope of the same key is another key.
    assert_ne!(enqueue(&f, "'email-send', unique_key => 'k'").await, first);
    f.execute("update fm_unique_periods set expires_at = fm_now_ms()").await;
    let second = enqueue(&f, arguments).await;
    assert_ne!(second, first);
    assert_eq!(enqueue(&f, arguments).await, second);
    assert_eq!(get(&f, &second).await.unique_key, None);
    // It goes with the job that holds it, and with no other.
    for (id, left) in [(first, 1), (second, 0)] {
        f.execute(&format!("delete from fm_jobs where id = '{id}'")).await;
        assert_eq!(f.number("select count(*) from fm_unique_periods").await, left);
    }
}

async fn keys_are_shared_with_the_stores_own_creates(f: Fixture) {
    let minute = Duration::from_secs(60);
    for (unique, arguments) in [
        (Unique::active("k"), "'email-send', unique_key => 'k'"),
        (Unique::within("k", minute), "'email-send', unique_key => 'k', unique_ms => 60000"),
    ] {
        let ours = NewJob { unique: Some(unique), ..new_job() };
        let id = f.store.create(ours.clone()).await.unwrap().job.id;
        assert_eq!(enqueue(&f, arguments).await, id);
        f.execute("delete from fm_jobs").await;
        let id = enqueue(&f, arguments).await;
        let found = f.store.create(ours).await.unwrap();
        assert_eq!((found.is_new, found.job.id), (false, id));
    }
}

async fn what_is_rolled_back_was_never_enqueued(f: Fixture) {
    f.execute("create table orders (id int)").await;
    for (end, count) in [("rollback", 0), ("commit", 1)] {
        f.execute(&format!(
            "begin; insert into orders values (1); select fm_enqueue('h');
            select fm_enqueue('h', unique_key => 'k', unique_ms => 60000); {end}"
        ))
        .await;
        assert_eq!(f.number("select count(*) from orders").await, count);
        assert_eq!(jobs(&f).await, 2 * count);
        assert_eq!(f.number("select count(*) from fm_unique_periods").await, count);
    }
}

async fn ids_sort_by_time_as_the_stores_own_do(f: Fixture) {
    for _ in 0..20 {
        let before = f.now().await;
        let id = enqueue(&f, "'h'").await;
        let after = f.now().await;
        assert!(id.len() == 32 && id.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f')), "{id}");
        let time = i64::from_str_radix(&id[..12], 16).unwrap();
        // The second clock is read at the start of its statement, the first is not newer than that one.
        assert!((before..=after).contains(&time), "{before} {time} {after}");
        let version = |id: &str| id.as_bytes()[12];
        let ours = f.store.create(new_job()).await.unwrap().job.id;
        assert_eq!((version(&id), id.len()), (version(&ours), ours.len()));
    }
    let distinct = "select count(distinct fm_enqueue('h')) from generate_series(1, 1000)";
    assert_eq!(f.number(distinct).await, 1000);
}

async fn a_bad_argument_is_refused_with_its_reason(f: Fixture) {
    let long = "x".repeat(129);
    let key = "k".repeat(257);
    let table = [
        ("null".into(), "handler"),
        ("''".into(), "handler"),
        (format!("'{long}'"), "handler"),
        ("E'a\\nb'".into(), "handler"),
        ("'h', null".into(), "input"),
        ("'h', to_jsonb(repeat('x', 1048576))".into(), "input"),
        ("'h', priority => -1".into(), "priority"),
        ("'h', priority => 10".into(), "priority"),
        ("'h', priority => null".into(), "priority"),
        ("'h', max_attempts => 0".into(), "max_attempts"),
        ("'h', max_attempts => 1001".into(), "max_attempts"),
        ("'h', delay_ms => -1".into(), "delay_ms"),
        ("'h', delay_ms => 316224000001".into(), "delay_ms"),
        ("'h', run_at => -1".into(), "run_at"),
        ("'h', run_at => 1800000000000000".into(), "run_at"),
        ("'h', unique_key => ''".into(), "unique key"),
        (format!("'h', unique_key => '{key}'"), "unique key"),
        ("'h', unique_ms => 5".into(), "unique_ms"),
        ("'h', unique_key => 'k', unique_ms => 0".into(), "unique_ms"),
        ("'h', unique_key => 'k', unique_ms => 316224000001".into(), "unique_ms"),
        ("'h', step_id => ''".into(), "step_id"),
        (format!("'h', step_id => '{long}'"), "step_id"),
        ("'h', step_id => E'a\\tb'".into(), "step_id"),
        ("'h', execution_id => ''".into(), "execution_id"),
        ("'h', pinned_version => ''".into(), "pinned_version"),
        (format!("'h', pinned_version => '{long}'"), "pinned_version"),
    ];
    for (arguments, word) in table {
        let Err(sqlx::Error::Database(error)) = call(f.pg(), &arguments).await else {
            panic!("{arguments} was accepted")
        };
        assert_eq!(error.code().as_deref(), Some("22023"), "{arguments}: {error}");
        assert!(error.message().contains(word), "{arguments}: {error}");
    }
    assert_eq!(jobs(&f).await, 0);
}

async fn a_missing_execution_is_refused(f: Fixture) {
    let Err(sqlx::Error::Database(error)) = call(f.pg(), "'h', execution_id => 'nope'").await else {
        panic!("a job of no execution was accepted")
    };
    assert_eq!(error.code().as_deref(), Some("23503"), "{error}");
    assert_eq!(jobs(&f).await, 0);
}

const SCOPES: [&str; 2] = ["'h', unique_key => 'k'", "'h', unique_key => 'k', unique_ms => 60000"];

/// A rival that has enqueued and not committed, and what our call comes to once that is over.
async fn race(f: &Fixture, arguments: &'static str, commits: bool) -> (String, String) {
    let mut rival = f.pg().begin().await.unwrap();
    let sql = AssertSqlSafe(format!("select fm_enqueue({arguments})"));
    let theirs: String = sqlx::query_scalar(sql).fetch_one(&mut *rival).await.unwrap();
    let pool = f.pg().clone();
    let ours = tokio::spawn(async move { call(&pool, arguments).await });
    blocked(f.pg()).await;
    if commits {
        rival.commit().await.unwrap()
    } else {
        rival.rollback().await.unwrap()
    }
    (theirs, ours.await.unwrap().unwrap())
}

async fn a_call_waits_for_a_rival_with_its_key_and_finds_the_rivals_job(f: Fixture) {
    for arguments in SCOPES {
        let (theirs, ours) = race(&f, arguments, true).await;
        assert_eq!(theirs, ours, "{arguments}");
    }
    assert_eq!(jobs(&f).await, 2);
}

async fn a_call_waits_for_a_rival_with_its_key_and_goes_ahead_when_that_gives_up(f: Fixture) {
    for arguments in SCOPES {
        let (theirs, ours) = race(&f, arguments, false).await;
        assert_ne!(theirs, ours, "{arguments}");
        assert_eq!(get(&f, &ours).await.status, Status::Pending);
    }
    assert_eq!(jobs(&f).await, 2);
}
