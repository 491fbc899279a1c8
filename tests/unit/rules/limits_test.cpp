// Bounds of documents that no other test forces.
#include "rules/limits.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "rules/live_set.h"
#include "rules/pattern.h"
#include "rules/source_text.h"
#include "rules/yaml_reader.h"

namespace umbra::rules {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

bool says(const std::vector<Diagnostic>& findings, const std::string& text) {
    return std::ranges::any_of(findings, [&](const Diagnostic& d) { return d.message.find(text) != d.message.npos; });
}

// Limits: expression.
TEST(PatternLimits, ALongExpressionIsRefused) {
    EXPECT_TRUE(Pattern::make(std::string(kMaxExpression, 'a')));
    EXPECT_FALSE(Pattern::make(std::string(kMaxExpression + 1, 'a')));
}

// Limits: expression_memory.
TEST(PatternLimits, AnExpressionThatNeedsMuchMemoryIsRefused) {
    EXPECT_TRUE(Pattern::make("(" + std::string(300, 'a') + "){10}"));
    EXPECT_FALSE(Pattern::make("(" + std::string(300, 'a') + "){1000}"));
}

// Limits: document_values.
TEST(DocumentLimits, TooManyValuesAreRefused) {
    std::string text = "[";
    for (std::size_t i = 0; i <= kMaxValues; ++i) text += "0,";
    Diagnostics diagnostics;
    read_yaml({"many.yaml", text + "]"}, diagnostics);
    EXPECT_TRUE(diagnostics.has_errors());
}

class InputLimits : public testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::path(testing::TempDir()) / ("umbra-input-" + std::to_string(::getpid()));
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }
    // Sparse: its size costs nothing.
    void write(const std::string& name, std::size_t size) {
        std::ofstream(folder_ / name);
        fs::resize_file(folder_ / name, size);
    }
    std::vector<Diagnostic> read(std::size_t& files) {
        Diagnostics diagnostics;
        files = read_sources({folder_.string()}, diagnostics).size();
        return diagnostics.take();
    }
    fs::path folder_;
};

// Limits: file_bytes.
TEST_F(InputLimits, ALargeFileIsRefusedAndOthersAreRead) {
    write("large.yaml", kMaxFileBytes + 1);
    write("small.yaml", 10);
    std::size_t files = 0;
    EXPECT_TRUE(says(read(files), "above the limit"));
    EXPECT_EQ(files, 1u);
}

// Limits: input_bytes.
TEST_F(InputLimits, AllFilesTogetherAreBounded) {
    for (const char* name : {"a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml"}) write(name, kMaxFileBytes - 1);
    std::size_t files = 0;
    EXPECT_FALSE(read(files).empty());
    EXPECT_EQ(files, 4u);
}

// Limits: input_files.
TEST_F(InputLimits, TooManyFilesAreRefused) {
    for (std::size_t i = 0; i <= kMaxFiles; ++i) write(std::to_string(i) + ".yaml", 0);
    std::size_t files = 0;
    EXPECT_FALSE(read(files).empty());
    EXPECT_LE(files, kMaxFiles);
}

Json metadata(const std::string& name) { return {{"name", name}, {"namespace", "default"}, {"generation", 1}}; }

Json pod(const std::string& version, const std::string& ip) {
    Json made{{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", metadata(version)}};
    made["metadata"]["labels"] = {{"app", "httpbin"}, {"version", version}};
    made["status"] = {{"phase", "Running"}, {"podIP", ip}};
    return made;
}

// Each attempt finds one rule too many for the endpoint and leaves it out.
LiveSet crowded(std::size_t rules) {
    LiveSet set;
    set.put({{"apiVersion", "v1"},
             {"kind", "Service"},
             {"metadata", metadata("httpbin")},
             {"spec", {{"selector", {{"app", "httpbin"}}}, {"ports", {{{"name", "http"}, {"port", 80}}}}}}});
    set.put(pod("v1", "10.0.0.1"));
    set.put(pod("v2", "10.0.0.2"));
    for (std::size_t i = 0; i < rules; ++i) {
        Json rule{{"apiVersion", "config.istio.io/v1alpha2"}, {"kind", "RouteRule"}};
        rule["metadata"] = metadata("r" + std::to_string(1000 + i));
        rule["spec"]["destination"]["name"] = "httpbin";
        rule["spec"]["match"]["request"]["headers"]["x"]["exact"] = std::to_string(i);
        rule["spec"]["route"] = {{{"labels", {{"version", "v1"}}}}};
        rule["spec"]["mirror"] = {{"name", "httpbin"}, {"labels", {{"version", "v2"}}}};
        set.put(rule);
    }
    return set;
}

// Limits: exclusion_rounds.
TEST(LiveSetLimits, AttemptsToLeaveObjectsOutAreBounded) {
    const auto few = crowded(20).compile({}, {});
    EXPECT_TRUE(few.errors.empty());
    EXPECT_EQ(few.plan.rules.size(), 8u) << "as many as may compete";
    EXPECT_TRUE(says(crowded(90).compile({}, {}).errors, "too many objects contradict each other"));
}

}  // namespace
}  // namespace umbra::rules
