// KernelLimits: the limits of the kernel side by name: those that can be set before it is loaded, and those that are
// part of the contract between kernel and user space (include/umbra/abi/limits.h).
#pragma once

#include <string_view>
#include <vector>

#include "base/exception_row.h"
#include "base/result.h"
#include "loader/datapath.h"

namespace umbra::loader {

bool is_kernel_limit(std::string_view name);
// "NAME=VALUE", as terminator/limit_table has it. A small value forces the limit.
Result<void> set_kernel_limit(DatapathOptions& options, std::string_view assignment);
std::vector<ExceptionRow> list_kernel_limits(const DatapathOptions& options);

}  // namespace umbra::loader
