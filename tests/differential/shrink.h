// Makes a failing script smaller while it fails: fewer steps, usual fields, smaller numbers.
#pragma once

#include <functional>

#include "differential/script.h"

namespace umbra::differential {

Script shrink(Script script, const std::function<bool(const Script&)>& fails);

}  // namespace umbra::differential
