/* The report itself. Nothing here knows that it is part of a job. */
#ifndef REPORT_H
#define REPORT_H

#include "../flowmonkey/flowmonkey.h"

/* What the records of one region or product add up to. */
typedef struct report_total {
    char *name;
    int64_t count;
    double sum;
} report_total;

/* Totals in the order of their names. */
typedef struct report_totals {
    report_total *items;
    size_t size, room;
} report_totals;

typedef struct sales_report {
    int64_t lines; /* how many are in the totals */
    report_totals by_region, by_product;
} sales_report;

/* Adds the next line, one record in JSON. FM_BAD_INPUT where it is none. */
fm_status report_add(sales_report *report, const char *line, size_t size);
/* Rounds the sums to cents. Once, at the end: rounded sums that are added to drift. */
void report_round(sales_report *report);

/* As a checkpoint holds it, and at the end the result. */
fm_json *report_to_json(const sales_report *report);
/* False where the value is no report, such as one left by another version of this handler. */
bool report_from_json(sales_report *report, const fm_json *value);

#endif
