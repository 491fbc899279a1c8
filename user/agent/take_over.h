// TakeOver: the new agent's end of a take-over; the words are in take_over_message.h. Blocking, each step within its
// time: until it is done nothing else is to be served.
#pragma once

#include <string>

#include "agent/take_over_message.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace umbra::agent {

class TakeOver {
public:
    // Connects to the agent that serves the control socket of this path, and takes its offer.
    static Result<TakeOver> begin(const std::string& control_socket);
    static std::string door_of(const std::string& control_socket) { return control_socket + ".take-over"; }

    Offer& offer() { return offer_; }
    const Offer& offer() const { return offer_; }

    // Everything is built: asks for the switch. If the other one has died, what can be known is filled in.
    Result<Go> ready(bool tcx);
    // The switch is done.
    void taken(std::size_t hooks);
    bool orphaned() const { return orphaned_; }  // the other one had died
    // Why it is not going to happen; at any time before ready().
    void give_up(const Error& why) { send_refusal(channel_.get(), why); }

    // Becomes readable when the other one has let go of what only one can have; also for other reasons, so ask
    // has_let_go().
    int fd() const { return channel_.get(); }
    bool has_let_go() const;

private:
    explicit TakeOver(UniqueFd channel) : channel_(std::move(channel)) {}

    UniqueFd channel_;
    Offer offer_;
    bool orphaned_ = false;
};

}  // namespace umbra::agent
