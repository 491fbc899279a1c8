// The end of HTTP/2 flows and of the agent; several mirrors; requests that no rule takes.
#include <gtest/gtest.h>

#include "unit/replay/http2_harness.h"

namespace umbra {
namespace {

using namespace test;
using Session = Http2Server::Session;
using Request = Http2Server::Request;

TEST(Http2Flow, WholeRequestsAreSettledAfterTheFlowsEnd) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_whole = nullptr;
    harness.mirror_to(server);
    harness.unary(1, "/1", "text");
    harness.unary(3, "/3", noise(200'000));
    harness.begin(5, "/5");
    harness.body(5, "held");
    harness.close();
    EXPECT_EQ(harness.lost(Reason::client_closed), 1u);
    harness.until([&] { return server.whole() == 2; });
    EXPECT_EQ(harness.row.in_flight.requests, 2u);
    EXPECT_FALSE(harness.replayer->drained());
    for (const char* path : {"/1", "/3"}) server.sessions[0]->respond(*server.find(path));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
    EXPECT_TRUE(harness.replayer->drained());
    harness.until([&] { return server.sessions[0]->finished; });
    EXPECT_TRUE(server.sessions[0]->saw_goaway);
    EXPECT_EQ(server.find("/5"), nullptr);
    EXPECT_EQ(harness.worker.connections, 0u);
    harness.expect_exact(server);
}

TEST(Http2Flow, AnOpenRequestIsResetAtTheFlowsEnd) {
    struct Case {
        CloseKind kind;
        Reason given;
        Reason counted;
    };
    for (const Case& each :
         {Case{CloseKind::finished, Reason::idle, Reason::client_closed},
          Case{CloseKind::reset, Reason::idle, Reason::client_reset},
          Case{CloseKind::abandoned, Reason::gap, Reason::gap}, Case{CloseKind::expired, Reason::idle, Reason::idle},
          Case{CloseKind::shutdown, Reason::idle, Reason::shutdown}}) {
        Http2Harness harness;
        Http2Server server(harness.io);
        harness.mirror_to(server);
        harness.begin(1, "/open");
        harness.body(1, noise(100'000));
        harness.until([&] { return server.find("/open") && server.find("/open")->body.size() == 100'000; });
        harness.close(each.kind, 0, each.given);
        EXPECT_EQ(harness.lost(each.counted), 1u) << reason_name(each.counted);
        harness.until([&] { return server.sessions[0]->finished; });
        EXPECT_EQ(server.find("/open")->reset, NGHTTP2_CANCEL);
        EXPECT_FALSE(server.find("/open")->whole);
    }
}

TEST(Http2Flow, AFlowWithoutRequestsLeavesNothing) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.client(0);
    harness.close();
    EXPECT_TRUE(harness.replayer->drained());
    EXPECT_EQ(harness.worker.connections_opened, 0u);
}

TEST(Http2Flow, AFlowsEndClosesItsIdleConnection) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.unary(1, "/1");
    harness.settle();
    EXPECT_EQ(harness.worker.connections, 1u);
    harness.close();
    EXPECT_EQ(harness.worker.connections, 0u);
    harness.until([&] { return server.sessions[0]->saw_goaway; });
}

TEST(Http2Flow, ShutdownDropsWhatIsUnfinished) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_whole = nullptr;
    harness.mirror_to(server);
    harness.unary(1, "/whole");
    harness.begin(3, "/large");
    harness.body(3, noise(100'000));
    harness.begin(5, "/held");
    harness.until([&] { return server.requests().size() == 2; });
    harness.replayer->shutdown(harness.now);
    EXPECT_EQ(harness.lost(Reason::shutdown), 3u);
    EXPECT_EQ(harness.worker.connections, 0u);
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
    harness.body(3, noise(1000));
    harness.end(3);
    harness.unary(7, "/late", "text");
    EXPECT_EQ(harness.lost(Reason::shutdown), 4u);
    harness.close();
    EXPECT_EQ(harness.row.in_flight.bytes, 0u);
}

TEST(Http2Flow, DestroyingAFlowWithoutAnEndIsAStop) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.begin(1, "/x");
    harness.clients.clear();
    EXPECT_EQ(harness.lost(Reason::shutdown), 1u);
}

TEST(Http2Flow, RequestsOfNoRuleAreCountedInTheFlowsRow) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.router.by_request = [&](const RequestHead& head) {
        if (head.target == "/none") return Choice{.reason = Reason::unsampled};
        return harness.router.choice;
    };
    EXPECT_EQ(harness.begin(1, "/none"), nullptr);
    EXPECT_EQ(harness.begin(3, "/some"), &harness.row);
    harness.end(3);
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::unsampled), 1u);
    EXPECT_EQ(harness.mirrored(), 1u);
}

TEST(Http2Flow, AMirrorWithoutEndpointsSaysWhy) {
    Http2Harness harness;
    harness.router.choice.reason = Reason::no_endpoint;
    harness.begin(1, "/x");
    harness.body(1, "text");
    harness.end(1);
    EXPECT_EQ(harness.lost(Reason::no_endpoint), 1u);
    EXPECT_EQ(harness.lost_bytes(Reason::no_endpoint), harness.row.seen.bytes);
    EXPECT_EQ(harness.worker.connections_opened, 0u);
}

class TwoMirrors : public Router {
public:
    Selection choose(const FlowTuple&, const RequestHead*, TimeNs) override { return {choices}; }
    std::vector<Choice> choices;
};

// A harness whose rule has two mirrors with a row each.
struct PairHarness : Http2Harness {
    PairHarness() {
        clients.clear();
        replayer = std::make_unique<Replayer>(Replayer::Context{io, pair, own, worker}, ReplayLimits{});
        rows = {&row, &second};
    }
    void mirror_to(const Http2Server& one, const Http2Server& other) {
        target.endpoints = {one.endpoint()};
        second_target.endpoints = {other.endpoint()};
        pair.choices = {Choice{.row = &row, .target = &target}, Choice{.row = &second, .target = &second_target}};
    }
    ~PairHarness() {
        clients.clear();
        replayer.reset();
    }
    TwoMirrors pair;
    umbra_ledger_row second{};
    rules::MirrorTarget second_target;
};

TEST(Http2Flow, EachMirrorGetsAllAndCountsForItself) {
    PairHarness harness;
    Http2Server one(harness.io), other(harness.io);
    other.on_head = [](Session& session, Request& request) {
        if (request.path() == "/3") session.rst(request, NGHTTP2_REFUSED_STREAM);
    };
    harness.mirror_to(one, other);
    for (const std::uint32_t id : {1, 3, 5}) harness.unary(id, "/" + std::to_string(id), noise(1000 * id));
    harness.begin(7, "/7");
    harness.trailers(7, {{"sum", "7"}});
    harness.end(7);
    harness.until([&] { return harness.row.in_flight.requests + harness.second.in_flight.requests == 0; });
    EXPECT_EQ(harness.row.mirrored.requests, 4u);
    EXPECT_EQ(harness.second.mirrored.requests, 3u);
    EXPECT_EQ(dropped_units(harness.second, Reason::mirror_refused).requests, 1u);
    EXPECT_EQ(harness.second.seen.bytes, harness.row.seen.bytes);
    harness.expect_exact(one);
    harness.expect_exact(other);
    harness.close();
}

TEST(Http2Flow, AMirrorThatHangsDoesNotHoldUpTheOther) {
    PairHarness harness;
    Http2Server one(harness.io), other(harness.io);
    one.on_whole = nullptr;
    harness.mirror_to(one, other);
    for (std::uint32_t id = 1; id < 41; id += 2) harness.unary(id, "/" + std::to_string(id), "text");
    harness.until([&] { return harness.second.mirrored.requests == 20; });
    EXPECT_EQ(harness.row.in_flight.requests, 20u);
    harness.until([&] { return one.whole() == 20; });
    harness.tick(16 * kSecond);
    EXPECT_EQ(harness.lost(Reason::response_timeout), 20u);
    harness.cancel(1);
}

}  // namespace
}  // namespace umbra
