// ForcedWorld: a worker without its kernel side: captured segments through reassembly, protocol and replay to mirrors
// on loopback, with the limits of a test. Client: one connection as the capture shows it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "reassembly/reassembler.h"
#include "replay/replayer.h"
#include "terminator/limit_table.h"
#include "unit/protocol/recording_sink.h"
#include "unit/replay/http2_server.h"
#include "unit/replay/scripted_server.h"

namespace umbra::test {

class ForcedWorld : public StreamObserver, private Router, private OwnConnections {
public:
    ForcedWorld(const TerminatorLimits& limits, bool http2)
        : context_{*this, worker, limits.protocol},
          replayer_(std::make_unique<Replayer>(Replayer::Context{io, router(), own(), worker}, limits.replay)),
          reassembler_(std::make_unique<Reassembler>(limits.reassembly, Mode::strict, *this, worker)) {
        http2_server.on_whole = [](Http2Server::Session& session, Http2Server::Request& request) {
            session.respond(request);
        };
        target_.endpoints = {http2 ? http2_server.endpoint() : server.endpoint()};
        choice_.row = &ledger;
        choice_.target = &target_;
    }

    std::unique_ptr<StreamSink> open(const FlowTuple& tuple, OpenKind kind, TimeNs time) override {
        flows_.push_back(replayer_->open(tuple, ledger, time));
        return std::make_unique<FlowProtocol>(context_, FlowProtocol::Flow{tuple, ledger, kind}, *flows_.back());
    }
    umbra_ledger_row* row(const FlowTuple&) override { return &ledger; }
    void mute(const FlowTuple&) override { ++muted; }

    Reassembler& reassembler() { return *reassembler_; }
    // The mirror gets its turn until it has nothing to do.
    void breathe() {
        for (int round = 0; round < 3 || (ledger.in_flight.requests > 0 && round < 200); ++round) {
            io.restart();
            io.run_for(std::chrono::milliseconds(1));
        }
    }
    void wait(TimeNs time) {
        now += time;
        reassembler_->tick(now);
        replayer_->tick(now);
    }
    // Everything ends; the ledger must close.
    void end() {
        reassembler_->shutdown(now);
        for (int round = 0; round < 200 && !replayer_->drained(); ++round) {
            breathe();
            wait(kSecond);
        }
        reassembler_.reset();
        flows_.clear();
        replayer_->shutdown(now);
        replayer_.reset();
        io.restart();
        io.poll();
        expect_closed(ledger);
        EXPECT_EQ(worker.queued_bytes, 0u);
        EXPECT_EQ(worker.reassembly_bytes, 0u);
    }
    const umbra_units& dropped(const std::string& reason) const {
        for (unsigned r = 0; r < UMBRA_REASON_COUNT; ++r)
            if (reason_name(static_cast<Reason>(r)) == reason) return dropped_units(ledger, static_cast<Reason>(r));
        ADD_FAILURE() << "no reason " << reason;
        return ledger.seen;
    }

    asio::io_context io;
    umbra_ledger_row ledger{};
    umbra_worker_row worker{};
    ScriptedServer server{io};
    Http2Server http2_server{io};
    TimeNs now = 100 * kSecond;
    int muted = 0;

private:
    Router& router() { return *this; }
    OwnConnections& own() { return *this; }
    Selection choose(const FlowTuple&, const RequestHead*, TimeNs) override { return {{&choice_, 1}}; }
    bool add(const FlowTuple&) override { return true; }
    void remove(const FlowTuple&) override {}

    rules::MirrorTarget target_;
    Choice choice_;
    ProtocolContext context_;
    std::vector<std::unique_ptr<ReplayFlow>> flows_;
    std::unique_ptr<Replayer> replayer_;
    std::unique_ptr<Reassembler> reassembler_;
};

class Client {
public:
    Client(ForcedWorld& world, std::uint16_t port)
        : world_(world),
          tuple_{*Endpoint::parse("10.0.0.1:" + std::to_string(port)), *Endpoint::parse("10.0.0.2:80")} {}

    void open() {
        segment(-1, {}, kSyn);
        header(0, {}, kSyn | kAck);
    }
    // Client bytes at the end of what was said so far, which the capture reads before the server's ACK.
    void say(std::string_view text) {
        segment(said_, text, kAck);
        said_ += static_cast<std::int32_t>(text.size());
    }
    // Bytes at this distance behind what was said, so that a hole stays.
    void say_ahead(std::int32_t distance, std::string_view text) { segment(said_ + distance, text, kAck); }
    void lose(std::string_view text) { said_ += static_cast<std::int32_t>(text.size()); }
    void repeat(std::string_view text) { segment(said_ - static_cast<std::int32_t>(text.size()), text, kAck); }
    void answered(std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") {
        header(said_, text, kAck);
        answer_ += static_cast<std::uint32_t>(text.size());
        world_.reassembler().on_capture_drained(world_.now);
        world_.breathe();
    }
    void exchange(std::string_view text) {
        say(text);
        answered();
    }
    void close() {
        segment(said_, {}, kFin | kAck);
        ++said_;
        header(said_, {}, kFin | kAck);
        world_.reassembler().on_capture_drained(world_.now);
    }

private:
    static constexpr std::uint32_t kClientStart = 1000, kServerStart = 5000;
    void segment(std::int32_t at, std::string_view payload, std::uint8_t flags) {
        Segment made;
        made.tuple = tuple_;
        made.seq = kClientStart + static_cast<std::uint32_t>(at);
        made.ack = kServerStart + answer_;
        made.flags = flags;
        made.window = 64000;
        made.time = ++world_.now;
        const std::string own(payload);  // its memory ends with the call
        made.payload = as_bytes(own);
        world_.reassembler().on_segment(made);
    }
    void header(std::int32_t acked, std::string_view payload, std::uint8_t flags) {
        ServerHeader made;
        made.tuple = tuple_;
        made.seq = kServerStart + answer_ - ((flags & kSyn) != 0 ? 1 : 0);
        made.ack = kClientStart + static_cast<std::uint32_t>(acked);
        made.flags = flags;
        made.window = 64000;
        made.options.window_scale = 8;
        made.time = ++world_.now;
        made.payload_len = static_cast<std::uint32_t>(payload.size());
        made.prefix = as_bytes(payload.substr(0, UMBRA_SERVER_PREFIX));
        world_.reassembler().on_server(made);
    }

    ForcedWorld& world_;
    const FlowTuple tuple_;
    std::int32_t said_ = 0;
    std::uint32_t answer_ = 0;
};

}  // namespace umbra::test
