// What happens at the limits of this folder.
#pragma once

#include <vector>

#include "base/exception_row.h"

namespace umbra::rules {

std::vector<ExceptionRow> list_limits();

}  // namespace umbra::rules
