// A frame that the controller sent, without its length, as the loader reads it.
#pragma once

#include <string_view>

#include "kube/feed.h"

namespace umbra::kube {

Result<Changes> changes_in(std::string_view body);

}  // namespace umbra::kube
