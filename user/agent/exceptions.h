// What happens at every limit of the agent: kernel side, terminator, and its own.
#pragma once

#include <vector>

#include "base/exception_row.h"

namespace umbra::agent {

// As they are by default with so many workers.
std::vector<ExceptionRow> list_limits(unsigned workers);

}  // namespace umbra::agent
