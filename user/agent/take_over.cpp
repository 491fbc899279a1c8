#include "agent/take_over.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "control/address.h"
#include "control/client.h"
#include "control/peer.h"

#include "umbra/abi/version.h"

namespace umbra::agent {

namespace {

constexpr std::chrono::milliseconds kPatience{5'000};

Error no_door(const std::string& control_socket, int cause) {
    const std::string attempt = "take over from the agent at '" + control_socket + "': ";
    if (cause == EACCES || cause == EPERM)
        return {ErrorCode::privilege, attempt + std::strerror(cause), "run as root, or as the agent's user"};
    if (control::ask(control_socket, {{"verb", "version"}}, kPatience))
        return {ErrorCode::unsupported, attempt + "it is of a version that cannot be taken over",
                "stop it, and start this one without --take-over"};
    return {ErrorCode::failure, attempt + "no agent runs there", "start it without --take-over"};
}

Result<UniqueFd> connect_to(const std::string& control_socket) {
    const auto address = control::unix_address(TakeOver::door_of(control_socket));
    if (!address) return address.error();
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket) return Error{ErrorCode::failure, std::string("open, socket: ") + std::strerror(errno)};
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0)
        return no_door(control_socket, errno);
    const auto peer = control::identify_peer(socket.get(), std::nullopt);
    if (!peer || !peer->may_change) {
        return Error{ErrorCode::privilege,
                     "take over from the agent at '" + control_socket + "': it is neither root's nor this user's"};
    }
    return socket;
}

// Messages come whole, so that what is readable does not block.
Result<void> await(int channel) {
    pollfd entry{channel, POLLIN, 0};
    int ready = 0;
    do {
        ready = ::poll(&entry, 1, static_cast<int>(kPatience.count()));
    } while (ready < 0 && errno == EINTR);
    if (ready > 0) return {};
    return Error{ErrorCode::failure, "take over: the running agent does not answer", "is it stopped? `umbra status`"};
}

Error refused(const Error& why) {
    const std::string cause = why.message.empty() ? "it ended the conversation" : why.message;
    return {why.code, "take over: the running agent: " + cause, why.hint};
}

}  // namespace

Result<TakeOver> TakeOver::begin(const std::string& control_socket) {
    auto channel = connect_to(control_socket);
    if (!channel) return channel.error();
    TakeOver take_over(std::move(*channel));
    if (auto sent = send_hello(take_over.fd(), {kTakeOverFormat, UMBRA_VERSION}); !sent) return sent.error();
    if (auto waited = await(take_over.fd()); !waited) return waited.error();
    auto offer = receive_offer(take_over.fd());
    if (!offer) return refused(offer.error());
    take_over.offer_ = std::move(*offer);
    return take_over;
}

Result<Go> TakeOver::ready(bool tcx) {
    // It may have refused or ended before the question: then sending fails, and what it said can be read all the same.
    static_cast<void>(send_ready(fd(), tcx));
    if (auto waited = await(fd()); !waited) return waited.error();
    auto go = receive_go(fd());
    if (go) return go;
    if (!go.error().message.empty()) return refused(go.error());
    spdlog::warn("the agent that was to be taken over has ended pid={}", offer_.pid);
    orphaned_ = true;
    Go alone;
    alone.stopped_at = monotonic_now();
    alone.cloning = offer_.cloning;
    alone.qdiscs = offer_.qdiscs;
    return alone;
}

void TakeOver::taken(std::size_t hooks) {
    if (orphaned_) return;
    orphaned_ = !send_taken(fd(), hooks);
    if (orphaned_) spdlog::warn("the agent that was taken over has ended meanwhile pid={}", offer_.pid);
}

bool TakeOver::has_let_go() const {
    char byte = 0;
    return ::recv(fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

}  // namespace umbra::agent
