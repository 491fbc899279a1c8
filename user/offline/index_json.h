// One stream as an object of the JSON index.
#pragma once

#include <string>

#include "offline/stream_index.h"
#include "reassembly/limits.h"

namespace umbra::offline {

// On one line. `mode` is what was asked for; the entry says what was possible.
std::string index_entry(const StreamIndex& index, std::size_t number, Mode mode);

}  // namespace umbra::offline
