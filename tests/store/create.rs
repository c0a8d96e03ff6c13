//! `create` and `get`.

use crate::given::{claim_one, get, json, new_job, value};
use flowmonkey_jobs::job::{
    INPUT_BYTES_MAX, JSON_DEPTH_MAX, JsonText, NewJob, RetryPolicy, Start, Status, Unique,
};
use flowmonkey_jobs::store::StoreError;
use flowmonkey_tests::database::{Database, Fixture};
use std::time::Duration;

on_both_stores! {
    a_new_job_is_pending_and_due_at_once,
    what_create_answers_is_what_get_finds,
    every_field_is_stored,
    a_delay_counts_from_the_databases_clock,
    a_created_job_is_seen_at_once,
    an_input_comes_back_as_the_same_value,
    numbers_keep_every_digit,
    an_input_at_the_edge_of_what_is_accepted_is_stored,
    what_a_database_cannot_store_never_gets_that_far,
    a_bad_field_is_refused_and_nothing_is_stored,
    an_unknown_id_is_no_job,
    a_job_that_cannot_be_committed_is_not_created,
}

async fn a_new_job_is_pending_and_due_at_once(f: Fixture) {
    let before = f.now().await;
    let job = f.store.create(new_job()).await.unwrap().job;
    assert_eq!((job.status, job.attempts, job.max_attempts, job.priority), (Status::Pending, 0, 3, 0));
    assert_eq!((job.run_at, job.updated_at), (Some(job.created_at), job.created_at));
    assert!((before..=f.now().await).contains(&job.created_at));
    assert_eq!((job.execution_id, job.step_id, job.runner_id), (None, None, None));
    assert_eq!((job.instance_id, job.heartbeat_at, job.waiting), (None, None, None));
    assert_eq!((job.result, job.error, job.progress, job.checkpoint), (None, None, None, None));
    assert!(job.history.is_empty());
}

async fn what_create_answers_is_what_get_finds(f: Fixture) {
    let created = f.store.create(new_job()).await.unwrap().job;
    assert_eq!(format!("{created:?}"), format!("{:?}", get(&f, &created.id).await));
}

async fn every_field_is_stored(f: Fixture) {
    f.execute("insert into fm_executions (id, flow_id, flow_version) values ('e 1', 'f', '1')").await;
    let new = NewJob {
        handler: "größe/x:1'\"".into(),
        input: json("[1]"),
        execution_id: Some("e 1".into()),
        step_id: Some("s'1".into()),
        start: Start::Now,
        priority: 9,
        max_attempts: 1000,
        unique: Some(Unique::active("k'1")),
        retry: Some(RetryPolicy { factor: 3.0, ..RetryPolicy::default() }),
        heartbeat_timeout: Some(Duration::from_millis(1500)),
        pinned_version: None,
    };
    let job = f.store.create(new.clone()).await.unwrap().job;
    let job = get(&f, &job.id).await;
    assert_eq!((job.handler, job.execution_id, job.step_id), (new.handler, new.execution_id, new.step_id));
    assert_eq!((job.input, job.priority, job.max_attempts), (new.input, 9, 1000));
    assert_eq!((job.unique_key.as_deref(), job.retry), (Some("k'1"), new.retry));
    assert_eq!(job.heartbeat_timeout_ms, Some(1500));
}

async fn a_delay_counts_from_the_databases_clock(f: Fixture) {
    for delay_ms in [1, 60_000, 10 * 366 * 24 * 60 * 60 * 1000] {
        let job = f
            .store
            .create(NewJob { start: Start::After(Duration::from_millis(delay_ms)), ..new_job() })
            .await
            .unwrap()
            .job;
        assert_eq!(job.run_at, Some(job.created_at + delay_ms as i64));
    }
}

async fn a_created_job_is_seen_at_once(f: Fixture) {
    for _ in 0..50 {
        let job = f.store.create(new_job()).await.unwrap().job;
        assert!(f.store.get(&job.id).await.unwrap().is_some());
    }
    assert_eq!(f.number("select count(*) from fm_jobs").await, 50);
}

async fn an_input_comes_back_as_the_same_value(f: Fixture) {
    let inputs = [
        "null",
        "true",
        "0",
        "\"\"",
        "[]",
        "{}",
        r#"{"": [{}, [], null], "a": {"b": [1, -2.5, "x"]}}"#,
        r#"["'", "\"", "\\", "$1", "?1", "{}", "--", "%", "\\u0000", "\n\t\r", "\u001f", "\u007f"]"#,
        r#"["größe", "日本語", "😀", "\ud83d\ude00", "\u00e9", "\u2028", "\ufffd"]"#,
        r#"{"a.b": 1, "$c": 2, "[0]": 3, "a\"b": 4, "größe": 5, " ": 6}"#,
    ];
    for text in inputs {
        let job = f.store.create(NewJob { input: json(text), ..new_job() }).await.unwrap().job;
        assert_eq!(value(&get(&f, &job.id).await.input), value(&json(text)), "{text}");
        assert_eq!(value(&claim_one(&f).await.input), value(&json(text)), "{text}");
    }
}

