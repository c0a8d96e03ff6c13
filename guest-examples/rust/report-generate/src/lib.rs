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

use flowmonkey::{Context, Error, OrFail, Result, Value, json};
use report::Report;
use serde::Deserialize;
use std::{thread::sleep, time::Duration};

const BATCH_LINES: usize = 500;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    records: String,
    fail_at_line: Option<usize>,
    #[serde(default)]
    pause_ms_per_batch: u64,
}

flowmonkey::handler!(run);

fn run(ctx: &Context, input: Input) -> Result<Value> {
    let lines: Vec<&str> = input.records.lines().collect();
    let saved = ctx.checkpoint().restore_json("report")?;
    // A checkpoint that does not fit, left by another version of this handler, counts as none.
    let saved = saved.and_then(|json| serde_json::from_str(&json).ok());
    let mut report: Report = saved.unwrap_or_default();
    let resumed_from_line = (report.lines > 0).then_some(report.lines + 1);

    for batch in lines[report.lines..].chunks(BATCH_LINES) {
        for line in batch {
            let number = report.lines + 1;
            if input.fail_at_line == Some(number) && ctx.attempt() == 1 {
                return Err(Error::retryable("INTERRUPTED", format_args!("stopped at line {number}")));
            }
            let what = format_args!("the record in line {number} does not parse");
            report.add(line).or_fatal("BAD_RECORD", what)?;
        }
        sleep(Duration::from_millis(input.pause_ms_per_batch));

        // First make the batch durable, then say so, and hear whether to go on.
        ctx.checkpoint().save("report", &report)?;
        let percent = 100.0 * report.lines as f32 / lines.len() as f32;
        ctx.progress(percent, format_args!("{} of {} lines", report.lines, lines.len()))?;
    }

    report.round();
    let mut result = json!(report);
    result["attempt"] = json!(ctx.attempt());
    result["resumedFromLine"] = json!(resumed_from_line);
    Ok(result)
}
