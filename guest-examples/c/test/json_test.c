/* What the JSON reader takes, refuses and writes, on the machine that builds:
 *
 *     zig cc -std=gnu23 -fsanitize=undefined test/json_test.c
 * flowmonkey/{json,json_parse,json_write,memory,outcome}.c
 */
#include "../flowmonkey/flowmonkey.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed;

static void check(bool good, const char *what) {
    good ? passed++ : failed++;
    if (!good)
        printf("FAILED: %s\n", what);
}

/* Parses a copy that ends where its memory ends, so that a sanitizer sees a read beyond. */
static fm_status parse(const char *text, size_t size, fm_json **value) {
    char *exact = malloc(size ? size : 1);
    memcpy(exact, text, size);
    const fm_status status = fm_json_parse(exact, size, value);
    free(exact);
    return status;
}

static void reads_and_writes(void) {
    static const char *const cases[][2] = {
        {"null", "null"},
        {" true ", "true"},
        {"[]", "[]"},
        {"{}", "{}"},
        {"[1, [2,\n{\"a\" : {}}], \"\"]", "[1,[2,{\"a\":{}}],\"\"]"},
        {"0", "0"},
        {"-0", "-0"},
        {"123456789012345678901234567890.5e-7", "123456789012345678901234567890.5e-7"},
        {"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "\"A\u00e9\u20ac\U0001F600\""},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u001f\"", "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u001f\""},
        {"\"\u00e9\U0001F600\x7f\"", "\"\u00e9\U0001F600\x7f\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fm_json *value;
        const bool parsed = parse(cases[i][0], strlen(cases[i][0]), &value) == FM_OK;
        check(parsed && strcmp(fm_json_text(value), cases[i][1]) == 0, cases[i][0]);
    }
}

static void refuses(void) {
    static const char *const cases[] = {
        "",
        " ",
        "nul",
        "nulls",
        "truefalse",
        "[1,]",
        "[1 2]",
        "[",
        "]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":1",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "0x10",
        "NaN",
        "\"",
        "\"\\",
        "\"\\\"",
        "\"a\nb\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\ud800x\"",
        "\"\\ud800\\n\"",
        "\"\\ud800\\ud800\"",
        "\"\\udc00\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xe0\x80\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xe2\x82\"",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fm_json *value;
        check(parse(cases[i], strlen(cases[i]), &value) == FM_BAD_INPUT && value == nullptr,
              cases[i]);
    }
    fm_json *value;
    check(parse("1\0", 2, &value) == FM_BAD_INPUT, "a NUL behind the value");
    check(parse("\"a\0b\"", 5, &value) == FM_BAD_INPUT, "a NUL in a string");
}

static void cuts_are_refused(void) {
    static const char text[] =
        "{\"a\":[1.5e+3,\"\\ud83d\\ude00\u20ac\",true,null],\"b\":{\"c\":false}}";
    fm_json *value;
    for (size_t size = 0; size < sizeof text - 1; size++)
        check(parse(text, size, &value) == FM_BAD_INPUT, "a text that was cut");
    check(parse(text, sizeof text - 1, &value) == FM_OK, "the whole text");
}

static void any_byte_is_survived(void) {
    static const char text[] = "{\"a\":[1.5e+3,\"\\ud83d\\ude00\u20ac\",true,null]}";
    char changed[sizeof text];
    fm_json *value;
    for (size_t at = 0; at < sizeof text - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(changed, text, sizeof text);
            changed[at] = (char)byte;
            if (parse(changed, sizeof text - 1, &value) != FM_OK)
                continue;
            /* What is accepted must be written so that it is accepted again, and the same. */
            const char *once = fm_json_text(value);
            const bool again = parse(once, strlen(once), &value) == FM_OK;
            check(again && strcmp(fm_json_text(value), once) == 0, changed);
        }
    }
}

static char *repeated(const char *part, size_t times, const char *middle) {
    const size_t size = strlen(part);
    char *text = fm_alloc(2 * size * times + strlen(middle) + 1);
    for (size_t i = 0; i < times; i++)
        memcpy(text + i * size, part, size);
    strcat(text, middle);
    return text;
}

static void depth_is_bounded(void) {
    fm_json *value;
    char *text = repeated("[", 128, "");
    memset(text + 128, ']', 128);
    check(parse(text, 256, &value) == FM_OK, "128 levels");
    check(strcmp(fm_json_text(value), text) == 0, "128 levels, written");
    check(fm_size(fm_append_json(fm_array(), fm_first(value))) == 1, "127 levels, copied");
    text = repeated("[", 1000000, "");
    check(parse(text, 1000000, &value) == FM_BAD_INPUT, "a million levels");
    text = repeated("{\"a\":", 200000, "");
    check(parse(text, 1000000, &value) == FM_BAD_INPUT, "many objects in each other");
}

