#include "../flowmonkey/flowmonkey.h"

fm_outcome fm_run(const fm_json *input) {
    const char *name;
    FM_TRY(fm_read_string(input, "name", &name));
    if (*name == '\0')
        return fm_fatal("BAD_NAME", "the name is empty");

    fm_log(FM_LOG_INFO, "greeting", "name", name);
    const char *greeting = fm_format("Hello, %s!", name);
    return fm_success(fm_set(fm_object(), "greeting", greeting));
}
