// The fuzz seeds of other projects through whole flows: no crash, the same in any pieces, and a ledger that closes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "unit/protocol/http2_outcome.h"

namespace umbra {
namespace {

namespace fs = std::filesystem;
using test::FlowHarness;

struct Reading {
    std::vector<test::SeenRequest> requests;
    std::string raw;
    test::Log log;
    int muted;
    umbra_ledger_row row;
    bool operator==(const Reading& other) const {
        return requests == other.requests && raw == other.raw && log == other.log && muted == other.muted &&
               std::memcmp(&row, &other.row, sizeof row) == 0;
    }
};

Reading read(std::string_view bytes, std::size_t piece, std::optional<Detection> fixed) {
    FlowHarness harness(OpenKind::handshake, {}, fixed);
    harness.sink.take_http2();
    harness.data_in_pieces(bytes, piece);
    harness.close();
    return {harness.sink.requests, harness.sink.raw, harness.sink.streams->log, harness.muted(), harness.row};
}

class Corpus : public testing::Test {
protected:
    void SetUp() override {
        const char* given = std::getenv("UMBRA_CORPORA");
        const fs::path archive = fs::path(given ? given : "../shared/corpora") / "fuzz/http-seeds.tar.gz";
        if (!fs::exists(archive)) GTEST_SKIP() << "corpora: no fuzz/http-seeds.tar.gz";
        folder_ = fs::path(testing::TempDir()) / ("umbra-seeds-" + std::to_string(getpid()));
        fs::create_directories(folder_);
        const std::string command = "tar xzf '" + archive.string() + "' -C '" + folder_.string() + "'";
        ASSERT_EQ(std::system(command.c_str()), 0);
    }
    void TearDown() override {
        if (!folder_.empty()) fs::remove_all(folder_);
    }
    std::vector<std::string> seeds(const std::string& below) const {
        std::vector<std::string> out;
        for (const auto& entry : fs::recursive_directory_iterator(folder_ / below)) {
            if (!entry.is_regular_file()) continue;
            std::ifstream file(entry.path(), std::ios::binary);
            out.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        }
        return out;
    }
    // Returns what the flows handed on in all.
    std::size_t expect_same(const std::string& bytes, std::optional<Detection> fixed) {
        if (bytes.empty()) return 0;
        const Reading whole = read(bytes, bytes.size(), fixed);
        for (const std::size_t piece : {1, 7}) {
            const bool same = read(bytes, piece, fixed) == whole;
            EXPECT_TRUE(same) << "pieces of " << piece << " of " << bytes.size() << " bytes";
        }
        return whole.requests.size() + whole.log.size();
    }
    fs::path folder_;
};

TEST_F(Corpus, Http1InAnyPieces) {
    const auto all = seeds("h2o-fuzz/fuzz/http1-corpus");
    EXPECT_GT(all.size(), 1900u);
    std::size_t found = 0;
    for (const std::string& seed : all) {
        found += expect_same(seed, std::nullopt);
        expect_same(seed, Detection::http1);
    }
    EXPECT_GT(found, 500u);
}

TEST_F(Corpus, Http2InAnyPieces) {
    const std::string opening = test::Http2Client().bytes;
    std::size_t count = 0, found = 0;
    for (const char* below : {"h2o-fuzz/fuzz/http2-corpus", "nghttp2-fuzz/fuzz/corpus"}) {
        for (const std::string& seed : seeds(below)) {
            ++count;
            found += expect_same(seed, std::nullopt);
            found += expect_same(seed, Detection::http2);
            found += expect_same(opening + seed, std::nullopt);
        }
    }
    EXPECT_GT(count, 1400u);
    EXPECT_GT(found, 500u);
}

}  // namespace
}  // namespace umbra