static void large_texts(void) {
    fm_json *value;
    const fm_scope scope = fm_scope_begin();
    char *items = fm_format("[%s", repeated("1,", 524287, "1]"));
    check(parse(items, strlen(items), &value) == FM_OK && fm_size(value) == 524288,
          "1 MiB of items");
    char *string = fm_format("\"%s\"", repeated("\\n", 500000, ""));
    check(parse(string, strlen(string), &value) == FM_OK && fm_size(value) == 500000,
          "1 MB of text");
    fm_scope_end(scope);
}

static int64_t integer_of(const char *text) {
    fm_json *value;
    return parse(text, strlen(text), &value) == FM_OK ? fm_as_integer(value, -1) : -2;
}

static void numbers(void) {
    check(integer_of("9223372036854775807") == INT64_MAX, "the largest integer");
    check(integer_of("-9223372036854775808") == INT64_MIN, "the smallest integer");
    check(integer_of("9223372036854775808") == -1, "an integer that is too large");
    check(integer_of("5.0") == 5 && integer_of("5e3") == 5000, "integers with a point or exponent");
    check(integer_of("5.5") == -1 && integer_of("1e300") == -1, "no integers");
    check(strcmp(fm_json_text(fm_number(0.1)), "0.1") == 0, "the fewest digits");
    check(strcmp(fm_json_text(fm_number(0.1 + 0.2)), "0.30000000000000004") == 0, "all digits");
    check(strcmp(fm_json_text(fm_number(3)), "3") == 0, "a whole number");
    check(strcmp(fm_json_text(fm_number(NAN)), "null") == 0, "no number");
    check(strcmp(fm_json_text(fm_value(UINT64_MAX)), "18446744073709551615") == 0, "unsigned");
}

static void values_are_placed_once(void) {
    fm_json *list = fm_append(fm_array(), 1);
    fm_json *object = fm_set(fm_set(fm_object(), "a", list), "b", list);
    fm_append(list, true);
    fm_set(object, "c", fm_get(object, "a"));
    fm_append(list, "x");
    check(strcmp(fm_json_text(object), "{\"a\":[1,true,\"x\"],\"b\":[1],\"c\":[1,true]}") == 0,
          "the second place holds a copy");
    fm_set(fm_set(object, "c", 1.5), "a", fm_null());
    check(strcmp(fm_json_text(object), "{\"a\":null,\"b\":[1],\"c\":1.5}") == 0,
          "members are replaced");
    fm_append(list, list);
    fm_set(object, "b", object);
    check(fm_json_text(object) != nullptr, "a value in itself is a copy");
    check(strcmp(fm_json_text(fm_string("a\xff\"")), "\"a\uFFFD\\\"\"") == 0, "bytes are repaired");
    fm_json *twice;
    check(parse("{\"a\":1,\"a\":2}", 13, &twice) == FM_OK &&
              fm_as_integer(fm_get(twice, "a"), 0) == 2,
          "the last of two members counts");
}

static void typed_reading(void) {
    fm_json *input;
    bool truth;
    int64_t integer;
    const char *text;
    check(parse("{\"n\":1.5,\"s\":\"x\",\"z\":null}", 26, &input) == FM_OK, "the input");
    check(fm_read_integer(input, "n", &integer) == FM_BAD_INPUT, "1.5 is no integer");
    check(strcmp(fm_message(), "\"n\": expected an integer of 64 bits, found 1.5") == 0,
          fm_message());
    check(fm_read_string(input, "q", &text) == FM_BAD_INPUT, "nothing is no string");
    check(strcmp(fm_message(), "\"q\": expected a string, found nothing") == 0, fm_message());
    check(fm_read_bool_or(input, "z", true, &truth) == FM_OK && truth, "null is left out");
    check(fm_read_bool_or(input, "s", true, &truth) == FM_BAD_INPUT, "a string is not left out");
    check(fm_read_string_or(nullptr, "s", nullptr, &text) == FM_BAD_INPUT,
          "nothing has no members");
    const fm_outcome outcome = fm_failed(fm_error("%s!", fm_message()));
    check(outcome.kind == FM_RETRYABLE && strcmp(outcome.name, "ERROR") == 0,
          "an error of one's own");
    check(strstr(outcome.message, "found nothing!") != nullptr, "keeps the message it was made of");
}

int main(void) {
    reads_and_writes();
    refuses();
    cuts_are_refused();
    any_byte_is_survived();
    depth_is_bounded();
    large_texts();
    numbers();
    values_are_placed_once();
    typed_reading();
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
