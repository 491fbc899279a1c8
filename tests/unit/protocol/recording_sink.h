// RecordingSink: keeps all that a flow hands on and settles it in the ledger like a mirror that takes everything.
// FlowHarness: one FlowProtocol with its surroundings, fed as reassembly would feed it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/flow_protocol.h"
#include "unit/protocol/recording_streams.h"

namespace umbra::test {

struct SeenRequest {
    std::string method;
    std::string target;
    std::string bytes;
    std::string state = "open";  // "ended", or the reason of the abort
    bool operator==(const SeenRequest&) const = default;
};
inline void PrintTo(const SeenRequest& request, std::ostream* out) {
    *out << request.method << " " << request.target << " " << request.bytes.size() << " bytes, " << request.state;
}

class RecordingSink : public MessageSink {
public:
    using Choose = std::function<umbra_ledger_row*(const RequestHead&)>;
    RecordingSink(umbra_ledger_row& row, Choose choose) : row_(row), choose_(std::move(choose)) {}

    umbra_ledger_row* head(const RequestHead& head, TimeNs) override {
        current_ = choose_ ? choose_(head) : &row_;
        if (!current_) {
            ++refused;
            return nullptr;
        }
        ledger_seen(*current_, &umbra_units::requests);
        requests.push_back({std::string(head.method), std::string(head.target), "", "open"});
        whole_ = head.whole;
        return current_;
    }
    void bytes(Bytes bytes, TimeNs) override {
        EXPECT_EQ(requests.back().state, "open");
        if (whole_) {
            EXPECT_TRUE(requests.back().bytes.empty());
        }
        requests.back().bytes += as_text(bytes);
    }
    void end(TimeNs) override { settle("ended"); }
    void abort(Reason reason, TimeNs) override {
        EXPECT_FALSE(whole_);
        settle(reason_name(reason), reason);
    }
    void raw_begin(TimeNs) override { is_raw = true; }
    void raw_bytes(Bytes bytes, TimeNs) override {
        EXPECT_TRUE(is_raw);
        raw += as_text(bytes);
        ledger_mirrored(row_, &umbra_units::bytes, bytes.size());
    }
    void raw_half_close(TimeNs) override { ++half_closes; }
    Http2Sink* http2(TimeNs) override { return streams.get(); }
    void close(CloseKind kind, Reason reason, TimeNs) override {
        ++closes;
        if (kind == CloseKind::finished) reason = Reason::client_closed;
        if (kind == CloseKind::reset) reason = Reason::client_reset;
        if (kind == CloseKind::shutdown) reason = Reason::shutdown;
        if (streams) streams->close(reason);
    }
    // From here on flows of HTTP/2 are taken.
    void take_http2() { streams = std::make_unique<RecordingStreams>(row_, choose_); }

    std::vector<SeenRequest> requests;
    std::string raw;
    bool is_raw = false;
    std::unique_ptr<RecordingStreams> streams;
    int refused = 0, half_closes = 0, closes = 0;

private:
    void settle(const char* state, std::optional<Reason> reason = {}) {
        SeenRequest& request = requests.back();
        EXPECT_EQ(request.state, "open");
        request.state = state;
        for (const auto& [unit, n] :
             {std::pair<Unit, std::uint64_t>{&umbra_units::requests, 1}, {&umbra_units::bytes, request.bytes.size()}}) {
            reason ? ledger_dropped(*current_, *reason, unit, n) : ledger_mirrored(*current_, unit, n);
        }
    }

    umbra_ledger_row& row_;
    umbra_ledger_row* current_ = nullptr;
    Choose choose_;
    bool whole_ = false;
};

inline void expect_closed(const umbra_ledger_row& row) {
    for (const Unit unit : {&umbra_units::flows, &umbra_units::requests, &umbra_units::bytes}) {
        std::uint64_t sum = row.mirrored.*unit;
        for (unsigned r = 0; r < UMBRA_REASON_COUNT; ++r) sum += dropped_units(row, static_cast<Reason>(r)).*unit;
        EXPECT_EQ(row.in_flight.*unit, 0u);
        EXPECT_EQ(row.seen.*unit, sum);
    }
}

class MuteCounter : public StreamObserver {
public:
    std::unique_ptr<StreamSink> open(const FlowTuple&, OpenKind, TimeNs) override { return nullptr; }
    umbra_ledger_row* row(const FlowTuple&) override { return nullptr; }
    void mute(const FlowTuple&) override { ++muted; }
    int muted = 0;
};

class FlowHarness {
public:
    explicit FlowHarness(OpenKind kind = OpenKind::handshake, RecordingSink::Choose choose = {},
                         std::optional<Detection> fixed = {})
        : sink(row, std::move(choose)), context{observer, worker, {}} {
        flow = std::make_unique<FlowProtocol>(context, FlowProtocol::Flow{{}, row, kind, fixed}, sink);
    }
    ~FlowHarness() {
        if (flow) close();
    }
    void data(std::string_view text) {
        ledger_seen(row, &umbra_units::bytes, text.size());
        flow->data(as_bytes(text), 1);
    }
    void data_in_pieces(std::string_view text, std::size_t piece) {
        for (std::size_t at = 0; at < text.size(); at += piece) data(text.substr(at, piece));
    }
    void server(std::string_view prefix) { flow->server_payload(as_bytes(prefix), 1); }
    void gap(std::uint32_t length = 5000) { flow->gap(length, 1); }
    void answer_unseen() { flow->answer_unseen(1); }
    void close(CloseKind kind = CloseKind::finished, Reason reason = Reason::idle) {
        if (kind == CloseKind::finished) flow->half_close(1);
        flow->close(kind, reason, 1);
        flow.reset();
        EXPECT_EQ(sink.closes, 1);
        EXPECT_EQ(context.held, 0u);
        expect_closed(row);
    }
    std::uint64_t dropped(Reason reason) const { return dropped_units(row, reason).bytes; }

    int muted() const { return observer.muted; }

    umbra_ledger_row row{};
    umbra_worker_row worker{};
    MuteCounter observer;
    RecordingSink sink;
    ProtocolContext context;
    std::unique_ptr<FlowProtocol> flow;
};

}  // namespace umbra::test
