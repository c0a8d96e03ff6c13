/* What the parts of the binding share; handlers use flowmonkey.h alone. */
#ifndef FLOWMONKEY_INTERNAL_H
#define FLOWMONKEY_INTERNAL_H

#include "flowmonkey.h"

/* The host takes and gives no JSON that is nested deeper. */
enum { FM_DEPTH_MAX = 128 };

/* One value and its place among its siblings. */
struct fm_json {
    uint8_t kind;  /* fm_json_kind */
    bool placed;   /* lies in a container, or is a root that must not change: to be copied */
    bool truth;    /* of FM_JSON_BOOL */
    uint32_t size; /* bytes of text; items; members */
    fm_json *next;
    const char *name;
    union {
        const char *text; /* of FM_JSON_STRING; of FM_JSON_NUMBER, as it was written */
        struct {
            fm_json *first, *last;
        };
    };
};

/* A text that grows. Give it back with free(), or keep it with fm_buffer_keep(). */
typedef struct fm_buffer {
    char *bytes;
    size_t size, room;
} fm_buffer;

void fm_buffer_add(fm_buffer *buffer, const char *bytes, size_t size);
/* Moves the text to memory of the attempt, with a NUL behind it. */
char *fm_buffer_keep(fm_buffer *buffer);
void fm_json_write(fm_buffer *buffer, const fm_json *value);

char *fm_copy(const char *bytes, size_t size);
/* Says why on stderr, which the host shows with the trap. */
[[noreturn]] void fm_give_up(const char *why);
/* What malloc() and its like returned, unless that is null. */
void *fm_or_give_up(void *memory);
/* Keeps the message for fm_message() and returns the status. */
[[gnu::format(printf, 2, 3)]] fm_status fm_status_with(fm_status status, const char *format, ...);

/* Bytes of the character that starts at `at`, or 0 where that is not UTF-8. */
size_t fm_utf8_size(const char *at, const char *end);
void fm_json_place(fm_json *container, const char *name, fm_json *value);

#endif
