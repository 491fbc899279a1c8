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
        for (const char* name : {"a", "b", "c", "d"}) {
            ASSERT_TRUE(ip(std::string("link add ") + name + " type veth peer name " + name + "-peer"));
            ASSERT_TRUE(ip(std::string("link set ") + name + " up"));
            ASSERT_TRUE(ip(std::string("link set ") + name + "-peer up"));
        }
        ASSERT_TRUE(ip("addr add 10.1.0.1/24 dev a"));
        ASSERT_TRUE(ip("addr add 10.2.0.1/24 dev b"));
        ASSERT_TRUE(ip("addr add 10.3.0.1/24 dev c"));
        ASSERT_TRUE(ip("route add 10.9.0.2/32 dev d scope link"));
        auto netlink = NetlinkSocket::open();
        ASSERT_TRUE(netlink);
        EXPECT_TRUE(gateway_devices(*netlink).empty());
        ASSERT_TRUE(ip("route add 10.8.0.0/16 nexthop via 10.1.0.2 nexthop via 10.2.0.2"));
        EXPECT_EQ(gateway_devices(*netlink), (std::set<std::uint32_t>{::if_nametoindex("a"), ::if_nametoindex("b")}));
        ASSERT_TRUE(ip("route del 10.8.0.0/16"));
        ASSERT_TRUE(ip("route add default via 10.3.0.2"));
        EXPECT_EQ(gateway_devices(*netlink), (std::set<std::uint32_t>{::if_nametoindex("c")}));
        if (ip("-6 addr add fd01::1/64 dev d nodad") && ip("-6 route add fd02::/64 via fd01::2"))
            EXPECT_TRUE(gateway_devices(*netlink).contains(::if_nametoindex("d")));
    });
    if (!made) GTEST_SKIP() << "a network namespace cannot be made: root is needed";
}

}  // namespace
}  // namespace umbra::loader
