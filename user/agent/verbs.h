// Verbs: what the agent answers on the control socket. Each verb names the fields it takes; everything else is an
// error. Mutations are for root and the agent's user, and each leaves a line with the uid in the log.
#pragma once

#include "agent/clone_switch.h"
#include "agent/cluster.h"
#include "agent/options.h"
#include "agent/rule_store.h"
#include "agent/runtime.h"
#include "agent/take_over_door.h"
#include "control/message.h"
#include "control/peer.h"

namespace umbra::agent {

class Verbs {
public:
    // All of them outlive the verbs.
    Verbs(const AgentOptions& options, Runtime& runtime, RuleStore& store, CloneSwitch& cloning)
        : options_(options), runtime_(runtime), store_(store), cloning_(cloning) {}

    // Also reported, and told of changes; outlives the verbs.
    void attend(Cluster& cluster) { cluster_ = &cluster; }

    // While another agent takes over, changes are refused.
    void attend(const TakeOverDoor& door) { door_ = &door; }
    // For `umbra status`: how this agent took over from another.
    void note_take_over(control::Json figures) { took_over_ = std::move(figures); }

    control::Response answer(const control::Peer& peer, const control::Json& request);

private:
    using Json = control::Json;
    using Response = control::Response;
    struct Verb;
    bool too_late_for(const Verb& verb) const;
    static const Verb* find(const std::string& name);

    Response apply(const Json& request);
    Response remove(const Json& request);
    Response pause(const Json& request);
    Response resume(const Json& request);
    Response get(const Json& request);
    Response diff(const Json& request);
    Response status(const Json& request);
    Response ledger(const Json& request);
    Response plan(const Json& request);
    Response version(const Json& request);
    Response put_in_force(rules::LoadOutcome outcome);

    const AgentOptions& options_;
    Runtime& runtime_;
    RuleStore& store_;
    CloneSwitch& cloning_;
    Cluster* cluster_ = nullptr;
    const TakeOverDoor* door_ = nullptr;
    control::Json took_over_;
    uid_t asking_ = 0;  // who, while a verb runs
};

}  // namespace umbra::agent
