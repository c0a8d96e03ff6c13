#include "mail.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_odd(char c) {
    return isspace((unsigned char)c) || iscntrl((unsigned char)c) || c == '@';
}

static bool is_plain(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (is_odd(text[i]))
            return false;
    return true;
}

bool mail_is_address(const char *text) {
    const char *at = strchr(text, '@');
    if (at == nullptr || at == text)
        return false;
    const char *domain = at + 1;
    return is_plain(text, (size_t)(at - text)) && strchr(domain, '.') &&
           is_plain(domain, strlen(domain));
}

static const char *trimmed(const char *start, const char *end) {
    while (start < end && isspace((unsigned char)*start))
        start++;
    while (start < end && isspace((unsigned char)end[-1]))
        end--;
    return fm_format("%.*s", (int)(end - start), start);
}

static const char *value_of(const char *name, const fm_json *vars, fm_outcome *failure) {
    const char *value = fm_as_string(fm_get(vars, name), nullptr);
    if (value == nullptr)
        *failure = fm_fatal("MISSING_VARIABLE", "the placeholder \"%s\" has no value", name);
    return value;
}

const char *mail_render(const char *template, const fm_json *vars, fm_outcome *failure) {
    char *text = nullptr;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (const char *open; (open = strstr(template, "{{"));) {
        const char *close = strstr(open + 2, "}}");
        if (close == nullptr) {
            *failure = fm_fatal("BAD_TEMPLATE", "a placeholder is not closed");
            return nullptr;
        }
        const char *value = value_of(trimmed(open + 2, close), vars, failure);
        if (value == nullptr)
            return nullptr;
        fwrite(template, 1, (size_t)(open - template), out);
        fputs(value, out);
        template = close + 2;
    }
    fputs(template, out);
    fclose(out);
    return text;
}
