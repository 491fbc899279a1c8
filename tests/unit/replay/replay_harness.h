// ReplayHarness: a Replayer with a router that the test steers, fed through FlowProtocol as a worker would.
// Time is the test's own: tick() moves it. until() runs the event loop while a condition does not hold.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "replay/replayer.h"
#include "unit/protocol/recording_sink.h"
#include "unit/replay/scripted_server.h"

namespace umbra::test {

inline std::string get(const std::string& target, const std::string& fields = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
inline std::string post(const std::string& target, const std::string& body) {
    return "POST " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
}
inline std::string noise(std::size_t size) {
    std::string out(size, 0);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 2654435761u >> 23);
    return out;
}

class TestRouter : public Router {
public:
    Selection choose(const FlowTuple&, const RequestHead* head, TimeNs) override {
        latest = by_request && head ? by_request(*head) : choice;
        if (!latest.row) return {.reason = latest.reason};
        return {{&latest, 1}};
    }
    Choice latest;
    Choice choice;
    std::function<Choice(const RequestHead&)> by_request;
};

class OwnRecorder : public OwnConnections {
public:
    bool add(const FlowTuple& tuple) override {
        if (full) return false;
        ++added;
        EXPECT_TRUE(now.insert(tuple).second);
        EXPECT_NE(tuple.client.port, 0);
        return true;
    }
    void remove(const FlowTuple& tuple) override { EXPECT_EQ(now.erase(tuple), 1u); }
    std::set<FlowTuple> now;
    bool full = false;
    int added = 0;
};

class ReplayHarness {
public:
    explicit ReplayHarness(const ReplayLimits& limits = {})
        : replayer(std::make_unique<Replayer>(Replayer::Context{io, router, own, worker}, limits)),
          context{observer, worker, {}} {
        router.choice.row = &row;
        router.choice.target = &target;
    }
    ~ReplayHarness() {
        flows.clear();
        replayer.reset();
        io.poll();
        EXPECT_EQ(worker.connections, 0u);
        EXPECT_EQ(worker.queued_bytes, 0u);
        EXPECT_TRUE(own.now.empty());
        expect_closed(row);
    }

    struct Flow {
        std::unique_ptr<ReplayFlow> sink;
        std::unique_ptr<FlowProtocol> protocol;
        ~Flow() {
            if (protocol) protocol->close(CloseKind::finished, Reason::idle, 0);
        }
    };
    void mirror_to(std::initializer_list<const ScriptedServer*> servers) {
        target.endpoints.clear();
        for (const auto* server : servers) target.endpoints.push_back(server->endpoint());
    }
    void configure(const std::function<void(rules::MirrorSettings&)>& change) {
        auto settings = std::make_shared<rules::MirrorSettings>(*router.choice.settings);
        change(*settings);
        router.choice.settings = std::move(settings);
    }
    std::size_t open() {
        FlowTuple tuple{*Endpoint::parse("10.0.0.1:1000"), *Endpoint::parse("10.0.0.2:80")};
        if (client_address) tuple.client.address = client_address(flows.size());
        tuple.client.port = static_cast<std::uint16_t>(1000 + flows.size());
        auto flow = std::make_unique<Flow>();
        flow->sink = replayer->open(tuple, row, now);
        flow->protocol =
            std::make_unique<FlowProtocol>(context, FlowProtocol::Flow{tuple, row, OpenKind::handshake}, *flow->sink);
        flows.push_back(std::move(flow));
        return flows.size() - 1;
    }
    void data(std::string_view text, std::size_t flow = 0) {
        while (flow >= flows.size()) open();
        ledger_seen(row, &umbra_units::bytes, text.size());
        flows[flow]->protocol->data(as_bytes(text), now);
    }
    void data_in_pieces(std::string_view text, std::size_t piece, std::size_t flow = 0) {
        for (std::size_t at = 0; at < text.size(); at += piece) data(text.substr(at, piece), flow);
    }
    void gap(std::uint32_t length = 1) { flows.at(0)->protocol->gap(length, now); }
    void server_says(std::string_view prefix) { flows.at(0)->protocol->server_payload(as_bytes(prefix), now); }
    void close(CloseKind kind = CloseKind::finished, std::size_t flow = 0, Reason reason = Reason::idle) {
        auto& protocol = flows.at(flow)->protocol;
        if (kind == CloseKind::finished) protocol->half_close(now);
        protocol->close(kind, reason, now);
        protocol.reset();
        flows[flow]->sink.reset();
    }
    void tick(TimeNs by) {
        now += by;
        replayer->tick(now);
    }
    template <class Condition>
    void until(Condition condition) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!condition()) {
            ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the condition never came true";
            io.restart();
            io.run_for(std::chrono::milliseconds(1));
        }
    }
    // Until every request is settled.
    void settle() {
        until([this] { return row.in_flight.requests == 0; });
    }
    // Lets everything that is under way on loopback arrive.
    void breathe() {
        for (int i = 0; i < 20; ++i) {
            io.restart();
            io.run_for(std::chrono::milliseconds(1));
        }
    }
    std::uint64_t mirrored() const { return row.mirrored.requests; }
    std::uint64_t lost(Reason reason) const { return dropped_units(row, reason).requests; }
    std::uint64_t lost_bytes(Reason reason) const { return dropped_units(row, reason).bytes; }

    asio::io_context io;
    umbra_ledger_row row{};
    umbra_worker_row worker{};
    rules::MirrorTarget target;
    TestRouter router;
    OwnRecorder own;
    MuteCounter observer;
    TimeNs now = 1000 * kSecond;
    std::unique_ptr<Replayer> replayer;
    ProtocolContext context;
    std::vector<std::unique_ptr<Flow>> flows;
    std::function<IpAddress(std::size_t flow)> client_address;  // none: one client for all
};

// An address that takes connection attempts and never answers them, until it is destroyed.
class BlackHole {
public:
    explicit BlackHole(asio::io_context& io) : acceptor_(io, {asio::ip::make_address("127.0.0.1"), 0}) {
        acceptor_.listen(0);
        for (int i = 0; i < 4; ++i) {
            fillers_.emplace_back(io);
            fillers_.back().async_connect(acceptor_.local_endpoint(), [](std::error_code) {});
        }
    }
    Endpoint endpoint() const {
        return *Endpoint::parse("127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()));
    }

private:
    asio::ip::tcp::acceptor acceptor_;
    std::vector<asio::ip::tcp::socket> fillers_;
};

inline Endpoint dead_endpoint() {
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), 0});
    return *Endpoint::parse("127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
}

inline const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

}  // namespace umbra::test
