//! What programs are told of jobs as it happens.

use crate::fleet::{self, enqueue, on_both_stores, wait_for, wait_for_status};
use flowmonkey_jobs::job::{JsonText, NewJob, Status};
use flowmonkey_jobs::reaper::{Reaper, ReaperSettings};
use flowmonkey_jobs::telemetry::{Event, EventKind, Events};
use flowmonkey_tests::database::Fixture;
use flowmonkey_tests::program::PATIENCE;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;

on_both_stores! {
    a_job_is_told_of_from_its_claim_to_its_end
    each_way_to_end_has_its_event
    the_reaper_tells_on_the_same_stream
}

/// The events of a job until this kind, without heartbeats, whose number nobody knows.
async fn until(events: &mut Receiver<Event>, job_id: &str, last: impl Fn(&EventKind) -> bool) -> Vec<Event> {
    let mut seen = Vec::new();
    loop {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await;
        let event = event.unwrap_or_else(|_| panic!("only {seen:?}")).unwrap();
        if event.job_id != job_id || event.kind == EventKind::Heartbeat {
            continue;
        }
        let is_last = last(&event.kind);
        seen.push(event);
        if is_last {
            return seen;
        }
    }
}

async fn a_job_is_told_of_from_its_claim_to_its_end(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &fleet::catalog(5)).build().unwrap();
    let mut events = runner.events().subscribe();
    runner.start();
    let id = enqueue(&store, "report-generate", &fleet::report(1000, "")).await;
    let seen = until(&mut events, &id, |kind| *kind == EventKind::Completed).await;
    assert!(seen.iter().all(|event| event.handler == "report-generate" && event.attempt == 1));
    let saved = || EventKind::Checkpoint { key: Some("report".into()) };
    let progress = |percent: f32, lines: usize| EventKind::Progress {
        percent,
        message: Some(format!("{lines} of 1000 lines")),
    };
    let kinds: Vec<EventKind> = seen.into_iter().map(|event| event.kind).collect();
    let expected = [
        EventKind::Claimed,
        EventKind::Started,
        saved(),
        progress(50.0, 500),
        saved(),
        progress(100.0, 1000),
        EventKind::Completed,
    ];
    assert_eq!(kinds, expected);
    // What is told stands already.
    assert_eq!(store.get(&id).await.unwrap().unwrap().status, Status::Completed);
    runner.stop().await;
}

async fn each_way_to_end_has_its_event(Fixture { store, .. }: Fixture) {
    let runner = fleet::runner(&store, &fleet::catalog(5)).drain_timeout(Duration::from_millis(1));
    let runner = runner.cancel_grace(Duration::from_millis(1)).build().unwrap();
    let mut events = runner.events().subscribe();
    runner.start();

    let flaky = enqueue(&store, "flaky", r#"{"failures": 1}"#).await;
    let seen = until(&mut events, &flaky, |kind| *kind == EventKind::Completed).await;
    assert!(seen.iter().any(|event| event.kind == EventKind::Retried { code: "FLAKY".into() }));

    let mail = enqueue(&store, "email-send", r#"{"to": "nobody", "subject": "", "body": ""}"#).await;
    until(&mut events, &mail, |kind| *kind == EventKind::Failed { code: "BAD_ADDRESS".into() }).await;

    let waiting = enqueue(&store, "probe", r#"{"do": "wait-until-resumed"}"#).await;
    until(&mut events, &waiting, |kind| *kind == EventKind::Waiting).await;

    let cancelled = enqueue(&store, "spin", "{}").await;
    wait_for_status(&store, &cancelled, Status::Running).await;
    store.cancel(&cancelled).await.unwrap();
    let seen = until(&mut events, &cancelled, |kind| *kind == EventKind::Superseded).await;
    assert!(seen.iter().any(|event| event.kind == EventKind::Cancelled));

    let released = enqueue(&store, "spin", "{}").await;
    wait_for_status(&store, &released, Status::Running).await;
    runner.stop().await;
    until(&mut events, &released, |kind| *kind == EventKind::Released).await;
}

async fn the_reaper_tells_on_the_same_stream(f: Fixture) {
    let store = f.store.clone();
    let events = Events::default();
    let mut told = events.subscribe();
    let runner = fleet::runner(&store, &fleet::catalog(5)).heartbeat_interval(Duration::from_secs(3600));
    let runner = runner.events(events.clone()).drain_timeout(Duration::from_millis(1)).build().unwrap();
    runner.start();
    let input = JsonText::parse("{}").unwrap();
    let job = NewJob { max_attempts: 1, ..NewJob::new("spin", input) };
    let id = store.create(job).await.unwrap().job.id;
    wait_for_status(&store, &id, Status::Running).await;
    f.set(&id, "heartbeat_at = 1").await;
    let settings = ReaperSettings { check_interval: Duration::from_millis(5), ..ReaperSettings::default() };
    let reaper = Reaper::start_with_events(store.clone(), settings, events);
    let seen = until(&mut told, &id, |kind| *kind == EventKind::Stalled).await;
    assert_eq!(seen.last().unwrap().attempt, 1);
    wait_for(&store, &id, |job| job.status == Status::Failed).await;
    reaper.stop().await;
    runner.stop().await;
}
