/* Reads JSON (RFC 8259). Written for hostile text: nothing is read beyond its end, nesting is
 * bounded, and the time is linear in its size. */
#include "internal.h"

#include <string.h>

typedef struct reader {
    const char *start, *at, *end;
    const char *problem; /* the first one, which ends the reading */
    int depth;
} reader;

static bool fail(reader *r, const char *problem) {
    if (r->problem == nullptr)
        r->problem = problem;
    return false;
}

static char peek(const reader *r) {
    return r->at < r->end ? *r->at : '\0';
}

static bool take(reader *r, char wanted) {
    if (r->at == r->end || *r->at != wanted)
        return false;
    r->at++;
    return true;
}

static void skip_space(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool skip_digits(reader *r) {
    const char *first = r->at;
    while (is_digit(peek(r)))
        r->at++;
    return r->at > first;
}

static bool skip_number(reader *r) {
    take(r, '-');
    if (!take(r, '0') && !skip_digits(r))
        return false;
    if (take(r, '.') && !skip_digits(r))
        return false;
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            take(r, '-');
        return skip_digits(r);
    }
    return true;
}

static bool read_number(reader *r, fm_json *value) {
    const char *first = r->at;
    if (!skip_number(r))
        return fail(r, "a number is not complete");
    value->kind = FM_JSON_NUMBER;
    value->size = (uint32_t)(r->at - first);
    value->text = fm_copy(first, value->size);
    return true;
}

size_t fm_utf8_size(const char *at, const char *end) {
    const unsigned char *c = (const unsigned char *)at;
    const size_t left = (size_t)(end - at);
    if (c[0] < 0x80)
        return 1;
    if (left >= 2 && c[0] >= 0xC2 && c[0] <= 0xDF && (c[1] & 0xC0) == 0x80)
        return 2;
    if (left >= 3 && (c[0] & 0xF0) == 0xE0 && (c[1] & 0xC0) == 0x80 && (c[2] & 0xC0) == 0x80) {
        const bool overlong = c[0] == 0xE0 && c[1] < 0xA0;
        const bool surrogate = c[0] == 0xED && c[1] > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    if (left >= 4 && c[0] >= 0xF0 && c[0] <= 0xF4 && (c[1] & 0xC0) == 0x80 &&
        (c[2] & 0xC0) == 0x80 && (c[3] & 0xC0) == 0x80) {
        const bool overlong = c[0] == 0xF0 && c[1] < 0x90;
        const bool too_large = c[0] == 0xF4 && c[1] > 0x8F;
        return overlong || too_large ? 0 : 4;
    }
    return 0;
}

static bool read_hex4(reader *r, uint32_t *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        const char c = peek(r);
        const char lower = (char)(c | 0x20);
        if (is_digit(c))
            *unit = *unit << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            *unit = *unit << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return fail(r, "\\u needs four hexadecimal digits");
    }
    return true;
}

/* Writes what follows `\u`. Never more bytes than the escape has. */
static char *read_unicode(reader *r, char *to) {
    uint32_t code;
    if (!read_hex4(r, &code))
        return nullptr;
    if (code >= 0xD800 && code <= 0xDFFF) {
        uint32_t low = 0;
        if (code <= 0xDBFF && take(r, '\\') && take(r, 'u') && !read_hex4(r, &low))
            return nullptr;
        if (low < 0xDC00 || low > 0xDFFF) {
            fail(r, "a surrogate stands alone");
            return nullptr;
        }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code == 0) {
        fail(r, "\\u0000 is not allowed");
        return nullptr;
    }
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *to++ = (char)(0xE0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    } else {
        *to++ = (char)(0xF0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3F));
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    }
    return to;
}

static char *read_escape(reader *r, char *to) {
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    const char c = peek(r);
    if (c == 'u') {
        r->at++;
        return read_unicode(r, to);
    }
    for (const char *pair = escapes; *pair && c; pair += 2) {
        if (*pair == c) {
            r->at++;
            *to++ = pair[1];
            return to;
        }
    }
    fail(r, "an escape that JSON does not have");
    return nullptr;
}

