// Recording sinks, a client and a server that write segments, and the corpora, for the tests of reassembly.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reassembly/reassembler.h"

namespace umbra::test {

inline constexpr std::uint32_t kIsn = 1000, kServerIsn = 5000;

// What one flow's sink was told, in order. Events other than data are written as "[...]" into `script`.
struct StreamRecord {
    FlowTuple tuple;
    OpenKind kind = OpenKind::handshake;
    std::string bytes;
    std::string script;
    bool half_closed = false;
    bool closed = false;
    bool violated = false;  // calls came in an order that stream_sink.h does not promise
    std::uint64_t gap_bytes = 0;
    int gaps = 0;
    std::vector<std::pair<std::size_t, std::uint32_t>> gaps_at;  // after how many bytes, and how long
    std::vector<std::size_t> answers_at;                         // after how many bytes the server sent payload
    CloseKind close_kind = CloseKind::finished;
    Reason close_reason = Reason::duplicate;
};

class RecordingSink : public StreamSink {
public:
    RecordingSink(StreamRecord& record, umbra_ledger_row& row) : record_(record), row_(row) {
        ledger_seen(row_, &umbra_units::flows);
    }
    void data(Bytes bytes, TimeNs) override {
        record_.bytes += as_text(bytes);
        record_.script += as_text(bytes);
        ledger_mirrored(row_, &umbra_units::bytes, bytes.size());
        violated_ |= record_.half_closed || record_.closed || bytes.empty();
    }
    void gap(std::uint32_t length, TimeNs) override {
        record_.script += "[gap " + std::to_string(length) + "]";
        record_.gap_bytes += length;
        ++record_.gaps;
        record_.gaps_at.emplace_back(record_.bytes.size(), length);
        violated_ |= record_.half_closed || record_.closed || length == 0;
    }
    void server_payload(Bytes prefix, TimeNs) override {
        record_.script += "[server " + std::string(as_text(prefix)) + "]";
        record_.answers_at.push_back(record_.bytes.size());
        violated_ |= record_.closed;
    }
    void answer_unseen(TimeNs) override { record_.script += "[unseen]"; }
    void half_close(TimeNs) override {
        record_.script += "[fin]";
        violated_ |= record_.half_closed || record_.closed;
        record_.half_closed = true;
    }
    void close(CloseKind kind, Reason reason, TimeNs) override {
        violated_ |= record_.closed;
        record_.closed = true;
        record_.close_kind = kind;
        record_.close_reason = reason;
        record_.violated = violated_;
        if (violated_) record_.script += "[ORDER VIOLATED]";
        const bool whole = kind == CloseKind::finished || kind == CloseKind::reset;
        if (whole) {
            ledger_mirrored(row_, &umbra_units::flows);
        } else {
            ledger_dropped(row_, reason, &umbra_units::flows);
        }
    }

private:
    StreamRecord& record_;
    umbra_ledger_row& row_;
    bool violated_ = false;
};

class RecordingObserver : public StreamObserver {
public:
    std::unique_ptr<StreamSink> open(const FlowTuple& tuple, OpenKind kind, TimeNs) override {
        if (refuse) {
            ledger_seen(ledger, &umbra_units::flows);
            ledger_dropped(ledger, Reason::unmatched, &umbra_units::flows);
            return nullptr;
        }
        records.push_back(std::make_unique<StreamRecord>());
        records.back()->tuple = tuple;
        records.back()->kind = kind;
        return std::make_unique<RecordingSink>(*records.back(), ledger);
    }
    umbra_ledger_row* row(const FlowTuple&) override { return ruled ? &ledger : nullptr; }
    void mute(const FlowTuple& tuple) override { muted.push_back(tuple); }

    std::uint64_t dropped(Reason reason) const { return dropped_units(ledger, reason).bytes; }
    std::uint64_t dropped_flows(Reason reason) const { return dropped_units(ledger, reason).flows; }
    // seen = mirrored + dropped + in flight, for bytes and flows.
    bool closes() const {
        umbra_units sum{};
        for (unsigned i = 0; i < UMBRA_REASON_COUNT; ++i) {
            sum.bytes += dropped_units(ledger, static_cast<Reason>(i)).bytes;
            sum.flows += dropped_units(ledger, static_cast<Reason>(i)).flows;
        }
        const auto& [seen, mirrored, in_flight] = std::tie(ledger.seen, ledger.mirrored, ledger.in_flight);
        return seen.bytes == mirrored.bytes + sum.bytes + in_flight.bytes &&
               seen.flows == mirrored.flows + sum.flows + in_flight.flows;
    }

