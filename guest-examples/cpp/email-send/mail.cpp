#include "mail.hpp"

#include <algorithm>
#include <cctype>

namespace mail {

namespace {

bool is_odd(unsigned char c) {
    return std::isspace(c) || std::iscntrl(c) || c == '@';
}

std::string trimmed(std::string_view text) {
    const auto is_space = [](unsigned char c) { return std::isspace(c) != 0; };
    const auto first = std::ranges::find_if_not(text, is_space);
    const auto last = std::find_if_not(text.rbegin(), std::make_reverse_iterator(first), is_space);
    return std::string(first, last.base());
}

} // namespace

fm::Result<std::string> render(std::string_view text, const Vars &vars) {
    std::string rendered;
    for (auto open = text.find("{{"); open != text.npos; open = text.find("{{")) {
        const auto close = text.find("}}", open + 2);
        if (close == text.npos)
            return fm::fatal("BAD_TEMPLATE", "a placeholder is not closed");
        const std::string name = trimmed(text.substr(open + 2, close - open - 2));
        const auto value = vars.find(name);
        if (value == vars.end())
            return fm::fatal("MISSING_VARIABLE", "the placeholder \"" + name + "\" has no value");
        rendered.append(text, 0, open).append(value->second);
        text.remove_prefix(close + 2);
    }
    return rendered.append(text);
}

bool is_address(std::string_view text) {
    const auto at = text.find('@');
    if (at == text.npos || at == 0)
        return false;
    const auto user = text.substr(0, at), domain = text.substr(at + 1);
    return std::ranges::none_of(user, is_odd) && std::ranges::none_of(domain, is_odd) &&
           domain.contains('.');
}

} // namespace mail
