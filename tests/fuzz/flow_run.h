// FlowRun: one FlowProtocol fed a case's bytes in pieces, with server packets and gaps between them, and a sink that
// takes everything, checks the order of the calls and settles the ledger. A case runs several times, cut otherwise.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "fuzz/flow_case.h"
#include "fuzz/stream_recorder.h"

namespace umbra::fuzz {

struct Request {
    std::string method, target, bytes;
    int outcome = -1;  // -1 open, -2 ended, else the reason of the abort
    bool operator==(const Request&) const = default;
};

// Takes everything, settles it at once.
class Recorder : public MessageSink {
    const Case& case_;

public:
    explicit Recorder(const Case& given) : case_(given) {}

    Http2Sink* http2(TimeNs) override {
        require(requests.empty() && !is_raw_ && !closed_, "HTTP/2 comes before anything else");
        return case_.takes_http2 ? &streams : nullptr;
    }
    umbra_ledger_row* head(const RequestHead& head, TimeNs) override {
        require(!open_ && !closed_ && !is_raw_, "a head comes between requests");
        if (case_.refuses(head.target)) return nullptr;
        row_ = case_.two_rows() && head.method == "GET" ? &rows[1] : &rows[0];
        ledger_seen(*row_, &umbra_units::requests);
        requests.push_back({std::string(head.method), std::string(head.target), "", -1});
        open_ = true;
        whole_ = head.whole;
        return row_;
    }
    void bytes(Bytes bytes, TimeNs) override {
        require(open_ && !bytes.empty(), "bytes belong to a request");
        require(!whole_ || requests.back().bytes.empty(), "a whole request comes in one piece");
        requests.back().bytes += as_text(bytes);
    }
    void end(TimeNs) override { settle(-2); }
    void abort(Reason reason, TimeNs) override {
        require(!whole_, "a whole request is not aborted");
        settle(static_cast<int>(reason));
    }
    void raw_begin(TimeNs) override {
        require(!open_ && !is_raw_ && !closed_, "raw bytes begin once, between requests");
        is_raw_ = true;
    }
    void raw_bytes(Bytes bytes, TimeNs) override {
        require(is_raw_ && !half_closed_ && !closed_, "raw bytes come between raw_begin and the end");
        raw += as_text(bytes);
        ledger_mirrored(rows[0], &umbra_units::bytes, bytes.size());
    }
    void raw_half_close(TimeNs) override {
        require(is_raw_ && !half_closed_ && !closed_, "raw_half_close comes once");
        half_closed_ = true;
    }
    void close(CloseKind, Reason, TimeNs) override {
        require(!open_ && !closed_, "close comes once, after every request has ended");
        closed_ = true;
        streams.close();
    }
    bool closed() const { return closed_; }

    std::vector<Request> requests;
    std::string raw;
    umbra_ledger_row rows[2]{};
    StreamRecorder streams{case_, rows};

private:
    void settle(int outcome) {
        require(open_ && !closed_, "an end belongs to a request");
        open_ = false;
        requests.back().outcome = outcome;
        const std::size_t size = requests.back().bytes.size();
        for (const auto& [unit, n] :
             {std::pair<Unit, std::uint64_t>{&umbra_units::requests, 1}, {&umbra_units::bytes, size}}) {
            if (outcome < 0)
                ledger_mirrored(*row_, unit, n);
            else
                ledger_dropped(*row_, static_cast<Reason>(outcome), unit, n);
        }
    }

    umbra_ledger_row* row_ = nullptr;
    bool open_ = false, whole_ = false, is_raw_ = false, half_closed_ = false, closed_ = false;
};

class Mutes : public StreamObserver {
public:
    std::unique_ptr<StreamSink> open(const FlowTuple&, OpenKind, TimeNs) override { return nullptr; }
    umbra_ledger_row* row(const FlowTuple&) override { return nullptr; }
    void mute(const FlowTuple&) override { ++count; }
    int count = 0;
};

struct Run {
    explicit Run(const Case& given) : recorder(given) {}
    Recorder recorder;
    Mutes mutes;
    umbra_worker_row worker{};
};

enum class Pieces : std::uint8_t { one, single_bytes, random };

class Feeder {
public:
    Feeder(FlowProtocol& flow, umbra_ledger_row& row, Pieces pieces, std::uint8_t seed)
        : flow_(flow), row_(row), pieces_(pieces), state_(seed) {}

