// Which endpoint a connection goes to.
#include "replay/balance.h"

#include <gtest/gtest.h>

#include <map>

#include "unit/replay/replay_harness.h"

namespace umbra {
namespace {

using namespace test;

IpAddress client(std::size_t number) {
    const std::uint8_t four[] = {10, static_cast<std::uint8_t>(number >> 16), static_cast<std::uint8_t>(number >> 8),
                                 static_cast<std::uint8_t>(number)};
    return IpAddress::v4(four);
}

struct Endpoints {
    explicit Endpoints(std::size_t count, rules::Balance balance = rules::Balance::client_hash) {
        rules::MirrorSettings settings;
        settings.balance = balance;
        std::vector<Endpoint> endpoints;
        for (std::size_t i = 0; i < count; ++i) endpoints.push_back({client(1'000'000 + i), 80});
        target = std::make_unique<Target>(endpoints, std::make_shared<const rules::MirrorSettings>(settings), limits,
                                          bandwidth);
    }
    std::vector<std::uint32_t> order(std::size_t number = 0) {
        std::vector<std::uint32_t> out;
        endpoint_order(*target, client(number), out);
        return out;
    }
    ReplayLimits limits;
    TokenBucket bandwidth{1 << 30};
    std::unique_ptr<Target> target;
};

TEST(Balance, ClientsSpreadEvenlyByTheirHash) {
    Endpoints endpoints(5);
    std::map<std::uint32_t, int> firsts, seconds;
    for (std::size_t i = 0; i < 10'000; ++i) {
        const auto order = endpoints.order(i);
        ++firsts[order[0]];
        ++seconds[order[1]];
        EXPECT_EQ(order, endpoints.order(i));
    }
    // The standard deviation is 40.
    for (const auto* counts : {&firsts, &seconds}) {
        ASSERT_EQ(counts->size(), 5u);
        for (const auto& [place, count] : *counts) EXPECT_NEAR(count, 2'000, 200) << place;
    }
}

TEST(Balance, OtherEndpointsThatComeAndGoMoveNoClientButTheirOwn) {
    Endpoints five(5), six(6);
    int moved = 0;
    for (std::size_t i = 0; i < 6'000; ++i) {
        const auto before = five.order(i)[0], after = six.order(i)[0];
        if (before == after) continue;
        EXPECT_EQ(after, 5u) << "a client moved between endpoints that were there before";
        ++moved;
    }
    EXPECT_NEAR(moved, 1'000, 150);
}

TEST(Balance, TheHashIsTheSameInEveryProcess) {
    EXPECT_EQ(rendezvous_weight(client(1), {client(2), 80}), 0x5f6e5c0e28c0b041ULL);
    EXPECT_NE(rendezvous_weight(client(1), {client(2), 80}), rendezvous_weight(client(1), {client(2), 81}));
    EXPECT_NE(rendezvous_weight(client(1), {client(2), 80}), rendezvous_weight(client(2), {client(1), 80}));
}

TEST(Balance, TheFewestOutstandingFirstAndTiesInTurn) {
    Endpoints endpoints(3, rules::Balance::least_outstanding);
    EXPECT_EQ(endpoints.order(), (std::vector<std::uint32_t>{0, 1, 2}));
    EXPECT_EQ(endpoints.order(), (std::vector<std::uint32_t>{1, 2, 0}));
    {
        const Outstanding one(*endpoints.target, 0, Outstanding::Kind::request);
        const Outstanding two(*endpoints.target, 0, Outstanding::Kind::flow);
        const Outstanding three(*endpoints.target, 2, Outstanding::Kind::attempt);
        EXPECT_EQ(endpoints.order(), (std::vector<std::uint32_t>{1, 2, 0}));
        EXPECT_EQ(endpoints.order(), (std::vector<std::uint32_t>{1, 2, 0}));
        EXPECT_EQ(endpoints.target->in_flight, 1u);
    }
    EXPECT_EQ(endpoints.order(), (std::vector<std::uint32_t>{1, 2, 0}));
    EXPECT_EQ(endpoints.target->in_flight, 0u);
    EXPECT_EQ(endpoints.target->users, 0u);
}

TEST(Balance, ABusyEndpointIsSpared) {
    ReplayHarness harness;
    ScriptedServer busy(harness.io), free(harness.io);
    busy.on_request = nullptr;
    harness.mirror_to({&busy, &free});
    harness.configure([](auto& settings) { settings.balance = rules::Balance::least_outstanding; });
    harness.data(get("/slow"), 0);
    harness.until([&] { return busy.requests().size() == 1; });
    for (std::size_t flow = 1; flow < 7; ++flow) {
        harness.data(get("/x"), flow);
        harness.until([&] { return harness.mirrored() == flow; });
    }
    EXPECT_EQ(free.requests().size(), 6u);
    busy.sessions[0]->send(kOk);
    harness.settle();
    busy.on_request = free.on_request;
    for (std::size_t flow = 7; flow < 11; ++flow) {
        harness.data(get("/y"), flow);
        harness.settle();
    }
    EXPECT_EQ(busy.requests().size(), 3u) << "ties in turn";
    EXPECT_EQ(free.requests().size(), 8u);
}

TEST(Balance, AClientStaysAtItsEndpointWhileItCanBeReached) {
    ReplayHarness harness;
    std::vector<std::unique_ptr<ScriptedServer>> servers;
    std::map<Endpoint, ScriptedServer*> by_endpoint;
    for (int i = 0; i < 4; ++i) {
        servers.push_back(std::make_unique<ScriptedServer>(harness.io));
        by_endpoint[servers.back()->endpoint()] = servers.back().get();
        harness.target.endpoints.push_back(servers.back()->endpoint());
    }
    harness.configure([](auto& settings) { settings.balance = rules::Balance::client_hash; });
    harness.client_address = [](std::size_t flow) { return client(flow % 10); };
    for (std::size_t flow = 0; flow < 40; ++flow) {
        harness.data(get("/" + std::to_string(flow % 10)), flow);
        harness.settle();
    }
    std::map<std::string, Endpoint> home;
    for (const auto& [endpoint, server] : by_endpoint) {
        for (const std::string& request : server->requests()) {
            EXPECT_EQ(home.try_emplace(request, endpoint).first->second, endpoint) << request;
        }
    }
    ASSERT_EQ(home.size(), 10u);
    by_endpoint[home[get("/0")]]->stop();
    harness.data(get("/0"), 40);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 41u) << "another endpoint is the fall-back";
}

}  // namespace
}  // namespace umbra
