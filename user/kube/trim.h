// Trim: an object of the API cut down to what Umbra reads (rules/decode_*), so that a change of anything else is none.
#pragma once

#include <optional>

#include "kube/feed.h"
#include "kube/resource.h"

namespace umbra::kube {

inline constexpr std::size_t kMaxObjectBytes = 1u << 20;  // of a trimmed object, as text

// Nothing when the object has no name. version: which of the resource's versions it came by; items of a list name
// neither it nor their kind.
std::optional<Json> trim(const Resource& resource, std::size_t version, const Json& object);

ObjectName name_of(const Resource& resource, const Json& object);

}  // namespace umbra::kube
