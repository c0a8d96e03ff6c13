/* JSON values: making them, putting them together, reading them as C types. */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fm_json *make(fm_json_kind kind) {
    fm_json *value = fm_alloc(sizeof *value);
    value->kind = kind;
    return value;
}

static fm_json *make_text(fm_json_kind kind, const char *text) {
    fm_json *value = make(kind);
    value->size = strlen(text);
    value->text = fm_copy(text, value->size);
    return value;
}

fm_json *fm_null(void) {
    return make(FM_JSON_NULL);
}

fm_json *fm_bool(bool truth) {
    fm_json *value = make(FM_JSON_BOOL);
    value->truth = truth;
    return value;
}

fm_json *fm_number(double number) {
    if (!isfinite(number))
        return fm_null();
    /* The fewest digits that read back as the same number. */
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, nullptr) == number)
            break;
    }
    return make_text(FM_JSON_NUMBER, text);
}

fm_json *fm_integer(int64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    return make_text(FM_JSON_NUMBER, text);
}

fm_json *fm_unsigned(uint64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    return make_text(FM_JSON_NUMBER, text);
}

fm_json *fm_string(const char *text) {
    return text ? make_text(FM_JSON_STRING, text) : fm_null();
}

fm_json *fm_array(void) {
    return make(FM_JSON_ARRAY);
}

fm_json *fm_object(void) {
    return make(FM_JSON_OBJECT);
}

static bool holds_values(const fm_json *value) {
    return value && (value->kind == FM_JSON_ARRAY || value->kind == FM_JSON_OBJECT);
}

void fm_json_place(fm_json *container, const char *name, fm_json *value) {
    value->placed = true;
    value->name = name;
    value->next = nullptr;
    if (container->last)
        container->last->next = value;
    else
        container->first = value;
    container->last = value;
    container->size++;
}

static fm_json *copy(const fm_json *value, int depth) {
    if (depth > FM_DEPTH_MAX)
        fm_give_up("a JSON value is nested too deep, or in itself");
    fm_json *copied = make(FM_JSON_NULL);
    *copied = *value;
    copied->placed = false;
    copied->next = nullptr;
    if (!holds_values(value))
        return copied; /* texts never change, so both may point to one */
    copied->first = copied->last = nullptr;
    copied->size = 0;
    for (const fm_json *item = value->first; item; item = item->next)
        fm_json_place(copied, item->name, copy(item, depth + 1));
    return copied;
}

/* The value itself if it is free to be placed. */
static fm_json *placeable(const fm_json *container, const fm_json *value) {
    if (value == nullptr)
        return fm_null();
    if (value->placed || value == container)
        return copy(value, 0);
    return (fm_json *)value; /* made by one of the functions above, which return it without const */
}

/* The last member of that name and the place that leads to it. */
static fm_json **find(fm_json *object, const char *name) {
    fm_json **found = nullptr;
    for (fm_json **place = &object->first; *place; place = &(*place)->next)
        if (strcmp((*place)->name, name) == 0)
            found = place;
    return found;
}

fm_json *fm_set_json(fm_json *object, const char *name, const fm_json *value) {
    if (fm_kind(object) != FM_JSON_OBJECT)
        fm_give_up("fm_set() takes an object");
    fm_json *placed = placeable(object, value);
    fm_json **found = find(object, name);
    if (found == nullptr) {
        fm_json_place(object, fm_copy(name, strlen(name)), placed);
        return object;
    }
    placed->placed = true;
    placed->name = (*found)->name;
    placed->next = (*found)->next;
    if (object->last == *found)
        object->last = placed;
    *found = placed;
    return object;
}

fm_json *fm_append_json(fm_json *array, const fm_json *value) {
    if (fm_kind(array) != FM_JSON_ARRAY)
        fm_give_up("fm_append() takes an array");
    fm_json_place(array, nullptr, placeable(array, value));
    return array;
}

fm_json_kind fm_kind(const fm_json *value) {
    return value ? (fm_json_kind)value->kind : FM_JSON_ABSENT;
}

const fm_json *fm_get(const fm_json *object, const char *name) {
    if (fm_kind(object) != FM_JSON_OBJECT)
        return nullptr;
    fm_json **found = find((fm_json *)object, name);
    return found ? *found : nullptr;
}

const fm_json *fm_at(const fm_json *array, size_t index) {
    const fm_json *item = fm_first(array);
    while (item && index-- > 0)
        item = item->next;
    return item;
}

const fm_json *fm_first(const fm_json *container) {
    return holds_values(container) ? container->first : nullptr;
}

const fm_json *fm_next(const fm_json *item) {
    return item ? item->next : nullptr;
}

