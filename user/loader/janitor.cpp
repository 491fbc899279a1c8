#include "loader/janitor.h"

#include <cap-ng.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <vector>

#include "loader/clsact.h"
#include "loader/link_table.h"

namespace umbra::loader {

namespace {

void close_all_but(int kept) {
    const auto fd = static_cast<unsigned>(kept);
    if (fd > 0) ::syscall(SYS_close_range, 0u, fd - 1, 0u);
    ::syscall(SYS_close_range, fd + 1, ~0u, 0u);
}

// The owner's terminal and its signals are not the janitor's: it ends when the pipe does.
void detach_from_owner(int from_owner) {
    ::setsid();
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2}) ::signal(signal, SIG_IGN);
    ::prctl(PR_SET_NAME, "umbra-janitor");
    close_all_but(from_owner);
    capng_clear(CAPNG_SELECT_CAPS);
    capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), CAP_NET_ADMIN);
    capng_apply(CAPNG_SELECT_CAPS);
}

std::vector<std::uint32_t> wait_for_end(int from_owner) {
    std::vector<std::uint32_t> created;
    std::uint32_t ifindex = 0;
    while (true) {
        const ssize_t got = ::read(from_owner, &ifindex, sizeof(ifindex));
        if (got == sizeof(ifindex))
            created.push_back(ifindex);
        else if (got >= 0 || errno != EINTR)
            return created;
    }
}

}  // namespace

void run_janitor(int from_owner, std::uint32_t handle) {
    detach_from_owner(from_owner);
    const std::vector<std::uint32_t> created = wait_for_end(from_owner);
    auto netlink = NetlinkSocket::open();
    if (!netlink) ::_exit(1);
    if (const auto links = read_links(*netlink)) {
        for (const LinkInfo& link : *links) remove_own_filters(*netlink, link.ifindex, handle);
    }
    for (const std::uint32_t ifindex : created) remove_clsact_if_empty(*netlink, ifindex);
    ::_exit(0);
}

}  // namespace umbra::loader
