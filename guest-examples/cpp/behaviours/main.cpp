// Uses every function of the binding, one behaviour a job: {"do": "echo", "value": 1}.
#include "behaviours.hpp"

fm::Result<fm::Outcome> fm::run(fm::Json input) {
    static const std::map<std::string, fm::Result<fm::Outcome> (*)(const fm::Json &)> behaviours = {
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
    FM_LET(name, input.read<std::string>("do"));
    const auto behaviour = behaviours.find(name);
    if (behaviour == behaviours.end())
        return fm::bad_input("there is no behaviour \"" + name + "\"");
    return behaviour->second(input);
}

fm::Json fm::describe() {
    return fm::Json::object({
        {"name", "behaviours"},
        {"description", "Uses every function of the binding"},
        {"input-schema",
         fm::Json::object({{"type", "object"}, {"required", fm::Json::array({"do"})}})},
    });
}
