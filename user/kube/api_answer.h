// How a request to the API ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace umbra::kube {

struct ApiAnswer {
    long status = 0;           // of HTTP; 0 when no answer came
    std::string body;          // of a watch that was answered with 200: empty, its lines were handed on
    std::string failure = {};  // why the answer did not come, or not wholly; empty when it did
    std::optional<TimeNs> retry_after = {};
    bool cut = false;        // ended because the receiver of lines wanted it
    bool silent = false;     // nothing came for too long: the connection may be dead
    bool too_large = false;  // the body or a line crossed its limit

    bool complete() const { return failure.empty(); }
};

}  // namespace umbra::kube
