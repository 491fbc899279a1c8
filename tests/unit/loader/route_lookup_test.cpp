#include "loader/route_lookup.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>

#include <cstdlib>
#include <thread>

namespace umbra::loader {
namespace {

// Runs body in a network namespace of its own; false if there can be none.
bool in_new_namespace(const std::function<void()>& body) {
    bool made = false;
    std::thread([&] {
        made = ::unshare(CLONE_NEWNET) == 0;
        if (made) body();
    }).join();
    return made;
}

bool ip(const std::string& command) { return std::system(("ip " + command + " >/dev/null 2>&1").c_str()) == 0; }

TEST(GatewayDevices, ThoseOfAllFamiliesAndOfSeveralNextHopsButNoneWithoutAGateway) {
    const bool made = in_new_namespace([] {
        for (const char* name : {"veth-a", "veth-b", "veth-c", "veth-d"}) {
            ASSERT_TRUE(ip(std::string("link add ") + name + " type veth peer name " + name + "-peer"));
            ASSERT_TRUE(ip(std::string("link set ") + name + " up"));
            ASSERT_TRUE(ip(std::string("link set ") + name + "-peer up"));
        }
        ASSERT_TRUE(ip("addr add 10.1.0.1/24 dev veth-a"));
        ASSERT_TRUE(ip("addr add 10.2.0.1/24 dev veth-b"));
        ASSERT_TRUE(ip("addr add 10.3.0.1/24 dev veth-c"));
        ASSERT_TRUE(ip("route add 10.9.0.2/32 dev veth-d scope link"));
        auto netlink = NetlinkSocket::open();
        ASSERT_TRUE(netlink);
        EXPECT_TRUE(gateway_devices(*netlink).empty());
        ASSERT_TRUE(ip("route add 10.8.0.0/16 nexthop via 10.1.0.2 nexthop via 10.2.0.2"));
        EXPECT_EQ(gateway_devices(*netlink),
                  (std::set<std::uint32_t>{::if_nametoindex("veth-a"), ::if_nametoindex("veth-b")}));
        ASSERT_TRUE(ip("route del 10.8.0.0/16"));
        ASSERT_TRUE(ip("route add default via 10.3.0.2"));
        EXPECT_EQ(gateway_devices(*netlink), (std::set<std::uint32_t>{::if_nametoindex("veth-c")}));
        if (ip("-6 addr add fd01::1/64 dev veth-d nodad") && ip("-6 route add fd02::/64 via fd01::2")) {
            EXPECT_TRUE(gateway_devices(*netlink).contains(::if_nametoindex("veth-d")));
        }
    });
    if (!made) GTEST_SKIP() << "a network namespace cannot be made: root is needed";
}

}  // namespace
}  // namespace umbra::loader
