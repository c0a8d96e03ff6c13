#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Not in the attempt's memory, since a total that is found in one batch stays for all. */
static void *or_abort(void *memory) {
    if (memory == nullptr)
        abort();
    return memory;
}

static report_total *total_of(report_totals *totals, const char *name) {
    size_t low = 0;
    for (size_t high = totals->size; low < high;) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(totals->items[middle].name, name);
        if (order == 0)
            return &totals->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (totals->size == totals->room) {
        totals->room = totals->room ? 2 * totals->room : 16;
        totals->items = or_abort(realloc(totals->items, totals->room * sizeof *totals->items));
    }
    report_total *place = totals->items + low;
    memmove(place + 1, place, (totals->size - low) * sizeof *place);
    totals->size++;
    *place = (report_total){.name = or_abort(strdup(name))};
    return place;
}

static void add_to(report_totals *totals, const char *name, double amount) {
    report_total *total = total_of(totals, name);
    total->count++;
    total->sum += amount;
}

fm_status report_add(sales_report *report, const char *line, size_t size) {
    fm_json *record;
    const char *region, *product;
    double amount;
    fm_status status = fm_json_parse(line, size, &record);
    if (status == FM_OK)
        status = fm_read_string(record, "region", &region);
    if (status == FM_OK)
        status = fm_read_string(record, "product", &product);
    if (status == FM_OK)
        status = fm_read_number(record, "amount", &amount);
    if (status != FM_OK)
        return status;
    add_to(&report->by_region, region, amount);
    add_to(&report->by_product, product, amount);
    report->lines++;
    return FM_OK;
}

static void round_all(report_totals *totals) {
    for (size_t i = 0; i < totals->size; i++)
        totals->items[i].sum = round(totals->items[i].sum * 100.0) / 100.0;
}

void report_round(sales_report *report) {
    round_all(&report->by_region);
    round_all(&report->by_product);
}

static fm_json *totals_to_json(const report_totals *totals) {
    fm_json *object = fm_object();
    for (size_t i = 0; i < totals->size; i++) {
        const report_total *total = &totals->items[i];
        fm_set(object, total->name,
               fm_set(fm_set(fm_object(), "count", total->count), "sum", total->sum));
    }
    return object;
}

fm_json *report_to_json(const sales_report *report) {
    fm_json *object = fm_set(fm_object(), "lines", report->lines);
    fm_set(object, "byRegion", totals_to_json(&report->by_region));
    return fm_set(object, "byProduct", totals_to_json(&report->by_product));
}

static bool totals_from_json(report_totals *totals, const fm_json *object) {
    for (const fm_json *member = fm_first(object); member; member = fm_next(member)) {
        report_total *total = total_of(totals, fm_name(member));
        if (fm_read_integer(member, "count", &total->count) != FM_OK ||
            fm_read_number(member, "sum", &total->sum) != FM_OK)
            return false;
    }
    return fm_kind(object) == FM_JSON_OBJECT;
}

bool report_from_json(sales_report *report, const fm_json *value) {
    *report = (sales_report){};
    if (fm_read_integer(value, "lines", &report->lines) == FM_OK && report->lines >= 0 &&
        totals_from_json(&report->by_region, fm_get(value, "byRegion")) &&
        totals_from_json(&report->by_product, fm_get(value, "byProduct")))
        return true;
    *report = (sales_report){};
    return false;
}
