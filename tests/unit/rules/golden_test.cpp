// tests/golden/rules/NAME.yaml loads to NAME.plan (the plan and its warnings) or fails with NAME.err (the report).
// UMBRA_UPDATE_GOLDEN=1 rewrites the results.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "rules/load.h"
#include "rules/plan_print.h"

namespace umbra::rules {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = "tests/golden/rules";

std::string read(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

std::vector<std::string> case_names() {
    std::vector<std::string> names;
    std::error_code failure;
    for (const auto& entry : fs::directory_iterator(kFolder, failure)) {
        if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, Matches) {
    const auto input = kFolder / (GetParam() + ".yaml");
    const auto outcome = load_paths({input.string()});
    auto actual = print_diagnostics(outcome.diagnostics, true);
    if (outcome.ok) actual = print_plan(outcome.plan) + (actual.empty() ? "" : "\n" + actual);
    const auto plan = kFolder / (GetParam() + ".plan"), report = kFolder / (GetParam() + ".err");
    const auto& expected = outcome.ok ? plan : report;
    if (std::getenv("UMBRA_UPDATE_GOLDEN")) {
        fs::remove(outcome.ok ? report : plan);
        std::ofstream(expected) << actual;
        return;
    }
    ASSERT_TRUE(fs::exists(expected)) << "no " << expected << "; the result is\n" << actual;
    EXPECT_FALSE(fs::exists(outcome.ok ? report : plan)) << "two expectations for one case";
    EXPECT_EQ(actual, read(expected));
}

INSTANTIATE_TEST_SUITE_P(Rules, Golden, testing::ValuesIn(case_names()), [](const auto& which) {
    auto name = which.param;
    std::replace_if(
        name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
    return name;
});

TEST(GoldenFolder, HasCases) { EXPECT_GE(case_names().size(), 10u) << "run the tests in the repository's root"; }

}  // namespace
}  // namespace umbra::rules
