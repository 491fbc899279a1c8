// What the loader sends the terminator: one plan per message. The text travels in a sealed memfd passed by SCM_RIGHTS,
// so that a plan of any size is one small message and the sender never blocks on a slow reader.
// The receiver answers each message with one byte (1 = in use by all workers).
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "rules/plan.h"

namespace umbra {

inline constexpr std::uint64_t kMaxPlanBytes = 256ULL << 20;

struct PlanMessage {
    std::uint64_t generation = 0;
    rules::Plan plan;
    std::vector<std::uint32_t> slots;  // of rules::slot_keys(plan), same order
};

Result<void> send_plan(int channel, const PlanMessage& message);
// An orderly end of the channel is an Error with code ErrorCode::failure and an empty message.
Result<PlanMessage> receive_plan(int channel);
Result<void> acknowledge_plan(int channel);

}  // namespace umbra