    void data(std::string_view text) {
        while (!text.empty()) {
            const std::string piece(text.substr(0, next_size(text.size())));  // its own memory, so that ASan sees more
            text.remove_prefix(piece.size());
            ledger_seen(row_, &umbra_units::bytes, piece.size());
            flow_.data(as_bytes(piece), 1);
        }
    }

private:
    std::size_t next_size(std::size_t left) {
        if (pieces_ == Pieces::one) return left;
        if (pieces_ == Pieces::single_bytes) return 1;
        state_ = state_ * 1103515245 + 12345;
        const std::size_t size = 1 + (state_ >> 16) % (state_ % 4 == 0 ? 200 : 7);
        return std::min(size, left);
    }

    FlowProtocol& flow_;
    umbra_ledger_row& row_;
    const Pieces pieces_;
    std::uint32_t state_;
};

inline void play(FlowProtocol& flow, EventKind kind) {
    static constexpr std::string_view kPrefixes[] = {"HTTP/1.1 200 OK\r", "HTTP/1.1 100 Con", "HTTP/1.1 101 Swi",
                                                     "hello"};
    if (kind == EventKind::gap) return flow.gap(100, 1);
    flow.server_payload(as_bytes(kPrefixes[static_cast<unsigned>(kind)]), 1);
}

inline void check_row(const umbra_ledger_row& row) {
    for (const Unit unit : {&umbra_units::flows, &umbra_units::requests, &umbra_units::bytes}) {
        std::uint64_t sum = row.mirrored.*unit;
        for (unsigned r = 0; r < UMBRA_REASON_COUNT; ++r) sum += dropped_units(row, static_cast<Reason>(r)).*unit;
        require(row.in_flight.*unit == 0 && row.seen.*unit == sum, "the ledger closes");
    }
}

inline void run(const Case& given, Pieces pieces, Run& out) {
    ProtocolContext context{out.mutes, out.worker, given.limits()};
    FlowProtocol flow(context, {{}, out.recorder.rows[0], given.open(), given.fixed}, out.recorder);
    Feeder feeder(flow, out.recorder.rows[0], pieces, given.seed);
    std::size_t at = 0;
    for (const Event& event : given.events) {
        feeder.data(given.bytes.substr(at, event.at - at));
        at = event.at;
        play(flow, event.kind);
    }
    feeder.data(given.bytes.substr(at));
    if (given.close() == CloseKind::finished) flow.half_close(1);
    flow.close(given.close(), Reason::idle, 1);
    require(out.recorder.closed(), "the sink is closed in the end");
    for (const umbra_ledger_row& row : out.recorder.rows) check_row(row);
}

inline void check_same(const Run& a, const Run& b) {
    require(a.recorder.requests == b.recorder.requests, "pieces do not change the requests");
    require(a.recorder.raw == b.recorder.raw, "pieces do not change the raw bytes");
    require(a.recorder.streams.log == b.recorder.streams.log, "pieces do not change the streams");
    require(a.mutes.count == b.mutes.count, "pieces do not change what is muted");
    require(std::memcmp(a.recorder.rows, b.recorder.rows, sizeof a.recorder.rows) == 0,
            "pieces do not change the ledger");
}

// The case as a whole, after it was compared with other ways to cut it.
inline void run_in_any_pieces(const Case& given, Run& whole) {
    run(given, Pieces::one, whole);
    for (const Pieces pieces : {Pieces::single_bytes, Pieces::random}) {
        Run cut(given);
        run(given, pieces, cut);
        check_same(whole, cut);
    }
}

}  // namespace umbra::fuzz
