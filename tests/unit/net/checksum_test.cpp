#include "net/checksum.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace umbra {
namespace {

TEST(Checksum, OfTheRfcsExample) {
    const unsigned char bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(checksum_fold(checksum_sum(std::as_bytes(std::span(bytes)))), htons(0xddf2));
}

TEST(Checksum, EqualsTheSumOfWordsForEveryLength) {
    std::mt19937 random(1);
    for (std::size_t size = 0; size < 200; ++size) {
        std::vector<unsigned char> bytes(size + 1, 0);
        for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(random());
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < size; i += 2) sum += bytes[i] << 8 | bytes[i + 1];
        while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
        EXPECT_EQ(ntohs(checksum_fold(checksum_sum(std::as_bytes(std::span(bytes).first(size))))), sum) << size;
    }
}

TEST(Checksum, PseudoHeaderOfBothVersions) {
    const auto a = *IpAddress::parse("10.0.0.1"), b = *IpAddress::parse("10.0.0.2");
    EXPECT_EQ(checksum_fold(tcp_pseudo_sum(a, b, 20)), htons(0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 20 + 6));
    const auto c = *IpAddress::parse("fd00::1"), d = *IpAddress::parse("fd00::2");
    EXPECT_EQ(checksum_fold(tcp_pseudo_sum(c, d, 0x20000)),
              checksum_fold(htons(0xfd00) * 2ull + htons(3) + htons(2) + htons(6)));
}

}  // namespace
}  // namespace umbra
