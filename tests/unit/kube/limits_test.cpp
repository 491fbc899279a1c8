// Bounds of what the controller keeps that no other test forces.
#include "kube/limits.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kube/cluster_config.h"
#include "kube/node_lease.h"
#include "kube/status_book.h"

namespace umbra::kube {
namespace {

constexpr double kWall = 1'800'000'000;

Json object(const std::string& name, const Json& status = Json::object()) {
    return {{"metadata", {{"name", name}, {"namespace", "web"}}}, {"status", status}};
}

std::vector<NodeReport> report_of(const std::string& name) {
    RuleReport rule;
    rule.object = {"RouteRule", "web", name};
    rule.generation = 1;
    rule.accepted = rule.resolved = rule.programmed = {true, "Yes", "yes"};
    return {{"node", Report{{rule}}}};
}

// Limits: leased_nodes.
TEST(KubeLimits, MoreNodesThanTheLimitAreLeftOut) {
    NodeReports nodes;
    for (std::size_t i = 0; i <= kMaxNodes; ++i)
        nodes.put(node_lease(std::to_string(i), "ns", {}, kWall), kSecond, kWall);
    EXPECT_EQ(nodes.fresh(kSecond).size(), kMaxNodes);
}

// Limits: status_objects.
TEST(KubeLimits, MoreObjectsThanTheLimitGetNoStatus) {
    StatusBook book;
    for (std::size_t i = 0; i <= kMaxStatusObjects; ++i) book.put(kRouteRules, 0, object(std::to_string(i)));
    EXPECT_EQ(book.due(report_of("0"), 4, kSecond, kWall).size(), 1u);
    EXPECT_TRUE(book.due(report_of(std::to_string(kMaxStatusObjects)), 4, kSecond, kWall).empty());
}

// Limits: status_bytes.
TEST(KubeLimits, AStatusAboveTheLimitIsWrittenAnew) {
    StatusBook book;
    const Json large{{"conditions", {{{"type", "Foreign"}, {"message", std::string(kMaxStatusBytes, 'x')}}}}};
    book.put(kRouteRules, 0, object("r", large));
    const auto writes = book.due(report_of("r"), 4, kSecond, kWall);
    ASSERT_EQ(writes.size(), 1u);
    EXPECT_LT(writes[0].patch.size(), kMaxStatusBytes);
}

// Limits: small_file.
TEST(KubeLimits, ALargeTokenFileIsRefused) {
    const auto path = std::filesystem::path(testing::TempDir()) / ("umbra-token-" + std::to_string(::getpid()));
    std::ofstream(path) << std::string(kMaxSmallFile, 'x');
    EXPECT_TRUE(read_small_file(path, "token"));
    std::ofstream(path, std::ios::app) << "x";
    EXPECT_FALSE(read_small_file(path, "token"));
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace umbra::kube
