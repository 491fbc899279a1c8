// Doors: the sockets that others connect to, bound while the process still has the rights to, or shared by the agent
// that is taken over.
#pragma once

#include <optional>

#include "agent/options.h"
#include "agent/take_over.h"
#include "base/result.h"
#include "control/listener.h"

namespace umbra::agent {

struct Doors {
    control::Listener control;
    control::Listener take_over;
    std::optional<control::Listener> terminator;  // absent: the loader forks its own
    std::optional<control::Listener> controller;
};

// predecessor: null if there is none; its sockets are taken out of its offer.
Result<Doors> open_doors(const AgentOptions& options, TakeOver* predecessor);

// Nothing unless the options ask for it.
Result<std::optional<TakeOver>> find_predecessor(const AgentOptions& options);

}  // namespace umbra::agent
