#include "../flowmonkey/flowmonkey.hpp"

fm::Result<fm::Outcome> fm::run(fm::Json input) {
    FM_LET(name, input.read<std::string>("name"));
    if (name.empty())
        return fm::fatal("BAD_NAME", "the name is empty");

    fm::log(fm::Level::info, "greeting", {{"name", name}});
    return fm::success({{"greeting", "Hello, " + name + "!"}});
}
