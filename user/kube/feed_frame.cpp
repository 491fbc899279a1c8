#include "kube/feed_frame.h"

namespace umbra::kube {

namespace {

constexpr int kMaxDepth = 72;  // an object's own 64 and what is around it

bool depth_allowed(int depth, Json::parse_event_t, Json&) { return depth <= kMaxDepth; }

}  // namespace

Result<Changes> changes_in(std::string_view body) {
    const auto json = Json::parse(body, depth_allowed, false);
    const auto found = json.is_object() ? json.find("changes") : json.end();
    if (!json.is_object() || found == json.end()) return Error{ErrorCode::failure, "a frame without changes"};
    return changes_from(*found);
}

}  // namespace umbra::kube
