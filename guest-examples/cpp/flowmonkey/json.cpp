#include "json.hpp"

namespace fm {

std::string Error::message() const {
    return outcome.message ? outcome.message : fm_message();
}

Error last_error(fm_status status) {
    return Error{status, fm_failed(status)};
}

std::unexpected<Error> error(const std::string &message) {
    return std::unexpected(last_error(fm_error("%s", message.c_str())));
}

std::unexpected<Error> bad_input(const std::string &message) {
    return std::unexpected(last_error(fm_bad_input("%s", message.c_str())));
}

Json Json::array(std::initializer_list<Json> items) {
    Json made(fm_array());
    for (const Json &item : items)
        made.push(item);
    return made;
}

Json Json::object(std::initializer_list<Member> members) {
    Json made(fm_object());
    for (const auto &[name, value] : members)
        made.set(name, value);
    return made;
}

Result<Json> Json::parse(std::string_view text) {
    fm_json *value;
    const fm_status status = fm_json_parse(text.data(), text.size(), &value);
    if (status != FM_OK)
        return std::unexpected(last_error(status));
    return Json(value);
}

// A handle of C++ names a value that may change, however it was come by.
Json &Json::set(std::string_view name, const Json &value) {
    fm_set_json(const_cast<fm_json *>(value_), std::string(name).c_str(), value.value_);
    return *this;
}

Json &Json::push(const Json &value) {
    fm_append_json(const_cast<fm_json *>(value_), value.value_);
    return *this;
}

std::vector<Json> Json::items() const {
    std::vector<Json> items;
    for (const fm_json *item = fm_first(value_); item; item = fm_next(item))
        items.emplace_back(item);
    return items;
}

std::vector<std::pair<std::string, Json>> Json::members() const {
    std::vector<std::pair<std::string, Json>> members;
    if (kind() == FM_JSON_OBJECT)
        for (const fm_json *member = fm_first(value_); member; member = fm_next(member))
            members.emplace_back(fm_name(member), Json(member));
    return members;
}

std::string Json::text() const {
    return fm_json_text(value_);
}

} // namespace fm
