//! What a handler's settings and grants bound.

use crate::fleet::{self, MAIL, enqueue, on_both_stores, outcomes, wait_for, wait_for_status};
use flowmonkey_jobs::catalog::{Catalog, DeniedGrants, HandlerSettings, Policy};
use flowmonkey_jobs::job::{JsonText, NewJob, Status};
use flowmonkey_jobs::sandbox::{Allowance, Compilation, Limits, Sandbox, SandboxConfig};
use flowmonkey_jobs::store::ListFilter;
use flowmonkey_tests::database::Fixture;
use flowmonkey_tests::guests;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

on_both_stores! {
    a_handler_runs_no_more_at_once_than_it_may
    a_handler_that_must_beat_and_does_not_is_interrupted
    a_job_may_ask_for_heartbeats_by_itself
}

async fn a_handler_runs_no_more_at_once_than_it_may(Fixture { store, .. }: Fixture) {
    // Those that spin must not end by themselves, however slow the machine is.
    let limits = Limits { fuel: None, wall_max: Duration::from_secs(3600), ..Limits::default() };
    let concurrency = NonZeroU32::new(2);
    let settings = HandlerSettings { concurrency, limits, ..HandlerSettings::default() };
    let runner = fleet::runner(&store, &fleet::with_settings(8, settings));
    // A poll would find what the end of an attempt must.
    let runner = runner.max_concurrent(NonZeroU32::new(8).unwrap()).poll_interval(Duration::from_secs(3600));
    let runner = runner.drain_timeout(Duration::from_millis(1)).build().unwrap();
    let mut spinning = Vec::new();
    for _ in 0..5 {
        spinning.push(enqueue(&store, "spin", "{}").await);
    }
    runner.start();
    fleet::until("two run", || runner.active_count() == 2).await;
    // Places are left for others, though three more of these are due.
    let mail = enqueue(&store, "email-send", MAIL).await;
    wait_for_status(&store, &mail, Status::Completed).await;
    let running = ListFilter { status: Some(Status::Running), ..ListFilter::default() };
    assert_eq!(store.list(&running).await.unwrap().len(), 2);
    store.cancel(&spinning[0]).await.unwrap();
    wait_for_status(&store, &spinning[2], Status::Running).await;
    runner.stop().await;
}

async fn a_handler_that_must_beat_and_does_not_is_interrupted(Fixture { store, .. }: Fixture) {
    let limits = Limits { heartbeat_timeout: Some(Duration::from_millis(400)), ..Limits::default() };
    let settings = HandlerSettings { limits, ..HandlerSettings::default() };
    let runner = fleet::runner(&store, &fleet::with_settings(5, settings)).build().unwrap();
    runner.start();
    let input = JsonText::parse(r#"{"do": "sleep", "n": 600000}"#).unwrap();
    let silent = NewJob { max_attempts: 1, ..NewJob::new("probe", input) };
    let silent = store.create(silent).await.unwrap().job.id;
    // Its twin takes longer than the timeout in all, and beats.
    let beating = enqueue(&store, "probe", r#"{"do": "beat-slowly", "n": 120}"#).await;
    let silent = wait_for_status(&store, &silent, Status::Failed).await;
    assert_eq!(silent.error.unwrap().code, "HEARTBEAT_TIMEOUT");
    let beating = wait_for(&store, &beating, |job| job.status.is_final()).await;
    assert_eq!(outcomes(&beating).last(), Some(&"completed"), "{beating:?}");
    runner.stop().await;
}

async fn a_job_may_ask_for_heartbeats_by_itself(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &fleet::catalog(5)).build().unwrap();
    runner.start();
    let input = JsonText::parse(r#"{"do": "sleep", "n": 600000}"#).unwrap();
    let timeout = Some(Duration::from_millis(50));
    let job = NewJob { max_attempts: 1, heartbeat_timeout: timeout, ..NewJob::new("probe", input) };
    let id = store.create(job).await.unwrap().job.id;
    let job = wait_for_status(&store, &id, Status::Failed).await;
    assert_eq!(job.error.unwrap().code, "HEARTBEAT_TIMEOUT");
    runner.stop().await;
}

#[tokio::test]
async fn a_folder_gives_its_handler_a_name_and_settings() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, bytes: &[u8]| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let component = guests::example("email-send");
    write("plain.wasm", &component);
    write("mails/handler.toml", b"concurrency = 3\n[grants]\ncontext = true");
    write("mails/anything.wasm", &component);
    write("other/handler.toml", b"name = 'renamed'");
    write("other/x.wasm", &component);
    write("empty/handler.toml", b"");
    write("wrong/handler.toml", b"colour = 'red'");
    write("notes/readme.txt", b"no handler");
    let catalog = Catalog::new(Arc::new(Sandbox::new(&SandboxConfig::new(Compilation::InProcess)).unwrap()));
    let report = catalog.load_folder(folder.path(), &Policy::default()).await.unwrap();
    let denied = DeniedGrants { handler: "mails".into(), grants: vec!["context = true".into()] };
    assert_eq!(report.denied, [denied]);
    assert!(!catalog.resolve("mails").unwrap().settings.grants.context);
    let policy =
        Policy { allowance: Allowance { context: true, ..Allowance::default() }, ..Policy::default() };
    let report = catalog.load_folder(folder.path(), &policy).await.unwrap();
    assert_eq!(report.denied, []);
    assert_eq!(catalog.names(), ["mails", "plain", "renamed"]);
    let mails = catalog.resolve("mails").unwrap();
    assert_eq!(mails.settings.concurrency, NonZeroU32::new(3));
    assert!(mails.settings.grants.context && !catalog.resolve("plain").unwrap().settings.grants.context);
    let refused: Vec<String> = report.refused.iter().map(ToString::to_string).collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].contains("there are 0"), "{}", refused[0]);
    assert!(refused[1].contains("unknown field `colour`"), "{}", refused[1]);
}
