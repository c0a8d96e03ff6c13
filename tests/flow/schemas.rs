//! Inputs and results that must fit a schema.

use crate::fleet::{on_both_stores, wait_for_status};
use crate::pushed::{Host, Pusher};
use flowmonkey_jobs::catalog::{InputChecks, InputFault, WrittenSchemas};
use flowmonkey_jobs::job::{JsonText, NewJob, Status};
use flowmonkey_jobs::store::{Activation, SharedStore};
use flowmonkey_tests::database::Fixture;
use flowmonkey_tests::guests;
use serde_json::json;

on_both_stores! {
    an_input_that_does_not_fit_fails_before_the_handler_runs
    a_result_that_does_not_fit_fails_where_that_is_asked_for
    what_is_enqueued_is_checked_before
}

async fn push(store: &SharedStore, manifest: &str, schemas: WrittenSchemas) {
    let component = guests::saying("hello", 1);
    let new = Pusher::new(store).examine("say", manifest, component, Some(schemas)).await.unwrap();
    store.push_version(&new, Some(Activation::All), "test").await.unwrap();
}

fn wants_address() -> WrittenSchemas {
    let input = json!({"type": "object", "required": ["to"], "properties": {"to": {"type": "string", "minLength": 3}}});
    WrittenSchemas { input: Some(input), ..WrittenSchemas::default() }
}

fn job(input: &str) -> NewJob {
    NewJob::new("say", JsonText::parse(input).unwrap())
}

async fn an_input_that_does_not_fit_fails_before_the_handler_runs(Fixture { store, .. }: Fixture) {
    push(&store, "", wants_address()).await;
    let host = Host::start(&store);
    let long = format!("{{\"to\": [\"{}\"]}}", "x".repeat(10_000));
    for (input, pointer) in [("{}", ""), ("{\"to\": \"a\"}", "/to"), (&long, "/to"), ("[]", "")] {
        let id = store.create(job(input)).await.unwrap().job.id;
        let failed = wait_for_status(&store, &id, Status::Failed).await;
        let error = failed.error.unwrap();
        assert_eq!((error.code.as_str(), failed.attempts), ("INVALID_INPUT", 1));
        let details: serde_json::Value = serde_json::from_str(error.details.unwrap().as_str()).unwrap();
        assert_eq!(details[0]["pointer"], pointer, "{details}");
        assert_eq!(failed.history[0].usage.unwrap().wall_us, 0, "the handler did not run");
    }
    let id = store.create(job("{\"to\": \"ada@example.com\"}")).await.unwrap().job.id;
    wait_for_status(&store, &id, Status::Completed).await;
    host.runner.stop().await;
}

async fn a_result_that_does_not_fit_fails_where_that_is_asked_for(Fixture { store, .. }: Fixture) {
    let output = || WrittenSchemas { output: Some(json!({"type": "number"})), ..WrittenSchemas::default() };
    push(&store, "", output()).await;
    let host = Host::start(&store);
    let id = store.create(job("null")).await.unwrap().job.id;
    wait_for_status(&store, &id, Status::Completed).await;
    push(&store, "validate-output = true", output()).await;
    crate::fleet::until("the new version is there", || {
        host.catalog.resolve("say").is_some_and(|one| one.settings.validate_output)
    })
    .await;
    let once = NewJob { max_attempts: 1, ..job("null") };
    let id = store.create(once).await.unwrap().job.id;
    let failed = wait_for_status(&store, &id, Status::Failed).await;
    assert_eq!(failed.error.unwrap().code, "INVALID_OUTPUT");
    host.runner.stop().await;
}

async fn what_is_enqueued_is_checked_before(Fixture { store, .. }: Fixture) {
    push(&store, "version = '1'", wants_address()).await;
    let checks = InputChecks::new(store.clone());
    let fits = job("{\"to\": \"ada@example.com\"}");
    checks.check(&fits).await.unwrap();
    checks.check(&NewJob { pinned_version: Some("1".into()), ..fits.clone() }).await.unwrap();
    checks.check(&NewJob::new("of-a-folder", JsonText::parse("5").unwrap())).await.unwrap();
    let Err(InputFault::Input { handler, violations }) = checks.check(&job("{}")).await else { panic!() };
    assert_eq!((handler.as_str(), violations.len()), ("say", 1));
    let unknown = checks.check(&NewJob { pinned_version: Some("9".into()), ..fits }).await;
    assert!(matches!(unknown, Err(InputFault::UnknownVersion { .. })), "{unknown:?}");
}
