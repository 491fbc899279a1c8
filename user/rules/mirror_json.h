// The part of a plan's JSON that is about one mirror and its settings.
#pragma once

#include <nlohmann/json.hpp>

#include "rules/json_reader.h"
#include "rules/plan.h"

namespace umbra::rules {

nlohmann::json write_mirror(const PlanMirror& mirror);
PlanMirror read_mirror(JsonReader& reader, const nlohmann::json& object);

}  // namespace umbra::rules
