//! What handlers do beyond their own job: jobs for others, and what they remember.

use crate::fleet::{self, enqueue, on_both_stores, outcomes, wait_for, wait_for_status};
use flowmonkey_jobs::catalog::{Catalog, HandlerSettings};
use flowmonkey_jobs::job::{Job, JsonText, NewJob, RetryPolicy, Status};
use flowmonkey_jobs::reaper::{Reaper, ReaperSettings};
use flowmonkey_jobs::sandbox::{Grants, Limits};
use flowmonkey_jobs::store::{ListFilter, SharedStore};
use flowmonkey_jobs::telemetry::EventKind;
use flowmonkey_tests::database::Fixture;
use flowmonkey_tests::program::PATIENCE;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

on_both_stores! {
    a_parent_creates_a_child_that_another_handler_runs
    a_parent_that_runs_again_creates_no_second_child
    a_handler_that_enqueues_itself_stays_within_its_limits
    a_mail_with_an_id_is_sent_once
    what_a_handler_remembers_other_handlers_do_not_see
    a_reaper_forgets_expired_keys_though_it_keeps_all_jobs
}

/// The examples and the probe, with what the cases here are about.
fn catalog(limits: Limits) -> Arc<Catalog> {
    let queue = ["email-send", "probe"].map(str::to_owned).into();
    let grants = Grants { idempotency: true, queue, ..Grants::default() };
    let retry = RetryPolicy { base: Duration::from_millis(1), ..RetryPolicy::default() };
    fleet::with_settings(5, HandlerSettings { limits, retry, grants, ..HandlerSettings::default() })
}

fn value(job: &Job) -> Value {
    serde_json::from_str(job.result.as_ref().unwrap().as_str()).unwrap()
}

async fn of_handler(store: &SharedStore, handler: &str) -> Vec<Job> {
    let filter = ListFilter { handler: Some(handler.into()), ..ListFilter::default() };
    store.list(&filter).await.unwrap()
}

async fn a_parent_creates_a_child_that_another_handler_runs(f: Fixture) {
    let store = &f.store;
    f.execute(
        "insert into fm_executions (id, flow_id, flow_version, status, current_step)
        values ('e1', 'f', '1', 'waiting', 'ask')",
    )
    .await;
    let runner = fleet::runner(store, &catalog(Limits::default())).build().unwrap();
    let mut events = runner.events().subscribe();
    runner.start();
    let steps = json!([{"handler": "email-send", "input": fleet::MAIL}, {"handler": "nobody"}]);
    let input = json!({"do": "queue", "steps": steps}).to_string();
    let parent = NewJob {
        execution_id: Some("e1".into()),
        step_id: Some("ask".into()),
        ..NewJob::new("probe", JsonText::parse(&input).unwrap())
    };
    let parent = store.create(parent).await.unwrap().job.id;
    let parent = value(&wait_for_status(store, &parent, Status::Completed).await);
    let denied = parent[1]["error"].as_str().unwrap();
    assert!(denied.contains("Denied") && denied.contains("nobody"), "{denied}");
    let child = wait_for_status(store, parent[0].as_str().unwrap(), Status::Completed).await;
    assert_eq!((child.handler.as_str(), value(&child)["sent"].as_bool()), ("email-send", Some(true)));
    assert_eq!((child.execution_id.as_deref(), child.step_id), (Some("e1"), None));
    // The child came after the parent: what the execution waited for is the parent's result.
    let context = store.execution("e1").await.unwrap().unwrap().context;
    let context: Value = serde_json::from_str(context.as_str()).unwrap();
    assert_eq!(context, json!({ "ask": parent }));
    runner.stop().await;
    let created = EventKind::Enqueued { job_id: child.id, handler: "email-send".into() };
    let mut told = std::iter::from_fn(|| events.try_recv().ok());
    assert!(told.any(|event| event.kind == created && event.handler == "probe"));
}

async fn a_parent_that_runs_again_creates_no_second_child(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &catalog(Limits::default())).build().unwrap();
    runner.start();
    let child = json!({"handler": "email-send", "input": fleet::MAIL, "after": 3_600_000, "key": "k"});
    let input = json!({"do": "queue", "failures": 2, "steps": [child]}).to_string();
    let parent = enqueue(&store, "probe", &input).await;
    let parent = wait_for_status(&store, &parent, Status::Completed).await;
    assert_eq!(outcomes(&parent), ["retried", "retried", "completed"]);
    let children = of_handler(&store, "email-send").await;
    assert_eq!(children.len(), 1);
    assert_eq!(value(&parent), json!([children[0].id]));
    // Its twin has no key, and a child for each attempt.
    let child = json!({"handler": "email-send", "input": fleet::MAIL, "after": 3_600_000});
    let input = json!({"do": "queue", "failures": 2, "steps": [child]}).to_string();
    let parent = enqueue(&store, "probe", &input).await;
    wait_for_status(&store, &parent, Status::Completed).await;
    assert_eq!(of_handler(&store, "email-send").await.len(), 1 + 3);
    runner.stop().await;
}

