//! The behaviours that take more than one job, or somebody who does something meanwhile.

use super::{HANDLER, doing};
use crate::check::{Row, error, holds, result};
use crate::rig::{ALLOWED, Rig};
use flowmonkey_jobs::job::{Job, JsonText, Status};
use flowmonkey_tests::program::PATIENCE;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};

/// Longer than any test waits: what goes on so long ends because it is told to.
const FOR_EVER: u32 = 1_000_000;

/// Runs them, and says how many cells they are.
pub(super) async fn all(rig: &mut Rig, row: &mut Row) -> usize {
    row.cell("idempotency", idempotency(rig).await);
    row.cell("a child job", child(rig).await);
    row.cell("random numbers differ", random(rig).await);
    row.cell("the clock is right", now(rig).await);
    row.cell("wait for a time", waits_for_a_time(rig).await);
    row.cell("wait for a signal", waits_for_a_signal(rig).await);
    row.cell("log lines and levels", log(rig).await);
    row.cell("stdout and stderr", prints(rig).await);
    row.cell("progress is kept", progress(rig).await);
    row.cell("stops when cancelled", cancel(rig).await);
    row.cell("stops when drained, and goes on", drain(rig).await);
    11
}

async fn ended(rig: &Rig, what: &str, with: Value) -> Result<Job, String> {
    let id = rig.enqueue(HANDLER, &doing(what, with)).await;
    let job = rig.ended(&id).await;
    match job.status {
        Status::Completed => Ok(job),
        other => Err(format!("{what} ended {other}: {}", error(&job))),
    }
}

async fn idempotency(rig: &Rig) -> Result<(), String> {
    let first = ended(rig, "idempotency", json!({"key": "k1", "value": {"n": 1}})).await?;
    holds(&result(&first), &json!({"recorded": true}))?;
    let second = ended(rig, "idempotency", json!({"key": "k1", "value": {"n": 2}})).await?;
    holds(&result(&second), &json!({"found": {"n": 1}}))
}

async fn child(rig: &Rig) -> Result<(), String> {
    let input = json!({"do": "echo", "value": "child"});
    let parent = ended(rig, "enqueue", json!({"input": input, "uniqueKey": "only"})).await?;
    let id = result(&parent)["id"].as_str().ok_or("no id")?.to_owned();
    let child = rig.ended(&id).await;
    holds(&json!([child.handler, result(&child), child.unique_key]), &json!([HANDLER, "child", "only"]))
}

async fn random(rig: &Rig) -> Result<(), String> {
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(result(&ended(rig, "random", json!({})).await?)["random"].to_string());
    }
    seen.sort();
    seen.dedup();
    if seen.len() == 3 { Ok(()) } else { Err(format!("three instances drew only {seen:?}")) }
}

async fn now(rig: &Rig) -> Result<(), String> {
    let ms = result(&ended(rig, "now", json!({})).await?)["ms"].as_f64().ok_or("no number")?;
    let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as f64;
    let hour_ms = 3_600_000.0;
    if (here - ms).abs() < hour_ms { Ok(()) } else { Err(format!("{ms}, and here it is {here}")) }
}

async fn waits_for_a_time(rig: &Rig) -> Result<(), String> {
    let job = ended(rig, "wait", json!({"afterMs": 20, "reason": "a pause"})).await?;
    let outcomes: Vec<&str> = job.history.iter().map(|entry| entry.outcome.as_str()).collect();
    holds(&json!([outcomes, job.attempts]), &json!([["waiting", "completed"], 1]))
}

async fn waits_for_a_signal(rig: &Rig) -> Result<(), String> {
    let id = rig.enqueue(HANDLER, &doing("wait", json!({"signal": "paid", "reason": "no money yet"}))).await;
    let waiting = rig.wait_for(&id, |job| job.waiting.is_some()).await;
    let shown = format!("{:?}", waiting.waiting);
    if !shown.contains("no money yet") || !shown.contains("paid") {
        return Err(format!("it waits as {shown}"));
    }
    let payload = JsonText::parse(r#"{"amount": 5}"#).unwrap();
    rig.fixture.store.resume(&id, Some(&payload)).await.unwrap();
    holds(&result(&rig.ended(&id).await), &json!({"resumedWith": {"amount": 5}}))
}

async fn log(rig: &Rig) -> Result<(), String> {
    let job = ended(rig, "log", json!({})).await?;
    let lines = rig.lines(&job.id).await;
    for level in ["info", "warn", "error"] {
        let is_it = |line: &&Value| {
            line["level"] == level.to_uppercase().as_str()
                && line["message"] == format!("at {level}").as_str()
        };
        let line = lines.iter().find(is_it).ok_or_else(|| format!("no line at {level} in {lines:?}"))?;
        let fields = line["fields"].as_str().unwrap_or_default();
        if !fields.contains(&format!("level={level:?}")) {
            return Err(format!("the line at {level} has the fields {fields:?}"));
        }
    }
    Ok(())
}

async fn prints(rig: &Rig) -> Result<(), String> {
    let job = ended(rig, "print", json!({"out": "words ü", "err": "other words"})).await?;
    let text = format!("{:?}", rig.lines(&job.id).await);
    match ["words ü", "other words"].iter().find(|words| !text.contains(**words)) {
        Some(words) => Err(format!("{words:?} is not in {text}")),
        None => Ok(()),
    }
}

async fn progress(rig: &Rig) -> Result<(), String> {
    let job = ended(rig, "progress", json!({"percent": 62.5, "message": "ünder way"})).await?;
    let progress = job.progress.ok_or("none")?;
    holds(&json!([progress.percent, progress.message]), &json!([62.5, "ünder way"]))
}

async fn running(rig: &Rig) -> String {
    let turns = json!({"turns": FOR_EVER, "pauseMs": 5});
    let id = rig.enqueue(HANDLER, &doing("heartbeat", turns)).await;
    rig.wait_for(&id, |job| job.status == Status::Running).await;
    id
}

async fn cancel(rig: &Rig) -> Result<(), String> {
    let id = running(rig).await;
    rig.fixture.store.cancel(&id).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let log = rig.log();
        let ended =
            log.iter().find(|line| line["message"] == "attempt finished" && line["job_id"] == id.as_str());
        if let Some(ended) = ended {
            // What is interrupted instead is a failure with the code CANCELLED.
            return holds(&ended["outcome"], &json!("released"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err("it goes on".into())
}

async fn drain(rig: &mut Rig) -> Result<(), String> {
    let id = running(rig).await;
    rig.runner().signal("TERM");
    let code = rig.runner().wait();
    let released = rig.fixture.store.get(&id).await.unwrap().unwrap();
    rig.restart(ALLOWED);
    rig.wait_for(&id, |job| job.status == Status::Running).await;
    rig.fixture.store.cancel(&id).await.unwrap();
    rig.ended(&id).await;
    let history: Vec<&str> = released.history.iter().map(|entry| entry.outcome.as_str()).collect();
    let seen = json!([code, released.status.to_string(), released.attempts, history]);
    holds(&seen, &json!([0, "pending", 0, ["released"]]))
}
