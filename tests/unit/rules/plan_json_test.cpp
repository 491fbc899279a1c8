#include "rules/plan_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "documents.h"

namespace umbra::rules {
namespace {

using nlohmann::json;

Plan full_plan() {
    return plan_of(kHttpbin +
                   rule("a",
                        "  match:\n    source: {name: sleep}\n    request: {headers: {uri: {regex: '/.*'}, x: "
                        "\"\\\"\xc3\xa4\\n\"}}\n" +
                            kToV2) +
                   rule("b", "  precedence: -7\n  match: {tcp: {sourceSubnet: ['fd00::/7', 0.0.0.0/0]}}\n" + kToV2) +
                   rule("c", "  precedence: -8\n  mirror: {name: gone}\n") + pod("six", "app: httpbin", "'fd00::1'"));
}

TEST(PlanJson, RoundTripsWithoutLoss) {
    const auto plan = full_plan();
    ASSERT_EQ(plan.rules.size(), 3u);
    ASSERT_EQ(plan.origins.size(), 2u);
    const auto again = plan_from_json(plan_to_json(plan));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, plan);
    EXPECT_EQ(plan_to_json(*again), plan_to_json(plan));
    auto fraction = plan;
    fraction.rules[0].mirrors[0].percent = 0.1 + 0.2;
    EXPECT_EQ(*plan_from_json(plan_to_json(fraction)), fraction);
    EXPECT_EQ(*plan_from_json(plan_to_json({})), Plan{});
}

TEST(PlanJson, RefusesWhatIsWrong) {
    const auto good = json::parse(plan_to_json(full_plan()));
    const auto refused = [&](const std::string& pointer, json value) {
        auto bad = good;
        bad[json::json_pointer(pointer)] = std::move(value);
        return !plan_from_json(bad.dump());
    };
    EXPECT_TRUE(refused("/format", 1));
    EXPECT_TRUE(refused("/rules", "x"));
    EXPECT_TRUE(refused("/rules/0/key", 1));
    EXPECT_TRUE(refused("/rules/0/precedence", 1.5));
    EXPECT_TRUE(refused("/rules/0/precedence", 4294967296));
    EXPECT_TRUE(refused("/rules/0/precedence", -100));  // not sorted
    EXPECT_TRUE(refused("/rules/0/mirrors/0/percent", 100.5));
    EXPECT_TRUE(refused("/rules/0/mirrors/0/percent", "1"));
    EXPECT_TRUE(refused("/rules/0/request/0/kind", "glob"));
    EXPECT_TRUE(refused("/rules/0/sources/0/address", "x"));
    EXPECT_TRUE(refused("/rules/0/sources/0/length", 129));
    EXPECT_TRUE(refused("/rules/0/protocol", "http3"));
    EXPECT_TRUE(refused("/rules/0/mirrors/0/labels/version", 1));
    EXPECT_TRUE(refused("/rules/0/mirrors/0/targets/0/service_port", 65536));
    EXPECT_TRUE(refused("/rules/0/mirrors/0/targets/0/endpoints/0", "10.0.0.1"));
    EXPECT_TRUE(refused("/origins/0/endpoint", nullptr));
    EXPECT_TRUE(refused("/origins/0/candidates/0", 3));
    EXPECT_TRUE(refused("/origins/0/candidates/0", -1));
    EXPECT_TRUE(refused("/origins/0/candidates", json::array()));
    EXPECT_TRUE(refused("/origins/0/candidates", json::array({0, 0, 0, 0, 0, 0, 0, 0, 0})));
    EXPECT_TRUE(refused("/origins/1", good["origins"][0]));
    EXPECT_FALSE(plan_from_json(""));
    EXPECT_FALSE(plan_from_json("{"));
    EXPECT_FALSE(plan_from_json("[]"));
    EXPECT_FALSE(plan_from_json("null"));
}

// Every setting of a mirror differs from its default.
Plan settings_plan() {
    Plan plan;
    auto& rule = plan.rules.emplace_back();
    rule.key = "default/a";
    rule.protocol = Protocol::raw;
    for (int i = 0; i < 3; ++i) rule.mirrors.emplace_back().host = "m" + std::to_string(i);
    rule.mirrors[1].percent = 1e-7;
    using Action = RedactedItem::Action;
    auto& settings = rule.mirrors[2].settings;
    settings.sampling = {Sampling::By::header, "x-user"};
    settings.host = HostPolicy::literal;
    settings.host_literal = "v2";
    settings.headers = {{{"b", "\""}, {"a", ""}}, {{"c", "\xc3\xa4"}}, {"d"}};
    settings.request_id_header = "x-id";
    settings.marker_header = "x-m";
    settings.marker_value = "default/a";
    settings.redaction = {{{"cookie", Action::hash, ""}, {"x-key", Action::replace, "*"}}, {{"q", Action::drop, ""}}};
    settings.client_address = ClientAddress::proxy_v2;
    settings.tls = {true, false, "v2.example", "/x.pem"};
    settings.safe_methods_only = true;
    settings.balance = Balance::least_outstanding;
    settings.order = Order::request;
    settings.limits = {UINT32_MAX, 2, INT64_MAX, 4};
    settings.timeouts = {1, 2, 3};
    return plan;
}

TEST(PlanJson, CarriesEverySettingOfAMirror) {
    const auto plan = settings_plan();
    const auto again = plan_from_json(plan_to_json(plan));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, plan);
}

