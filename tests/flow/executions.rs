//! Handlers at work for a workflow execution.

use crate::fleet::{self, on_both_stores, wait_for_status};
use flowmonkey_jobs::catalog::HandlerSettings;
use flowmonkey_jobs::job::{Job, JsonText, NewJob, Status};
use flowmonkey_jobs::sandbox::Grants;
use flowmonkey_tests::database::Fixture;
use serde_json::{Value, json};

on_both_stores! {
    a_handler_reads_and_writes_its_executions_context
    a_handler_without_an_execution_is_denied
    a_finished_job_wakes_its_execution
}

const EXECUTION: &str = "insert into fm_executions (id, flow_id, flow_version, status, current_step, context)
    values ('e1', 'f', '1', 'waiting', 'look', '{\"user\": {\"name\": \"Ada\"}}')";

async fn run(f: &Fixture, grants: Grants, execution: Option<&str>, input: Value) -> Job {
    let settings = HandlerSettings { grants, ..HandlerSettings::default() };
    let runner = fleet::runner(&f.store, &fleet::with_settings(5, settings)).build().unwrap();
    runner.start();
    let job = NewJob {
        execution_id: execution.map(str::to_owned),
        step_id: execution.map(|_| "look".to_owned()),
        ..NewJob::new("probe", JsonText::parse(&input.to_string()).unwrap())
    };
    let id = f.store.create(job).await.unwrap().job.id;
    let job = wait_for_status(&f.store, &id, Status::Completed).await;
    runner.stop().await;
    job
}

fn value(text: &JsonText) -> Value {
    serde_json::from_str(text.as_str()).unwrap()
}

async fn a_handler_reads_and_writes_its_executions_context(f: Fixture) {
    f.execute(EXECUTION).await;
    let steps = json!([["get", "user"], ["set", "seen", "true"], ["keys"], ["get", "nothing"]]);
    let job = run(
        &f,
        Grants { context: true, ..Grants::default() },
        Some("e1"),
        json!({"do": "context", "steps": steps}),
    )
    .await;
    let found = value(&job.result.unwrap());
    let user: Value = serde_json::from_str(found[0].as_str().unwrap()).unwrap();
    assert_eq!(user, json!({"name": "Ada"}));
    assert_eq!((&found[1], &found[2], &found[3]), (&json!("set"), &json!(["seen", "user"]), &json!(null)));
    let execution = f.store.execution("e1").await.unwrap().unwrap();
    assert_eq!(value(&execution.context)["seen"], true);
}

async fn a_handler_without_an_execution_is_denied(f: Fixture) {
    let steps = json!([["set", "seen", "true"]]);
    let job = run(
        &f,
        Grants { context: true, ..Grants::default() },
        None,
        json!({"do": "context", "steps": steps}),
    )
    .await;
    let found = value(&job.result.unwrap());
    let answer = found[0]["error"].as_str().unwrap();
    assert!(answer.contains("Denied") && answer.contains("no execution"), "{answer}");
}

async fn a_finished_job_wakes_its_execution(f: Fixture) {
    f.execute(EXECUTION).await;
    let job = run(&f, Grants::default(), Some("e1"), json!({"do": "echo", "n": 7})).await;
    let execution = f.store.execution("e1").await.unwrap().unwrap();
    assert_eq!(execution.status, "waiting", "its engine goes on from here");
    assert!(execution.wake_at.unwrap() <= f.now().await);
    assert_eq!(value(&execution.context)["look"], value(&job.result.unwrap()));
}
