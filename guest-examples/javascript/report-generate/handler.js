// Sums sales by region and product. Shows a long handler: it works in batches, saves a checkpoint after each, reports
// progress, stops when told to, and goes on from the checkpoint in the next attempt.
//
// `records` is JSON lines. The rest may be missing: `failAtLine` makes attempt 1 fail there, to show attempt 2 go on
// after the last whole batch; `pauseMsPerBatch` leaves time to watch.

import { defineHandler, fatal, fields, retryable } from "../flowmonkey/index.js";
import { Report } from "./report.js";

const BATCH_LINES = 500;

export const { handler, metadata } = defineHandler({
  input: fields({ records: "string", failAtLine: "number?", pauseMsPerBatch: "number?" }),

  run({ checkpoint, job, progress, sleep }, { records, failAtLine, pauseMsPerBatch = 0 }) {
    const lines = records.split("\n");
    if (lines.at(-1) === "") {
      lines.pop();
    }
    const report = Report.from(checkpoint.restore("report"));
    const resumedFromLine = report.lines > 0 ? report.lines + 1 : null;

    while (report.lines < lines.length) {
      const end = Math.min(report.lines + BATCH_LINES, lines.length);
      while (report.lines < end) {
        const number = report.lines + 1;
        if (number === failAtLine && job.attempt === 1) {
          throw retryable("INTERRUPTED", `stopped at line ${number}`);
        }
        try {
          report.add(lines[report.lines]);
        } catch (error) {
          throw fatal("BAD_RECORD", `the record in line ${number} does not parse: ${error.message}`);
        }
      }
      sleep(pauseMsPerBatch);

      // First make the batch durable, then say so, and stop here if told to.
      checkpoint.save("report", report);
      progress((100 * report.lines) / lines.length, `${report.lines} of ${lines.length} lines`);
    }
    return { ...report.rounded(), attempt: job.attempt, resumedFromLine };
  },
});
