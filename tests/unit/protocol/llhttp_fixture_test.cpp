// llhttp's own request fixtures (strict mode): the same requests accepted, ending at the same bytes, the same refused.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "protocol/http1_splitter.h"
#include "unit/protocol/recording_sink.h"

namespace umbra {
namespace {

namespace fs = std::filesystem;

// Where Umbra decides otherwise, on purpose.
const std::map<std::string, std::string> kExceptions = {
    {"SOURCE request with ICE", "not HTTP"},
    {"OPTIONS request with RTSP", "not HTTP"},
    {"ANNOUNCE request with RTSP", "not HTTP"},
    {"No HTTP version", "HTTP/0.9 is not mirrored"},
    {"Invalid method", "any token is a method: it does not change the framing"},
    {"Disallow UTF-8 in URI path in strict mode", "servers accept it, the framing is the same"},
    {"CONNECT with body", "servers differ on whether the body exists"},
    {"Tabs in `Content-Length` (surrounding)", "llhttp 8.1 refuses the tab"},
    {"POST with `chunked` as last transfer-encoding", "servers differ on lists of codings"},
    {"POST with `chunked` as last transfer-encoding (multiple headers)", "servers differ on lists of codings"},
};

struct Fixture {
    std::string name;
    std::string input;
    std::vector<std::size_t> ends;
    bool refused = false;
};

std::string unescape(std::string text) {
    if (!text.empty() && text.back() == '\n') text.pop_back();
    text = std::regex_replace(text, std::regex("\\\\\n"), "");
    text = std::regex_replace(text, std::regex("\n"), "\r\n");
    text = std::regex_replace(text, std::regex("\\\\r"), "\r");
    text = std::regex_replace(text, std::regex("\\\\n"), "\n");
    text = std::regex_replace(text, std::regex("\\\\t"), "\t");
    text = std::regex_replace(text, std::regex("\\\\f"), "\f");
    std::smatch hex;
    while (std::regex_search(text, hex, std::regex("\\\\x([0-9a-fA-F]{2})"))) {
        const char byte = static_cast<char>(std::stoi(hex[1], nullptr, 16));
        const std::string latin1 =
            byte < 0 ? std::string("\xc3") + static_cast<char>(byte & ~0x40) : std::string(1, byte);
        text = hex.prefix().str() + latin1 + hex.suffix().str();
    }
    return text;
}

void read_log(const std::string& log, Fixture& out) {
    std::istringstream lines(log);
    const std::regex complete("off=(\\d+) message complete"), error("error code=(\\d+)");
    const std::set<std::string> pauses = {"21", "22"};
    std::smatch match;
    for (std::string line; std::getline(lines, line);) {
        if (std::regex_search(line, match, complete)) out.ends.push_back(std::stoul(match[1]));
        if (std::regex_search(line, match, error) && !pauses.count(match[1])) out.refused = true;
    }
}

std::vector<Fixture> read_fixtures(const fs::path& path) {
    std::vector<Fixture> out;
    std::ifstream file(path);
    std::string title, meta, block, kind;
    bool inside = false;
    for (std::string line; std::getline(file, line);) {
        if (!inside && line.starts_with("#")) title = line.substr(line.find(' ') + 1);
        if (!inside && line.starts_with("<!-- meta=")) meta = line;
        if (!line.starts_with("```")) {
            if (inside) block += line + "\n";
            continue;
        }
        inside = !inside;
        if (inside) {
            kind = line.substr(3);
            block.clear();
            continue;
        }
        const bool strict = std::regex_search(meta, std::regex("\"type\": *\"request\"")) &&
                            meta.find("pause") == meta.npos && meta.find("skipBody") == meta.npos;
        if (strict && kind == "http") out.push_back({title, unescape(block), {}, false});
        if (strict && kind == "log") read_log(block, out.back());
    }
    return out;
}

struct Reading {
    std::vector<std::size_t> ends;
    bool refused = false;
};

// probe: go on after the input's end, to see whether what it ends in is refused.
Reading read(const std::string& input, bool probe) {
    umbra_ledger_row row{};
    test::RecordingSink sink(row, {});
    const ProtocolLimits limits;
    Http1Splitter splitter(sink, row, limits);
    std::string_view rest = input;
    const auto feed = [&](std::string_view text) { return text.substr(splitter.feed(as_bytes(text), 1)); };
    rest = feed(rest);
    const std::size_t complete = sink.requests.size();
    const bool switching = splitter.state() == Http1Splitter::State::switching;
    const bool leftover = !rest.empty() && rest != "\r\n" && !switching;
    if (probe && !leftover && splitter.state() == Http1Splitter::State::running) feed("\r\n\r\n");
    Reading out;
    std::size_t end = 0;
    for (std::size_t i = 0; i < complete; ++i) {
        end += sink.requests[i].bytes.size();
        if (sink.requests[i].state == "ended" && end <= input.size()) out.ends.push_back(end);
    }
    out.refused = leftover || splitter.state() == Http1Splitter::State::failed;
    return out;
}

TEST(LlhttpFixtures, SameRequestsSameBoundaries) {
    const char* given = std::getenv("UMBRA_CORPORA");
    const fs::path folder = fs::path(given ? given : "../shared/corpora") / "http1/llhttp-request";
    if (!fs::exists(folder)) GTEST_SKIP() << "corpora: no http1/llhttp-request";
    std::size_t count = 0;
    std::set<std::string> used;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() != ".md") continue;
        for (const Fixture& fixture : read_fixtures(entry.path())) {
            ++count;
            const Reading reading = read(fixture.input, fixture.refused);
            const bool same = reading.ends == fixture.ends && reading.refused == fixture.refused;
            if (kExceptions.count(fixture.name)) {
                if (!same) used.insert(fixture.name);
                continue;
            }
            EXPECT_EQ(reading.ends, fixture.ends) << fixture.name;
            EXPECT_EQ(reading.refused, fixture.refused) << fixture.name;
        }
    }
    EXPECT_GT(count, 100u);
    EXPECT_LE(kExceptions.size(), 10u);
    EXPECT_EQ(used.size(), kExceptions.size()) << "an exception is not needed any more";
}

}  // namespace
}  // namespace umbra
