// Status and ledger as JSON, which is what the control socket carries and `-o json` prints.
#pragma once

#include "agent/ledger_close.h"
#include "agent/options.h"
#include "agent/rule_store.h"
#include "agent/runtime.h"
#include "control/message.h"
#include "rules/listing.h"

namespace umbra::agent {

// A rule that mirrors does not while cloning is paused.
std::string status_now(const rules::RuleRow& row, bool paused);
control::Json ledger_report(const LedgerReading& reading);
control::Json status_report(const AgentOptions& options, const Runtime& runtime, const RuleStore& store);

}  // namespace umbra::agent
