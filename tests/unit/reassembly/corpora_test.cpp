// Captures and overlap vectors whose results a Linux socket gave.
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "capture/pcap_source.h"
#include "reassembly/offline_demux.h"
#include "unit/reassembly/stream_test_support.h"

namespace umbra::test {
namespace {

using nlohmann::json;

std::string sha256(const std::string& bytes) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
    std::string hex;
    for (const unsigned char byte : digest) {
        char two[3];
        std::snprintf(two, sizeof two, "%02x", byte);
        hex += two;
    }
    return hex;
}

json read_json(const std::filesystem::path& path) {
    std::ifstream file(path);
    return json::parse(file, nullptr, false);
}

// The corpus writes IPv6 servers without brackets.
std::string endpoint_name(const Endpoint& endpoint, bool brackets) {
    const std::string host = endpoint.address.to_string();
    const bool bracketed = brackets && !endpoint.address.is_v4();
    return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port);
}

struct Capture {
    RecordingObserver observer;
    umbra_worker_row worker{};
};

void run_capture(const std::filesystem::path& file, Mode mode, Capture& capture) {
    ReassemblyLimits limits = offline_limits();
    limits.on_conflict = ConflictPolicy::as_linux;
    limits.on_urgent = UrgentPolicy::as_linux;
    limits.fast_open = false;
    Reassembler reassembler(limits, mode, capture.observer, capture.worker);
    OfflineDemux demux(reassembler, mode, {.virtual_device = true, .verify_ip_checksum = false});
    auto source = PcapSource::open(file, ChecksumState::trusted);
    ASSERT_TRUE(source) << source.error().message;
    const auto outcome = (*source)->read(demux);
    ASSERT_TRUE(outcome) << outcome.error().message;
    demux.finish();
    EXPECT_TRUE(capture.observer.closes()) << file;
}

std::string state_of(const StreamRecord& record) {
    if (record.half_closed) return "EOF";
    return record.close_kind == CloseKind::reset ? "ECONNRESET" : "open";
}

class Corpora : public testing::Test {
protected:
    void SetUp() override {
        const auto found = corpora();
        if (!found) GTEST_SKIP() << "corpora not found: set UMBRA_CORPORA";
        path = *found;
    }
    std::filesystem::path path;
};

TEST_F(Corpora, OneSidedGivesWhatALinuxSocketRead) {
    const json expected = read_json(path / "pcap/expected.json");
    ASSERT_GT(expected.size(), 200u);
    std::map<std::string, std::unique_ptr<Capture>> captures;
    for (const json& flow : expected) {
        const std::string file = flow["file"];
        auto& capture = captures[file];
        if (!capture) {
            capture = std::make_unique<Capture>();
            run_capture(path / "pcap" / file, Mode::one_sided, *capture);
        }
        const std::string name =
            file + " " + flow["client"].get<std::string>() + " " + flow["server"].get<std::string>();
        const StreamRecord* found = nullptr;
        for (const auto& record : capture->observer.records)
            if (endpoint_name(record->tuple.client, true) == flow["client"] &&
                endpoint_name(record->tuple.server, false) == flow["server"] && !found)
                found = record.get();
        const std::string bytes = found ? found->bytes : "";
        EXPECT_EQ(bytes.size(), flow["bytes"].get<std::size_t>()) << name;
        EXPECT_EQ(sha256(bytes), flow["sha256"]) << name;
        if (!found) continue;
        EXPECT_NE(flow["state"], "nohs") << name;
        EXPECT_EQ(state_of(*found), flow["state"]) << name;
        EXPECT_EQ(found->gaps, 0) << name;
    }
}

// Flows that differ in strict mode: the server reset the connection before it took all, or is not in the capture, or
// acknowledged packets that are not (then there is a gap and more comes behind it).
struct Difference {
    std::size_t strict_bytes;
    int gaps;
};
const std::map<std::string, Difference> kStrictDifferences{
    {"pcapplusplus/example2.pcap 10.0.0.1:55243>212.199.202.50:443", {702, 0}},
    {"pcapplusplus/example2.pcap 10.0.0.1:55254>212.199.202.50:443", {702, 0}},
    {"pcapplusplus/example2.pcap 10.0.0.1:55263>212.58.244.114:443", {864, 0}},
    {"pcapplusplus/unidirectional_tcp_stream_with_missing_packet.pcap 10.0.0.1:61541>81.218.72.15:80", {0, 0}},
    {"zeek/zero-length-bodies-with-drops.pcap 10.0.0.118:51534>75.98.70.31:80", {10702, 2}}};

TEST_F(Corpora, StrictEqualsOneSidedWhereBothSidesWereCaptured) {
    std::map<std::string, bool> files;
    for (const json& flow : read_json(path / "pcap/expected.json")) files[flow["file"]] = true;
    std::size_t flows = 0;
    for (const auto& [file, _] : files) {
        Capture strict, one_sided;
        run_capture(path / "pcap" / file, Mode::strict, strict);
        run_capture(path / "pcap" / file, Mode::one_sided, one_sided);
        for (const auto& record : one_sided.observer.records) {
            StreamRecord found;
            for (const auto& other : strict.observer.records)
                if (other->tuple == record->tuple && found.script.empty()) found = *other;
            const std::string name = file + " " + record->tuple.to_string();
            ++flows;
            const auto known = kStrictDifferences.find(name);
            if (known == kStrictDifferences.end()) {
                EXPECT_EQ(found.bytes, record->bytes) << name;
            } else {
                EXPECT_EQ(found.bytes.size(), known->second.strict_bytes) << name;
                EXPECT_EQ(found.gaps, known->second.gaps) << name;
            }
        }
    }
    EXPECT_GT(flows, 200u);
}

TEST_F(Corpora, OverlapVectors) {
    const json corpus = read_json(path / "linux_overlap_vectors.json");
    const json& vectors = corpus["vectors"];
    ASSERT_GT(vectors.size(), 3000u);
    for (const bool wrap : {false, true}) {
        std::size_t failures = 0;
        for (const json& vector : vectors) {
            Wire wire(Mode::one_sided, as_linux(), wrap ? 0xfffffffau : kIsn);
            wire.syn();
            for (const json& segment : vector[0])
                wire.client(segment[0].get<std::uint32_t>(), segment[1].get<std::string>());
            if (wire.bytes() != vector[1].get<std::string>() && ++failures < 5)
                ADD_FAILURE() << vector.dump() << " gave " << wire.bytes();
            if (!wire.observer.closes()) ADD_FAILURE() << vector.dump() << " ledger";
        }
        EXPECT_EQ(failures, 0u) << "of " << vectors.size();
    }
}

}  // namespace
}  // namespace umbra::test