async fn numbers_keep_every_digit(f: Fixture) {
    let numbers = [
        "9007199254740993",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827",
        "1.50",
        "-0.000000000000000000000000000001",
    ];
    for text in numbers {
        let job = f.store.create(NewJob { input: json(text), ..new_job() }).await.unwrap().job;
        assert_eq!(get(&f, &job.id).await.input.as_str(), text);
    }
}

async fn an_input_at_the_edge_of_what_is_accepted_is_stored(f: Fixture) {
    let deepest = "[".repeat(JSON_DEPTH_MAX) + &"]".repeat(JSON_DEPTH_MAX);
    let longest_number = "9".repeat(400);
    let largest = format!("\"{}\"", "x".repeat(INPUT_BYTES_MAX - 2));
    for text in [&deepest, &longest_number, &largest] {
        let job = f.store.create(NewJob { input: json(text), ..new_job() }).await.unwrap().job;
        assert_eq!(get(&f, &job.id).await.input.as_str(), text.as_str());
    }
    // Spelt anew, perhaps, but stored.
    for text in ["1e308", "1e999", "1e-999", "-0", "-0.0", "1E+2"] {
        let created = f.store.create(NewJob { input: json(text), ..new_job() }).await;
        assert!(created.is_ok(), "{text}: {created:?}");
    }
}

async fn what_a_database_cannot_store_never_gets_that_far(f: Fixture) {
    let deep = "[".repeat(JSON_DEPTH_MAX + 1) + &"]".repeat(JSON_DEPTH_MAX + 1);
    let large = format!("\"{}\"", "x".repeat(INPUT_BYTES_MAX));
    for text in [r#""\u0000""#, "\"\0\"", r#""\ud800""#, "1e1000", "{", "", &deep, &large] {
        assert!(JsonText::parse(text).is_err(), "{}", &text[..text.len().min(40)]);
    }
    // Nor past us: what is no JSON is no input.
    for text in ["", "{", "nul", "1 2"] {
        let insert = format!("insert into fm_jobs (id, handler, input) values ('x', 'h', '{text}')");
        assert!(f.try_execute(&insert).await.is_err(), "{text}");
    }
    assert_eq!(f.number("select count(*) from fm_jobs").await, 0);
}

async fn a_bad_field_is_refused_and_nothing_is_stored(f: Fixture) {
    let bad = [
        ("handler", NewJob { handler: String::new(), ..new_job() }),
        ("handler", NewJob { handler: "x".repeat(129), ..new_job() }),
        ("handler", NewJob { handler: "a\0b".into(), ..new_job() }),
        ("execution", NewJob { execution_id: Some("a\nb".into()), ..new_job() }),
        ("step", NewJob { step_id: Some(String::new()), ..new_job() }),
        ("priority", NewJob { priority: 10, ..new_job() }),
        ("priority", NewJob { priority: -1, ..new_job() }),
        ("attempts", NewJob { max_attempts: 0, ..new_job() }),
        ("attempts", NewJob { max_attempts: 1001, ..new_job() }),
        ("delay", NewJob { start: Start::After(Duration::MAX), ..new_job() }),
    ];
    for (field, job) in bad {
        match f.store.create(job).await {
            Err(StoreError::Invalid(why)) => assert!(why.contains(field), "{why}"),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert_eq!(f.number("select count(*) from fm_jobs").await, 0);
}

async fn an_unknown_id_is_no_job(f: Fixture) {
    f.store.create(new_job()).await.unwrap();
    for id in ["", "nope", "' or true --", "größe"] {
        assert!(f.store.get(id).await.unwrap().is_none(), "{id}");
    }
}

/// A constraint that is checked at the commit stands for a full disk: the row was written, and is gone.
async fn a_job_that_cannot_be_committed_is_not_created(f: Fixture) {
    let tables = "create table parents (id integer primary key);
        create table children (parent integer references parents deferrable initially deferred)";
    f.execute(tables).await;
    f.execute(match f.database {
        Database::Postgres(_) => {
            "create function orphan() returns trigger language plpgsql
                as $$ begin insert into children values (1); return null; end $$;
            create trigger orphan after insert on fm_jobs for each row execute function orphan()"
        }
        Database::Sqlite(_) => {
            "create trigger orphan after insert on fm_jobs begin insert into children values (1); end"
        }
    })
    .await;
    let created = f.store.create(new_job()).await;
    assert_eq!(f.number("select count(*) from fm_jobs").await, 0);
    assert!(created.is_err(), "{created:?}");
}
