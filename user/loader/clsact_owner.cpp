#include "loader/clsact_owner.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <set>

#include "loader/clsact.h"
#include "loader/janitor.h"
#include "loader/link_table.h"
#include "loader/os_error.h"

namespace umbra::loader {

namespace {

constexpr int kClaimAttempts = 16;

// A descriptor that holds the owner's name, or none with errno EADDRINUSE if a living owner has it.
UniqueFd claim(std::uint32_t handle) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd) return fd;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const int length = std::snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "umbra/tc/%08x", handle);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<std::size_t>(length));
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
        const int error = errno;
        fd.reset();
        errno = error;
    }
    return fd;
}

bool is_alive(std::uint32_t handle) { return !claim(handle) && errno == EADDRINUSE; }

}  // namespace

Result<ClsactOwner> ClsactOwner::make() {
    ClsactOwner owner;
    if (auto claimed = owner.claim_handle(); !claimed) return claimed.error();
    if (auto started = owner.start_janitor(); !started) return started.error();
    return owner;
}

Result<void> ClsactOwner::claim_handle() {
    for (int attempt = 0; attempt < kClaimAttempts; ++attempt) {
        if (::getrandom(&handle_, sizeof(handle_), 0) != sizeof(handle_)) return os_error("draw, filter handle", errno);
        if (handle_ == 0) continue;
        alive_ = claim(handle_);
        if (alive_) return {};
        if (errno != EADDRINUSE) return os_error("claim, filter handle", errno);
    }
    return os_error("claim, filter handle", EADDRINUSE);
}

Result<void> ClsactOwner::start_janitor() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return os_error("open pipe, janitor", errno);
    UniqueFd from_owner(ends[0]);
    to_janitor_.reset(ends[1]);
    janitor_ = ::fork();
    if (janitor_ < 0) return os_error("start, janitor", errno);
    if (janitor_ == 0) run_janitor(from_owner.get(), handle_);
    return {};
}

ClsactOwner::~ClsactOwner() {
    to_janitor_.reset();
    if (janitor_ <= 0) return;
    while (::waitpid(janitor_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

void ClsactOwner::created_qdisc(std::uint32_t ifindex) {
    // A pipe takes a word whole; if the janitor is gone, the next start cleans up.
    [[maybe_unused]] const ssize_t written = ::write(to_janitor_.get(), &ifindex, sizeof(ifindex));
}

namespace {

// Removes what dead agents left on one device.
void clean_device(NetlinkSocket& netlink, std::uint32_t ifindex, std::set<std::uint32_t>& alive) {
    bool made_qdisc = false;
    for (const Direction direction : kDirections) {
        const auto filters = list_filters(netlink, ifindex, direction);
        if (!filters) continue;
        for (const ClsactFilter& filter : *filters) {
            if (!filter.is_umbra() || alive.contains(filter.handle)) continue;
            if (is_alive(filter.handle)) {
                alive.insert(filter.handle);
                continue;
            }
            made_qdisc |= filter.owner_made_qdisc();
            remove_filter(netlink, ifindex, direction, filter);
        }
    }
    if (made_qdisc) remove_clsact_if_empty(netlink, ifindex);
}

}  // namespace

Result<void> clean_dead_owners(NetlinkSocket& netlink) {
    const auto links = read_links(netlink);
    if (!links) return links.error();
    std::set<std::uint32_t> alive;
    for (const LinkInfo& link : *links) clean_device(netlink, link.ifindex, alive);
    return {};
}

}  // namespace umbra::loader
