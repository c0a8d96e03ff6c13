/* Memory that lives as long as the attempt: blocks that are filled from front to back. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024 };

typedef struct block {
    struct block *older;
    size_t used, room;
    alignas(max_align_t) char bytes[];
} block;

static block *newest;

void fm_give_up(const char *why) {
    fprintf(stderr, "flowmonkey: %s\n", why);
    abort();
}

void *fm_or_give_up(void *memory) {
    if (memory == nullptr)
        fm_give_up("out of memory");
    return memory;
}

static void add_block(size_t size) {
    const size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    if (room > SIZE_MAX - sizeof(block))
        fm_give_up("out of memory");
    block *added = fm_or_give_up(malloc(sizeof(block) + room));
    *added = (block){.older = newest, .room = room};
    newest = added;
}

void *fm_alloc(size_t size) {
    constexpr size_t align = alignof(max_align_t);
    if (size > SIZE_MAX - align)
        fm_give_up("out of memory");
    size = (size + align - 1) / align * align;
    if (newest == nullptr || size > newest->room - newest->used)
        add_block(size);
    void *memory = newest->bytes + newest->used;
    newest->used += size;
    return memset(memory, 0, size);
}

fm_scope fm_scope_begin(void) {
    return (fm_scope){.block = newest, .used = newest ? newest->used : 0};
}

void fm_scope_end(fm_scope scope) {
    while (newest != scope.block) {
        block *older = newest->older;
        free(newest);
        newest = older;
    }
    if (newest)
        newest->used = scope.used;
}

char *fm_copy(const char *bytes, size_t size) {
    char *text = fm_alloc(size + 1);
    if (size > 0)
        memcpy(text, bytes, size);
    return text;
}

static char *format_list(const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    const int size = vsnprintf(nullptr, 0, format, again);
    va_end(again);
    if (size < 0)
        fm_give_up("a format string that printf does not take");
    char *text = fm_alloc((size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    return text;
}

char *fm_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = format_list(format, arguments);
    va_end(arguments);
    return text;
}

void fm_buffer_add(fm_buffer *buffer, const char *bytes, size_t size) {
    if (size > buffer->room - buffer->size) {
        const size_t needed = buffer->size + size;
        buffer->room = needed > SIZE_MAX / 2 ? needed : 2 * needed;
        buffer->bytes = fm_or_give_up(realloc(buffer->bytes, buffer->room));
    }
    if (size > 0)
        memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}

char *fm_buffer_keep(fm_buffer *buffer) {
    char *text = fm_copy(buffer->bytes, buffer->size);
    free(buffer->bytes);
    *buffer = (fm_buffer){};
    return text;
}
