// From what the command line says to what the agent starts with.
#pragma once

#include <string>
#include <vector>

#include "agent/options.h"
#include "agent/rule_store.h"
#include "agent/take_over_message.h"
#include "agent/terminator_process.h"
#include "agent/trip_settings.h"

namespace umbra::agent {

Result<loader::DatapathOptions> datapath_options(const AgentOptions& options);
Result<TerminatorSettings> terminator_settings(const AgentOptions& options, std::uint32_t queue_length);
// The memory threshold lies above what the limits allow the terminator, unless it is set.
Result<TripSettings> trip_settings(const AgentOptions& options, const TerminatorSettings& terminator);
// Findings go to stderr. carried: documents of an agent that is taken over; a file's object takes the place of the one
// of the same kind, namespace and name, the rest of them stays.
Result<RuleStore> load_rules(const AgentOptions& options, const CarriedDocuments& carried = {});

}  // namespace umbra::agent