/// Each job creates ten more, of which each creates ten more.
async fn a_handler_that_enqueues_itself_stays_within_its_limits(f: Fixture) {
    const PENDING_MAX: u32 = 20;
    let limits = Limits { queue_pending_max: PENDING_MAX, ..Limits::default() };
    let runner = fleet::runner(&f.store, &catalog(limits)).build().unwrap();
    enqueue(&f.store, "probe", r#"{"do": "fork", "n": 10}"#).await;
    runner.start();
    let (mut most, mut completed) = (0, 0);
    let bomb = async {
        while completed < 100 {
            most = most.max(f.number("select count(*) from fm_jobs where status = 'pending'").await);
            completed = f.number("select count(*) from fm_jobs where status = 'completed'").await;
        }
    };
    tokio::time::timeout(PATIENCE, bomb).await.expect("the bomb died down by itself");
    runner.release();
    runner.stop().await;
    // Those that look at the same moment may pass it by one each; what is released comes back.
    assert!((10..=i64::from(PENDING_MAX) + 5).contains(&most), "{most} pending at once");
    let refused =
        "fm_jobs where status = 'completed' and cast(result as text) like '%20 pending jobs or more%'";
    assert!(f.number(&format!("select count(*) from {refused}")).await > 0, "nobody met the limit");
}

async fn a_mail_with_an_id_is_sent_once(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &catalog(Limits::default())).build().unwrap();
    runner.start();
    let send = async |to: &str, id: Option<&str>| {
        let mail = json!({"to": to, "subject": "Hi", "body": "Hello", "messageId": id});
        let id = enqueue(&store, "email-send", &mail.to_string()).await;
        value(&wait_for_status(&store, &id, Status::Completed).await)
    };
    let first = send("ada@example.com", Some("m1")).await;
    assert_eq!((&first["sent"], &first["body"]), (&json!(true), &json!("Hello")));
    for _ in 0..2 {
        assert_eq!(send("ada@example.com", Some("m1")).await, json!({"alreadySent": true}));
    }
    for (to, id) in
        [("ada@example.com", Some("m2")), ("bob@example.com", Some("m1")), ("ada@example.com", None)]
    {
        assert_eq!(send(to, id).await["sent"], true, "{to} {id:?}");
    }
    runner.stop().await;
}

async fn what_a_handler_remembers_other_handlers_do_not_see(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &catalog(Limits::default())).build().unwrap();
    runner.start();
    let mail = json!({"to": "ada@example.com", "subject": "Hi", "body": "Hello", "messageId": "m1"});
    let mail = enqueue(&store, "email-send", &mail.to_string()).await;
    wait_for_status(&store, &mail, Status::Completed).await;
    let key = "email-ada@example.com-m1";
    let steps = json!([["lookup", key], ["record", key, "1"], ["record", key, "2"], ["lookup", key]]);
    let probe = enqueue(&store, "probe", &json!({"do": "idempotency", "steps": steps}).to_string()).await;
    let found = value(&wait_for_status(&store, &probe, Status::Completed).await);
    assert_eq!((&found[0], &found[1], &found[3]), (&json!(null), &json!("recorded"), &json!("1")));
    let taken = found[2]["error"].as_str().unwrap();
    assert!(taken.contains("Invalid") && taken.contains("recorded already with another value"), "{taken}");
    runner.stop().await;
}

async fn a_reaper_forgets_expired_keys_though_it_keeps_all_jobs(f: Fixture) {
    f.execute(
        "insert into fm_idempotency (handler, key, value, job_id, created_at, expires_at)
        values ('h', 'a', '1', 'j', 1, 2), ('h', 'b', '1', 'j', 1, 3), ('h', 'c', '1', 'j', 1, null)",
    )
    .await;
    let id = enqueue(&f.store, "h", "1").await;
    let settings = ReaperSettings { batch_size: 1, ..ReaperSettings::default() };
    let reaper = Reaper::start(f.store.clone(), settings);
    let forgotten = async {
        while f.number("select count(*) from fm_idempotency").await > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, forgotten).await.expect("it forgets nothing");
    reaper.stop().await;
    assert_eq!(f.text("select key from fm_idempotency").await.as_deref(), Some("c"));
    wait_for(&f.store, &id, |job| job.status == Status::Pending).await;
}
