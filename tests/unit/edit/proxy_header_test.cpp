#include "unit/edit/edit_harness.h"

namespace umbra::test {
namespace {

std::string bytes(std::initializer_list<int> values) {
    std::string out;
    for (const int value : values) out += static_cast<char>(value);
    return out;
}

const std::string kSignature = bytes({0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a});

TEST(ProxyHeader, Ipv4) {
    const FlowTuple flow{*Endpoint::parse("10.1.2.3:4711"), *Endpoint::parse("192.168.0.9:80")};
    EXPECT_EQ(edit::proxy_v2_header(flow),
              kSignature + bytes({0x21, 0x11, 0, 12, 10, 1, 2, 3, 192, 168, 0, 9, 0x12, 0x67, 0, 80}));
}

TEST(ProxyHeader, Ipv6) {
    const FlowTuple flow{*Endpoint::parse("[fd00::1]:443"), *Endpoint::parse("[fd00::2]:65535")};
    EXPECT_EQ(edit::proxy_v2_header(flow),
              kSignature + bytes({0x21, 0x21, 0, 36, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0,    0,    1,
                                  0xfd, 0,    0, 0,  0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x01, 0xbb, 0xff, 0xff}));
}

TEST(ProxyHeader, MixedFamiliesAreMapped) {
    const FlowTuple flow{*Endpoint::parse("10.0.0.1:1"), *Endpoint::parse("[fd00::2]:2")};
    const std::string header = edit::proxy_v2_header(flow);
    ASSERT_EQ(header.size(), 52u);
    EXPECT_EQ(header.substr(12, 4), bytes({0x21, 0x21, 0, 36}));
    EXPECT_EQ(header.substr(16, 16), bytes({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}));
}

}  // namespace
}  // namespace umbra::test
