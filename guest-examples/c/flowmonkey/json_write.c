/* Writes JSON. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

static void add_text(fm_buffer *to, const char *text) {
    fm_buffer_add(to, text, strlen(text));
}

static void write_special(fm_buffer *to, char c) {
    char escape[8];
    switch (c) {
    case '"':
        return add_text(to, "\\\"");
    case '\\':
        return add_text(to, "\\\\");
    case '\n':
        return add_text(to, "\\n");
    case '\r':
        return add_text(to, "\\r");
    case '\t':
        return add_text(to, "\\t");
    default:
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
        return add_text(to, escape);
    }
}

static void write_string(fm_buffer *to, const char *text, size_t size) {
    const char *end = text + size;
    const char *plain = text; /* what was passed over and not yet written */
    add_text(to, "\"");
    while (text < end) {
        const size_t character = fm_utf8_size(text, end);
        const bool special = *text == '"' || *text == '\\' || (unsigned char)*text < 0x20;
        if (character > 0 && !special) {
            text += character;
            continue;
        }
        fm_buffer_add(to, plain, (size_t)(text - plain));
        if (special)
            write_special(to, *text);
        else
            add_text(to, "\uFFFD");
        plain = ++text;
    }
    fm_buffer_add(to, plain, (size_t)(text - plain));
    add_text(to, "\"");
}

static void write_value(fm_buffer *to, const fm_json *value, int depth);

static void write_container(fm_buffer *to, const fm_json *container, int depth) {
    const bool is_object = container->kind == FM_JSON_OBJECT;
    if (depth == FM_DEPTH_MAX)
        fm_give_up("a JSON value is nested deeper than 128 levels, or in itself");
    add_text(to, is_object ? "{" : "[");
    for (const fm_json *item = container->first; item; item = item->next) {
        if (item != container->first)
            add_text(to, ",");
        if (is_object) {
            write_string(to, item->name, strlen(item->name));
            add_text(to, ":");
        }
        write_value(to, item, depth + 1);
    }
    add_text(to, is_object ? "}" : "]");
}

static void write_value(fm_buffer *to, const fm_json *value, int depth) {
    switch (fm_kind(value)) {
    case FM_JSON_ABSENT:
    case FM_JSON_NULL:
        return add_text(to, "null");
    case FM_JSON_BOOL:
        return add_text(to, value->truth ? "true" : "false");
    case FM_JSON_NUMBER:
        return fm_buffer_add(to, value->text, value->size);
    case FM_JSON_STRING:
        return write_string(to, value->text, value->size);
    case FM_JSON_ARRAY:
    case FM_JSON_OBJECT:
        return write_container(to, value, depth);
    }
}

void fm_json_write(fm_buffer *buffer, const fm_json *value) {
    write_value(buffer, value, 0);
}

char *fm_json_text(const fm_json *value) {
    fm_buffer buffer = {};
    fm_json_write(&buffer, value);
    return fm_buffer_keep(&buffer);
}
