// The engine against the running kernel.
// UMBRA_DIFFERENTIAL_SCRIPTS, _SEED: how many and which; _FAILURES: how many end the run (1); _REPLAY: a saved script
// instead.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "differential/runner.h"
#include "differential/tun_oracle.h"

namespace umbra::differential {
namespace {

// The same scripts everywhere, so that what fails is the change's doing; `make test-long` takes new ones each time.
constexpr std::uint64_t kScripts = 20000, kSeed = 20181;

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::filesystem::path folder_for_failures() {
    const char* const build = std::getenv("UMBRA_BUILD");
    return std::filesystem::path(build ? build : "build") / "differential";
}

std::filesystem::path save(const Failure& failure, std::uint64_t seed) {
    std::error_code ignored;
    std::filesystem::create_directories(folder_for_failures(), ignored);
    const auto path = folder_for_failures() / (std::to_string(seed) + "-" + std::to_string(failure.index) + ".script");
    std::ofstream(path) << to_text(failure.script);
    return path;
}

class Differential : public testing::Test {
protected:
    void SetUp() override {
        if (const auto possible = probe_tun(); !possible) GTEST_SKIP() << possible.error().message;
    }
};

TEST_F(Differential, EngineGivesWhatTheApplicationRead) {
    if (std::getenv("UMBRA_DIFFERENTIAL_REPLAY")) GTEST_SKIP() << "a saved script is replayed instead";
    RunPlan plan;
    plan.seed = number_from("UMBRA_DIFFERENTIAL_SEED", kSeed);
    plan.scripts = number_from("UMBRA_DIFFERENTIAL_SCRIPTS", kScripts);
    plan.failures = number_from("UMBRA_DIFFERENTIAL_FAILURES", 1);
    std::cout << "seed " << plan.seed << std::endl;
    const RunReport report = run_scripts(plan);
    std::cout << to_text(report);
    EXPECT_EQ(report.error, "");
    for (const Failure& failure : report.failures)
        ADD_FAILURE() << "seed " << plan.seed << " script " << failure.index << ", saved as "
                      << save(failure, plan.seed) << " (replay: UMBRA_DIFFERENTIAL_REPLAY=FILE)\n"
                      << failure.difference << "\n"
                      << to_text(failure.script);
}

TEST_F(Differential, SavedScript) {
    const char* const file = std::getenv("UMBRA_DIFFERENTIAL_REPLAY");
    if (!file) GTEST_SKIP() << "set UMBRA_DIFFERENTIAL_REPLAY to a file";
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    const auto script = parse_script(text.str());
    ASSERT_TRUE(script) << file << " is no script";
    std::thread([&script] {
        auto oracle = TunOracle::make();
        ASSERT_TRUE(oracle) << oracle.error().message;
        const auto trace = (*oracle)->play(*script);
        ASSERT_TRUE(trace) << trace.error().message;
        std::cout << narrate(*trace);
        EXPECT_EQ(judge(*script, *trace, 0).difference, "");
    }).join();
}

}  // namespace
}  // namespace umbra::differential
