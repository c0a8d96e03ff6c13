/* Uses every function of the binding, one behaviour a job: {"do": "echo", "value": 1}. */
#include "behaviours.h"

#include <string.h>

static const struct {
    const char *name;
    fm_outcome (*run)(const fm_json *input);
} behaviours[] = {
    {"echo", do_echo},
    {"nothing", do_nothing},
    {"facts", do_facts},
    {"retryable", do_retryable},
    {"fatal", do_fatal},
    {"throw", do_throw},
    {"trap", do_trap},
    {"wait", do_wait},
    {"heartbeat", do_heartbeat},
    {"progress", do_progress},
    {"checkpoint", do_checkpoint},
    {"log", do_log},
    {"print", do_print},
    {"config", do_config},
    {"http", do_http},
    {"context", do_context},
    {"enqueue", do_enqueue},
    {"idempotency", do_idempotency},
    {"random", do_random},
    {"now", do_now},
    {"sleep", do_sleep},
    {"spin", do_spin},
};

fm_outcome fm_run(const fm_json *input) {
    const char *name;
    FM_TRY(fm_read_string(input, "do", &name));
    for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++)
        if (strcmp(behaviours[i].name, name) == 0)
            return behaviours[i].run(input);
    return fm_fatal("BAD_INPUT", "there is no behaviour \"%s\"", name);
}

const fm_json *fm_describe(void) {
    fm_json *schema = fm_set(fm_object(), "type", "object");
    fm_set(schema, "required", fm_append(fm_array(), "do"));
    fm_json *description = fm_set(fm_object(), "name", "behaviours");
    fm_set(description, "description", "Uses every function of the binding");
    return fm_set(description, "input-schema", schema);
}
