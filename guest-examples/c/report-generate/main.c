/* Sums sales by region and product. Shows a long handler: it works in batches, saves a checkpoint
 * after each, reports progress, stops when told to, and goes on from the checkpoint in the next
 * attempt.
 *
 * `records` is JSON lines. The rest may be missing: `failAtLine` makes attempt 1 fail there, to
 * show attempt 2 go on after the last whole batch; `pauseMsPerBatch` leaves time to watch.
 *
 *     {
 *         "records": "{\"region\":\"north\",\"product\":\"tea\",\"amount\":12.5}\n…",
 *         "failAtLine": 1200,
 *         "pauseMsPerBatch": 500
 *     }
 */
#include "report.h"

#include <string.h>

enum { BATCH_LINES = 500 };

typedef struct report_order {
    const char *records;
    int64_t fail_at_line; /* 0 is nowhere */
    int64_t pause_ms_per_batch;
} report_order;

/* The text behind the next line; `*size` is the line's, without its end. */
static const char *skip_line(const char *text, size_t *size) {
    *size = strcspn(text, "\n");
    const char *next = text + *size + (text[*size] == '\n');
    if (text[*size] == '\n' && *size > 0 && text[*size - 1] == '\r')
        --*size;
    return next;
}

static int64_t count_lines(const char *text) {
    int64_t lines = 0;
    for (size_t size; *text; lines++)
        text = skip_line(text, &size);
    return lines;
}

/* Adds one batch and moves `*text` behind it; fm_success(nullptr) where all went well. A failure
 * lies in the scope, which then stays open. */
static fm_outcome add_batch(sales_report *report, const report_order *order, const char **text) {
    const fm_scope scope = fm_scope_begin();
    for (int i = 0; i < BATCH_LINES && **text; i++) {
        const int64_t number = report->lines + 1;
        if (order->fail_at_line == number && fm_job_attempt() == 1)
            return fm_retryable("INTERRUPTED", "stopped at line %lld", number);
        size_t size;
        const char *next = skip_line(*text, &size);
        if (report_add(report, *text, size) != FM_OK)
            return fm_fatal("BAD_RECORD", "the record in line %lld does not parse: %s", number,
                            fm_message());
        *text = next;
    }
    fm_scope_end(scope);
    return fm_success(nullptr);
}

fm_outcome fm_run(const fm_json *input) {
    report_order order;
    FM_TRY(fm_read_string(input, "records", &order.records));
    FM_TRY(fm_read_integer_or(input, "failAtLine", 0, &order.fail_at_line));
    FM_TRY(fm_read_integer_or(input, "pauseMsPerBatch", 0, &order.pause_ms_per_batch));
    if (order.pause_ms_per_batch < 0)
        return fm_fatal("BAD_INPUT", "\"pauseMsPerBatch\" is negative");
    const int64_t lines = count_lines(order.records);

    sales_report report;
    fm_json *saved;
    FM_TRY(fm_checkpoint_restore("report", &saved));
    const bool resumed = report_from_json(&report, saved) && report.lines > 0;
    const int64_t resumed_from_line = report.lines + 1;

    const char *text = order.records;
    for (int64_t skipped = 0; skipped < report.lines && *text; skipped++)
        text = skip_line(text, &(size_t){0});
    while (*text) {
        const fm_outcome outcome = add_batch(&report, &order, &text);
        if (outcome.kind != FM_SUCCESS)
            return outcome;
        fm_sleep((uint64_t)order.pause_ms_per_batch);

        /* First make the batch durable, then say so, and hear whether to go on. */
        FM_TRY(fm_checkpoint_save("report", report_to_json(&report)));
        const float percent = 100.0F * (float)report.lines / (float)lines;
        const char *message = fm_format("%lld of %lld lines", report.lines, lines);
        if (fm_progress(percent, message) != FM_PROCEED)
            return fm_cancelled();
    }

    report_round(&report);
    fm_json *result = report_to_json(&report);
    fm_set(result, "attempt", fm_job_attempt());
    fm_set(result, "resumedFromLine", resumed ? fm_integer(resumed_from_line) : fm_null());
    return fm_success(result);
}
