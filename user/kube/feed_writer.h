// The frame of Changes made from texts, without building the objects again: what feed.cpp reads with changes_from().
#pragma once

#include <string>

#include "kube/picture.h"

namespace umbra::kube {

inline constexpr std::size_t kFrameObjectBytes = 12u << 20;  // of the objects in one frame: leaves room for the rest

std::string changes_frame(const Picture::Part& part, bool reset, bool synced, const Json& health);

}  // namespace umbra::kube
