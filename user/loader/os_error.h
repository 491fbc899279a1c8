// Turns an errno into an Error with the exit code and the hint that belong to it.
#pragma once

#include <string>

#include "base/result.h"

namespace umbra::loader {

// attempt: "attach, device 'eth0'". Permission errors become ErrorCode::privilege.
Error os_error(const std::string& attempt, int error_number);

}  // namespace umbra::loader
