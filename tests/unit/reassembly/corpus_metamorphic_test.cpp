// Every flow of the corpus under changes that its origin would not have noticed: the output does not change. The
// packets are really rewritten, checksums included, and pass the decoder, which verifies them.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>

#include "reassembly/offline_demux.h"
#include "unit/reassembly/flow_variants.h"
#include "unit/reassembly/stream_test_support.h"

namespace umbra::test {
namespace {

constexpr std::size_t kMostPieces = 20000;
const std::string kVlan("\x81\0\0\x07", 4), kServiceVlan("\x88\xa8\0\x09", 4);

// What one stream gave, without how it was cut into calls.
struct Result {
    std::string bytes;
    std::string state;
    OpenKind kind = OpenKind::handshake;
    std::vector<std::pair<std::size_t, std::uint32_t>> gaps;
    std::vector<std::size_t> answers;  // after how many bytes the server began to answer
    bool operator==(const Result&) const = default;
};

std::string state_of(const StreamRecord& record) {
    if (record.half_closed) return "EOF";
    return record.close_kind == CloseKind::reset ? "ECONNRESET" : "open";
}

void PrintTo(const Result& result, std::ostream* out) {
    *out << result.bytes.size() << " bytes, " << result.state << ", " << result.gaps.size() << " gaps, "
         << result.answers.size() << " answers";
}

// Reassembles what `feed` hands to the demultiplexer.
std::vector<Result> reassemble(Mode mode, const DecodeOptions& options,
                               const std::function<void(OfflineDemux&)>& feed) {
    ReassemblyLimits limits = offline_limits();
    limits.on_conflict = ConflictPolicy::as_linux;
    limits.on_urgent = UrgentPolicy::as_linux;
    limits.fast_open = false;
    limits.segments = 1 << 20;
    RecordingObserver observer;
    umbra_worker_row worker{};
    Reassembler reassembler(limits, mode, observer, worker);
    OfflineDemux demux(reassembler, mode, options);
    feed(demux);
    demux.finish();
    EXPECT_TRUE(observer.closes());
    EXPECT_EQ(demux.counts().bad_checksums + demux.counts().bad_headers + demux.counts().foreign, 0u);
    std::vector<Result> results;
    for (const auto& record : observer.records)
        results.push_back({record->bytes, state_of(*record), record->kind, record->gaps_at, record->answers_at});
    return results;
}

std::vector<Result> as_captured(const CapturedFlow& flow, Mode mode) {
    const DecodeOptions options{.virtual_device = true, .verify_ip_checksum = false};
    return reassemble(mode, options, [&flow](OfflineDemux& demux) {
        for (const RawFrame& frame : flow.frames)
            demux.on_packet({as_bytes(frame.bytes), frame.wire_len, frame.link, ChecksumState::trusted, frame.time});
    });
}

std::vector<Result> rewritten(const CapturedFlow& flow, Mode mode, const Framing& framing) {
    return reassemble(mode, {}, [&](OfflineDemux& demux) {
        for (const CapturedSegment& segment : flow.segments) {
            const std::string frame = write_frame(flow.tuple, segment, framing);
            const auto length = static_cast<std::uint32_t>(frame.size());
            demux.on_packet({as_bytes(frame), length, LinkType::ethernet, ChecksumState::verify, segment.time});
        }
    });
}

struct Original {
    CapturedFlow flow;
    std::size_t expected_bytes = 0;  // that a Linux socket read
    std::vector<Result> results[2];  // by mode
};

Endpoint endpoint(const std::string& text) {
    const bool bare_ipv6 = text.front() != '[' && std::count(text.begin(), text.end(), ':') > 1;
    const auto colon = text.rfind(':');
    return *Endpoint::parse(bare_ipv6 ? "[" + text.substr(0, colon) + "]" + text.substr(colon) : text);
}

// The flows of the corpus, read once, with what they give unchanged.
const std::vector<Original>& originals() {
    static const std::vector<Original> all = [] {
        std::map<std::string, std::vector<FlowTuple>> wanted;
        std::map<std::pair<std::string, FlowTuple>, std::size_t> sizes;
        std::ifstream file(*corpora() / "pcap/expected.json");
        for (const auto& flow : nlohmann::json::parse(file, nullptr, false)) {
            const FlowTuple tuple{endpoint(flow["client"]), endpoint(flow["server"])};
            auto& tuples = wanted[flow["file"]];
            if (sizes.emplace(std::pair(flow["file"], tuple), flow["bytes"]).second) tuples.push_back(tuple);
        }
        std::vector<Original> read;
        for (const auto& [name, tuples] : wanted)
            for (CapturedFlow& flow : read_flows(*corpora() / "pcap" / name, tuples)) {
                const std::size_t size = sizes[{name, flow.tuple}];
                read.push_back({std::move(flow), size, {}});
                for (const Mode mode : {Mode::strict, Mode::one_sided})
                    read.back().results[static_cast<int>(mode)] = as_captured(read.back().flow, mode);
            }
        return read;
    }();
    return all;
}

using Change = std::function<void(CapturedFlow&, std::mt19937&)>;

// Where packets change places or arrive earlier than they did, the server's silence lasts longer, and reassembly may
// have delivered bytes before an answer proves anything: proofs may be lost then, but none may be new.
enum class Answers : std::uint8_t { equal, subset };

bool same_but_answers(std::vector<Result> results, std::vector<Result> expected) {
    for (std::size_t i = 0; i < results.size() && i < expected.size(); ++i) {
        const auto& had = expected[i].answers;
        if (!std::includes(had.begin(), had.end(), results[i].answers.begin(), results[i].answers.end())) return false;
        expected[i].answers.clear();
        results[i].answers.clear();
    }
    return results == expected;
}

// The capture kept the headers of a packet only, which tell that there was one; when it is written again it is gone.
bool cut_by_capture(const CapturedFlow& flow) {
    return std::ranges::any_of(flow.frames, [](const RawFrame& frame) { return frame.wire_len > frame.bytes.size(); });
}

class CorpusMetamorphic : public testing::Test {
protected:
    void SetUp() override {
        if (!corpora()) GTEST_SKIP() << "corpora not found: set UMBRA_CORPORA";
        ASSERT_GT(originals().size(), 200u);
    }
    // How many flows the change really changed, with their packets, is printed: no flow is left out.
    void expect_same(Mode mode, const Change& change, const Framing& framing, Answers answers, unsigned seed = 1) {
        std::mt19937 random(seed);
        std::size_t changed = 0, packets = 0, bytes = 0;
        for (const Original& original : originals()) {
            CapturedFlow flow = original.flow;
            if (change) change(flow, random);
            changed += flow.segments != original.flow.segments || flow.tuple != original.flow.tuple;
            packets += flow.segments.size();
            const auto results = rewritten(flow, mode, framing);
            const auto& expected = original.results[static_cast<int>(mode)];
            const bool exact = answers == Answers::equal && !cut_by_capture(original.flow);
            const bool same = exact ? results == expected : same_but_answers(results, expected);
            EXPECT_TRUE(same) << flow.name << "\n now " << testing::PrintToString(results) << "\n was "
                              << testing::PrintToString(expected);
            for (const Result& result : results) bytes += result.bytes.size();
        }
        changed_ = changed;
        packets_ = packets;
        std::cout << (mode == Mode::strict ? "strict: " : "one-sided: ") << originals().size() << " flows, " << changed
                  << " changed, " << packets << " packets, " << bytes << " bytes" << std::endl;
    }
    void expect_same_in_both(const Change& change, const Framing& framing = {}, Answers answers = Answers::equal) {
        for (const Mode mode : {Mode::strict, Mode::one_sided}) expect_same(mode, change, framing, answers);
    }

