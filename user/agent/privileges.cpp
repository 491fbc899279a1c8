#include "agent/privileges.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace umbra::agent {

namespace {

constexpr rlim_t kWantedFiles = 1u << 20;
constexpr unsigned kInEffect[] = {CAP_BPF, CAP_NET_ADMIN};
constexpr unsigned kAtHand[] = {CAP_SETUID, CAP_SETGID, CAP_SETPCAP};
constexpr auto kHeld = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);

Error failed(const std::string& attempt) { return {ErrorCode::failure, attempt + ": " + std::strerror(errno)}; }

bool permitted(unsigned capability) { return capng_have_capability(CAPNG_PERMITTED, capability) == 1; }

Result<void> refuse_gains() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("give up, new privileges");
    const rlimit no_core{0, 0};
    if (::setrlimit(RLIMIT_CORE, &no_core) != 0) return failed("limit, core files");
    return {};
}

// After every change of capabilities or users, which reset it.
Result<void> hide_memory() {
    return ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? Result<void>() : failed("make undumpable, process");
}

Result<void> take_rights_to_switch(const std::vector<unsigned>& rights) {
    capng_clear(CAPNG_SELECT_CAPS);
    for (const unsigned right : rights) capng_update(CAPNG_ADD, kHeld, right);
    return capng_apply(CAPNG_SELECT_CAPS) == 0 ? Result<void>() : failed("take, capabilities");
}

Result<void> switch_user(const Identity& identity) {
    if (::setgroups(0, nullptr) != 0) return failed("drop, supplementary groups");
    if (::setresgid(identity.gid, identity.gid, identity.gid) != 0) return failed("switch, group");
    // Keeps the permitted set over the change of users; what it keeps is dropped right after.
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return failed("keep, capabilities");
    if (::setresuid(identity.uid, identity.uid, identity.uid) != 0) return failed("switch, user");
    return {};
}

}  // namespace

void raise_file_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const rlimit wanted{kWantedFiles, std::max(kWantedFiles, limit.rlim_max)};
    if (::setrlimit(RLIMIT_NOFILE, &wanted) == 0) return;
    const rlimit possible{limit.rlim_max, limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &possible);
}

Result<void> enter_network(const std::string& netns) {
    const std::string attempt = "enter, network namespace '" + netns + "'";
    const UniqueFd file(::open(netns.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return failed(attempt);
    if (::setns(file.get(), CLONE_NEWNET) == 0) return {};
    const bool denied = errno == EPERM;
    return Error{
        denied ? ErrorCode::privilege : ErrorCode::failure, attempt + ": " + std::strerror(errno),
        denied ? "CAP_SYS_ADMIN is needed for it" : "is it a file such as /run/netns/NAME or /proc/PID/ns/net?"};
}

Result<void> become_loader() {
    if (capng_get_caps_process() != 0) return failed("read, capabilities");
    for (const unsigned capability : kInEffect) {
        if (capng_have_capability(CAPNG_EFFECTIVE, capability) == 1) continue;
        return Error{ErrorCode::privilege, "start, agent: CAP_BPF and CAP_NET_ADMIN are needed",
                     "run it as root, or with these capabilities"};
    }
    raise_file_limit();
    std::vector<unsigned> at_hand;
    std::ranges::copy_if(kAtHand, std::back_inserter(at_hand), permitted);
    capng_clear(CAPNG_SELECT_CAPS);
    for (const unsigned capability : kInEffect) capng_update(CAPNG_ADD, kHeld, capability);
    for (const unsigned capability : at_hand) capng_update(CAPNG_ADD, CAPNG_PERMITTED, capability);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0) return failed("reduce, capabilities");
    if (auto refused = refuse_gains(); !refused) return refused;
    return hide_memory();
}

Identity terminator_identity() {
    passwd found{};
    passwd* result = nullptr;
    std::vector<char> buffer(16 << 10);
    if (::getpwnam_r("umbra", &found, buffer.data(), buffer.size(), &result) != 0 || !result) return {};
    return {result->pw_uid, result->pw_gid};
}

Result<void> become_unprivileged(const Identity& identity) {
    if (capng_get_caps_process() != 0) return failed("read, capabilities");
    std::vector<unsigned> rights;
    std::ranges::copy_if(kAtHand, std::back_inserter(rights), permitted);
    const bool may_switch = permitted(CAP_SETUID) && permitted(CAP_SETGID);
    const bool may_unbind = permitted(CAP_SETPCAP);
    if (auto taken = take_rights_to_switch(rights); !taken) return taken;
    for (unsigned capability = 0; may_unbind && ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return failed("drop, bounding set");
    }
    if (may_switch && ::geteuid() == 0) {
        if (auto switched = switch_user(identity); !switched) return switched;
    }
    capng_clear(CAPNG_SELECT_CAPS);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0) return failed("drop, capabilities");
    if (auto refused = refuse_gains(); !refused) return refused;
    return hide_memory();
}

}  // namespace umbra::agent
