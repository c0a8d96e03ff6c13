"""Sums sales by region and product.

Shows a long handler: it works in batches, saves a checkpoint after each, reports
progress, stops when told to, and goes on from the checkpoint in the next attempt.

`records` is JSON lines. The rest may be missing: `failAtLine` makes attempt 1 fail
there, to show attempt 2 go on after the last whole batch; `pauseMsPerBatch` leaves time
to watch.
"""

import time
from dataclasses import dataclass
from typing import Any

from flowmonkey import Context, Fatal, Mismatch, Retryable, camel_case, handler
from report import Report

BATCH_LINES = 500


@camel_case
@dataclass
class Input:
    records: str
    fail_at_line: int | None = None
    pause_ms_per_batch: int = 0


@handler
def run(ctx: Context, input: Input) -> dict[str, Any]:
    # Not splitlines, which also splits at characters that JSON strings may hold.
    lines = input.records.removesuffix("\n").split("\n") if input.records else []
    report = _saved(ctx) or Report()
    resumed_from_line = report.lines + 1 if report.lines else None

    for start in range(report.lines, len(lines), BATCH_LINES):
        for number, line in enumerate(lines[start : start + BATCH_LINES], start + 1):
            if number == input.fail_at_line and ctx.attempt == 1:
                raise Retryable("INTERRUPTED", f"stopped at line {number}")
            try:
                report.add(line)
            except Mismatch as error:
                message = f"the record in line {number} does not parse: {error}"
                raise Fatal("BAD_RECORD", message) from None
        time.sleep(input.pause_ms_per_batch / 1000)

        # First make the batch durable, then say so, which raises if the attempt should
        # stop.
        ctx.checkpoint.save("report", report)
        percent = 100 * report.lines / len(lines)
        ctx.progress(percent, f"{report.lines} of {len(lines)} lines")

    report.round()
    return {
        "lines": report.lines,
        "byRegion": report.by_region,
        "byProduct": report.by_product,
        "attempt": ctx.attempt,
        "resumedFromLine": resumed_from_line,
    }


def _saved(ctx: Context) -> Report | None:
    try:
        return ctx.checkpoint.restore("report", Report)
    except Mismatch:  # Left by another version of this handler: counts as none.
        return None
