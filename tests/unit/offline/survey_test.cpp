// What is known of a capture's flows and senders is bounded.
#include "offline/survey.h"

#include <gtest/gtest.h>

namespace umbra::offline {
namespace {

ServerHeader header(std::uint32_t client, std::uint16_t port) {
    const std::uint8_t bytes[] = {10, static_cast<std::uint8_t>(client >> 16), static_cast<std::uint8_t>(client >> 8),
                                  static_cast<std::uint8_t>(client)};
    ServerHeader made;
    made.tuple = {{IpAddress::v4(bytes), port}, *Endpoint::parse("192.0.2.1:80")};
    return made;
}

// Limits: surveyed_flows.
TEST(SurveyLimits, TheFlowsUsedLastAreKnown) {
    Survey survey;
    for (std::uint32_t i = 0; i <= Survey::kFlows; ++i) survey.on_server(header(i, 1));
    EXPECT_EQ(survey.flows(), Survey::kFlows);
    EXPECT_FALSE(survey.shows_server(header(0, 1).tuple));
    EXPECT_TRUE(survey.shows_server(header(Survey::kFlows, 1).tuple));
}

// Limits: surveyed_senders.
TEST(SurveyLimits, TheFirstSendersAreJudged) {
    Survey survey;
    const auto say_badly = [&survey](std::uint32_t number) {
        Segment segment;
        segment.tuple = header(number, 1).tuple;
        survey.trusts({});
        survey.on_segment(segment);
    };
    for (std::uint32_t i = 0; i <= Survey::kSenders; ++i) say_badly(i);
    EXPECT_TRUE(survey.offloads(header(0, 1).tuple.client.address));
    EXPECT_FALSE(survey.offloads(header(Survey::kSenders, 1).tuple.client.address));
}

}  // namespace
}  // namespace umbra::offline
