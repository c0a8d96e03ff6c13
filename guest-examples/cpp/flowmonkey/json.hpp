// Results, errors and JSON values; see flowmonkey.hpp.
#ifndef FLOWMONKEY_JSON_HPP
#define FLOWMONKEY_JSON_HPP

#include "c/flowmonkey.h"

#include <concepts>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Ends the function with the error of a Result, if it has one.
#define FM_TRY(...)                                                                                \
    do {                                                                                           \
        if (auto fm_result = (__VA_ARGS__); !fm_result)                                            \
            return std::unexpected(std::move(fm_result).error());                                  \
    } while (false)

// The same, and names the value: FM_LET(name, input.read<std::string>("name"));
#define FM_LET(name, ...) FM_LET_AT(__LINE__, name, __VA_ARGS__)
#define FM_LET_AT(line, name, ...) FM_LET_IN(line, name, __VA_ARGS__)
#define FM_LET_IN(line, name, ...)                                                                 \
    auto fm_result_##line = (__VA_ARGS__);                                                         \
    if (!fm_result_##line)                                                                         \
        return std::unexpected(std::move(fm_result_##line).error());                               \
    auto &name = *fm_result_##line

namespace fm {

// Why something did not work: what went wrong, and what becomes of the job where nobody cares.
struct Error {
    fm_status status; // see the C header for what becomes of each
    fm_outcome outcome;

    std::string message() const;
};

template <typename T> using Result = std::expected<T, Error>;

// An error of your own: retryable, code ERROR. And one of the input: fatal, code BAD_INPUT.
std::unexpected<Error> error(const std::string &message);
std::unexpected<Error> bad_input(const std::string &message);
// What the C interface says of its last call.
Error last_error(fm_status status);

// Gives back the memory of JSON values that were made while it lived. For long loops: strings and
// containers of C++ need none. Nothing made in it may be put into values from before, nor into the
// result or the details of an outcome that leaves it; codes and messages may.
class Scope {
  public:
    Scope() : scope_(fm_scope_begin()) {
    }
    ~Scope() {
        fm_scope_end(scope_);
    }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    fm_scope scope_;
};

// A JSON value, or none: what is not there reads as absent. A handle: copies name the same value,
// which lives until the attempt ends. Text is UTF-8 without NUL.
class Json {
  public:
    using Member = std::pair<std::string_view, Json>;

    Json() = default;
    explicit Json(const fm_json *value) : value_(value) {
    }
    Json(std::nullptr_t) : value_(fm_null()) {
    }
    Json(std::same_as<bool> auto value) : value_(fm_bool(value)) {
    }
    Json(std::signed_integral auto value) : value_(fm_integer(value)) {
    }
    Json(std::unsigned_integral auto value)
        requires(!std::same_as<decltype(value), bool>)
        : value_(fm_unsigned(value)) {
    }
    Json(std::floating_point auto value) : value_(fm_number(value)) {
    }
    Json(const char *text) : value_(fm_string(text)) {
    }
    Json(const std::string &text) : value_(fm_string(text.c_str())) {
    }
    template <typename T>
    Json(const std::optional<T> &value) : Json(value ? Json(*value) : nullptr) {
    }
    template <typename T> Json(const std::vector<T> &items) : Json(array()) {
        for (const T &item : items)
            push(item);
    }
    template <typename T> Json(const std::map<std::string, T> &members) : Json(object()) {
        for (const auto &[name, value] : members)
            set(name, value);
    }

    static Json array(std::initializer_list<Json> items = {});
    static Json object(std::initializer_list<Member> members = {});
    // At most 128 levels; \u0000 and lone surrogates are refused.
    static Result<Json> parse(std::string_view text);

    // Whether there is a value, be it null.
    explicit operator bool() const {
        return value_ != nullptr;
    }
    fm_json_kind kind() const {
        return fm_kind(value_);
    }
    const fm_json *raw() const {
        return value_;
    }
    std::size_t size() const {
        return fm_size(value_);
    }
    // Absent where there is no such member or item.
    Json operator[](const std::string &name) const {
        return Json(fm_get(value_, name.c_str()));
    }
    Json operator[](const char *name) const {
        return Json(fm_get(value_, name));
    }
    std::vector<Json> items() const;
    std::vector<std::pair<std::string, Json>> members() const;

    // The value as bool, an integer, a floating-point number, std::string, Json, a vector, a map by
    // std::string, or an optional of these; bad_input() where it is something else.
    template <typename T> Result<T> as() const;
    template <typename T> Result<T> read(const std::string &name) const;
    // With a value to take where the member is absent or null.
    template <typename T> Result<T> read_or(const std::string &name, T fallback) const;

    // Put a value into this object, replacing the member of the same name, or at the end of this
    // array.
    Json &set(std::string_view name, const Json &value);
    Json &push(const Json &value);

    std::string text() const;

  private:
    const fm_json *value_ = nullptr;
};

// How a type is read; an own type specialises it.
template <typename T> struct Reader;

template <> struct Reader<Json> {
    static constexpr const char *expected = "a value";
    static std::optional<Json> read(const Json &json) {
        return json ? std::optional(json) : std::nullopt;
    }
};

template <> struct Reader<bool> {
    static constexpr const char *expected = "a boolean";
    static std::optional<bool> read(const Json &json) {
        if (json.kind() != FM_JSON_BOOL)
            return std::nullopt;
        return fm_as_bool(json.raw(), false);
    }
};

template <> struct Reader<std::string> {
    static constexpr const char *expected = "a string";
    static std::optional<std::string> read(const Json &json) {
        if (json.kind() != FM_JSON_STRING)
            return std::nullopt;
        return std::string(fm_as_string(json.raw(), ""), json.size());
    }
};

template <std::floating_point T> struct Reader<T> {
    static constexpr const char *expected = "a number";
    static std::optional<T> read(const Json &json) {
        if (json.kind() != FM_JSON_NUMBER)
            return std::nullopt;
        return static_cast<T>(fm_as_number(json.raw(), 0));
    }
};

template <std::integral T> struct Reader<T> {
    static constexpr const char *expected = "an integer in range";
    static std::optional<T> read(const Json &json) {
        const std::int64_t value = fm_as_integer(json.raw(), 0);
        // The fallback is taken for what is no integer.
        if (value != fm_as_integer(json.raw(), 1) || !std::in_range<T>(value))
            return std::nullopt;
        return static_cast<T>(value);
    }
};

template <typename T> struct Reader<std::optional<T>> {
    static constexpr const char *expected = Reader<T>::expected;
    static std::optional<std::optional<T>> read(const Json &json) {
        using Found = std::optional<std::optional<T>>;
        if (json.kind() <= FM_JSON_NULL)
            return Found(std::in_place, std::nullopt);
        auto value = Reader<T>::read(json);
        return value ? Found(std::in_place, std::move(value)) : std::nullopt;
    }
};

template <typename T> struct Reader<std::vector<T>> {
    static constexpr const char *expected = "an array of the right items";
    static std::optional<std::vector<T>> read(const Json &json) {
        if (json.kind() != FM_JSON_ARRAY)
            return std::nullopt;
        std::vector<T> items;
        for (const Json &item : json.items()) {
            auto value = Reader<T>::read(item);
            if (!value)
                return std::nullopt;
            items.push_back(std::move(*value));
        }
        return items;
    }
};

template <typename T> struct Reader<std::map<std::string, T>> {
    static constexpr const char *expected = "an object of the right members";
    static std::optional<std::map<std::string, T>> read(const Json &json) {
        if (json.kind() != FM_JSON_OBJECT)
            return std::nullopt;
        std::map<std::string, T> members;
        for (const auto &[name, member] : json.members()) {
            auto value = Reader<T>::read(member);
            if (!value)
                return std::nullopt;
            members.insert_or_assign(name, std::move(*value));
        }
        return members;
    }
};

template <typename T> Result<T> Json::as() const {
    auto value = Reader<T>::read(*this);
    if (value)
        return std::move(*value);
    return bad_input(std::string("expected ") + Reader<T>::expected + ", found " +
                     fm_kind_name(value_));
}

template <typename T> Result<T> Json::read(const std::string &name) const {
    if (kind() != FM_JSON_OBJECT)
        return bad_input("expected an object with \"" + name + "\", found " + fm_kind_name(value_));
    auto value = (*this)[name].as<T>();
    if (value)
        return value;
    return bad_input("\"" + name + "\": " + value.error().message());
}

template <typename T> Result<T> Json::read_or(const std::string &name, T fallback) const {
    FM_LET(value, read<std::optional<T>>(name));
    return value ? std::move(*value) : std::move(fallback);
}

} // namespace fm

#endif
