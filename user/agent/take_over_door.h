// TakeOverDoor: the socket beside the control socket at which another agent can take over from this one; the words are
// in take_over_message.h. One at a time, root and the agent's user alone, each step within its time. Whatever goes
// wrong before the end, this agent goes on as before.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <string>

#include "agent/clone_switch.h"
#include "agent/rule_store.h"
#include "agent/runtime.h"
#include "agent/take_over_message.h"
#include "agent/watched.h"
#include "control/listener.h"
#include "control/peer.h"

namespace umbra::agent {

class TakeOverDoor {
public:
    struct Owner {
        const control::Listener& control;
        const control::Listener& door;
        const RuleStore& store;
        Runtime& runtime;
        const CloneSwitch& cloning;
        // True: from now on nothing may change by itself; false: it may again, and what came meanwhile is due.
        std::function<void(bool frozen)> freeze;
        std::function<void()> taken;
    };
    TakeOverDoor(asio::io_context& io, Owner owner);
    ~TakeOverDoor() { close(); }

    // The documents are handed over already: changing them would be lost.
    bool busy() const { return step_ >= Step::offered; }
    // The other one may be putting its programs in our places at this moment.
    bool switching() const { return step_ >= Step::switching; }
    bool taken() const { return step_ == Step::taken; }
    const std::string& successor() const { return who_; }  // for messages

    // No more successors; one that has not been told to go is refused.
    void close();
    // The successor, which has taken over, may use what only one can have.
    void let_go();

private:
    enum class Step : std::uint8_t { closed, waiting, greeting, offered, switching, taken };

    void watch_door();
    void admit();
    void listen();
    void on_readable();
    void on_hello();
    void on_ready();
    void on_taken();
    void expect(Step step, std::chrono::milliseconds patience);
    void on_deadline();
    void refuse(const Error& why);
    void part(const std::string& why);
    Result<Offer> make_offer() const;
    Result<Go> make_go(bool to_tcx);

    asio::io_context& io_;
    Owner owner_;
    asio::steady_timer deadline_;
    std::optional<Watched> door_;
    UniqueFd channel_;
    std::optional<Watched> messages_;
    control::PeerProcess process_;
    std::string who_;
    Step step_ = Step::waiting;
    bool killed_ = false;
};

}  // namespace umbra::agent
