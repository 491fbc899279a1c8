// Reading what the API server says: never throws, bounded in depth, and without the fields that nobody reads, so that
// they take no memory.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "control/message.h"

namespace umbra::kube {

using control::Json;

inline constexpr int kMaxJsonDepth = 64;

// Nothing when it is no JSON, or nested too deeply. managedFields are left out while parsing.
std::optional<Json> parse_json(std::string_view text);

// The value at a path of keys; null when a step is missing.
const Json* find_at(const Json& json, std::initializer_list<const char*> path);
// Empty when absent or no string.
std::string text_at(const Json& json, std::initializer_list<const char*> path);
// 0 when absent or no integer.
std::int64_t number_at(const Json& json, std::initializer_list<const char*> path);
// The list at a path; empty when absent, null or no list.
const Json& list_at(const Json& json, std::initializer_list<const char*> path);

// The message of a Kubernetes Status, cut to a readable length; a fallback when the body is none.
std::string status_message(std::string_view body);

}  // namespace umbra::kube
