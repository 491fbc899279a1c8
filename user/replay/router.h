// What replay asks of the agent's wiring: where a request goes, and who must know of our own connections.
// Implemented outside this folder; the implementations outlive the Replayer.
#pragma once

#include "base/clock.h"
#include "base/ledger.h"
#include "net/ip_address.h"
#include "protocol/message_sink.h"
#include "rules/plan.h"

namespace umbra {

// row null: no rule takes it; it is counted in the flow's row as dropped under `reason`.
// row set, target null or without endpoints: the row counts it as seen, then dropped under `reason`.
struct Choice {
    umbra_ledger_row* row = nullptr;
    const rules::MirrorTarget* target = nullptr;  // read during the call only
    Reason reason = Reason::no_endpoint;
    bool guard = false;  // report the connection to OwnConnections
};

class Router {
public:
    virtual ~Router() = default;
    // Once per HTTP request; once per raw flow, with head null.
    virtual Choice choose(const FlowTuple& flow, const RequestHead* head, TimeNs now) = 0;
};

// The loop guard's list. client is our side. Called right after connect() was issued, and at close.
class OwnConnections {
public:
    virtual ~OwnConnections() = default;
    virtual void add(const FlowTuple& connection) = 0;
    virtual void remove(const FlowTuple& connection) = 0;
};

}  // namespace umbra
