#include "edit/fields.h"

#include <strings.h>

#include <algorithm>
#include <array>

#include "wire/http1_head.h"

namespace umbra::edit {

namespace {

constexpr auto kProtected =
    std::to_array<std::string_view>({"host", "content-length", "transfer-encoding", "connection", "upgrade", "expect",
                                     "te", "trailer", "keep-alive", "proxy-connection", "http2-settings"});

}  // namespace

bool same_name(std::string_view name, std::string_view lower_name) {
    return name.size() == lower_name.size() && ::strncasecmp(name.data(), lower_name.data(), name.size()) == 0;
}

bool is_protected(std::string_view lower_name) {
    if (lower_name.empty() || lower_name.front() == ':') return true;
    return std::any_of(kProtected.begin(), kProtected.end(),
                       [&](std::string_view name) { return same_name(lower_name, name); });
}

bool is_field_value(std::string_view value) {
    return std::all_of(value.begin(), value.end(), wire::is_field_value_char);
}

bool may_write(std::string_view name, std::string_view value) {
    return !is_protected(name) && std::all_of(name.begin(), name.end(), wire::is_token_char) && is_field_value(value);
}

const Field* FieldList::find(std::string_view lower_name) const {
    const auto found =
        std::find_if(items.begin(), items.end(), [&](const Field& field) { return same_name(field.name, lower_name); });
    return found == items.end() ? nullptr : &*found;
}

Field* FieldList::find_last(std::string_view lower_name) {
    const auto found = std::find_if(items.rbegin(), items.rend(),
                                    [&](const Field& field) { return same_name(field.name, lower_name); });
    return found == items.rend() ? nullptr : &*found;
}

void FieldList::append(std::string_view name, std::string_view value, bool never_index) {
    items.push_back({name, value, never_index});
}

void FieldList::set(std::string_view lower_name, std::string_view value) {
    const auto same = [&](const Field& field) { return same_name(field.name, lower_name); };
    const auto first = std::find_if(items.begin(), items.end(), same);
    if (first == items.end()) return append(lower_name, value);
    first->value = value;
    items.erase(std::remove_if(first + 1, items.end(), same), items.end());
}

void FieldList::remove(std::string_view lower_name) {
    std::erase_if(items, [&](const Field& field) { return same_name(field.name, lower_name); });
}

}  // namespace umbra::edit
