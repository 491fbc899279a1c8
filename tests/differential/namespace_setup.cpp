#include "differential/namespace_setup.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace umbra::differential {

namespace {

constexpr const char* kDevice = "oracle0";

Error failure(const std::string& attempt) {
    return {ErrorCode::privilege, attempt + ": " + std::strerror(errno), "needs root and /dev/net/tun"};
}

void set(const std::string& name, const std::string& value) { std::ofstream("/proc/sys/net/" + name) << value; }

ifreq request() {
    ifreq made{};
    std::strncpy(made.ifr_name, kDevice, IFNAMSIZ - 1);
    return made;
}

bool set_v4(int socket) {
    ifreq address = request();
    auto* const in = reinterpret_cast<sockaddr_in*>(&address.ifr_addr);
    in->sin_family = AF_INET;
    inet_pton(AF_INET, kServerV4, &in->sin_addr);
    if (ioctl(socket, SIOCSIFADDR, &address) < 0) return false;
    inet_pton(AF_INET, "255.0.0.0", &in->sin_addr);
    return ioctl(socket, SIOCSIFNETMASK, &address) == 0;
}

bool set_v6(int index) {
    const UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    struct {
        in6_addr address;
        std::uint32_t prefix;
        int index;
    } wanted{{}, 64, index};
    inet_pton(AF_INET6, kServerV6, &wanted.address);
    return ioctl(socket.get(), SIOCSIFADDR, &wanted) == 0;
}

bool bring_up(int socket) {
    ifreq flags = request();
    if (ioctl(socket, SIOCGIFFLAGS, &flags) < 0) return false;
    flags.ifr_flags |= IFF_UP;
    return ioctl(socket, SIOCSIFFLAGS, &flags) == 0;
}

// No packets of the kernel's own will, no shortage that a script did not ask for.
void calm_down() {
    const std::string device = kDevice;
    for (const std::string& what : {std::string("all"), device}) {
        set("ipv6/conf/" + what + "/accept_ra", "0");
        set("ipv6/conf/" + what + "/autoconf", "0");
        set("ipv6/conf/" + what + "/accept_dad", "0");
        set("ipv6/conf/" + what + "/router_solicitations", "0");
    }
    set("ipv6/conf/" + device + "/addr_gen_mode", "1");
    set("core/somaxconn", "65535");
    set("ipv4/tcp_max_syn_backlog", "65535");
    set("ipv4/tcp_syncookies", "0");
    set("ipv4/tcp_synack_retries", "1");
    set("ipv4/tcp_no_metrics_save", "1");
    set("ipv4/tcp_fastopen", "515");  // client, server, data on a SYN needs no cookie
}

}  // namespace

Result<UniqueFd> enter_namespace() {
    if (unshare(CLONE_NEWNET) < 0) return failure("make a network namespace");
    UniqueFd tun(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!tun) return failure("open /dev/net/tun");
    ifreq device = request();
    device.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(tun.get(), TUNSETIFF, &device) < 0) return failure("make a TUN device");
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    calm_down();
    if (!set_v4(socket.get()) || !bring_up(socket.get())) return failure("set up the TUN device");
    ifreq index = request();
    if (ioctl(socket.get(), SIOCGIFINDEX, &index) < 0 || !set_v6(index.ifr_ifindex))
        return failure("set the IPv6 address of the TUN device");
    ifreq queue = request();
    queue.ifr_qlen = 5000;
    if (ioctl(socket.get(), SIOCSIFTXQLEN, &queue) < 0) return failure("set the TUN device's queue");
    return tun;
}

}  // namespace umbra::differential