/* How many bytes lie before the closing quote: the most that the text can have. */
static bool measure(reader *r, size_t *size) {
    for (const char *c = r->at; c < r->end; c++) {
        if (*c == '"') {
            *size = (size_t)(c - r->at);
            return true;
        }
        if (*c == '\\' && ++c == r->end)
            break;
    }
    return fail(r, "a string is not closed");
}

static bool read_string(reader *r, const char **text, uint32_t *text_size) {
    size_t room;
    if (!take(r, '"'))
        return fail(r, "expected a string");
    if (!measure(r, &room))
        return false;
    char *start = fm_alloc(room + 1);
    char *to = start;
    while (!take(r, '"')) {
        if (take(r, '\\')) {
            to = read_escape(r, to);
            if (to == nullptr)
                return false;
            continue;
        }
        if ((unsigned char)*r->at < 0x20)
            return fail(r, "a control character stands in a string");
        const size_t size = fm_utf8_size(r->at, r->end);
        if (size == 0)
            return fail(r, "a string is not UTF-8");
        memcpy(to, r->at, size);
        to += size;
        r->at += size;
    }
    *text = start;
    *text_size = (uint32_t)(to - start);
    return true;
}

static bool read_value(reader *r, fm_json *value);

static bool read_member(reader *r, fm_json *container) {
    const char *name = nullptr;
    uint32_t name_size;
    skip_space(r);
    if (container->kind == FM_JSON_OBJECT) {
        if (!read_string(r, &name, &name_size))
            return false;
        skip_space(r);
        if (!take(r, ':'))
            return fail(r, "expected a colon");
    }
    fm_json *value = fm_alloc(sizeof *value);
    if (!read_value(r, value))
        return false;
    fm_json_place(container, name, value);
    skip_space(r);
    return true;
}

static bool read_container(reader *r, fm_json *container, fm_json_kind kind, char closing) {
    container->kind = kind;
    r->at++;
    if (++r->depth > FM_DEPTH_MAX)
        return fail(r, "nested deeper than 128 levels");
    skip_space(r);
    if (!take(r, closing)) {
        do {
            if (!read_member(r, container))
                return false;
        } while (take(r, ','));
        if (!take(r, closing))
            return fail(r, "expected a comma or the end of an array or object");
    }
    r->depth--;
    return true;
}

static bool read_word(reader *r, fm_json *value, const char *word, fm_json_kind kind) {
    const size_t size = strlen(word);
    if ((size_t)(r->end - r->at) < size || memcmp(r->at, word, size) != 0)
        return fail(r, "expected a value");
    r->at += size;
    value->kind = kind;
    value->truth = *word == 't';
    return true;
}

static bool read_value(reader *r, fm_json *value) {
    skip_space(r);
    switch (peek(r)) {
    case '{':
        return read_container(r, value, FM_JSON_OBJECT, '}');
    case '[':
        return read_container(r, value, FM_JSON_ARRAY, ']');
    case '"':
        value->kind = FM_JSON_STRING;
        return read_string(r, &value->text, &value->size);
    case 't':
        return read_word(r, value, "true", FM_JSON_BOOL);
    case 'f':
        return read_word(r, value, "false", FM_JSON_BOOL);
    case 'n':
        return read_word(r, value, "null", FM_JSON_NULL);
    default:
        if (peek(r) == '-' || is_digit(peek(r)))
            return read_number(r, value);
        return fail(r, "expected a value");
    }
}

fm_status fm_json_parse(const char *text, size_t size, fm_json **value) {
    reader r = {.start = text, .at = text, .end = text + size};
    *value = fm_alloc(sizeof **value);
    if (read_value(&r, *value)) {
        skip_space(&r);
        if (r.at == r.end)
            return FM_OK;
        fail(&r, "more text follows the value");
    }
    *value = nullptr;
    return fm_status_with(FM_BAD_INPUT, "not JSON: %s, at byte %zu", r.problem,
                          (size_t)(r.at - r.start) + 1);
}
