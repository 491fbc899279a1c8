#include "agent/take_over_door.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "umbra/abi/version.h"

namespace umbra::agent {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kHelloPatience{5'000};
constexpr milliseconds kReadyPatience{60'000};  // it may have to wait for the picture of a cluster
constexpr milliseconds kTakenPatience{10'000};

// Being woken is no promise that there is one.
bool has_message(int channel) {
    pollfd entry{channel, POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
}

UniqueFd copy_of(int fd) { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

}  // namespace

TakeOverDoor::TakeOverDoor(asio::io_context& io, Owner owner) : io_(io), owner_(std::move(owner)), deadline_(io) {
    door_.emplace(io_, owner_.door.fd());
    watch_door();
}

void TakeOverDoor::watch_door() {
    door_->when_readable([this] {
        admit();
        watch_door();
    });
}

void TakeOverDoor::admit() {
    UniqueFd connection(::accept4(owner_.door.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) return;
    const auto peer = control::identify_peer(connection.get(), std::nullopt);
    if (!peer || !peer->may_change) {
        spdlog::warn("take-over refused uid={}", peer ? std::to_string(peer->uid) : "?");
        return send_refusal(connection.get(), {ErrorCode::privilege, "only root and the agent's user may take over"});
    }
    if (step_ != Step::waiting)
        return send_refusal(connection.get(), {ErrorCode::failure, "another process is taking over", "try again"});
    channel_ = std::move(connection);
    process_ = control::process_of(channel_.get());
    who_ = fmt::format("pid {}", process_.pid);
    killed_ = false;
    messages_.emplace(io_, channel_.get());
    expect(Step::greeting, kHelloPatience);
    listen();
}

void TakeOverDoor::listen() {
    messages_->when_readable([this] { on_readable(); });
}

void TakeOverDoor::on_readable() {
    if (!has_message(channel_.get())) return listen();
    switch (step_) {
        case Step::greeting:
            on_hello();
            break;
        case Step::offered:
            on_ready();
            break;
        case Step::switching:
            on_taken();
            break;
        default:
            return;
    }
    if (messages_ && step_ != Step::taken) listen();
}

void TakeOverDoor::on_hello() {
    const auto hello = receive_hello(channel_.get());
    if (!hello) return part(hello.error().message);
    if (hello->format != kTakeOverFormat) {
        return refuse({ErrorCode::unsupported, fmt::format("version {} speaks format {} of the take-over, not {}",
                                                           UMBRA_VERSION, kTakeOverFormat, hello->format)});
    }
    who_ = fmt::format("pid {}, version {}", process_.pid, hello->version);
    const auto offer = make_offer();
    const auto sent = offer ? send_offer(channel_.get(), *offer) : Result<void>(offer.error());
    if (!sent) return refuse(sent.error());
    spdlog::info("about to be taken over by=\"{}\"", who_);
    expect(Step::offered, kReadyPatience);
}

void TakeOverDoor::on_ready() {
    const auto to_tcx = receive_ready(channel_.get());
    if (!to_tcx) return part(to_tcx.error().message);
    expect(Step::switching, kTakenPatience);
    owner_.freeze(true);
    const auto go = make_go(*to_tcx);
    const auto sent = go ? send_go(channel_.get(), *go) : Result<void>(go.error());
    if (!sent) refuse(sent.error());
}

void TakeOverDoor::on_taken() {
    const auto hooks = receive_taken(channel_.get());
    if (!hooks) return part(hooks.error().message);
    if (killed_) return;
    deadline_.cancel();
    step_ = Step::taken;
    spdlog::info("taken over by=\"{}\" hooks={}", who_, *hooks);
    owner_.taken();
}

void TakeOverDoor::expect(Step step, milliseconds patience) {
    step_ = step;
    deadline_.expires_after(patience);
    deadline_.async_wait([this, step](const asio::error_code& error) {
        if (!error && step_ == step) on_deadline();  // it may have been due already when the step was made
    });
}

// Once it was told to go it may be in the middle of it: only when it is gone are the places certainly ours again.
void TakeOverDoor::on_deadline() {
    if (step_ != Step::switching) return refuse({ErrorCode::failure, "it took too long"});
    killed_ = process_.handle && ::syscall(SYS_pidfd_send_signal, process_.handle.get(), SIGKILL, nullptr, 0) == 0;
    if (killed_) return spdlog::error("the take-over by {} took too long; it was killed", who_);
    spdlog::error("the take-over by {} takes too long and it cannot be ended: {}", who_, std::strerror(errno));
}

void TakeOverDoor::refuse(const Error& why) {
    send_refusal(channel_.get(), why);
    part(why.message);
}

void TakeOverDoor::part(const std::string& why) {
    deadline_.cancel();
    messages_.reset();
    channel_.reset();
    const Step step = std::exchange(step_, Step::waiting);
    spdlog::warn("not taken over by=\"{}\" why=\"{}\"; going on", who_, why.empty() ? "its connection ended" : why);
    if (step != Step::switching) return;
    if (const auto back = owner_.runtime.take_back(); !back)
        spdlog::error("not everything is as before: {}; devices are looked at again", back.error().message);
    owner_.freeze(false);
}

void TakeOverDoor::close() {
    door_.reset();
    if (channel_ && step_ < Step::switching) send_refusal(channel_.get(), {ErrorCode::failure, "it is stopping"});
    let_go();
    step_ = Step::closed;
}

void TakeOverDoor::let_go() {
    door_.reset();
    deadline_.cancel();
    messages_.reset();
    channel_.reset();
}

Result<Offer> TakeOverDoor::make_offer() const {
    Offer offer;
    offer.version = UMBRA_VERSION;
    offer.pid = ::getpid();
    offer.netns = network_identity();
    offer.cloning = owner_.cloning.state();
    offer.qdiscs = owner_.runtime.datapath().own_qdiscs();
    for (const auto& [key, object] : owner_.store.documents().objects())
        offer.documents.push_back({key, {object->location.file, object->text, key.ns}});
    offer.control = copy_of(owner_.control.fd());
    offer.door = copy_of(owner_.door.fd());
    offer.own = copy_of(owner_.runtime.datapath().own_fd());
    if (!offer.control || !offer.door || !offer.own)
        return Error{ErrorCode::failure, std::string("duplicate, sockets: ") + std::strerror(errno)};
    return offer;
}

// Between two agents that use tcx a link changes its program at once. Otherwise both would clone for a while.
Result<Go> TakeOverDoor::make_go(bool to_tcx) {
    Go go;
    const auto& datapath = owner_.runtime.datapath();
    if (to_tcx && datapath.uses_tcx()) {
        go.links = datapath.links();
    } else {
        if (auto halted = owner_.runtime.halt(); !halted) return halted.error();
        go.stopped_at = monotonic_now();
    }
    go.cloning = owner_.cloning.state();
    go.qdiscs = datapath.own_qdiscs();
    return go;
}

}  // namespace umbra::agent
