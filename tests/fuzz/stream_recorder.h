// StreamRecorder: the HTTP/2 streams of a flow. Checks the order of the calls and settles the ledger at once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fuzz/flow_case.h"
#include "protocol/http2_sink.h"

namespace umbra::fuzz {

// Pieces of data that follow each other are one entry of the log.
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
            size += field.name.size() + field.value.size() + kFieldOverhead;
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

}  // namespace umbra::fuzz