    std::size_t changed_ = 0, packets_ = 0;  // of the latest run
};

// What the changes take for granted.
TEST_F(CorpusMetamorphic, OriginalsAreWhatTheyShouldBe) {
    for (const Original& original : originals()) {
        const auto& results = original.results[static_cast<int>(Mode::one_sided)];
        EXPECT_EQ(results.empty() ? 0 : results.front().bytes.size(), original.expected_bytes) << original.flow.name;
        EXPECT_FALSE(original.flow.contradicts()) << original.flow.name;
        EXPECT_FALSE(original.flow.has_urgent_data()) << original.flow.name;
    }
}

TEST_F(CorpusMetamorphic, WrittenAgain) {
    expect_same_in_both({});
    EXPECT_EQ(changed_, 0u);
}

// Of very long flows only the beginning is cut.
TEST_F(CorpusMetamorphic, OneByteSegments) {
    expect_same_in_both([](CapturedFlow& flow, std::mt19937&) { cut_to_bytes(flow, kMostPieces); });
    EXPECT_GT(changed_, 150u);
    EXPECT_GT(packets_, 300'000u);
}

TEST_F(CorpusMetamorphic, Shuffled) {
    for (const unsigned seed : {1u, 2u, 3u, 4u})
        for (const Mode mode : {Mode::strict, Mode::one_sided}) expect_same(mode, shuffle, {}, Answers::subset, seed);
    EXPECT_GT(changed_, 100u);
}

TEST_F(CorpusMetamorphic, Duplicated) {
    expect_same_in_both(duplicate);
    EXPECT_GT(changed_, 140u);
    EXPECT_GT(packets_, 43'000u);
}

TEST_F(CorpusMetamorphic, SequenceNumbersWrap) {
    std::size_t wrapped = 0;
    const auto change = [&wrapped](CapturedFlow& flow, std::mt19937&) {
        shift_to_wrap(flow);
        wrapped += flow.wraps();
    };
    expect_same_in_both(change);
    EXPECT_GT(wrapped, 300u);  // of both runs
}

TEST_F(CorpusMetamorphic, OtherIpVersion) {
    expect_same_in_both([](CapturedFlow& flow, std::mt19937&) { change_ip_version(flow); });
    EXPECT_EQ(changed_, originals().size());
}

TEST_F(CorpusMetamorphic, Vlan) { expect_same_in_both({}, {kVlan, 0}); }

TEST_F(CorpusMetamorphic, QinQ) { expect_same_in_both({}, {kServiceVlan + kVlan, 0}); }

TEST_F(CorpusMetamorphic, Padding) {
    for (const std::size_t padding : {1u, 46u}) expect_same_in_both({}, {"", padding});
}

TEST_F(CorpusMetamorphic, SuperSegments) {
    expect_same_in_both([](CapturedFlow& flow, std::mt19937&) { merge(flow); });
    EXPECT_GT(changed_, 20u);
}

TEST_F(CorpusMetamorphic, EverythingAtOnce) {
    const auto change = [](CapturedFlow& flow, std::mt19937& random) {
        cut_to_bytes(flow, kMostPieces);
        shuffle(flow, random);
        duplicate(flow, random);
        shift_to_wrap(flow);
        change_ip_version(flow);
    };
    expect_same_in_both(change, {kServiceVlan + kVlan, 7}, Answers::subset);
}

}  // namespace
}  // namespace umbra::test
