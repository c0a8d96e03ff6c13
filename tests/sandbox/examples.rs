//! The handlers that people copy from.

use crate::rig::{self, Run, ending, error, result, sandbox};
use flowmonkey_jobs::job::Outcome;
use flowmonkey_jobs::sandbox::{Directive, Limits};
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn run(name: &str, run: &Run) -> flowmonkey_jobs::job::Report {
    let sandbox = sandbox(1);
    run.on(&sandbox, &rig::prepare(&sandbox, name)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn email_send_renders_a_message() {
    let input = json!({"to": "ada@example.com", "subject": "Hi {{name}}", "body": "Plan: {{plan}}",
        "vars": {"name": "Ada", "plan": "free"}});
    let attempt = Run::with(input);
    let report = run("email-send", &attempt).await;
    let expected = json!({"sent": true, "to": "ada@example.com", "subject": "Hi Ada", "body": "Plan: free",
        "idempotencyKey": "job-1"});
    assert_eq!(result(&report), expected);
    assert_eq!(attempt.host.text(), ["mail rendered"]);
    assert!(report.usage.fuel.unwrap() > 0 && report.usage.wall_us > 0 && report.usage.memory_bytes > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn email_send_gives_up_on_what_will_never_work() {
    let mail = |to: &str, body: &str| json!({"to": to, "subject": "s", "body": body});
    for (input, code) in [
        (mail("ada at example", ""), "BAD_ADDRESS"),
        (mail("", ""), "BAD_ADDRESS"),
        (mail("a@b.example", "{{name}}"), "MISSING_VARIABLE"),
        (json!({"to": "a@b.example"}), "BAD_INPUT"),
        (json!([1]), "BAD_INPUT"),
    ] {
        let report = run("email-send", &Run::with(&input)).await;
        assert!(
            matches!(&report.outcome, Outcome::Fatal(error) if error.code == code),
            "{input}: {:?}",
            report.outcome
        );
    }
}

const LINES: usize = 3000;

/// A few thousand records, and the sums over them by region, computed apart from the handler.
fn records() -> (String, BTreeMap<String, (u64, f64)>) {
    let mut sums = BTreeMap::new();
    let lines = (0..LINES).map(|n| {
        let region = ["north", "south", "east"][n % 3];
        let cents = (n * 37 % 1000) as i64;
        let (count, sum) = sums.entry(region.to_owned()).or_insert((0, 0));
        (*count, *sum) = (*count + 1, *sum + cents);
        json!({"region": region, "product": "tea", "amount": cents as f64 / 100.0}).to_string()
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    (text, sums.into_iter().map(|(region, (count, cents))| (region, (count, cents as f64 / 100.0))).collect())
}

fn assert_sums(result: &Value, expected: &BTreeMap<String, (u64, f64)>) {
    assert_eq!(result["lines"], LINES);
    for (region, (count, sum)) in expected {
        let found = &result["byRegion"][region];
        assert_eq!((found["count"].as_u64(), found["sum"].as_f64()), (Some(*count), Some(*sum)), "{region}");
    }
}

fn report_run(more: Value) -> Run {
    let mut input = json!({"records": records().0});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Run { limits: Limits { fuel: Some(1 << 40), ..rig::limits() }, ..Run::with(input) }
}

#[tokio::test(flavor = "multi_thread")]
async fn report_generate_adds_up_and_says_how_far_it_is() {
    let attempt = report_run(json!({}));
    let report = run("report-generate", &attempt).await;
    assert_sums(&result(&report), &records().1);
    let percents: Vec<f32> =
        attempt.host.reports.lock().unwrap().iter().map(|report| report.percent).collect();
    assert!(percents.len() > 3 && percents.is_sorted() && percents.last() == Some(&100.0), "{percents:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn report_generate_goes_on_where_it_stopped() {
    let first = report_run(json!({"failAtLine": 1800}));
    let report = run("report-generate", &first).await;
    assert!(matches!(&report.outcome, Outcome::Retryable { error, .. } if error.code == "INTERRUPTED"));
    let saved = first.host.saved.lock().unwrap()["report"].clone();

    let mut second = report_run(json!({"failAtLine": 1800}));
    second.facts.attempt = 2;
    second.checkpoint = Some(format!("{{\"report\": {saved}}}"));
    let report = run("report-generate", &second).await;
    let result = result(&report);
    assert_sums(&result, &records().1);
    assert_eq!((&result["attempt"], &result["resumedFromLine"]), (&json!(2), &json!(1501)));
}

#[tokio::test(flavor = "multi_thread")]
async fn report_generate_saves_and_stops_when_told() {
    for directive in [Directive::Drain, Directive::Cancel] {
        let attempt = report_run(json!({}));
        attempt.control.tell(directive);
        let report = run("report-generate", &attempt).await;
        assert_eq!(ending(&report), "released");
        assert!(attempt.host.saved.lock().unwrap().contains_key("report"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn report_generate_names_the_line_that_is_wrong() {
    let attempt =
        Run::with(json!({"records": "{\"region\":\"n\",\"product\":\"p\",\"amount\":1}\nnonsense"}));
    let report = run("report-generate", &attempt).await;
    assert_eq!(ending(&report), "BAD_RECORD");
    assert!(error(&report).message.contains("line 2"), "{:?}", error(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn flaky_fails_twice_and_then_succeeds() {
    for (attempt, expected) in [(1, "FLAKY"), (2, "FLAKY"), (3, "completed")] {
        let mut once = Run::with(json!({}));
        once.facts.attempt = attempt;
        assert_eq!(ending(&run("flaky", &once).await), expected, "attempt {attempt}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spin_is_stopped_and_shows_where() {
    let report = run("spin", &Run::with(json!({}))).await;
    assert_eq!(ending(&report), "OUT_OF_FUEL");
    assert!(error(&report).backtrace[0].contains("spin"), "{:?}", error(&report));
}
