// RecordingStreams: keeps what a flow hands on of HTTP/2, in order, and settles it in the ledger like a mirror that
// answers when a stream ends. Pieces of data that follow each other are one entry of the log.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "protocol/http2_sink.h"
#include "protocol/message_sink.h"

namespace umbra::test {

inline std::string print(std::span<const HeaderField> fields) {
    std::string out;
    for (const HeaderField& field : fields) {
        out += std::string(field.name) + "=" + std::string(field.value) + (field.never_index ? "!" : "") + ";";
    }
    return out;
}

class RecordingStreams : public Http2Sink {
public:
    using Choose = std::function<umbra_ledger_row*(const RequestHead&)>;
    RecordingStreams(umbra_ledger_row& row, Choose choose) : row_(row), choose_(std::move(choose)) {}

    umbra_ledger_row* stream_head(std::uint32_t stream, const RequestHead& head, std::span<const HeaderField> fields,
                                  TimeNs) override {
        EXPECT_FALSE(known(stream));
        umbra_ledger_row* const row = choose_ ? choose_(head) : &row_;
        note(stream, (row ? "head " : "refused ") + print(fields));
        check_head(head, fields);
        if (!row) return nullptr;
        ledger_seen(*row, &umbra_units::requests);
        streams_[stream] = {row, 0, State::open};
        return row;
    }
    void stream_bytes(std::uint32_t stream, std::size_t count) override {
        EXPECT_EQ(streams_.at(stream).state, State::open);
        EXPECT_GT(count, 0u);
        streams_.at(stream).bytes += count;
    }
    void stream_data(std::uint32_t stream, Bytes data, TimeNs) override {
        EXPECT_EQ(streams_.at(stream).state, State::open);
        EXPECT_FALSE(data.empty());
        const std::string begin = std::to_string(stream) + " data ";
        if (log.empty() || !log.back().starts_with(begin)) log.push_back(begin);
        log.back() += as_text(data);
    }
    void stream_trailers(std::uint32_t stream, std::span<const HeaderField> fields, TimeNs) override {
        EXPECT_EQ(streams_.at(stream).state, State::open);
        note(stream, "trailers " + print(fields));
    }
    void stream_end(std::uint32_t stream, TimeNs) override {
        note(stream, "end " + std::to_string(streams_.at(stream).bytes));
        settle(streams_.at(stream), {});
    }
    void stream_reset(std::uint32_t stream, std::uint32_t code, Reason reason, TimeNs) override {
        note(stream, "reset " + std::to_string(code) + " " + reason_name(reason));
        Stream& known = streams_.at(stream);
        if (known.state == State::open) settle(known, reason);
    }
    // The flow's close ends them all.
    void close(Reason reason) {
        for (auto& [id, stream] : streams_) {
            if (stream.state != State::open) continue;
            note(id, std::string("cut ") + reason_name(reason) + " " + std::to_string(stream.bytes));
            settle(stream, reason);
        }
    }

    std::vector<std::string> log;

private:
    enum class State : std::uint8_t { open, settled };
    struct Stream {
        umbra_ledger_row* row = nullptr;
        std::size_t bytes = 0;
        State state = State::open;
    };

    bool known(std::uint32_t stream) const { return streams_.count(stream) != 0; }
    void note(std::uint32_t stream, const std::string& text) { log.push_back(std::to_string(stream) + " " + text); }

    // The head is the same as its fields.
    static void check_head(const RequestHead& head, std::span<const HeaderField> fields) {
        EXPECT_EQ(head.version_major, 2);
        EXPECT_FALSE(head.upgrade);
        std::size_t plain = 0;
        for (const HeaderField& field : fields) {
            for (const auto& [name, value] : {std::pair{":method", head.method},
                                              {":path", head.target},
                                              {":authority", head.authority},
                                              {":scheme", head.scheme}}) {
                if (field.name == name) {
                    EXPECT_EQ(field.value, value);
                }
            }
            if (field.name.starts_with(':')) continue;
            ASSERT_LT(plain, head.headers.size());
            EXPECT_EQ(head.headers[plain].first, field.name);
            EXPECT_EQ(head.headers[plain++].second, field.value);
        }
        EXPECT_EQ(plain, head.headers.size());
    }

    static void settle(Stream& stream, std::optional<Reason> reason) {
        stream.state = State::settled;
        for (const auto& [unit, n] :
             {std::pair<Unit, std::uint64_t>{&umbra_units::requests, 1}, {&umbra_units::bytes, stream.bytes}}) {
            reason ? ledger_dropped(*stream.row, *reason, unit, n) : ledger_mirrored(*stream.row, unit, n);
        }
    }

    umbra_ledger_row& row_;
    Choose choose_;
    std::map<std::uint32_t, Stream> streams_;
};

}  // namespace umbra::test
