// Heads that a mirror's settings change, and what a connection says of its client.
#include <gtest/gtest.h>

#include "edit/edit.h"
#include "unit/replay/replay_harness.h"

namespace umbra {
namespace {

using namespace test;
using Session = ScriptedServer::Session;

const std::string kMarker = "x-mirror: v2\r\n";

class EditedHeads : public testing::Test {
protected:
    EditedHeads() {
        harness.mirror_to({&server});
        harness.configure([](auto& settings) {
            settings.marker_header = "x-mirror";
            settings.marker_value = "v2";
        });
    }
    // The request as it arrived, without the marker that must stand at the end of its head.
    std::string unmarked(std::size_t index) {
        std::string text = server.requests().at(index);
        const auto end = text.find("\r\n\r\n");
        const auto at = text.find(kMarker);
        if (at == std::string::npos || at + kMarker.size() != end + 2) return "no marker: " + text.substr(0, 200);
        return text.erase(at, kMarker.size());
    }
    ReplayHarness harness;
    ScriptedServer server{harness.io};
};

TEST_F(EditedHeads, WholeRequestsInOneWrite) {
    int reads = 0;
    server.on_data = [&](Session&) { ++reads; };
    const std::string first = get("/1"), second = post("/2", noise(5'000));
    harness.data(first);
    harness.settle();
    harness.data(second);
    harness.settle();
    EXPECT_EQ(unmarked(0), first);
    EXPECT_EQ(unmarked(1), second);
    EXPECT_EQ(reads, 2);
    EXPECT_EQ(harness.row.mirrored.bytes, first.size() + second.size()) << "the ledger counts the client's bytes";
}

TEST_F(EditedHeads, PipelinedAndHeldRequests) {
    std::vector<std::string> sent;
    std::string stream;
    for (int i = 0; i < 50; ++i) {
        sent.push_back(i % 2 ? get("/" + std::to_string(i)) : post("/" + std::to_string(i), noise(i * 97)));
        stream += sent.back();
    }
    harness.data_in_pieces(stream, 700);
    harness.settle();
    ASSERT_EQ(server.requests().size(), sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(unmarked(i), sent[i]);
    EXPECT_EQ(harness.row.mirrored.bytes, stream.size());
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
}

TEST_F(EditedHeads, LargeRequestsInAnyPieces) {
    for (const std::size_t piece : {1'448, 40'000, 1'000'000}) {
        const std::string text = post("/big", noise(800'000));
        harness.data_in_pieces(text, piece);
        harness.settle();
        EXPECT_EQ(unmarked(server.requests().size() - 1), text) << piece;
    }
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
}

TEST_F(EditedHeads, AHeadAloneFillsTheQueueOrIsLostWhole) {
    harness.configure([](auto& settings) { settings.limits.queued_bytes = 100; });
    const std::string text = get("/x", "X: " + std::string(200, 'x') + "\r\n");
    harness.data(text);
    EXPECT_EQ(harness.lost_bytes(Reason::mirror_queue), text.size());
    harness.data(post("/y", noise(60)));
    EXPECT_EQ(harness.lost(Reason::mirror_queue), 2u) << "the head fits, the body does not";
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
    harness.data(get("/z"));
    harness.settle();
    EXPECT_EQ(unmarked(0), get("/z"));
}

TEST_F(EditedHeads, AbortedRequestsLeaveNothing) {
    harness.data(get("/a") + post("/b", noise(50'000)).substr(0, 40'000));
    harness.gap();
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::gap), 1u);
    EXPECT_EQ(unmarked(0), get("/a"));
    EXPECT_EQ(server.received().size(), get("/a").size() + kMarker.size());
}

TEST_F(EditedHeads, NextToUntouchedOnesOfAnotherMirror) {
    Choice edited = harness.router.choice, plain = edited;
    plain.settings = Choice::no_settings();
    harness.router.by_request = [&](const RequestHead& head) { return head.target == "/edited" ? edited : plain; };
    harness.data(get("/plain") + get("/edited") + get("/plain"));
    harness.settle();
    EXPECT_EQ(server.requests()[0], get("/plain"));
    EXPECT_EQ(unmarked(1), get("/edited"));
    EXPECT_EQ(server.requests()[2], get("/plain"));
}

// A mirror that takes the PROXY header off a connection before it reads requests or raw bytes.
struct ProxyServer {
    explicit ProxyServer(ReplayHarness& harness) : server(harness.io) {
        server.on_request = nullptr;
        server.on_data = [this](Session& session) {
            if (rest(session).ends_with("\r\n\r\n") && rest(session).starts_with("GET ")) session.send(kOk);
        };
        harness.mirror_to({&server});
        harness.configure([](auto& settings) { settings.client_address = rules::ClientAddress::proxy_v2; });
    }
    static std::size_t header_size(const Session& session) {
        const std::string& text = session.received;
        if (text.size() < 16) return text.size();
        const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
        return std::min<std::size_t>(text.size(), 16 + byte(14) * 256 + byte(15));
    }
    static std::string header(const Session& session) { return session.received.substr(0, header_size(session)); }
    static std::string rest(const Session& session) { return session.received.substr(header_size(session)); }
    ScriptedServer server;
};

FlowTuple tuple_of(std::size_t flow) {
    return {{*IpAddress::parse("10.0.0.1"), static_cast<std::uint16_t>(1000 + flow)}, *Endpoint::parse("10.0.0.2:80")};
}

TEST(ProxyHeader, ComesFirstOnEachNewConnectionAndOnce) {
    ReplayHarness harness;
    ProxyServer mirror(harness);
    harness.data(get("/1") + get("/2"));
    harness.settle();
    mirror.server.sessions[0]->close();
    harness.data(get("/3"));
    harness.settle();
    ASSERT_EQ(mirror.server.sessions.size(), 2u);
    for (const auto& session : mirror.server.sessions) {
        EXPECT_EQ(ProxyServer::header(*session), edit::proxy_v2_header(tuple_of(0)));
    }
    EXPECT_EQ(ProxyServer::rest(*mirror.server.sessions[0]), get("/1") + get("/2"));
    EXPECT_EQ(ProxyServer::rest(*mirror.server.sessions[1]), get("/3"));
    EXPECT_EQ(harness.row.mirrored.bytes, (get("/1") + get("/2") + get("/3")).size());
}

TEST(ProxyHeader, ComesFirstOnRawFlows) {
    ReplayHarness harness;
    ProxyServer mirror(harness);
    const std::string ping = "*1\r\n$4\r\nPING\r\n";
    harness.data(ping);
    harness.until(
        [&] { return !mirror.server.sessions.empty() && ProxyServer::rest(*mirror.server.sessions[0]) == ping; });
    EXPECT_EQ(ProxyServer::header(*mirror.server.sessions[0]), edit::proxy_v2_header(tuple_of(0)));
    EXPECT_EQ(harness.row.mirrored.bytes, ping.size());
}

TEST(ProxyHeader, KeepsAConnectionToItsClient) {
    ReplayHarness harness;
    ProxyServer mirror(harness);
    harness.configure([](auto& settings) { settings.order = rules::Order::request; });
    for (const std::size_t flow : {0, 1, 0, 2, 1}) {
        harness.data(get("/" + std::to_string(flow)), flow);
        harness.settle();
    }
    EXPECT_EQ(harness.mirrored(), 5u);
    ASSERT_EQ(mirror.server.sessions.size(), 3u);
    for (std::size_t flow = 0; flow < 3; ++flow) {
        const Session& session = *mirror.server.sessions[flow];
        EXPECT_EQ(ProxyServer::header(session), edit::proxy_v2_header(tuple_of(flow)));
        const std::string one = get("/" + std::to_string(flow));
        EXPECT_EQ(ProxyServer::rest(session), flow == 2 ? one : one + one);
    }
}

}  // namespace
}  // namespace umbra