const char *fm_name(const fm_json *member) {
    return member ? member->name : nullptr;
}

size_t fm_size(const fm_json *value) {
    return value ? value->size : 0;
}

bool fm_as_bool(const fm_json *value, bool fallback) {
    return fm_kind(value) == FM_JSON_BOOL ? value->truth : fallback;
}

double fm_as_number(const fm_json *value, double fallback) {
    return fm_kind(value) == FM_JSON_NUMBER ? strtod(value->text, nullptr) : fallback;
}

const char *fm_as_string(const fm_json *value, const char *fallback) {
    return fm_kind(value) == FM_JSON_STRING ? value->text : fallback;
}

/* Whether the value is a whole number that fits. */
static bool to_integer(const fm_json *value, int64_t *integer) {
    if (fm_kind(value) != FM_JSON_NUMBER)
        return false;
    char *end;
    errno = 0;
    *integer = strtoll(value->text, &end, 10);
    if (*end == '\0')
        return errno == 0;
    /* A point or an exponent. Doubles hold all integers up to 2^53 and not all beyond. */
    const double number = strtod(value->text, nullptr);
    if (fabs(number) > 0x1p53 || number != floor(number))
        return false;
    *integer = (int64_t)number;
    return true;
}

int64_t fm_as_integer(const fm_json *value, int64_t fallback) {
    int64_t integer;
    return to_integer(value, &integer) ? integer : fallback;
}

static const char *const kinds[] = {
    [FM_JSON_ABSENT] = "nothing",   [FM_JSON_NULL] = "null",       [FM_JSON_BOOL] = "a boolean",
    [FM_JSON_NUMBER] = "a number",  [FM_JSON_STRING] = "a string", [FM_JSON_ARRAY] = "an array",
    [FM_JSON_OBJECT] = "an object",
};

const char *fm_kind_name(const fm_json *value) {
    return kinds[fm_kind(value)];
}

static fm_status read_member(const fm_json *object, const char *name, fm_json_kind kind,
                             const fm_json **member) {
    if (fm_kind(object) != FM_JSON_OBJECT)
        return fm_status_with(FM_BAD_INPUT, "expected an object with \"%s\", found %s", name,
                              fm_kind_name(object));
    *member = fm_get(object, name);
    if (fm_kind(*member) == kind)
        return FM_OK;
    return fm_status_with(FM_BAD_INPUT, "\"%s\": expected %s, found %s", name, kinds[kind],
                          fm_kind_name(*member));
}

fm_status fm_read_bool(const fm_json *object, const char *name, bool *value) {
    const fm_json *member;
    const fm_status status = read_member(object, name, FM_JSON_BOOL, &member);
    if (status == FM_OK)
        *value = member->truth;
    return status;
}

fm_status fm_read_number(const fm_json *object, const char *name, double *value) {
    const fm_json *member;
    const fm_status status = read_member(object, name, FM_JSON_NUMBER, &member);
    if (status == FM_OK)
        *value = fm_as_number(member, 0);
    return status;
}

fm_status fm_read_integer(const fm_json *object, const char *name, int64_t *value) {
    const fm_json *member;
    const fm_status status = read_member(object, name, FM_JSON_NUMBER, &member);
    if (status == FM_OK && !to_integer(member, value))
        return fm_status_with(FM_BAD_INPUT, "\"%s\": expected an integer of 64 bits, found %s",
                              name, member->text);
    return status;
}

fm_status fm_read_string(const fm_json *object, const char *name, const char **value) {
    const fm_json *member;
    const fm_status status = read_member(object, name, FM_JSON_STRING, &member);
    if (status == FM_OK)
        *value = member->text;
    return status;
}

static bool left_out(const fm_json *object, const char *name) {
    return fm_kind(object) == FM_JSON_OBJECT && fm_kind(fm_get(object, name)) <= FM_JSON_NULL;
}

fm_status fm_read_bool_or(const fm_json *object, const char *name, bool fallback, bool *value) {
    *value = fallback;
    return left_out(object, name) ? FM_OK : fm_read_bool(object, name, value);
}

fm_status fm_read_number_or(const fm_json *object, const char *name, double fallback,
                            double *value) {
    *value = fallback;
    return left_out(object, name) ? FM_OK : fm_read_number(object, name, value);
}

fm_status fm_read_integer_or(const fm_json *object, const char *name, int64_t fallback,
                             int64_t *value) {
    *value = fallback;
    return left_out(object, name) ? FM_OK : fm_read_integer(object, name, value);
}

fm_status fm_read_string_or(const fm_json *object, const char *name, const char *fallback,
                            const char **value) {
    *value = fallback;
    return left_out(object, name) ? FM_OK : fm_read_string(object, name, value);
}
