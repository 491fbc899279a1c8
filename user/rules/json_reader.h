// JsonReader: strict reading of JSON objects.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "net/ip_address.h"
#include "rules/enum_names.h"

namespace umbra::rules {

// Reads fields; the first thing that is wrong is remembered, and everything read after it is empty.
class JsonReader {
public:
    bool failed() const { return !cause_.empty(); }
    const std::string& cause() const { return cause_; }
    void fail(std::string cause) {
        if (cause_.empty()) cause_ = std::move(cause);
    }

    std::string text(const nlohmann::json& object, const char* name) {
        const auto* value = find(object, name);
        if (value && value->is_string()) return value->get<std::string>();
        fail(std::string("'") + name + "' is no string");
        return {};
    }
    bool boolean(const nlohmann::json& object, const char* name) {
        const auto* value = find(object, name);
        if (value && value->is_boolean()) return value->get<bool>();
        fail(std::string("'") + name + "' is no boolean");
        return false;
    }
    double number(const nlohmann::json& object, const char* name) {
        const auto* value = find(object, name);
        if (value && value->is_number()) return value->get<double>();
        fail(std::string("'") + name + "' is no number");
        return 0;
    }
    std::int64_t integer(const nlohmann::json& object, const char* name, std::int64_t least, std::int64_t most) {
        const auto* value = find(object, name);
        const bool fits = value && value->is_number_integer() &&
                          !(value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX);
        const auto result = fits ? value->get<std::int64_t>() : 0;
        if (fits && result >= least && result <= most) return result;
        fail(std::string("'") + name + "' is no integer in range");
        return least;
    }
    const nlohmann::json& list(const nlohmann::json& object, const char* name) {
        static const nlohmann::json kEmpty = nlohmann::json::array();
        const auto* value = find(object, name);
        if (value && value->is_array()) return *value;
        fail(std::string("'") + name + "' is no list");
        return kEmpty;
    }
    std::map<std::string, std::string> text_map(const nlohmann::json& object, const char* name) {
        std::map<std::string, std::string> result;
        const auto* value = find(object, name);
        if (!value || !value->is_object()) {
            fail(std::string("'") + name + "' is no object");
            return result;
        }
        for (const auto& [key, item] : value->items()) {
            if (item.is_string()) result[key] = item.get<std::string>();
            if (!item.is_string()) fail(std::string("'") + name + "' has a value that is no string");
        }
        return result;
    }
    std::vector<std::string> texts(const nlohmann::json& object, const char* name) {
        std::vector<std::string> result;
        for (const auto& item : list(object, name)) {
            if (item.is_string()) result.push_back(item.get<std::string>());
            if (!item.is_string()) fail(std::string("'") + name + "' has an item that is no string");
        }
        return result;
    }
    // One of a list of names, by its place there.
    template <class Enum, std::size_t N>
    Enum one_of(const nlohmann::json& object, const char* name, const EnumNames<Enum, N>& names) {
        const auto value = names.find(text(object, name));
        if (!value) fail(std::string("'") + name + "' is no known word");
        return value.value_or(Enum{});
    }
    const nlohmann::json& object(const nlohmann::json& parent, const char* name) {
        static const nlohmann::json kEmpty = nlohmann::json::object();
        const auto* value = find(parent, name);
        if (value && value->is_object()) return *value;
        fail(std::string("'") + name + "' is no object");
        return kEmpty;
    }
    Endpoint endpoint(const nlohmann::json& value) {
        const auto parsed = value.is_string() ? Endpoint::parse(value.get_ref<const std::string&>()) : std::nullopt;
        if (!parsed) fail("an endpoint is not ADDRESS:PORT");
        return parsed.value_or(Endpoint{});
    }

private:
    static const nlohmann::json* find(const nlohmann::json& object, const char* name) {
        if (!object.is_object()) return nullptr;
        const auto found = object.find(name);
        return found == object.end() ? nullptr : &*found;
    }

    std::string cause_;
};

}  // namespace umbra::rules
