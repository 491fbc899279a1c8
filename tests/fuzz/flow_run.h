// FlowRun: one FlowProtocol fed a case's bytes in pieces, with server packets and gaps between them, and a sink that
// takes everything, checks the order of the calls and settles the ledger. A case runs several times, cut otherwise.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "fuzz/property.h"
#include "protocol/flow_protocol.h"

namespace umbra::fuzz {

enum class EventKind : std::uint8_t { ok, informational, switching, not_http, gap };
constexpr unsigned kEventKinds = 5;
constexpr std::size_t kMaxEvents = 16, kSmallHead = 300, kFewStreams = 3;

struct Event {
    std::size_t at;
    EventKind kind;
};

// Input: flags, a seed for the pieces, a number of events with two bytes of position and one of kind each, the bytes.
struct Case {
    // opening: bytes of the client before those of the input.
    explicit Case(Input& input, std::string_view opening = "") {
        flags = input.u8();
        seed = input.u8();
        const std::size_t count = input.u8() % kMaxEvents;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t at = input.u16();
            events.push_back({at, static_cast<EventKind>(input.u8() % kEventKinds)});
        }
        text = std::string(opening) + std::string(as_text(input.rest()));
        bytes = text;
        for (Event& event : events) event.at = std::min(event.at, bytes.size());
        std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at < b.at; });
    }
    OpenKind open() const { return (flags & 1) != 0 ? OpenKind::midstream : OpenKind::handshake; }
    Case(const Case&) = delete;
    Case& operator=(const Case&) = delete;
    ProtocolLimits limits() const {
        ProtocolLimits out;
        if ((flags & 2) == 0) return out;
        out.head_bytes = out.header_list_bytes = kSmallHead;
        out.header_block_bytes = 2 * kSmallHead;
        out.open_streams = kFewStreams;
        return out;
    }
    bool refuses(std::string_view target) const { return (flags & 4) != 0 && target.size() % 2 == 0; }
    bool two_rows() const { return (flags & 8) != 0; }
    CloseKind close() const { return static_cast<CloseKind>((flags >> 4) % 5); }
    // Nothing is skipped: what is handed on begins where the input begins.
    bool from_the_start() const {
        const auto is_gap = [](const Event& event) { return event.kind == EventKind::gap; };
        return open() == OpenKind::handshake && (flags & 4) == 0 && std::none_of(events.begin(), events.end(), is_gap);
    }

    std::uint8_t flags = 0;
    std::uint8_t seed = 0;
    std::optional<Detection> fixed;
    bool takes_http2 = false;
    std::vector<Event> events;
    std::string text;
    std::string_view bytes;
};

struct Request {
    std::string method, target, bytes;
    int outcome = -1;  // -1 open, -2 ended, else the reason of the abort
    bool operator==(const Request&) const = default;
};

// The streams of a flow; pieces of data that follow each other are one entry of the log.
class StreamRecorder : public Http2Sink {
public:
    StreamRecorder(const Case& given, umbra_ledger_row (&rows)[2]) : case_(given), rows_(rows) {}

    umbra_ledger_row* stream_head(std::uint32_t stream, const RequestHead& head, std::span<const HeaderField> fields,
                                  TimeNs) override {
        require(!known_.count(stream), "a stream has one head");
        require(open_ < case_.limits().open_streams, "open streams are limited");
        note(stream, "head", fields);
        if (case_.refuses(head.target)) return nullptr;
        umbra_ledger_row* const row = case_.two_rows() && head.method == "GET" ? &rows_[1] : &rows_[0];
        ledger_seen(*row, &umbra_units::requests);
        known_[stream] = {row, 0, true};
        ++open_;
        return row;
    }
    void stream_bytes(std::uint32_t stream, std::size_t count) override { open(stream).bytes += count; }
    void stream_data(std::uint32_t stream, Bytes data, TimeNs) override {
        require(open(stream).bytes > 0 && !data.empty(), "data stands for bytes");
        const std::string begin = std::to_string(stream) + " data ";
        if (log.empty() || !log.back().starts_with(begin)) log.push_back(begin);
        log.back() += as_text(data);
    }
    void stream_trailers(std::uint32_t stream, std::span<const HeaderField> fields, TimeNs) override {
        open(stream);
        note(stream, "trailers", fields);
    }
    void stream_end(std::uint32_t stream, TimeNs) override {
        Stream& ended = open(stream);
        log.push_back(std::to_string(stream) + " end " + std::to_string(ended.bytes));
        settle(ended, {});
    }
    void stream_reset(std::uint32_t stream, std::uint32_t code, Reason reason, TimeNs) override {
        log.push_back(std::to_string(stream) + " reset " + std::to_string(code) + reason_name(reason));
        require(known_.count(stream) != 0, "a reset is of a known stream");
        if (known_[stream].open) settle(known_[stream], reason);
    }
    void close() {
        for (auto& [id, stream] : known_) {
            if (!stream.open) continue;
            log.push_back(std::to_string(id) + " cut " + std::to_string(stream.bytes));
            settle(stream, Reason::idle);
        }
    }

    std::vector<std::string> log;

private:
    struct Stream {
        umbra_ledger_row* row = nullptr;
        std::size_t bytes = 0;
        bool open = false;
    };
    Stream& open(std::uint32_t stream) {
        require(known_.count(stream) && known_[stream].open, "calls are of open streams");
        return known_[stream];
    }
    void note(std::uint32_t stream, const char* what, std::span<const HeaderField> fields) {
        std::size_t size = 0;
        log.push_back(std::to_string(stream) + " " + what);
        for (const HeaderField& field : fields) {
            size += field.name.size() + field.value.size() + case_.limits().field_overhead;
            log.back() +=
                "\n" + std::string(field.name) + "=" + std::string(field.value) + (field.never_index ? "!" : "");
        }
        require(size <= case_.limits().header_list_bytes, "header lists are limited");
    }
    void settle(Stream& stream, std::optional<Reason> reason) {
        stream.open = false;
        --open_;
        for (const auto& [unit, n] :
             {std::pair<Unit, std::uint64_t>{&umbra_units::requests, 1}, {&umbra_units::bytes, stream.bytes}}) {
            if (reason)
                ledger_dropped(*stream.row, *reason, unit, n);
            else
                ledger_mirrored(*stream.row, unit, n);
        }
    }

    const Case& case_;
    umbra_ledger_row (&rows_)[2];
    std::map<std::uint32_t, Stream> known_;
    std::size_t open_ = 0;
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