TEST(PlanJson, RefusesWrongSettings) {
    const auto good = json::parse(plan_to_json(settings_plan()));
    const std::string mirror = "/rules/0/mirrors/2";
    const std::pair<const char*, json> rows[] = {{"/percent", -1},
                                                 {"/percent", nullptr},
                                                 {"/edits", json::array()},
                                                 {"/edits/host", "suffix"},
                                                 {"/edits/set/0/value", 1},
                                                 {"/edits/remove/0", 1},
                                                 {"/edits/redact_headers/0/action", "mask"},
                                                 {"/edits/client_address", "proxy"},
                                                 {"/delivery", nullptr},
                                                 {"/delivery/sampling", "session"},
                                                 {"/delivery/tls", "yes"},
                                                 {"/delivery/order", ""},
                                                 {"/delivery/balance", 1},
                                                 {"/delivery/connections", 4294967296},
                                                 {"/delivery/in_flight", -1},
                                                 {"/delivery/queued_bytes", 1.5},
                                                 {"/delivery/idle_timeout", "1s"}};
    for (const auto& [pointer, value] : rows) {
        auto bad = good;
        bad[json::json_pointer(mirror + pointer)] = value;
        EXPECT_FALSE(plan_from_json(bad.dump())) << pointer;
    }
}

TEST(PlanJson, EverySettingIsNeeded) {
    const auto good = json::parse(plan_to_json(settings_plan()));
    for (const std::string part : {"", "/edits", "/delivery", "/edits/redact_headers/0", "/edits/set/0"}) {
        const json::json_pointer pointer("/rules/0/mirrors/2" + part);
        for (const auto& [field, value] : good[pointer].items()) {
            auto bad = good;
            bad[pointer].erase(field);
            EXPECT_FALSE(plan_from_json(bad.dump())) << part << " " << field;
        }
    }
}

TEST(PlanJson, MirrorsCountAgainstTheLimitOfSlots) {
    Plan plan;
    plan.rules.emplace_back().key = "default/a";
    plan.rules[0].mirrors.resize(256);
    EXPECT_TRUE(plan_from_json(plan_to_json(plan)));
    plan.rules[0].mirrors.resize(257);
    EXPECT_FALSE(plan_from_json(plan_to_json(plan)));
}

TEST(PlanJson, EveryFieldIsNeeded) {
    const auto good = json::parse(plan_to_json(full_plan()));
    for (const auto& [field, value] : good["rules"][0].items()) {
        auto bad = good;
        bad["rules"][0].erase(field);
        EXPECT_FALSE(plan_from_json(bad.dump())) << field;
    }
    for (const auto& [field, value] : good["origins"][0].items()) {
        auto bad = good;
        bad["origins"][0].erase(field);
        EXPECT_FALSE(plan_from_json(bad.dump())) << field;
    }
}

TEST(PlanJson, SurvivesDamagedText) {
    const auto good = plan_to_json(full_plan());
    unsigned random = 99;
    for (int round = 0; round < 5000; ++round) {
        auto bad = good;
        for (int i = 0; i < 3; ++i) {
            random = random * 1103515245u + 12345u;
            bad[(random >> 8) % bad.size()] = static_cast<char>(random >> 24);
        }
        const auto plan = plan_from_json(bad);
        EXPECT_TRUE(!plan || plan->rules.size() <= 3);
    }
}

}  // namespace
}  // namespace umbra::rules
