// The field "documents" of a request on the control socket: names and texts of files, as `umbra apply` and `umbra diff`
// send them.
#pragma once

#include <vector>

#include "base/result.h"
#include "control/message.h"
#include "rules/source_text.h"

namespace umbra::agent {

Result<std::vector<rules::SourceText>> documents_of(const control::Json& request);

}  // namespace umbra::agent
