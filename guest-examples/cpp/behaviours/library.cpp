// What the standard library does for a handler.
#include "behaviours.hpp"

#include <cstdio>
#include <random>

Outcome do_print(const fm::Json &input) {
    FM_LET(out, input.read<std::string>("out"));
    FM_LET(err, input.read<std::string>("err"));
    std::puts(out.c_str());
    std::fprintf(stderr, "%s\n", err.c_str());
    return fm::success();
}

Outcome do_random(const fm::Json &) {
    std::random_device device;
    std::mt19937 generator(device());
    const auto number = std::uniform_int_distribution<std::uint32_t>()(generator);
    return fm::success({{"random", std::to_string(number)}});
}

Outcome do_now(const fm::Json &) {
    using namespace std::chrono;
    const auto now = time_point_cast<milliseconds>(system_clock::now());
    return fm::success({{"ms", now.time_since_epoch().count()}});
}
