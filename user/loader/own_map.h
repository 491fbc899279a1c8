// The map of our own connections (umbra_own) over a take-over: what the predecessor still sends to mirrors must stay
// known to the new programs, so both use one map, or, if its shape has changed between versions, a copy of it.
#pragma once

#include "base/result.h"

struct bpf_map;

namespace umbra::loader {

// Before the object is loaded. False: the shapes differ.
Result<bool> share_map(bpf_map* map, int predecessor);
// Entries that do not fit are left out.
void copy_entries(int from, int to);

}  // namespace umbra::loader
