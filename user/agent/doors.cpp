#include "agent/doors.h"

#include "control/peer.h"

namespace umbra::agent {

namespace {

// The first two are bound here, or come from the agent that is taken over, so that no client is refused.
Result<Doors> open_first_doors(const AgentOptions& options, TakeOver* predecessor) {
    const std::string path = TakeOver::door_of(options.socket);
    auto control = predecessor ? control::Listener::adopt(options.socket, std::move(predecessor->offer().control))
                               : control::Listener::bind(options.socket, control::find_group(options.group));
    if (!control) return control.error();
    auto door = predecessor ? control::Listener::adopt(path, std::move(predecessor->offer().door), SOCK_SEQPACKET)
                            : control::Listener::bind(path, std::nullopt, SOCK_SEQPACKET);
    if (!door) return door.error();
    return Doors{std::move(*control), std::move(*door), {}, {}};
}

}  // namespace

Result<Doors> open_doors(const AgentOptions& options, TakeOver* predecessor) {
    const auto group = control::find_group(options.group);
    auto doors = open_first_doors(options, predecessor);
    if (!doors) return doors;
    const auto open = [&](const std::string& path, int type, std::optional<control::Listener>& door) -> Result<void> {
        if (path.empty()) return {};
        auto bound = control::Listener::bind(path, group, type);
        if (!bound) return bound.error();
        door.emplace(std::move(*bound));
        return {};
    };
    if (auto bound = open(options.terminator_socket, SOCK_SEQPACKET, doors->terminator); !bound) return bound.error();
    if (auto bound = open(options.controller_socket, SOCK_STREAM, doors->controller); !bound) return bound.error();
    return doors;
}

Result<std::optional<TakeOver>> find_predecessor(const AgentOptions& options) {
    if (!options.take_over) return std::optional<TakeOver>();
    if (!options.terminator_socket.empty()) {
        return Error{
            ErrorCode::usage,
            "--take-over: not together with --terminator-socket, whose terminator belongs to the running agent",
            "in a pod the rolling update of the DaemonSet is the upgrade"};
    }
    auto found = TakeOver::begin(options.socket);
    if (!found) return found.error();
    return std::optional<TakeOver>(std::move(*found));
}

}  // namespace umbra::agent
