// TunOracle: the running kernel as the oracle. A network namespace of the calling thread with a TUN device; packets
// written into it are the client's, what is read from it are the server's, and ordinary listening sockets accept.
// All in one thread: the kernel has handled a packet, answers included, when write() returns.
// make() moves the calling thread into the new namespace for good: give it a thread of its own. Needs root.
#pragma once

#include <memory>

#include "base/unique_fd.h"
#include "differential/oracle.h"
#include "differential/packet_writer.h"

namespace umbra::differential {

class TunOracle : public Oracle {
public:
    static Result<std::unique_ptr<TunOracle>> make();

    Result<Trace> play(const Script& script) override;

private:
    struct Accepted {
        UniqueFd fd;
        bool over = false;
    };
    struct Run {
        const Script& script;
        Trace& trace;
        int listener;
        Heard heard{};
        std::vector<Accepted> accepted{};
    };

    TunOracle() = default;
    Result<void> open_listeners();
    FlowTuple next_tuple(const Script& script);
    void step(Run& run, const Step& step, int index);
    void collect(Run& run);
    void accept_all(Run& run);
    void read_all(Run& run, bool everything);
    void acknowledge_now(Run& run);
    void finish(Run& run);

    UniqueFd tun_;
    std::vector<UniqueFd> listeners_;
    std::uint32_t tuples_ = 0;
};

// A test that has no use for the oracle says why.
Result<void> probe_tun();

}  // namespace umbra::differential
