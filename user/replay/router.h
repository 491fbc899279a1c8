// What replay asks of the agent's wiring: where a request goes, and who must know of our own connections.
// Implemented outside this folder; the implementations outlive the Replayer.
#pragma once

#include <memory>
#include <span>

#include "base/clock.h"
#include "base/ledger.h"
#include "net/ip_address.h"
#include "protocol/message_sink.h"
#include "rules/mirror_settings.h"
#include "rules/plan.h"

namespace umbra {

// One mirror of the rule that a request or raw flow belongs to. The row counts it as seen; without a target that has
// endpoints it is dropped under `reason`.
struct Choice {
    umbra_ledger_row* row = nullptr;
    const rules::MirrorTarget* target = nullptr;                            // read during the call only
    std::shared_ptr<const rules::MirrorSettings> settings = no_settings();  // never null
    Reason reason = Reason::no_endpoint;
    bool guard = false;  // report the connection to OwnConnections

    static const std::shared_ptr<const rules::MirrorSettings>& no_settings();
};

// The mirrors of the winning rule, in its order; the first one's row is the rule's. Without any: no rule takes it, and
// it is counted in the flow's row as dropped under `reason`. Valid until the next call of choose().
struct Selection {
    std::span<const Choice> mirrors = {};
    Reason reason = Reason::unmatched;
};

class Router {
public:
    virtual ~Router() = default;
    // Once per HTTP request; once per raw flow, with head null.
    virtual Selection choose(const FlowTuple& flow, const RequestHead* head, TimeNs now) = 0;
};

// The loop guard's list. client is our side. Called right after connect() was issued, and at close; add() says whether
// there was room: a connection that is not in the list must not be used.
class OwnConnections {
public:
    virtual ~OwnConnections() = default;
    virtual bool add(const FlowTuple& connection) = 0;
    virtual void remove(const FlowTuple& connection) = 0;
};

}  // namespace umbra
