//! Sums sales by region and product. Shows a long handler: it works in batches, saves a checkpoint
//! after each, reports progress, stops when told to, and goes on from the checkpoint in the next
//! attempt.
//!
//! `records` is JSON lines. The rest may be missing: `failAtLine` makes attempt 1 fail there, to
//! show attempt 2 go on after the last whole batch; `pauseMsPerBatch` leaves time to watch.
//!
//! ```json
//! {
//!   "records": "{\"region\":\"north\",\"product\":\"tea\",\"amount\":12.5}\n…",
//!   "failAtLine": 1200,
//!   "pauseMsPerBatch": 500
//! }
//! ```

mod report;

use std::{thread::sleep, time::Duration};

use exports::flowmonkey::jobs::handler::Guest;
use flowmonkey::jobs::types::{Directive, Failure, HostError, JobError, Outcome, Retry};
use flowmonkey::jobs::{checkpoint, control, job};
use report::Report;
use serde::Deserialize;
use serde_json::json;

wit_bindgen::generate!({ world: "job-handler", path: "../../../wit" });

struct ReportGenerate;
export!(ReportGenerate);

const BATCH_LINES: usize = 500;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    records: String,
    fail_at_line: Option<usize>,
    #[serde(default)]
    pause_ms_per_batch: u64,
}

impl Guest for ReportGenerate {
    fn run(input: String) -> Result<Outcome, JobError> {
        let input: Input =
            serde_json::from_str(&input).map_err(|error| fatal("BAD_INPUT", error.to_string()))?;
        let lines: Vec<&str> = input.records.lines().collect();

        let saved = checkpoint::restore("report").map_err(host_refused)?;
        // A checkpoint that does not fit, left by another version of this handler, counts as none.
        let saved = saved.and_then(|json| serde_json::from_str(&json).ok());
        let mut report: Report = saved.unwrap_or_default();
        let resumed_from_line = (report.lines > 0).then_some(report.lines + 1);

        for batch in lines[report.lines..].chunks(BATCH_LINES) {
            for line in batch {
                let number = report.lines + 1;
                if input.fail_at_line == Some(number) && job::attempt() == 1 {
                    let message = format!("stopped at line {number}");
                    return Err(retryable("INTERRUPTED", message));
                }
                report.add(line).map_err(|error| {
                    let message = format!("the record in line {number} does not parse: {error}");
                    fatal("BAD_RECORD", message)
                })?;
            }
            sleep(Duration::from_millis(input.pause_ms_per_batch));

            // First make the batch durable, then say so, and hear whether to go on.
            checkpoint::save("report", &json!(report).to_string()).map_err(host_refused)?;
            let percent = 100.0 * report.lines as f32 / lines.len() as f32;
            let message = format!("{} of {} lines", report.lines, lines.len());
            match control::progress(percent, Some(&message)) {
                Directive::Proceed => {}
                Directive::Cancel | Directive::Drain => return Err(JobError::Cancelled),
            }
        }

        report.round();
        let mut result = json!(report);
        result["attempt"] = json!(job::attempt());
        result["resumedFromLine"] = json!(resumed_from_line);
        Ok(Outcome::Success(Some(result.to_string())))
    }
}

/// Stop, come back, or give up.
fn host_refused(error: HostError) -> JobError {
    match error {
        HostError::LeaseLost => JobError::Cancelled,
        HostError::Unavailable(message) => retryable("CHECKPOINT_FAILED", message),
        error => fatal("CHECKPOINT_FAILED", error.to_string()),
    }
}

fn retryable(code: &str, message: String) -> JobError {
    JobError::Retryable(Retry { failure: failure(code, message), after_ms: None })
}

fn fatal(code: &str, message: String) -> JobError {
    JobError::Fatal(failure(code, message))
}

fn failure(code: &str, message: String) -> Failure {
    Failure { code: code.to_string(), message, details: None }
}
