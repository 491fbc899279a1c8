#include "kube/json_text.h"

#include <algorithm>

namespace umbra::kube {

namespace {

constexpr std::size_t kMaxMessage = 512;

}  // namespace

std::optional<Json> parse_json(std::string_view text) {
    bool too_deep = false;
    const auto keep = [&](int depth, Json::parse_event_t event, Json& value) {
        const bool opens = event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
        if (opens && depth >= kMaxJsonDepth) too_deep = true;
        const bool unread = event == Json::parse_event_t::key && value.is_string() &&
                            value.get_ref<const std::string&>() == "managedFields";
        return !too_deep && !unread;
    };
    Json parsed = Json::parse(text, keep, false);
    if (too_deep || parsed.is_discarded()) return std::nullopt;
    return parsed;
}

const Json* find_at(const Json& json, std::initializer_list<const char*> path) {
    const Json* at = &json;
    for (const char* key : path) {
        if (!at->is_object()) return nullptr;
        const auto found = at->find(key);
        if (found == at->end()) return nullptr;
        at = &*found;
    }
    return at;
}

std::string text_at(const Json& json, std::initializer_list<const char*> path) {
    const Json* found = find_at(json, path);
    return found && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t number_at(const Json& json, std::initializer_list<const char*> path) {
    const Json* found = find_at(json, path);
    return found && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

const Json& list_at(const Json& json, std::initializer_list<const char*> path) {
    static const Json kNone = Json::array();
    const Json* found = find_at(json, path);
    return found && found->is_array() ? *found : kNone;
}

std::string status_message(std::string_view body) {
    const auto status = parse_json(body);
    std::string message = status ? text_at(*status, {"message"}) : std::string();
    if (message.empty()) message = "the answer has no message";
    if (message.size() > kMaxMessage) message = message.substr(0, kMaxMessage) + "...";
    std::ranges::replace_if(
        message, [](unsigned char c) { return c < 0x20; }, ' ');
    return message;
}

}  // namespace umbra::kube
