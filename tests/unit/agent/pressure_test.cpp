#include "agent/pressure.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/ledger.h"

namespace umbra::agent {
namespace {

// As of Linux 6.18: the 14th and 15th field are user and system time.
constexpr const char* kStat =
    "4711 (umbra) S 1 4711 4711 0 -1 4194560 1234 0 5 0 321 123 0 0 20 0 3 0 98765 1234567 4321 18446744073709551615 "
    "1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0";

std::string read_file(const char* path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

TEST(CpuTicks, UserAndSystemTimeWhateverTheNameIs) {
    EXPECT_EQ(parse_cpu_ticks(kStat), 444u);
    std::string named = kStat;
    named.replace(named.find("(umbra)"), 7, "(a) R 1 2 (b) 9)");
    EXPECT_EQ(parse_cpu_ticks(named), 444u);
}

TEST(CpuTicks, WhatIsNoStatGivesNothing) {
    const std::string stat = kStat;
    for (const std::string& text :
         {std::string(), std::string("4711"), std::string("4711 (umbra)"), stat.substr(0, stat.find(" 123 0 0")),
          std::string("1 (x) S a b c d e f g h i j k l"), std::string("1 (x) S 1 1 1 1 1 1 1 1 1 1 -5 7")})
        EXPECT_FALSE(parse_cpu_ticks(text)) << text;
}

TEST(CpuTicks, OfThisProcessGrow) {
    const auto before = parse_cpu_ticks(read_file("/proc/self/stat"));
    ASSERT_TRUE(before);
    const auto until = *before + 2;
    std::optional<std::uint64_t> now;
    do {
        now = parse_cpu_ticks(read_file("/proc/self/stat"));
        ASSERT_TRUE(now);
    } while (*now < until);
}

TEST(Softnet, DroppedAndSqueezesOfAllCpusInHexadecimal) {
    EXPECT_EQ(parse_softnet("01ba1b17 00000000 0000006b 00000000 00000000\n01d02eb7 00000010 00000057 00000000\n"),
              0x6bu + 0x10 + 0x57);
    EXPECT_EQ(parse_softnet("1 2 3"), 5u) << "without a last line end";
    EXPECT_TRUE(parse_softnet(read_file("/proc/net/softnet_stat")));
}

TEST(Softnet, WhatIsNotItGivesNothing) {
    for (const char* text : {"", "1 2\n", "1 2 3\n4 5\n", "1 x 3\n", "1 2 3g\n"})
        EXPECT_FALSE(parse_softnet(text)) << text;
}

LedgerReading reading() {
    LedgerReading made;
    RuleReading rule;
    rule.kernel.seen = {1000, 0};
    rule.kernel.cloned = {880, 0};
    rule.kernel.server = {500, 0};
    rule.kernel.dropped.queue_full = {70, 0};
    rule.kernel.dropped.clone_failed = {50, 0};
    rule.kernel.dropped.unsampled = {400, 0};
    rule.kernel.dropped.ring_full = {30, 0};
    rule.row.mirrored.requests = 60;
    dropped_units(rule.row, Reason::breaker_open).requests = 20;
    dropped_units(rule.row, Reason::response_timeout).requests = 10;
    dropped_units(rule.row, Reason::tls_failed).requests = 5;
    dropped_units(rule.row, Reason::gap).requests = 100;
    dropped_units(rule.row, Reason::mirror_rate).requests = 100;
    made.rules = {rule, rule};
    return made;
}

TEST(Traffic, LossesBetweenKernelAndTerminatorAndErrorsOfMirrors) {
    const auto counts = count_traffic(reading(), 7);
    EXPECT_EQ(counts.taken, 2u * (880 + 70 + 50 + 500)) << "what is unsampled was not to be captured";
    EXPECT_EQ(counts.lost, 2u * (70 + 50 + 30) + 7);
    EXPECT_EQ(counts.mirror_errors, 2u * 35) << "gaps are no mirror's fault, a policy's limit is somebody's wish";
    EXPECT_EQ(counts.finished, 2u * 95);
}

Observation observation(TimeNs at) {
    Observation seen;
    seen.at = at;
    seen.cpu_ticks = {{10, 1000}, {11, 5000}};
    seen.resident_bytes = 1 << 20;
    seen.softnet = 50;
    seen.traffic = TrafficCounts{10000, 100, 500, 5};
    return seen;
}

std::optional<double> of(const PressureValues& values, Pressure pressure) {
    return values[static_cast<std::size_t>(pressure)];
}

constexpr Machine kMachine{.cpus = 2, .ticks_per_second = 100};

TEST(Pressure, IsTheDifferenceOfTwoObservationsPerSecond) {
    const auto before = observation(5 * kSecond);
    auto now = observation(7 * kSecond);
    now.cpu_ticks = {{10, 1010}, {11, 5110}};
    now.softnet = 90;
    now.traffic = TrafficCounts{14000, 500, 1000, 130};
    const auto values = pressure_between(before, now, kMachine, 100);
    EXPECT_DOUBLE_EQ(*of(values, Pressure::cpu), 0.3) << "120 ticks of 400 in two seconds on two CPUs";
    EXPECT_DOUBLE_EQ(*of(values, Pressure::memory), 1 << 20);
    EXPECT_DOUBLE_EQ(*of(values, Pressure::capture_loss), 0.1);
    EXPECT_DOUBLE_EQ(*of(values, Pressure::mirror_errors), 0.25);
    EXPECT_DOUBLE_EQ(*of(values, Pressure::softnet), 20);
}

TEST(Pressure, SharesOfTooLittleAreNotJudged) {
    const auto before = observation(5 * kSecond);
    auto now = observation(6 * kSecond);
    now.traffic = TrafficCounts{10099, 199, 599, 104};
    const auto few = pressure_between(before, now, kMachine, 100);
    EXPECT_FALSE(of(few, Pressure::capture_loss));
    EXPECT_FALSE(of(few, Pressure::mirror_errors));
    now.traffic = TrafficCounts{10100, 200, 600, 105};
    const auto enough = pressure_between(before, now, kMachine, 100);
    EXPECT_DOUBLE_EQ(*of(enough, Pressure::capture_loss), 1);
    EXPECT_DOUBLE_EQ(*of(enough, Pressure::mirror_errors), 1);
    now.traffic = before.traffic;
    EXPECT_FALSE(of(pressure_between(before, now, kMachine, 0.5), Pressure::capture_loss));
}

TEST(Pressure, ANewProcessCountsFromItsBeginningAndACounterThatWentBackNot) {
    const auto before = observation(5 * kSecond);
    auto now = observation(6 * kSecond);
    now.cpu_ticks = {{10, 1000}, {12, 40}};
    now.softnet = 10;
    now.traffic = TrafficCounts{20000, 3, 5000, 0};
    const auto values = pressure_between(before, now, kMachine, 100);
    EXPECT_DOUBLE_EQ(*of(values, Pressure::cpu), 0.2);
    EXPECT_DOUBLE_EQ(*of(values, Pressure::softnet), 0);
    EXPECT_DOUBLE_EQ(*of(values, Pressure::capture_loss), 0);
    EXPECT_DOUBLE_EQ(*of(values, Pressure::mirror_errors), 0);
}

TEST(Pressure, WhatCannotBeReadHasNoValue) {
    Observation blind;
    blind.at = 6 * kSecond;
    for (const auto& value : pressure_between(observation(5 * kSecond), blind, kMachine, 1)) EXPECT_FALSE(value);
    const auto same = observation(5 * kSecond);
    EXPECT_FALSE(of(pressure_between(same, same, kMachine, 1), Pressure::cpu)) << "no time has passed";
}

}  // namespace
}  // namespace umbra::agent
