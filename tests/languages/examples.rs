//! The examples of every language do the same: a mail with its idempotency key, and a long report that survives a kill.

use crate::check::{Row, error, holds, result};
use crate::rig::{ALLOWED, Rig};
use flowmonkey_jobs::job::{Job, Status};
use flowmonkey_tests::database::Fixture;
use flowmonkey_tests::program::Folder;
use serde_json::{Value, json};
use std::path::Path;

const MAIL: &str = "email-send";
const REPORT: &str = "report-generate";
const LINES: usize = 2200;

pub(crate) async fn all(language: &str, fixture: Fixture) {
    let mut rig = Rig::start(language, &[MAIL, REPORT], ALLOWED, fixture).await;
    let mut row = Row::of("examples", language, &rig.fixture);
    row.cell("a mail", mail(&rig).await);
    row.cell("a mail is sent once", once(&rig).await);
    for (name, change, code) in [
        ("no address", json!({"to": "nobody"}), "BAD_ADDRESS"),
        ("no such variable", json!({"subject": "{{missing}}"}), "MISSING_VARIABLE"),
        ("an open placeholder", json!({"body": "{{name"}), "BAD_TEMPLATE"),
        ("no input", json!({"to": 5}), "BAD_INPUT"),
    ] {
        row.cell(name, refused(&rig, change, code).await);
    }
    row.cell("a report", report(&rig).await);
    row.cell("a report goes on after a failure", resumed(&rig).await);
    row.cell("a report survives a kill", killed(&mut rig).await);
    row.assert(9);
}

/// `handler.test.toml` of each example, as its readers run it.
pub(crate) fn own_cases(language: &str) {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-examples").join(language);
    let folder = Folder::new();
    for handler in ["starter", MAIL, REPORT, "behaviours"] {
        let said = folder.done(&["test", examples.join(handler).to_str().unwrap()]);
        assert!(said.contains(" passed, 0 failed"), "{handler}: {said}");
    }
    // A runner shows them from `info` on; a trial shows all.
    let behaviours = examples.join("behaviours");
    let trial = folder.json(&["test", behaviours.to_str().unwrap(), "--input", r#"{"do": "log"}"#]);
    let levels: Vec<&str> =
        trial["log"].as_array().unwrap().iter().filter_map(|line| line["level"].as_str()).collect();
    assert_eq!(levels, ["trace", "debug", "info", "warn", "error"], "{trial:#}");
}

fn letter() -> Value {
    json!({"to": "ada@example.com", "subject": "Welcome, {{name}}", "body": "Hello {{ name }}, you have {{plan}}.",
        "vars": {"name": "Ada {{plan}}", "plan": "ünlimited"}})
}

async fn run(rig: &Rig, handler: &str, input: &Value) -> Job {
    let id = rig.enqueue(handler, input).await;
    rig.ended(&id).await
}

fn completed(job: &Job) -> Result<Value, String> {
    if job.status == Status::Completed { Ok(result(job)) } else { Err(error(job).to_string()) }
}

async fn mail(rig: &Rig) -> Result<(), String> {
    let result = completed(&run(rig, MAIL, &letter()).await)?;
    let wanted = json!({"sent": true, "to": "ada@example.com", "subject": "Welcome, Ada {{plan}}",
        "body": "Hello Ada {{plan}}, you have ünlimited."});
    holds(&result, &wanted)?;
    let key = result["idempotencyKey"].as_str().unwrap_or_default();
    if key.is_empty() { Err("no idempotency key".into()) } else { Ok(()) }
}

async fn once(rig: &Rig) -> Result<(), String> {
    let mut letter = letter();
    letter["messageId"] = json!("welcome-1");
    holds(&completed(&run(rig, MAIL, &letter).await)?, &json!({"sent": true}))?;
    holds(&completed(&run(rig, MAIL, &letter).await)?, &json!({"alreadySent": true}))
}

async fn refused(rig: &Rig, change: Value, code: &str) -> Result<(), String> {
    let mut letter = letter();
    letter.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let job = run(rig, MAIL, &letter).await;
    holds(&json!([error(&job)["code"], job.attempts]), &json!([code, 1]))
}

fn records() -> String {
    let line = |n: usize| {
        let (region, product) = (["north", "south"][n % 2], ["tea", "salt", "silk"][n % 3]);
        json!({"region": region, "product": product, "amount": 0.1}).to_string()
    };
    (0..LINES).map(line).collect::<Vec<_>>().join("\n")
}

fn whole() -> Value {
    json!({"lines": LINES, "byRegion": {"north": {"count": 1100, "sum": 110}, "south": {"count": 1100, "sum": 110}},
        "byProduct": {"salt": {"count": 733, "sum": 73.3}, "silk": {"count": 733, "sum": 73.3},
            "tea": {"count": 734, "sum": 73.4}}})
}

async fn report(rig: &Rig) -> Result<(), String> {
    let job = run(rig, REPORT, &json!({ "records": records() })).await;
    let result = completed(&job)?;
    holds(&result, &whole())?;
    holds(&result, &json!({"attempt": 1, "resumedFromLine": null}))?;
    let percent = job.progress.map(|progress| progress.percent);
    if percent == Some(100.0) { Ok(()) } else { Err(format!("the progress is {percent:?}")) }
}

async fn resumed(rig: &Rig) -> Result<(), String> {
    let job = run(rig, REPORT, &json!({"records": records(), "failAtLine": 1200})).await;
    let result = completed(&job)?;
    holds(&result, &whole())?;
    holds(&result, &json!({"attempt": 2, "resumedFromLine": 1001}))
}

/// SIGKILL between two batches; another runner takes over.
async fn killed(rig: &mut Rig) -> Result<(), String> {
    let id = rig.enqueue(REPORT, &json!({"records": records(), "pauseMsPerBatch": 400})).await;
    rig.wait_for(&id, |job| job.checkpoint.is_some()).await;
    rig.runner().kill();
    rig.restart(ALLOWED);
    let result = completed(&rig.ended(&id).await)?;
    holds(&result, &whole())?;
    let from = result["resumedFromLine"].as_u64().unwrap_or(0);
    if from > 1 && from % 500 == 1 { Ok(()) } else { Err(format!("it went on from {from}: {result}")) }
}
