// Runs a client's HTTP/2 bytes through a whole flow, in pieces, and compares what came of it.
#pragma once

#include <cstring>

#include "unit/protocol/http2_client.h"
#include "unit/protocol/recording_sink.h"

namespace umbra::test {

using Log = std::vector<std::string>;

// Of the ends and cuts in it.
inline Log without_sizes(const Log& log) {
    Log out;
    for (const auto& line : log) {
        const bool sized = line.find(" end ") != line.npos || line.find(" cut ") != line.npos;
        out.push_back(sized ? line.substr(0, line.rfind(' ')) : line);
    }
    return out;
}

struct Http2Outcome {
    Log log;
    int muted = 0;
    umbra_ledger_row row{};

    bool operator==(const Http2Outcome& other) const {
        return log == other.log && muted == other.muted && std::memcmp(&row, &other.row, sizeof row) == 0;
    }
    std::uint64_t dropped(Reason reason) const { return dropped_units(row, reason).bytes; }
};

inline Http2Outcome run_http2(const std::vector<std::string_view>& pieces, const RecordingSink::Choose& choose = {}) {
    FlowHarness harness(OpenKind::handshake, choose);
    harness.sink.take_http2();
    for (const auto piece : pieces) {
        // Its own memory: what is kept of it too long is seen.
        const std::string own(piece);
        harness.data(own);
    }
    harness.close();
    return {harness.sink.streams->log, harness.muted(), harness.row};
}

// The outcome of the bytes as a whole, after a look at all other ways to cut them (all of `step` apart).
inline Http2Outcome in_any_pieces(std::string_view bytes, std::size_t step = 1) {
    const Http2Outcome whole = run_http2({bytes});
    std::vector<std::string_view> single;
    for (std::size_t at = 0; at < bytes.size(); ++at) single.push_back(bytes.substr(at, 1));
    const Http2Outcome one_by_one = run_http2(single);
    EXPECT_EQ(one_by_one.log, whole.log);
    EXPECT_TRUE(one_by_one == whole) << "byte by byte";
    for (std::size_t at = 1; at < bytes.size(); at += step) {
        const bool same = run_http2({bytes.substr(0, at), bytes.substr(at)}) == whole;
        EXPECT_TRUE(same) << "cut at " << at;
        if (!same) break;
    }
    return whole;
}

}  // namespace umbra::test
