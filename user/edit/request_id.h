// RequestId: ids for requests that the client sent without one. UUIDs (version 8): random bits of this process's
// start, so that they differ over restarts, then the request's number, so that they differ within the process.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace umbra::edit {

using IdPrefix = std::array<std::uint8_t, 8>;

// `request` below 2^62.
std::string make_request_id(const IdPrefix& prefix, std::uint64_t request);
const IdPrefix& process_id_prefix();

}  // namespace umbra::edit