    std::vector<std::unique_ptr<StreamRecord>> records;
    std::vector<FlowTuple> muted;
    umbra_ledger_row ledger{};
    bool refuse = false;
    bool ruled = true;
};

inline FlowTuple tuple_of(std::uint16_t client_port = 40000) {
    return {*Endpoint::parse("10.0.0.1:" + std::to_string(client_port)), *Endpoint::parse("10.0.0.2:80")};
}

// One connection, written from both sides. Offsets are relative to the first data byte of each side.
class Wire {
public:
    explicit Wire(Mode mode, const ReassemblyLimits& limits = {}, std::uint32_t isn = kIsn)
        : isn_(isn), reassembler(limits, mode, observer, worker) {}

    Segment segment(std::uint32_t offset, std::string_view payload, std::uint8_t flags = kAck) {
        Segment made;
        made.tuple = tuple;
        made.seq = isn_ + 1 + offset;
        made.ack = kServerIsn + 1 + server_offset;
        made.flags = flags;
        made.window = 64000;
        made.time = now;
        made.payload = as_bytes(payload);
        return made;
    }
    void client(std::uint32_t offset, std::string_view payload, std::uint8_t flags = kAck) {
        reassembler.on_segment(segment(offset, payload, flags));
    }
    void syn(std::string_view payload = {}, std::uint32_t isn_shift = 0) {
        Segment made = segment(isn_shift - 1, payload, kSyn);
        made.ack = 0;
        made.options = client_options;
        reassembler.on_segment(made);
    }
    ServerHeader header(std::uint32_t acked, std::string_view payload = {}, std::uint8_t flags = kAck) {
        ServerHeader made;
        made.tuple = tuple;
        made.seq = kServerIsn + 1 + server_offset;
        made.ack = isn_ + 1 + acked;
        made.flags = flags;
        made.window = 64000;
        made.time = now;
        made.payload_len = static_cast<std::uint32_t>(payload.size());
        made.prefix = as_bytes(payload.substr(0, UMBRA_SERVER_PREFIX));
        return made;
    }
    // Payload moves the server's sequence on.
    void server(std::uint32_t acked, std::string_view payload = {}, std::uint8_t flags = kAck) {
        reassembler.on_server(header(acked, payload, flags));
        server_offset += static_cast<std::uint32_t>(payload.size()) + ((flags & kFin) != 0 ? 1 : 0);
    }
    void syn_ack(std::uint32_t covered = 0) {
        ServerHeader made = header(covered, {}, kSyn | kAck);
        made.seq = kServerIsn;
        made.options = server_options;
        reassembler.on_server(made);
    }
    void handshake() {
        syn();
        syn_ack();
    }
    void drained() { reassembler.on_capture_drained(now); }
    void wait(TimeNs time) {
        now += time;
        reassembler.tick(now);
    }
    void move_isn(std::uint32_t isn) { isn_ = isn; }

    const StreamRecord* record(std::size_t index = 0) const {
        return index < observer.records.size() ? observer.records[index].get() : nullptr;
    }
    std::string script(std::size_t index = 0) const { return record(index) ? record(index)->script : ""; }
    std::string bytes(std::size_t index = 0) const { return record(index) ? record(index)->bytes : ""; }
    std::size_t streams() const { return observer.records.size(); }

    RecordingObserver observer;
    umbra_worker_row worker{};
    FlowTuple tuple = tuple_of();
    TcpOptions client_options{}, server_options{};
    TimeNs now = 100 * kSecond;
    std::uint32_t server_offset = 0;

private:
    std::uint32_t isn_;

public:
    Reassembler reassembler;
};

inline ReassemblyLimits as_linux() {
    ReassemblyLimits limits;
    limits.on_conflict = ConflictPolicy::as_linux;
    limits.on_urgent = UrgentPolicy::as_linux;
    return limits;
}

// The folder of the corpora, if it is there.
inline std::optional<std::filesystem::path> corpora() {
    const char* const named = std::getenv("UMBRA_CORPORA");
    const std::filesystem::path path = named ? named : "../shared/corpora";
    if (std::filesystem::is_directory(path)) return path;
    return std::nullopt;
}

}  // namespace umbra::test
