// A JSON value as a Node, so that objects of an API are decoded like those of files. It has no positions.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "rules/yaml_node.h"

namespace umbra::rules {

// What lies deeper than kMaxDepth reads as null.
Node node_from_json(const nlohmann::ordered_json& json);

}  // namespace umbra::rules
