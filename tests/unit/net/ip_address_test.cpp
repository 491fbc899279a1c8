#include "net/ip_address.h"

#include <gtest/gtest.h>

namespace umbra {
namespace {

TEST(IpAddress, PrintsWhatItParsed) {
    for (const char* text : {"10.0.0.1", "255.255.255.255", "fd00::1", "::"}) {
        const auto address = IpAddress::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(address->to_string(), text);
    }
    EXPECT_TRUE(IpAddress::parse("10.0.0.1")->is_v4());
    EXPECT_FALSE(IpAddress::parse("fd00::1")->is_v4());
    EXPECT_FALSE(IpAddress::parse("10.0.0"));
    EXPECT_FALSE(IpAddress::parse(""));
}

TEST(Endpoint, NeedsBracketsExactlyForIpv6) {
    EXPECT_EQ(Endpoint::parse("10.0.0.1:80")->to_string(), "10.0.0.1:80");
    EXPECT_EQ(Endpoint::parse("[fd00::1]:8080")->to_string(), "[fd00::1]:8080");
    for (const char* text : {"fd00::1:80", "[10.0.0.1]:80", "10.0.0.1", "10.0.0.1:65536", "10.0.0.1:", ":80"})
        EXPECT_FALSE(Endpoint::parse(text)) << text;
}

TEST(Endpoint, SurvivesTheMapKey) {
    const auto endpoint = *Endpoint::parse("10.1.2.3:8080");
    const auto key = endpoint.to_key();
    EXPECT_EQ(key.addr[10], 0xff);
    EXPECT_EQ(key.addr[12], 10);
    EXPECT_EQ(reinterpret_cast<const std::uint8_t*>(&key.port)[0], 8080 >> 8);
    EXPECT_EQ(key.pad, 0);
    EXPECT_EQ(Endpoint::from_key(key), endpoint);
}

TEST(IpPrefix, ContainsByBits) {
    const auto prefix = *IpPrefix::parse("10.0.16.0/20");
    EXPECT_TRUE(prefix.contains(*IpAddress::parse("10.0.31.255")));
    EXPECT_FALSE(prefix.contains(*IpAddress::parse("10.0.32.0")));
    EXPECT_FALSE(prefix.contains(*IpAddress::parse("fd00::1")));
    EXPECT_EQ(prefix.to_string(), "10.0.16.0/20");
    EXPECT_TRUE(IpPrefix::parse("::/0")->contains(*IpAddress::parse("10.0.0.1")));
    EXPECT_TRUE(IpPrefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("1.2.3.4")));
    EXPECT_FALSE(IpPrefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("fd00::1")));
    EXPECT_FALSE(IpPrefix::parse("10.0.0.0/33"));
}

TEST(FlowTuple, SurvivesTheMapKeyAndPrints) {
    const FlowTuple tuple{*Endpoint::parse("10.0.0.1:4000"), *Endpoint::parse("[fd00::2]:80")};
    EXPECT_EQ(FlowTuple::from_key(tuple.to_key()), tuple);
    EXPECT_EQ(tuple.to_string(), "10.0.0.1:4000>[fd00::2]:80");
    EXPECT_NE(hash_value(tuple), hash_value(FlowTuple{tuple.server, tuple.client}));
}

}  // namespace
}  // namespace umbra
